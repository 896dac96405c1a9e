"""A short text that names a running process beyond doubt, so that a later one can tell whether it has ended."""

import functools
import os
import re
from typing import NamedTuple

PATTERN = r"[0-9a-f]{8}-[0-9a-f]+-[0-9a-f]+"
"""Regular expression of such a text."""


class ProcessIdentity(NamedTuple):
    """One process.

    Parameters
    ----------
    place : str
        Where its number means something: the computer since it was started, or a container in it.
    pid : int
    start : int
        When it was started, in the system's own count; 0 where that cannot be known.
    """

    place: str
    pid: int
    start: int

    def __str__(self):
        return f"{self.place}-{self.pid:x}-{self.start:x}"

    @property
    def is_local(self) -> bool:
        """Whether the process belongs to this computer and this container, so that one can look whether it runs."""
        return self.place == _place()

    @property
    def is_alive(self) -> bool:
        """Whether a local process still runs; a later one of the same number is another."""
        return _runs(self.pid) and (not self.start or _start_of(self.pid) in (0, self.start))


def this_process() -> ProcessIdentity:
    """The identity of the running process."""
    return _identity(os.getpid())


def parse(text: str) -> ProcessIdentity | None:
    """Identity from its text; None for any other text."""
    if not re.fullmatch(PATTERN, text):
        return None
    place, pid, start = text.split("-")
    return ProcessIdentity(place, int(pid, 16), int(start, 16))


@functools.lru_cache(maxsize=4)
def _identity(pid):
    return ProcessIdentity(_place(), pid, _start_of(pid))


@functools.cache
def _place():
    import hashlib
    import platform

    parts = [platform.node(), _first_line("/proc/sys/kernel/random/boot_id")]
    try:
        parts.append(os.readlink("/proc/self/ns/pid"))
    except (OSError, AttributeError):
        parts.append("")
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:8]


def _start_of(pid):
    """Ticks from the start of the computer to that of the process; 0 when unknown."""
    fields = _first_line(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[19].isdigit() else 0


def _first_line(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.readline().strip()
    except OSError:
        return ""


def _runs(pid):
    if os.name == "nt":
        return _runs_on_windows(pid)
    if pid < 1:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return not _is_zombie(pid)


def _is_zombie(pid):
    """Whether a process has ended and only waits for its parent to notice."""
    fields = _first_line(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return bool(fields) and fields[0] in ("Z", "X")


def _runs_on_windows(pid):
    import ctypes

    query, still_active = 0x1000, 259
    kernel = ctypes.windll.kernel32
    handle = kernel.OpenProcess(query, False, pid)
    if not handle:
        return kernel.GetLastError() == 5  # it is there, but may not be looked at
    code = ctypes.c_ulong()
    known = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return not known or code.value == still_active
