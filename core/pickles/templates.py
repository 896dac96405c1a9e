"""Recognises the face data of a picture by pickles read before that differ only in numbers, names and masks.

A template is the operations of one such pickle with its content left out. What the machine makes of a pickle follows
from the operations; so where the same ones stand again, the content alone is taken. Whether a template says where which
content is, the machine itself decides: the template must read another content as the machine does before it is used.
"""

import random
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from core.errors import FormatError
from core.pickles.pairs import PairBlock

_TEXT_KEY, _MASK_KEY = "source_filename", "xseg_mask"
_REQUIRED_KEY = "landmarks"
_MOST_BYTES = 65533
_MOST_TEMPLATES = 16
_MOST_ATTEMPTS = 200
_LEAST_ARRAY = 16
_PLAIN = frozenset({str, int, float, bool, type(None)})

_B, _H, _I, _i = (struct.Struct(code) for code in ("<B", "<H", "<I", "<i"))
_NO_ARGUMENT = frozenset((*b"}(])Neasut.Rb", 0x81, *range(0x85, 0x8A), 0x93, 0x94))
_ARGUMENT_SIZES = {0x80: 1, ord("h"): 1, ord("q"): 1, ord("j"): 4, ord("r"): 4, ord("G"): 8, 0x95: 8}
_NUMBERS = {ord("K"): _B, ord("M"): _H, ord("J"): _i}
_TEXTS = {0x8C: _B, ord("X"): _I}
_BYTES = {ord("C"): _B, ord("B"): _I}
_COUNTED = {**_TEXTS, **_BYTES}
_STOP, _GLOBAL, _FLOAT, _FRAME = *b".cG", 0x95


class _Operation(NamedTuple):
    """Its code, where its argument begins, and where the content begins (after a length) and ends."""

    code: int
    argument: int
    content: int
    end: int


class _Unknown(Exception):
    """The pickle has something that no template has."""


class _Fixed:
    """A stretch of ``size`` bytes that is the same in every pickle, except for the content in ``parts``."""

    def __init__(self, stored, holes, parts):
        self._size, self._parts = len(stored), parts
        self._mask = np.full(len(stored), 255, np.uint8)
        for first, last in holes:
            self._mask[first:last] = 0
        self._expected = (np.frombuffer(stored, np.uint8) & self._mask).tobytes()

    def read(self, data, at, values):
        end = at + self._size
        stored = data[at:end]
        if len(stored) != self._size or (np.frombuffer(stored, np.uint8) & self._mask).tobytes() != self._expected:
            return None
        for key, first, last, make in self._parts:
            values[key] = make(stored[first:last])
        return end

    def example(self, source):
        other = np.frombuffer(source.randbytes(self._size), np.uint8) & ~self._mask
        return (np.frombuffer(self._expected, np.uint8) | other).tobytes()


class _Name:
    """A length and a text."""

    def __init__(self, length):
        self._length = length

    def read(self, data, at, values):
        first = at + self._length.size
        end = first + self._length.unpack_from(data, at)[0]
        if end > len(data):
            return None
        values[_TEXT_KEY] = str(data[first:end], "utf-8", "surrogatepass")
        return end

    def example(self, source):
        size = source.randrange(5, 200)
        return self._length.pack(size) + source.randbytes(size).hex().encode("ascii")[:size]


class _Count:
    """The number of bytes of a mask that follows later."""

    def __init__(self, number):
        self.number = number

    def read(self, data, at, values):
        values[_MASK_KEY] = self.number.unpack_from(data, at)[0]
        return at + self.number.size

    def example(self, source):
        self.shown = source.randrange(20, 200)
        return self.number.pack(self.shown)


class _Mask:
    """A length and the bytes of a mask, as many as its :class:`_Count` says."""

    def __init__(self, length, count, shape):
        self._length, self._count, self._shape = length, count, shape

    def read(self, data, at, values):
        size = self._length.unpack_from(data, at)[0]
        first = at + self._length.size
        end = first + size
        if size == 0 or end > len(data) or values[_MASK_KEY] != size:
            return None
        array = np.frombuffer(data, np.uint8, size, first)
        values[_MASK_KEY] = array if len(self._shape) == 1 else array.reshape(size, 1)
        return end

    def example(self, source):
        return self._length.pack(self._count.shown) + source.randbytes(self._count.shown)


class Template:
    """How to read pickles of the same operations as ``data``, of which the machine made ``value``.

    Raises
    ------
    _Unknown
        When ``value`` is no usual face data or the place of something in ``data`` is not certain.
    """

    def __init__(self, data: bytes, value: dict):
        operations = list(_operations(data))
        self._constants = {key: item if type(item) in _PLAIN else None for key, item in value.items()}
        holes, parts, variables = [], [], []
        for operation in operations:
            if operation.code == _FRAME:
                holes.append((operation.content, operation.end))
        for key, inside in _regions(operations, data, value):
            item = value[key]
            if key == _TEXT_KEY and type(item) is str:
                text = _only(operation for operation in inside if operation.code in _TEXTS)
                variables.append((text, _Name(_TEXTS[text.code])))
            elif key == _MASK_KEY and type(item) is np.ndarray:
                variables += _mask_places(inside, item, data)
            elif type(item) is list:
                parts.append(_pairs(key, inside, item, data))
                first, last = parts[-1][1:3]
                holes += [op[2:] for op in inside if op.code == _FLOAT and first <= op.argument < last]
            elif type(item) is np.ndarray:
                parts.append(_array(key, inside, item))
                holes.append(parts[-1][1:3])
        self._pieces = list(_pieces(data[: operations[-1].end], holes, parts, variables))

    def read(self, data: bytes) -> dict | None:
        """Face data of a pickle of the same operations; None for any other."""
        values, at = self._constants.copy(), 0
        try:
            for piece in self._pieces:
                at = piece.read(data, at, values)
                if at is None:
                    return None
        except (struct.error, UnicodeDecodeError):
            return None
        return values

    def example(self, seed: int) -> bytes:
        """A pickle of the same operations with content made up."""
        source = random.Random(seed)
        return b"".join(piece.example(source) for piece in self._pieces)


