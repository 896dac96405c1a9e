"""Recognises long runs of ``[x, y]`` float pairs in a pickle, which are most of the bytes of landmarks and losses."""

import re

import numpy as np

_OPEN_LIST, _MARK, _FLOAT, _CLOSE = b"]", b"(", b"G", b"e"
_SHORTEST_RUN = 8
_SECOND_FLOAT_AND_REST = 9  # bytes from the second float to the end of its pair
_USUAL_COUNTS = (1000, 68)  # entries of a batch that pickle writes, landmarks of a face


class PairBlock:
    """Stands for many elements ``[x, y]`` of the list that it is in; decoded when asked for."""

    __slots__ = ("dtype", "stored")

    def __init__(self, stored, dtype):
        self.stored, self.dtype = stored, dtype

    def array(self) -> np.ndarray:
        """(n, 2) float64."""
        size = self.dtype.itemsize
        first = size - _SECOND_FLOAT_AND_REST - 9
        shape = (len(self.stored) // size, 2)
        return np.ndarray(shape, ">f8", self.stored, first, (size, 9)).astype(np.float64)

    def memo_indexes(self) -> list[int]:
        """Under which numbers the pairs are remembered, where the pickle says so itself."""
        return self._records()["index"].tolist()

    def __eq__(self, other):
        return type(other) is PairBlock and self.dtype == other.dtype and self.stored == other.stored

    __hash__ = None

    def __len__(self):
        return len(self.stored) // self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes that store it."""
        return len(self.stored)

    def _records(self):
        return np.frombuffer(self.stored, self.dtype)


class PairLayout:
    """One way to store a pair: open a list, perhaps remember it, mark, two floats, close.

    Parameters
    ----------
    remember : bytes
        Opcode that remembers the list, or nothing.
    index_size : int
        Bytes of the number that follows this opcode.
    """

    def __init__(self, remember: bytes, index_size: int = 0):
        self.remembers, self.has_index = bool(remember), index_size > 0
        fields = [("open", "S1")]
        if remember:
            fields.append(("put", "S1"))
        if index_size:
            fields.append(("index", f"<u{index_size}"))
        fields += [("mark", "S1"), ("g", "S1"), ("x", ">f8"), ("h", "S1"), ("y", ">f8"), ("close", "S1")]
        self.dtype = np.dtype(fields)
        self._size, self._known_columns = self.dtype.itemsize, {}
        fixed = {"open": _OPEN_LIST, "put": remember, "mark": _MARK, "g": _FLOAT, "h": _FLOAT, "close": _CLOSE}
        self._columns = [(self.dtype.fields[name][1], fixed[name]) for name, _ in fields if name in fixed]
        self._first_float = self.dtype.fields["g"][1]
        parts = [fixed[name] if name in fixed else b".{%d}" % self.dtype[name].itemsize for name, _ in fields]
        escaped = [re.escape(part) if part in fixed.values() else part for part in parts]
        self._pattern = re.compile(b"(?:" + b"".join(escaped) + b")+", re.DOTALL)

    def run_at(self, data, start: int) -> PairBlock | None:
        """The run whose first list opens at ``start``, or None when it is short."""
        if start + self._first_float >= len(data) or data[start + self._first_float] != _FLOAT[0]:
            return None
        for count in _USUAL_COUNTS:
            block = self.exact_run_at(data, start, count)
            if block is not None:
                return block
        match = self._pattern.match(data, start)
        if match is None or match.end() - start < _SHORTEST_RUN * self._size:
            return None
        return PairBlock(bytes(data[start : match.end()]), self.dtype)

    def exact_run_at(self, data, start: int, count: int) -> PairBlock | None:
        """A run of ``count`` pairs, when there are so many in a row from ``start`` on."""
        size = self._size
        end = start + count * size
        if end > len(data) or data[end - 1] != _CLOSE[0] or data[end - size] != _OPEN_LIST[0]:
            return None
        stored = bytes(data[start:end])
        for place, column in self._columns_of(count):
            if stored[place::size] != column:
                return None
        return PairBlock(stored, self.dtype)

    def _columns_of(self, count):
        columns = self._known_columns.get(count)
        if columns is None:
            columns = self._known_columns[count] = [(place, byte * count) for place, byte in self._columns]
        return columns


LAYOUTS = {
    _MARK[0]: PairLayout(b""),
    0x94: PairLayout(b"\x94"),
    ord("q"): PairLayout(b"q", 1),
    ord("r"): PairLayout(b"r", 4),
}
"""By the byte that follows the opening of the list."""
