"""Writes pickles that every version of DeepFaceLab reads: protocol 4, numpy's old module names, plain numbers."""

import struct
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from core.pickles.rows import RowArray

_MEMOIZE = b"\x94"
_BATCH = 1000
_SHORTEST_RUN = 8


def dumps(value: Any) -> bytes:
    """Pickle plain values and arrays.

    Parameters
    ----------
    value
        dict (keys: text, numbers, bytes), list, tuple, str, int, float, bool, None, bytes, numpy arrays of bool, int or
        float, and numpy scalars and enumerations, which become plain numbers. A
        :class:`~core.pickles.rows.RowArray` becomes a list again.

    Returns
    -------
    bytes
        Names only ``numpy.core.multiarray._reconstruct``, ``numpy.ndarray`` and ``numpy.dtype``.

    Raises
    ------
    TypeError
        For any other type.
    """
    return b"".join(dump_pieces(value))


def dump_pieces(value: Any) -> list[bytes | memoryview]:
    """As :func:`dumps`, but the bytes in pieces, of which those of C-ordered arrays are the arrays' own memory."""
    emitter = _Emitter()
    emitter.value(value)
    return [b"\x80\x04", *emitter.chunks, b"."]


def dump_dict(items: Iterable[tuple[Any, Any]]) -> Iterator[bytes]:
    """The pickle of a dictionary of these keys and values in pieces, each made when it is asked for; as :func:`dumps`."""
    emitter = _Emitter()
    yield b"\x80\x04}("
    for key, value in items:
        emitter.value(key)
        emitter.value(value)
        yield b"".join(emitter.chunks)
        emitter.chunks.clear()
    yield b"u."


def dump_list(items: Iterable[Any], stream: BinaryIO) -> int:
    """Write the pickle of a list of ``items`` to ``stream`` piece by piece; returns the number of items."""
    emitter, count = _Emitter(), 0
    stream.write(b"\x80\x04](")
    for item in items:
        emitter.value(item)
        count += 1
        if count % _BATCH == 0:
            emitter.chunks.append(b"e(")
        stream.write(b"".join(emitter.chunks))
        emitter.chunks.clear()
    stream.write(b"e.")
    return count