class Templates:
    """The templates met so far, at most a few; learning ends after very many, because the pictures vary too much."""

    def __init__(self):
        self._known, self._attempts = [], 0

    def read(self, data: bytes) -> dict | None:
        """Face data, when a template fits."""
        for template in self._known:
            values = template.read(data)
            if values is not None:
                return values
        return None

    def learn(self, data: bytes, value: Any, read: Callable[[bytes], Any]) -> None:
        """Make a template of a pickle of which the machine made ``value``, if it is the usual data of a face.

        Parameters
        ----------
        data : bytes
            The pickle.
        value
            What ``read`` made of it.
        read : callable
            Reads a pickle without templates, or raises a :class:`~core.errors.FormatError`.
        """
        if not _is_usual(value) or len(data) > _MOST_BYTES or self._attempts >= _MOST_ATTEMPTS:
            return
        self._attempts += 1
        try:
            template = Template(data, value)
            for content in (data, template.example(1), template.example(2)):
                found = template.read(content)
                if found is None or not _equal(found, read(content)):
                    return
        except (_Unknown, FormatError):
            return
        self._known = [template, *self._known[: _MOST_TEMPLATES - 1]]


def _is_usual(value):
    if type(value) is not dict or _REQUIRED_KEY not in value:
        return False
    for item in value.values():
        kind = type(item)
        if kind not in _PLAIN and kind is not np.ndarray and not (kind is list and [*map(type, item)] == [PairBlock]):
            return False
    return True


def _equal(first, second):
    """Whether two dictionaries have the same keys in the same order, and values of the same types and bytes."""
    if type(second) is not dict or list(first) != list(second):
        return False
    for one, two in zip(first.values(), second.values()):
        if type(one) is not type(two):
            return False
        if type(one) is np.ndarray:
            if (one.shape, one.dtype, one.strides) != (two.shape, two.dtype, two.strides):
                return False
            one, two = one.tobytes(), two.tobytes()
        if one != two:
            return False
    return True


def _operations(data) -> Iterator[_Operation]:
    at = code = 0
    while code != _STOP:
        if at >= len(data):
            raise _Unknown
        code, argument = data[at], at + 1
        content = argument
        if code in _NO_ARGUMENT:
            at = content
        elif code in _COUNTED:
            content = argument + _COUNTED[code].size
            at = content + int.from_bytes(data[argument:content], "little")
        elif code in _ARGUMENT_SIZES or code in _NUMBERS:
            at = content + (_ARGUMENT_SIZES[code] if code in _ARGUMENT_SIZES else _NUMBERS[code].size)
        elif code == _GLOBAL:
            at = data.index(b"\n", data.index(b"\n", at) + 1) + 1
        else:
            raise _Unknown
        yield _Operation(code, argument, content, at)


def _regions(operations, data, value):
    """For every key, the operations between its text and that of the next key."""
    keys, starts = [key.encode("utf-8", "surrogatepass") for key in value], []
    for number, operation in enumerate(operations):
        key = keys[len(starts)] if len(starts) < len(keys) else None
        if operation.code in _TEXTS and data[operation.content : operation.end] == key:
            starts.append(number + 1)
    if len(starts) != len(keys):
        raise _Unknown
    ends = [start - 1 for start in starts[1:]] + [len(operations)]
    return [(key, operations[start:end]) for key, start, end in zip(value, starts, ends)]


def _only(items):
    found = list(items)
    if len(found) != 1:
        raise _Unknown
    return found[0]


def _mask_places(inside, mask, data):
    if mask.dtype != np.uint8 or mask.shape not in ((mask.size,), (mask.size, 1)) or mask.size < _LEAST_ARRAY:
        raise _Unknown
    stored = _only(op for op in inside if op.code in _BYTES and op.end - op.content == mask.size)
    numbers = [op for op in inside if op.code in _NUMBERS]
    counted = _only(op for op in numbers if _NUMBERS[op.code].unpack_from(data, op.argument)[0] == mask.size)
    count = _Count(_NUMBERS[counted.code])
    return [(counted, count), (stored, _Mask(_BYTES[stored.code], count, mask.shape))]


def _pairs(key, inside, item, data):
    """Key, beginning and end of the content, and what makes the value of it."""
    block = item[0]
    first = data.find(block.stored, inside[0].argument - 1, inside[-1].end)
    if first < 0:
        raise _Unknown
    dtype = block.dtype
    return key, first, first + block.nbytes, lambda stored: [PairBlock(stored, dtype)]


def _array(key, inside, item):
    if item.nbytes < _LEAST_ARRAY:
        raise _Unknown
    stored = _only(op for op in inside if op.code in _BYTES and op.end - op.content == item.nbytes)
    shape, dtype, strides = item.shape, item.dtype, item.strides
    return key, stored.content, stored.end, lambda data: np.ndarray(shape, dtype, data, 0, strides)


def _pieces(data, holes, parts, variables):
    at = 0
    for operation, piece in [*sorted(variables, key=lambda item: item[0].argument), (None, None)]:
        end = operation.argument if operation else len(data)
        inside = [(key, first - at, last - at, make) for key, first, last, make in parts if at <= first < end]
        yield _Fixed(data[at:end], [(first - at, last - at) for first, last in holes if at <= first < end], inside)
        if operation:
            yield piece
            at = operation.end
