"""One program at a time changes the files of a folder, or writes a certain file."""

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files.temporary import remove_dead
from core.locks.lock_file import LockFile, is_free

LOCK_NAME = ".in_use.lock"
_NAME_LETTERS = 60

_held: dict[str, list] = {}
_guard = threading.Lock()


class FolderLock:
    """The right to change the files of a folder; a context manager, which the same process may enter again.

    What dead processes have left half-written in the folder is removed on entering. A folder in which nothing can be
    written is not locked: whoever wants to write will be told why that fails.

    Parameters
    ----------
    folder : Path
    make : bool
        Make the folder if it is missing, and remove it again in the end if nothing was put into it.
    file : str, optional
        Lock only this file of the folder, which need not be there.

    Raises
    ------
    UserError
        On entering, when another process holds it; the message says which, and since when.
    """

    def __init__(self, folder: Any, make: bool = False, file: str | None = None):
        self.folder, self._make, self._file = Path(folder), make, file
        self._key: str | None = None
        self._made: list = []

    def __enter__(self) -> "FolderLock":
        if self._make:
            self._made = _make_folders(self.folder)
        path = self.folder / (LOCK_NAME if self._file is None else f".{self._file[:_NAME_LETTERS]}.lock")
        key = os.path.realpath(path)
        with _guard:
            if key in _held:
                _held[key][1] += 1
                self._key = key
            elif os.path.isdir(self.folder):
                lock = LockFile(path)
                if self._acquired(lock):
                    _held[key] = [lock, 1]
                    self._key = key
        if self._key is not None:
            remove_dead(self.folder)
        return self

    def _acquired(self, lock):
        try:
            if lock.acquire():
                return True
        except OSError:
            return False
        place, what = (self.folder, "folder") if self._file is None else (self.folder / self._file, "file")
        raise _in_use(place, what, lock.owner())

    def __exit__(self, *exception):
        key, self._key = self._key, None
        with _guard:
            if key is not None:
                _held[key][1] -= 1
                if not _held[key][1]:
                    _held.pop(key)[0].release()
        for folder in reversed(self._made):
            with suppress(OSError):  # it holds something
                folder.rmdir()


def refuse_if_in_use(folder: Any) -> None:
    """Raise a UserError when another process works on a folder, on one inside it or on a model in it."""
    for path in Path(folder).rglob("*.lock") if os.path.isdir(folder) else ():
        if path.is_file() and not is_free(path):
            raise _in_use(path.parent, "folder", LockFile(path).owner())


def _in_use(place, what, owner):
    return UserError(
        f"{place}: process {owner.pid} ({owner.command}) has been working on this {what} since {owner.since}. "
        "Wait until it has ended, or end it."
    )


def _make_folders(folder):
    """Make a folder and those above it; the ones that were made. One that cannot be made is left to the command."""
    missing = []
    while not os.path.lexists(folder) and folder != folder.parent:
        missing.append(folder)
        folder = folder.parent
    made = []
    with suppress(OSError):
        for place in reversed(missing):
            place.mkdir(exist_ok=True)
            made.append(place)
    return made
