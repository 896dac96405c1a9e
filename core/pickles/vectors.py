"""Recognises a whole array of one row or column in a pickle, as the masks in a packed faceset are, in one step."""

import re
import struct
from typing import Any, NamedTuple

import numpy as np

# reconstruct, ndarray, (0,), b"b", call, mark, 1, (length,), type, C order, bytes; \x94 remembers.
_HEAD = re.compile(
    rb"(h.|j.{4})(h.|j.{4})K\x00\x85(\x94?)(?:C\x01b(\x94?)|h.|j.{4})\x87(\x94?)R(\x94?)"
    rb"\(K\x01(?:K(.)|M(.{2})|J(.{4}))(?:\x85|(K\x01)\x86)(\x94?)(h.|j.{4})\x89(?:C(.)|B(.{4}))",
    re.DOTALL,
)
_TAIL = re.compile(rb"(\x94?)t(\x94?)b")
_CODES = {ord("K"): "B", ord("M"): "H", ord("J"): "i", ord("C"): "B", ord("B"): "I"}
_u16, _i32, _u32 = (struct.Struct(code).unpack for code in ("<H", "<i", "<I"))


class Vector(NamedTuple):
    """An array found at a place: where it ends, what it is made of, and what the pickle remembers on the way."""

    end: int
    """Place after it."""
    places: tuple
    """Where the number of elements and the length of the data stand, each with the code of its operation before it."""
    called: int
    array_class: int
    dtype: int
    """Numbers under which what makes it, its class and its data type are remembered."""
    shape: tuple
    """(n,) or (n, 1)."""
    data: Any
    """Stored elements, bytes or memoryview."""
    array_index: int | None
    """How many values are remembered before the array itself; None when it is not remembered."""
    remembered: int
    """How many values are remembered in all."""


def vector_at(data: Any, start: int) -> Vector | None:
    """The array whose description begins at ``start``, or None when it is described in another way."""
    head = _HEAD.match(data, start)
    if head is None:
        return None
    called, kind, a, b, c, d, one, two, four, column, e, dtype, short, long = head.groups()
    length = one[0] if one else _u16(two)[0] if two else _i32(four)[0]
    first = head.end()
    last = first + (short[0] if short else _u32(long)[0])
    tail = _TAIL.match(data, last)
    if tail is None or length < 0:
        return None
    before, end = len(a) + len(b or b"") + len(c), tail.end()
    return Vector(
        end,
        (head.start(next(group for group in (7, 8, 9) if head[group] is not None)), head.start(13 if short else 14)),
        reference(called),
        reference(kind),
        reference(dtype),
        (length, 1) if column else (length,),
        data[first:last],
        before if d else None,
        before + len(d) + len(e) + end - last - 2,
    )


class VectorForm:
    """How the array was described that was read last; the next one mostly differs only in length and content.

    Parameters
    ----------
    data : bytes or memoryview
        The pickle.
    start : int
        Where the description of ``vector`` begins in it.
    vector : Vector
        The array that was found there.
    dtype : numpy.dtype
        Type of its elements, which stays the same as long as no remembered value is replaced.
    """

    __slots__ = ("_column", "_dtype", "_head", "_middle", "_size", "_tail", "_unpack", "array_index", "remembered")

    def __init__(self, data: Any, start: int, vector: Vector, dtype: np.dtype):
        count, length = vector.places
        count_code, length_code = _CODES[data[count - 1]], _CODES[data[length - 1]]
        after = count + struct.calcsize("<" + count_code)
        layout = struct.Struct(f"<{count - start}s{count_code}{length - after}s{length_code}")
        self._unpack, self._size = layout.unpack_from, layout.size
        self._head, self._middle = bytes(data[start:count]), bytes(data[after:length])
        self._tail = bytes(data[start + layout.size + len(vector.data) : vector.end])
        self._dtype, self._column = dtype, len(vector.shape) == 2
        self.array_index, self.remembered = vector.array_index, vector.remembered

    def vector_at(self, data: Any, start: int) -> tuple[np.ndarray, int] | None:
        """Array described in this form at ``start`` and the place after it; None when there is none, or an odd one."""
        first = start + self._size
        if first > len(data) or not self._dtype.isnative:
            return None
        head, count, middle, length = self._unpack(data, start)
        last = first + length
        if head != self._head or middle != self._middle or not count * self._dtype.itemsize == length > 0:
            return None
        if data[last : last + len(self._tail)] != self._tail:
            return None
        array = np.frombuffer(data[first:last], self._dtype)
        return array.reshape(-1, 1) if self._column else array, last + len(self._tail)


def reference(token: bytes) -> int:
    """The number in an operation that fetches a remembered value."""
    return token[1] if len(token) == 2 else _u32(token[1:])[0]
