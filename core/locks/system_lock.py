"""The lock of the operating system on an open file, which ends with the process that holds it, however it ends."""

import errno
import os

if os.name == "nt":
    import msvcrt

    # Far behind the text, so that others can still read who holds the lock.
    _LOCKED_BYTE = 1 << 20

    def try_lock(stream):
        """Lock an open file (an object with ``fileno`` and ``seek``); False when another one holds it."""
        stream.seek(_LOCKED_BYTE)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def unlock(stream):
        """Give the lock up."""
        stream.flush()
        stream.seek(_LOCKED_BYTE)
        msvcrt.locking(stream.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(stream):
        """Lock an open file (an object with ``fileno``, or a descriptor); False when another one holds it.

        A file system that has no locks (some network drives) answers as if nobody held it.
        """
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EBADF)
        return True

    def unlock(stream):
        """Give the lock up."""
        stream.flush()
        fcntl.flock(stream, fcntl.LOCK_UN)
