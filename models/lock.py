"""One trainer per model: a lock file that the system itself releases when its owner ends, however it ends."""

import json
import os
from contextlib import suppress
from pathlib import Path

from core.errors import UserError

LOCK_SUFFIX = ".lock"


class ModelLock:
    """The exclusive right to write a model's files; a context manager.

    Parameters
    ----------
    model_dir : Path
    prefix : str
        Of the model's files.

    Raises
    ------
    UserError
        On entering, when another process holds it.
    """

    def __init__(self, model_dir: Path, prefix: str):
        self.path = Path(model_dir) / f"{prefix}{LOCK_SUFFIX}"
        self._stream = None

    def __enter__(self) -> "ModelLock":
        try:
            self._stream = open(self.path, "a+", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}).") from None
        if not _try_lock(self._stream):
            owner = _owner(self.path)
            self._stream.close()
            raise UserError(
                f"{self.path}: this model is being trained by process {owner}. End that training first, or use another "
                "model name."
            )
        with suppress(OSError):  # on a full disk the lock holds all the same
            self._stream.seek(0)
            self._stream.truncate()
            json.dump({"pid": os.getpid()}, self._stream)
            self._stream.flush()
        return self

    def __exit__(self, *exception):
        if self._stream is not None:
            with suppress(OSError):
                self._stream.seek(0)
                self._stream.truncate()
            _unlock(self._stream)
            with suppress(OSError):
                self._stream.close()
            self._stream = None


def is_locked(model_dir: Path, prefix: str) -> bool:
    """Whether a trainer works on the model now."""
    path = Path(model_dir) / f"{prefix}{LOCK_SUFFIX}"
    try:
        with open(path, "a+" if os.access(path, os.W_OK) else "r", encoding="utf-8") as stream:
            if not path.exists() or not _try_lock(stream):
                return path.exists()
            _unlock(stream)
            return False
    except OSError:
        return False


def _owner(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))["pid"]
    except (OSError, ValueError, KeyError, TypeError):
        return "(unknown)"


if os.name == "nt":
    import msvcrt

    # Far behind the text, so that others can still read who holds the lock.
    _LOCKED_BYTE = 1 << 20

    def _try_lock(stream):
        stream.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(stream):
        with suppress(OSError):
            stream.flush()
        stream.seek(_LOCKED_BYTE)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(stream):
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(stream):
        with suppress(OSError):
            stream.flush()
        fcntl.flock(stream, fcntl.LOCK_UN)