class _Emitter:
    def __init__(self):
        self.chunks: list[bytes | memoryview] = []
        self.memo = {}

    def value(self, value):
        method = _METHODS.get(type(value)) or _method_for(value)
        method(self, value)

    def constant(self, value):
        self.chunks.append({None: b"N", True: b"\x88", False: b"\x89"}[value])

    def integer(self, value):
        value = int(value)
        if 0 <= value < 256:
            self.chunks.append(bytes((75, value)))
        elif -(1 << 31) <= value < 1 << 31:
            self.chunks.append(b"J" + struct.pack("<i", value))
        else:
            size = value.bit_length() // 8 + 1
            if size > 255:
                raise TypeError("the number is too long to store")
            self.chunks.append(bytes((0x8A, size)) + value.to_bytes(size, "little", signed=True))

    def floating(self, value):
        self.chunks.append(b"G" + struct.pack(">d", value))

    def text(self, value):
        if not self._recall(value):
            data = str(value).encode("utf-8", "surrogatepass")
            head = bytes((0x8C, len(data))) if len(data) < 256 else b"X" + struct.pack("<I", len(data))
            self.chunks.append(head + data)
            self._remember(value)

    def raw(self, value):
        self._data(bytes(value))

    def _data(self, value):
        size = len(value)
        if size < 256:
            head = bytes((67, size))
        elif size < 1 << 32:
            head = b"B" + struct.pack("<I", size)
        else:
            head = b"\x8e" + struct.pack("<Q", size)
        self.chunks += (head, value)

    def list(self, value):
        self.chunks.append(b"]")
        if len(value) >= _SHORTEST_RUN and all(_is_pair(item) for item in value):
            self._pairs(value)
            return
        for start in range(0, len(value), _BATCH):
            self.chunks.append(b"(")
            for item in value[start : start + _BATCH]:
                self.value(item)
            self.chunks.append(b"e")

    def rows(self, value):
        self.list(value.tolist())

    def tuple(self, value):
        if len(value) > 3:
            self.chunks.append(b"(")
        for item in value:
            self.value(item)
        self.chunks.append((b")", b"\x85", b"\x86", b"\x87")[len(value)] if len(value) <= 3 else b"t")

    def dict(self, value):
        self.chunks.append(b"}(")
        for key, item in value.items():
            self.value(key)
            self.value(item)
        self.chunks.append(b"u")

    def array(self, value):
        value = np.ascontiguousarray(value).reshape(value.shape)
        value = value.astype(value.dtype.newbyteorder("<"), copy=False)
        self._global("numpy.core.multiarray", "_reconstruct")
        self._global("numpy", "ndarray")
        self.chunks.append(b"K\x00\x85C\x01b\x87R(K\x01")
        self.tuple(value.shape)
        self._dtype(value.dtype)
        self.chunks.append(b"\x89")
        self._data(memoryview(value).cast("B") if value.size and value.ndim else value.tobytes())
        self.chunks.append(b"tb")

    def _dtype(self, dtype):
        key = ("dtype", dtype.str)
        if self._recall(key):
            return
        if dtype.kind not in "biuf" or dtype.itemsize > 8:
            raise TypeError(f"arrays of type {dtype} cannot be stored")
        self._global("numpy", "dtype")
        self.text(dtype.str[1:])
        self.chunks.append(b"\x89\x88\x87R")
        self._remember(key)
        self.chunks.append(b"(K\x03")
        self.text(dtype.str[0])
        self.chunks.append(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb")

    def _global(self, module, name):
        key = (module, name)
        if not self._recall(key):
            self.text(module)
            self.text(name)
            self.chunks.append(b"\x93")
            self._remember(key)

    def _pairs(self, value):
        records = np.zeros(len(value), [("open", "S3"), ("x", ">f8"), ("g", "S1"), ("y", ">f8"), ("e", "S1")])
        records["open"], records["g"], records["e"] = b"](G", b"G", b"e"
        records["x"], records["y"] = np.array(value, np.float64).T
        for start in range(0, len(value), _BATCH):
            self.chunks += (b"(", records[start : start + _BATCH].tobytes(), b"e")

    def _recall(self, key):
        index = self.memo.get(key)
        if index is None:
            return False
        self.chunks.append(bytes((104, index)) if index < 256 else b"j" + struct.pack("<I", index))
        return True

    def _remember(self, key):
        self.memo[key] = len(self.memo)
        self.chunks.append(_MEMOIZE)


def _is_pair(item):
    return type(item) is list and len(item) == 2 and type(item[0]) is float and type(item[1]) is float


_METHODS = {
    type(None): _Emitter.constant,
    bool: _Emitter.constant,
    int: _Emitter.integer,
    float: _Emitter.floating,
    str: _Emitter.text,
    bytes: _Emitter.raw,
    list: _Emitter.list,
    tuple: _Emitter.tuple,
    dict: _Emitter.dict,
    np.ndarray: _Emitter.array,
    RowArray: _Emitter.rows,
}


def _method_for(value):
    """Writer of a value whose exact type has none: numpy scalars, enumerations, other subclasses."""
    if isinstance(value, np.bool_):
        return lambda emitter, flag: emitter.constant(bool(flag))
    if isinstance(value, (int, np.integer)):
        return _Emitter.integer
    if isinstance(value, (float, np.floating)):
        return _Emitter.floating
    for kind in (str, bytes, list, tuple, dict, np.ndarray):
        if isinstance(value, kind):
            return _METHODS[kind]
    if isinstance(value, bytearray):
        return _Emitter.raw
    raise TypeError(f"a value of type {type(value).__name__} cannot be stored")
