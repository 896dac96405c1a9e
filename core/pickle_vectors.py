"""Recognises a whole array of one row or column in a pickle, as the masks in a packed faceset are, in one step."""

import re
import struct
from typing import Any

# reconstruct is on the stack: ndarray, (0,), b"b", call, mark, 1, (length,), type, C order, bytes; \x94 remembers.
_HEAD = re.compile(
    rb"(?:h(.)|j(.{4}))K\x00\x85(\x94?)(?:C\x01b(\x94?)|h.|j.{4})\x87(\x94?)R(\x94?)"
    rb"\(K\x01(?:K(.)|M(.{2})|J(.{4}))(?:\x85|(K\x01)\x86)(\x94?)(?:h(.)|j(.{4}))\x89(?:C(.)|B(.{4}))",
    re.DOTALL,
)
_TAIL = re.compile(rb"(\x94?)t(\x94?)b")
_LONGEST_HEAD = 60
_CODES = {1: "<B", 2: "<H", 4: "<i"}


class Vector:
    """An array found at a place: where it ends, what it is made of, and what the pickle remembers on the way.

    Attributes
    ----------
    end : int
        Place after it.
    class_index, dtype_index : int
        Numbers under which its class and its data type are remembered.
    shape : tuple of int
        (n,) or (n, 1).
    data : bytes or memoryview
        Stored elements.
    array_index : int or None
        How many values are remembered before the array itself; None when it is not remembered.
    remembered : int
        How many values are remembered in all.
    """

    __slots__ = ("array_index", "class_index", "data", "dtype_index", "end", "remembered", "shape")

    def __init__(self, data: Any, start: int, head: re.Match):
        groups = head.groups()
        self.class_index = _number(groups[0], groups[1])
        length = _number(groups[6], groups[7], groups[8])
        self.shape = (length,) if groups[9] is None else (length, 1)
        self.dtype_index = _number(groups[11], groups[12])
        first = start + head.end()
        last = first + _number(groups[13], groups[14])
        self.data = data[first:last]
        tail = _TAIL.match(data, last)
        self.end = tail.end() if tail else None
        before = len(groups[2]) + len(groups[3] or b"") + len(groups[4])
        self.array_index = before if groups[5] else None
        self.remembered = before + len(groups[5]) + len(groups[10]) + (len(tail[1]) + len(tail[2]) if tail else 0)


def vector_at(data: Any, start: int) -> Vector | None:
    """The array whose description follows at ``start``, or None when it is described in another way."""
    head = _HEAD.match(bytes(data[start : start + _LONGEST_HEAD]))
    if head is None:
        return None
    vector = Vector(data, start, head)
    return vector if vector.end is not None and vector.shape[0] >= 0 else None


def _number(*groups):
    stored = next(group for group in groups if group is not None)
    return struct.unpack(_CODES[len(stored)], stored)[0]
