"""A file that one process at a time holds, and in which others can read who that is."""

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TextIO

from core.errors import FormatError
from core.locks.system_lock import try_lock, unlock
from core.records.json_file import read_json

_UNKNOWN = "(unknown)"
_FORM = {"pid?": (int, str), "since?": str, "command?": str}


class Owner(NamedTuple):
    """Who holds a lock: process number, when it took the lock, and its command; texts for messages."""

    pid: str
    since: str
    command: str


class LockFile:
    """The exclusive right that a file stands for; the system itself ends it with the process.

    Parameters
    ----------
    path : Path
    keep : bool
        Whether the (empty) file stays when the lock is given up.
    """

    def __init__(self, path: Path, keep: bool = False):
        self.path, self._keep = Path(path), keep
        self._stream: TextIO | None = None

    def acquire(self) -> bool:
        """Take the lock, also that of a process which has died; False when another process holds it.

        Raises
        ------
        OSError
            When the file cannot be written.
        """
        while True:
            stream = open(self.path, "a+", encoding="utf-8")  # noqa: SIM115 - open while the lock is held
            if not try_lock(stream):
                stream.close()
                return False
            if _is_still(self.path, stream):
                break
            stream.close()  # its owner gave it up and removed it meanwhile
        self._stream = stream
        self._write({"pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S"), "command": _command()})
        return True

    def release(self) -> None:
        """Give the lock up."""
        if self._stream is None:
            return
        self._write(None)
        stream, self._stream = self._stream, None
        if not self._keep and os.name != "nt":
            self._remove()  # while it is locked, so that nobody else holds what is removed
        unlock(stream)
        stream.close()
        if not self._keep and os.name == "nt":
            self._remove()

    def owner(self) -> Owner:
        """Who holds the lock, as far as the file tells."""
        try:
            known = read_json(self.path, _FORM)
            return Owner(*(str(known.get(name, _UNKNOWN))[:200] for name in Owner._fields))
        except (OSError, FormatError):
            return Owner(_UNKNOWN, _UNKNOWN, _UNKNOWN)

    def _write(self, content):
        """Say who holds the lock; on a full disk it is held all the same."""
        with suppress(OSError):
            self._stream.truncate(0)
            os.write(self._stream.fileno(), json.dumps(content).encode() if content else b"")

    def _remove(self):
        try:
            os.unlink(self.path)
        except OSError:  # the folder itself may be gone
            return


def is_free(path: Path) -> bool:
    """Whether nobody holds the lock of a file, or there is no such file."""
    try:
        with open(path, "r+" if os.access(path, os.W_OK) else "r", encoding="utf-8") as stream:
            if not try_lock(stream):
                return not path.exists()
            unlock(stream)
    except OSError:
        return True
    return True


def _is_still(path, stream):
    try:
        return os.path.samestat(os.stat(path), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _command():
    """The step of the program, without paths, which may be private."""
    words = [word for word in sys.argv[1:3] if word.isidentifier() or word.replace("-", "_").isidentifier()]
    return (
        " ".join(words[:2] if words[:1] in (["xseg"], ["videoed"], ["facesettool"]) else words[:1]) or "another program"
    )
