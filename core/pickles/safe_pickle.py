"""Reads and writes the pickles inside DeepFaceLab's files without ever running anything that they name.

The reader is an own stack machine (:mod:`core.pickles.machine`), not Python's; the writer is in
:mod:`core.pickles.emitter`.
"""

import gc
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import FormatError
from core.pickles.checks import check_values
from core.pickles.emitter import dump_dict, dump_list, dump_pieces, dumps
from core.pickles.machine import LostRow, Machine
from core.pickles.objects import PACK_CLASSES, SESSION_CLASSES, Damaged, Holder, Refused, StoredPath, printable
from core.pickles.rows import RowArray

__all__ = [
    "PACK_CLASSES", "SESSION_CLASSES", "Holder", "RowArray", "StoredPath", "UnsafePickle", "dump_dict", "dump_list", "dump_pieces", "dumps", "load",
    "loads", "loads_many", "printable", "read_limited", "uncollected",
]  # fmt: skip

MEBIBYTE = 1 << 20
GREATEST_FILE = 4096 * MEBIBYTE


class UnsafePickle(FormatError):
    """The file asks for something that is not allowed; ``wanted`` names it."""

    def __init__(self, path: Path | str, wanted: Any):
        super().__init__(path, f"refused, because it asks for {wanted}, which no DeepFaceLab file needs")
        self.wanted = wanted


def loads(data: bytes, name: Any, classes: dict | None = None, arrays: bool = False) -> Any:
    """Read one pickle.

    Parameters
    ----------
    data : bytes or memoryview
        The pickle; bytes after its end are ignored. Larger arrays are views of it, not copies, if it is a view.
    name
        Path or text that names the file in errors.
    classes : dict, optional
        Names allowed besides numpy's: :data:`PACK_CLASSES` or :data:`SESSION_CLASSES`.
    arrays : bool
        Give lists that hold nothing but rows of one or two floats, as landmarks are, as
        :class:`~core.pickles.rows.RowArray` where that is quick. They take a sixth of the memory.

    Returns
    -------
    object
        Plain Python values, read-only arrays in native byte order, numpy scalars,
        :class:`~core.pickles.objects.Holder` and :class:`~core.pickles.objects.StoredPath`.

    Raises
    ------
    UnsafePickle
        When it names anything else.
    FormatError
        When it is damaged, too deep, or would take far more memory than its size justifies.
    """
    try:
        return _load_at(data, 0, name, classes, arrays)[0]
    except LostRow:
        return _load_at(data, 0, name, classes, False)[0]


def loads_many(data: bytes, name: Any, most: int = 1_000_000) -> list:
    """Read pickles that follow each other directly, at most ``most`` of them."""
    values, at = [], 0
    while at < len(data):
        value, at = _load_at(data, at, name, None, False)
        values.append(value)
        if len(values) > most:
            raise FormatError(name, "holds too many pickles")
    return values


def load(path: Any, classes: dict | None = None, most_bytes: int = GREATEST_FILE, arrays: bool = False) -> Any:
    """Read a file that is one pickle; see :func:`loads`. Files over ``most_bytes`` are refused unread."""
    return loads(read_limited(path, most_bytes), path, classes, arrays)


def read_limited(path: Any, most_bytes: int = GREATEST_FILE) -> bytes:
    """The bytes of a file, or a :class:`~core.errors.FormatError` when it is missing, unreadable or too large."""
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            size = stream.seek(0, 2)
            if size > most_bytes:
                raise FormatError(path, f"is too large ({size} bytes, at most {most_bytes} make sense here)")
            stream.seek(0)
            return stream.read()
    except FileNotFoundError:
        raise FormatError(path, "no such file") from None
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from None


@contextmanager
def uncollected(lasting: bool = False) -> Iterator[None]:
    """Without Python's search for cycles, which takes most of the time where very many values are made but no cycles.

    Parameters
    ----------
    lasting : bool
        The values will be kept, so count all that there are as old at the end. The next search for young ones would
        otherwise go through them all.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if lasting:
            gc.freeze()
            gc.unfreeze()
        if collecting:
            gc.enable()


def _load_at(data, at, name, classes, arrays):
    if at >= len(data):
        raise FormatError(name, "is damaged (it is empty)")
    machine = Machine(data, at, classes, arrays)
    try:
        with uncollected():
            value = machine.run()
            check_values(value, len(data) - at)
    except Refused as error:
        raise UnsafePickle(name, error) from None
    except Damaged as error:
        raise FormatError(name, str(error)) from None
    except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, struct.error) as error:
        raise FormatError(name, f"is damaged ({type(error).__name__} near byte {machine.at})") from None
    except (MemoryError, RecursionError):
        raise FormatError(name, "does not fit in memory") from None
    return value, machine.at
