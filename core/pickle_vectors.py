"""Recognises a whole array of one row or column in a pickle, as the masks in a packed faceset are, in one step."""

import re
import struct
from typing import Any, NamedTuple

# reconstruct, ndarray, (0,), b"b", call, mark, 1, (length,), type, C order, bytes; \x94 remembers.
_HEAD = re.compile(
    rb"(h.|j.{4})(h.|j.{4})K\x00\x85(\x94?)(?:C\x01b(\x94?)|h.|j.{4})\x87(\x94?)R(\x94?)"
    rb"\(K\x01(?:K(.)|M(.{2})|J(.{4}))(?:\x85|(K\x01)\x86)(\x94?)(h.|j.{4})\x89(?:C(.)|B(.{4}))",
    re.DOTALL,
)
_TAIL = re.compile(rb"(\x94?)t(\x94?)b")
_u16, _i32, _u32 = (struct.Struct(code).unpack for code in ("<H", "<i", "<I"))


class Vector(NamedTuple):
    """An array found at a place: where it ends, what it is made of, and what the pickle remembers on the way."""

    end: int
    """Place after it."""
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
        reference(called),
        reference(kind),
        reference(dtype),
        (length, 1) if column else (length,),
        data[first:last],
        before if d else None,
        before + len(d) + len(e) + end - last - 2,
    )


def reference(token: bytes) -> int:
    """The number in an operation that fetches a remembered value."""
    return token[1] if len(token) == 2 else _u32(token[1:])[0]
