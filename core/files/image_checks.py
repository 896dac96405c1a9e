"""Whether the data of an encoded picture reaches to the picture's end, which decoders do not all tell."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.errors import FormatError

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
_START_OF_SCAN = 0xDA
_BLANK = 64
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_OTHER_DATA = bytes((37 * place + 53) % 251 for place in range(1 << 13))


def require_whole(data: bytes, name: Path | str, decode: Callable) -> None:
    """Refuse a JPEG or PNG whose data ends before the picture does; the decoder fills the rest with grey.

    A JPEG that lacks only its end marker is whole, and so is one that is followed by other data, such as the small
    pictures that cameras append. Marks inside its header (a thumbnail, face data) do not count.

    Parameters
    ----------
    data : bytes
    name
        The file, for the error.
    decode : callable
        Bytes to a picture (H, W[, C]), or None when they cannot be decoded.

    Raises
    ------
    FormatError
        Says how much of the picture is there.
    """
    data = data if isinstance(data, bytes) else bytes(data)
    if data.startswith(_PNG_START):
        if not _png_has_end(data):
            raise FormatError(name, "is cut off: the file ends before the picture does. Copy or make it again")
    elif data.startswith(_JPEG_START):
        share = _jpeg_share(data, decode)
        if share is not None:
            raise FormatError(
                name, f"is cut off: only the upper {100 * share:.0f} % of the picture is there. Copy or make it again"
            )


def _png_has_end(data):
    if data[-8:-4] == _PNG_END:
        return True
    place = len(_PNG_START)
    while place + 12 <= len(data):
        if data[place + 4 : place + 8] == _PNG_END:
            return True
        place += 12 + int.from_bytes(data[place : place + 4], "big")
    return False


def _jpeg_share(data, decode):
    """Part of the rows that are there, 0…1; None for a whole picture."""
    scan = _first_scan(data)
    if scan is None:
        return None if decode(data) is not None else 0.0
    if data.find(_JPEG_END, scan) >= 0:
        return None
    # What is missing depends on what follows: the same pixels, whatever follows, mean that nothing is.
    body = _without_blank_end(data)
    first, second = decode(body + _JPEG_END), decode(body + _OTHER_DATA + _JPEG_END)
    if first is None or second is None or first.shape != second.shape:
        return 0.0
    rows = np.flatnonzero((first != second).reshape(len(first), -1).any(axis=1))
    return rows[0] / len(first) if len(rows) else None


def _without_blank_end(data):
    """The data without the zeros that a file system leaves where a file was not written to its end."""
    body = data.rstrip(b"\0")
    if len(data) - len(body) < _BLANK:
        return data
    return body + b"\0" if body.endswith(b"\xff") else body


def _first_scan(data):
    """Where the coded pixels of a JPEG begin; None when the file ends before them."""
    place = 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            place += 1
            continue
        marker = data[place + 1]
        if marker in (0, 0xFF) or marker in _WITHOUT_LENGTH:
            place += 1 if marker == 0xFF else 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        place += 2 + max(2, length)
        if marker == _START_OF_SCAN:
            return place if place < len(data) else None
    return None
