"""Temporary files and folders beside what they become, and the removal of those whose program was killed.

The name of each carries the identity of its process, and on systems that can, the file is locked while it is in use. So a
later run can tell what is left of a dead run from what a running program is writing.
"""

import os
import re
import shutil
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from core.locks import process_identity
from core.locks.system_lock import try_lock

_NAME_BYTES = 60
_OURS = re.compile(rf"\.(?s:.*)\.(?P<owner>{process_identity.PATTERN})\.\w{{8}}\.tmp(\.\w{{1,11}})?\Z")
# As written before names carried an owner: the suffix twice.
_OF_OLD = re.compile(r"\.(?s:.+)(?P<suffix>\.\w{1,11})\.[a-z0-9_]{8}\.tmp(?P=suffix)\Z")
_PATIENCE_SECONDS = 24 * 3600
_TRIES = 20
_can_hold_locks = os.name != "nt"  # where an open file cannot be renamed

_swept: set[tuple[int, int]] = set()
_guard = threading.Lock()


@contextmanager
def temporary_file(path: Any) -> Iterator[Path]:
    """An empty temporary file in the folder of ``path``, with its suffix; removed in the end unless it was renamed.

    The first of a process in a folder removes there what dead processes have left.
    """
    path = Path(path)
    remove_dead_once(path.parent)
    handle, temporary = _new_file(path)
    try:
        yield temporary
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        if handle is not None:
            os.close(handle)


@contextmanager
def temporary_folder(folder: Any, name: str) -> Iterator[Path]:
    """A hidden temporary folder inside ``folder``, which is removed in the end with all that is in it."""
    remove_dead(folder)
    place = Path(tempfile.mkdtemp(prefix=_beginning(name), suffix=".tmp", dir=folder))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def is_temporary(path: Any) -> bool:
    """Whether a path has the name of a temporary file of this program."""
    return _OURS.match(os.path.basename(os.fsdecode(path))) is not None


def remove_dead_once(folder: Any) -> None:
    """As :func:`remove_dead`, once in each process for each folder."""
    try:
        status = os.stat(folder)
    except OSError:
        return
    with _guard:
        known = (status.st_dev, status.st_ino) in _swept
        _swept.add((status.st_dev, status.st_ino))
    if not known:
        remove_dead(folder)


def remove_dead(folder: Any) -> int:
    """Remove from a folder the temporary files and folders of processes that have ended; returns their number.

    Never removes what a running process may be writing: one on this computer is looked up; what belongs to another
    computer, or to this one before it was started anew, must have lain still for a day and be locked by nobody.
    """
    removed = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and _is_dead(entry):
                removed += _removed(entry)
    return removed


def _new_file(path):
    """Descriptor, locked and kept open where that does no harm, and path of a new file."""
    while True:
        handle, text = tempfile.mkstemp(prefix=_beginning(path.name), suffix=f".tmp{_suffix(path)}", dir=path.parent)
        if not _can_hold_locks:
            os.close(handle)
            return None, Path(text)
        try_lock(handle)  # a file system without locks does without
        with suppress(FileNotFoundError):
            if os.stat(text).st_ino == os.fstat(handle).st_ino:
                return handle, Path(text)
        os.close(handle)


def _beginning(name):
    name = name.encode("utf-8", "surrogateescape")[:_NAME_BYTES].decode("utf-8", "ignore")
    return f".{name}.{process_identity.this_process()}."


def _suffix(path):
    """The suffix, by which encoders know the kind; not one that no kind of file has."""
    return path.suffix if re.fullmatch(r"\.\w{1,11}", path.suffix) else ""


def _is_dead(entry):
    match = _OURS.match(entry.name)
    if not match and not _OF_OLD.match(entry.name):
        return False
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        return False
    owner = process_identity.parse(match["owner"]) if match else None
    if owner is not None and owner.is_local:
        return not owner.is_alive
    return time.time() - status.st_mtime > _PATIENCE_SECONDS and not _is_locked(entry, status)


def _removed(entry):
    with suppress(OSError):
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
            return True
        for _ in range(_TRIES):  # an encoder whose program was killed may still be writing into it
            shutil.rmtree(entry.path, ignore_errors=True)
            if not os.path.lexists(entry.path):
                return True
    return False


def _is_locked(entry, status):
    if not _can_hold_locks or stat.S_ISDIR(status.st_mode):
        return False
    try:
        handle = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        return not try_lock(handle)
    finally:
        os.close(handle)
