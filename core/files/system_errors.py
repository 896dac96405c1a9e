"""What the errors of the operating system mean for the user, in one line that says what to do."""

import errno
import os
from typing import Any

from core.errors import DiskError, UserError

_MEANINGS = {
    "ENOSPC": "the disk is full. Free some space, then run the same command again",
    "EDQUOT": "your share of the disk is used up. Free some space, then run the same command again",
    "EFBIG": "is larger than this disk, or a limit of this account, allows. Use another disk",
    "EACCES": "permission denied. Change its permissions, or choose another place",
    "EPERM": "permission denied. Change its owner or permissions, or choose another place",
    "EROFS": "lies on a disk that is write-protected. Choose another place",
    "ENAMETOOLONG": "its name or path is too long for this disk. Give it a shorter one",
    "EIO": "the disk reports an error. Save your files elsewhere and check the disk or its cable",
    "ELOOP": "is a link that leads back to itself. Remove the link",
    "ENOENT": "is not there, or not any more. Check the path, and whether something else works on this folder",
    "EEXIST": "is there already. Move it away, or choose another place",
    "ENOTDIR": "a file is where a folder is needed. Check the path",
    "EISDIR": "is a folder, but a file is needed. Check the path",
    "ENOTEMPTY": "is a folder that holds something. Move that away",
    "EBUSY": "is used by another program. Close that, then try again",
    "ETXTBSY": "is used by another program. Close that, then try again",
    "ENXIO": "is a pipe or a device, but a file is needed. Check the path",
    "EMFILE": "too many files are open. Raise the limit (ulimit -n), or use fewer workers",
    "ENFILE": "too many files are open on this computer. End other programs",
    "ENOMEM": "memory is not enough. End other programs, or use fewer workers or a smaller batch",
    "ESTALE": "the network drive has lost it. Mount the drive again",
    "ETIMEDOUT": "the network drive does not answer. Check the connection",
    "EHOSTDOWN": "the network drive does not answer. Check the connection",
}
_BY_NUMBER = {getattr(errno, name): text for name, text in _MEANINGS.items() if hasattr(errno, name)}


FOR_EVERY_FILE = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EROFS") if hasattr(errno, name)}
"""Numbers of the errors that writing any other file would meet too."""


def cannot_be_written(path: Any, error: OSError) -> UserError:
    """The error of a file that could not be written; a :class:`~core.errors.DiskError` when no other could be either."""
    text = f"{path}: cannot be written ({error.strerror or error})."
    if error.errno not in FOR_EVERY_FILE:
        return UserError(text)
    meaning = _BY_NUMBER[error.errno].partition(". ")[2]
    return DiskError(f"{text} {meaning}.")


def as_user_error(error: BaseException) -> UserError | None:
    """The same as an error that a user can do something about; None when it may be a fault of the program."""
    if isinstance(error, MemoryError):
        return UserError(
            f"memory is not enough ({error}). End other programs, or use fewer workers or a smaller batch."
        )
    if isinstance(error, ValueError) and "null" in str(error) and ("byte" in str(error) or "character" in str(error)):
        return UserError("a path holds a character of code 0, which no file name can. Check the paths that were given.")
    if not isinstance(error, OSError) or error.errno not in _BY_NUMBER:
        return None
    names = [
        os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, (str, bytes, os.PathLike))
    ]
    names = [name if len(name) < 300 else f"{name[:200]} … {name[-40:]}" for name in names]
    place = f"{' to '.join(names)}: " if names else ""
    return UserError(f"{place}{_BY_NUMBER[error.errno]} ({error.strerror}).")
