"""Checks what the machine made of a pickle: no cycles, no deep nesting, not far more than the bytes that store it."""

from typing import Any

import numpy as np

from core.pickles.objects import LEAST_BUDGET, MOST_DEPTH, Damaged, Holder, Refused, StandIn, StoredPath
from core.pickles.rows import RowArray

_BYTES_PER_SHARED_VALUE = 4
_PLAIN_TYPES = frozenset({str, int, float, bool, type(None), bytes})
_NUMPY_TYPES = frozenset(np.dtype(code).type for code in ("?", *"bhilqBHILQefd"))
_LARGE_TYPES = frozenset({str, bytes, np.ndarray, RowArray})
_BYTES_PER_UNIT = 64
_LEAF_TYPES = _PLAIN_TYPES | _NUMPY_TYPES | {np.ndarray, StoredPath, RowArray}
_SMALL_TYPES = _LEAF_TYPES - _LARGE_TYPES


def check_values(root: Any, stored_size: int) -> None:
    """Refuse cycles, deep nesting, and structures that sharing makes far larger than the bytes that store them.

    Parameters
    ----------
    root
        What was read.
    stored_size : int
        Bytes that it was read from.
    """
    budget = LEAST_BUDGET + stored_size // _BYTES_PER_SHARED_VALUE
    sizes: dict = {}

    def size_of(value, depth):
        kind = type(value)
        if kind in _LEAF_TYPES:
            return 1
        if kind is memoryview:
            raise Damaged("holds loose bytes")
        if depth > MOST_DEPTH:
            raise Damaged("is nested too deeply")
        known = sizes.get(id(value))
        if known is not None:
            if known == 0:
                raise Damaged("contains itself")
            return known
        sizes[id(value)] = 0
        total = 1
        for part in value.values() if kind is dict else _parts(kind, value):
            kind_of_part = type(part)
            if kind_of_part in _SMALL_TYPES:
                total += 1
            elif kind_of_part in _LEAF_TYPES:
                total += 1 + _stored_bytes(part) // _BYTES_PER_UNIT
            elif kind_of_part is list and len(part) == 2 and type(part[0]) is float and type(part[1]) is float:
                total += 3
            else:
                total += size_of(part, depth + 1)
        if total > budget:
            raise Damaged("unfolds to far more values than its size justifies")
        sizes[id(value)] = total
        return total

    size_of(root, 0)


def _stored_bytes(value):
    return len(value) if type(value) in (str, bytes) else value.nbytes


def _parts(kind, value):
    if kind is list or kind is tuple:
        return value
    if kind is Holder:
        return value.attributes.values()
    raise Refused(f"a bare {value.name if kind is StandIn else kind.__name__}")
