"""Small files read whole, and never more of them than a stated limit."""

import os
import stat
from pathlib import Path

from core.errors import FormatError

# What a shell hands over for `<(…)` and for `/dev/stdin` is a pipe, and meant to be read.
_INHERITED = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")


class UnreadableFile(FormatError):
    """A file that the system does not let this program read, whatever it holds."""


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """The content of a file.

    Raises
    ------
    FileNotFoundError
        When there is none.
    FormatError
        When it cannot be read, is a folder, a device or a pipe, or is longer than ``most_bytes``.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not str(path).startswith(_INHERITED):
            raise FormatError(path, "is no file (a folder, a device or a pipe)")
        with open(path, "rb") as stream:
            content = stream.read(most_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnreadableFile(path, f"cannot be read ({error.strerror or error})") from None
    except ValueError:
        raise FormatError(repr(str(path)), "is no name of a file") from None
    if len(content) > most_bytes:
        raise FormatError(path, f"is longer than {size_text(most_bytes)}, the most that is read of such a file")
    return content


def read_bounded_text(path: Path, most_bytes: int) -> str:
    """The content of a UTF-8 file, with or without a byte order mark; errors as in :func:`read_bounded`."""
    content = read_bounded(path, most_bytes)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        kind = "is a binary file" if b"\0" in content[:4096] else "is not UTF-8 text; save it as UTF-8"
        raise FormatError(path, kind) from None


def size_text(count: int) -> str:
    """A number of bytes as people write it: ``1 MB``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:g} {unit}"
    return f"{count} bytes"
