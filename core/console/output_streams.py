"""Standard output and error that outlive whoever reads them."""

import contextlib
import errno
import os
import sys
from typing import Any

# What writing gives when the reader of a pipe has ended, on Windows too, and when a terminal was closed.
_READER_GONE = (errno.EPIPE, errno.EINVAL, errno.EIO)
# What it gives when the file that the output goes to finds no room; later lines may find some again.
_NO_ROOM = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


class TolerantStream:
    """A text stream that goes on into nothing once nobody reads it any more, so that long work is not lost for that.

    Parameters
    ----------
    stream : file
        Text stream with a file descriptor.
    """

    def __init__(self, stream: Any):
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or let the text vanish."""
        return self._tolerantly(self._stream.write, text)

    def flush(self) -> None:
        """Pass on what was written."""
        self._tolerantly(self._stream.flush)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def _tolerantly(self, action, *arguments):
        try:
            return action(*arguments)
        except OSError as error:
            if error.errno in _NO_ROOM:
                return 0
            if error.errno not in _READER_GONE:
                raise
            self._redirect_to_nothing()
            return action(*arguments)

    def _redirect_to_nothing(self):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)


def tolerate_closed_output() -> None:
    """Let standard output and error of this process outlive their readers, and take any file name."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.fileno()
            setattr(sys, name, TolerantStream(stream))
            stream.reconfigure(errors="backslashreplace")  # file names may hold what no encoding has
