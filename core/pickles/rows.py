"""Finds long runs of lists of one or two floats, as landmarks and loss histories are, to read each run at once.

Nothing here is needed to read a pickle: what is not found is read operation by operation, with the same result.
"""

import re
from typing import Any, NamedTuple

import numpy as np

_SHORTEST_RUN, _LONGEST_RUN = 8, 1000  # pickles are written in batches of 1000; a longer run is read as several
_FLOAT_SIZE = 9  # its opcode and eight bytes
# ] opens a list, the second operation remembers it, ( G G e puts two floats in; DOTALL, as any byte may be a number's
_REMEMBERS = {b"": (0, None), rb"\x94": (1, None), rb"q.": (2, np.dtype("u1")), rb"r.{4}": (5, np.dtype("<u4"))}
_FLOATS = {rb"\(G.{8}G.{8}e": (2, 1, 1), rb"\(G.{8}e": (1, 1, 1), rb"G.{8}a": (1, 0, 1)}


class _Form(NamedTuple):
    """How each row of a run is stored."""

    width: int
    """Floats in a row."""
    first: int
    """Where the eight bytes of its first float begin."""
    size: int
    """Bytes of a row."""
    remembered: bool
    """Whether the pickle may refer to the row again."""
    index_type: np.dtype | None
    """Type of the number under which it is remembered; None when rows are counted."""


def _forms():
    for remember, (remember_size, index) in _REMEMBERS.items():
        for floats, (width, before, after) in _FLOATS.items():
            first = 1 + remember_size + before + 1
            size = first - 1 + width * _FLOAT_SIZE + after
            yield (
                rb"((?:\]%b%b){%d,%d})" % (remember, floats, _SHORTEST_RUN, _LONGEST_RUN),
                _Form(width, first, size, remember_size > 0, index),
            )


_PATTERNS, _FORMS = zip(*_forms())
_RUN = re.compile(b"|".join(_PATTERNS), re.DOTALL)


class RowArray(np.ndarray):
    """A list of rows of floats, kept as an array (n, 1) or (n, 2) float64 and written as the list that it was."""


class Run(NamedTuple):
    """Rows that follow each other in a pickle."""

    rows: RowArray
    end: int
    """Place after the last row."""
    remembered: bool
    indexes: list[int] | None
    """Under which numbers the rows are remembered, where the pickle says so itself."""

    def indexes_from(self, first: int) -> list[int] | range:
        """Under which numbers the rows are remembered, of which the next free one is ``first``."""
        if not self.remembered:
            return range(0)
        return range(first, first + len(self.rows)) if self.indexes is None else self.indexes


def run_at(data: Any, start: int) -> Run | None:
    """The run whose first row opens at ``start``, or None when there are not enough of them."""
    match = _RUN.match(data, start)
    if match is None or match.lastindex is None:
        return None
    form = _FORMS[match.lastindex - 1]
    count = (match.end() - start) // form.size
    stored = np.ndarray((count, form.width), ">f8", data, start + form.first, (form.size, _FLOAT_SIZE))
    rows = stored.astype(np.float64).view(RowArray)
    indexes = None
    if form.index_type is not None:
        indexes = np.ndarray(count, form.index_type, data, start + 2, (form.size,)).tolist()
    return Run(rows, match.end(), form.remembered, indexes)
