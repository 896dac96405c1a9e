"""How many pixels a picture may have before it is decoded, and how the user raises that."""

import mmap
import os
import stat
from pathlib import Path
from typing import Any

from core.errors import FormatError, UsageError
from core.imagelib.picture_header import HeaderError, PictureHeader, read_picture_header

MEGAPIXEL = 1 << 20
FRAME_MEGAPIXELS = 64
"""Default limit of frames; the environment variable :data:`LIMIT_VARIABLE` sets another."""
FACE_MEGAPIXELS = 16
"""Fixed limit of face pictures and of their masks."""
LIMIT_VARIABLE = "DFL_MAX_MEGAPIXELS"
_GREATEST_LIMIT = 1024  # OpenCV refuses larger ones itself
_LARGEST_PIXEL = 16  # bytes: four channels of 32 bits
_SMALL_FILE = 1 << 26


def frame_limit() -> int:
    """Megapixels (of 1024 x 1024) that a frame may have.

    Raises
    ------
    UsageError
        When the environment variable holds no usable number.
    """
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    if not text:
        return FRAME_MEGAPIXELS
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= _GREATEST_LIMIT or len(text) > 9:
        raise UsageError(f"{LIMIT_VARIABLE}={text}: must be a whole number of megapixels from 1 to {_GREATEST_LIMIT}.")
    return int(text)


def check_picture(data: Any, name: Any, megapixels: int | None = None) -> PictureHeader:
    """Look at an encoded picture before it is decoded.

    Parameters
    ----------
    data : bytes-like
        The whole file: bytes, or a memory map.
    name
        Path or text that names the picture in errors.
    megapixels : int, optional
        Limit, in units of 1024 x 1024 pixels; that of frames by default.

    Raises
    ------
    FormatError
        When it is no picture of a known kind, its header is damaged or contradicts its size, or it is too large.
    """
    try:
        header = read_picture_header(data)
    except HeaderError as error:
        raise FormatError(name, f"{error}") from None
    if header is None:
        raise FormatError(name, "is not a readable image")
    check_size(header.width, header.height, name, megapixels, header.pixels)
    return header


def check_size(width: int, height: int, name: Any, megapixels: int | None = None, pixels: int | None = None) -> None:
    """Raise a FormatError when a picture of that size has more than the limit; see :func:`check_picture`."""
    limit = frame_limit() if megapixels is None else megapixels
    pixels = width * height if pixels is None else pixels
    if pixels <= limit * MEGAPIXEL:
        return
    needed = -(-pixels // MEGAPIXEL)
    text = f"is {width}x{height} pixels large, {needed} megapixels; the limit is {limit} (of 1024x1024)"
    if megapixels is not None:
        raise FormatError(name, f"{text} for face pictures and masks")
    if needed > _GREATEST_LIMIT:
        raise FormatError(name, f"{text}. Make it smaller, or leave it out")
    raise FormatError(name, f"{text}. Set {LIMIT_VARIABLE}={needed} in the environment to read it")


def read_picture_file(path: Any, megapixels: int | None = None) -> bytes:
    """Bytes of a picture file, read once; a large file only after a look at its header.

    Raises
    ------
    FormatError
        When it cannot be read, is no regular file, or is larger than any picture within the limit.
    """
    try:
        # Not to wait for a writer, if it is a named pipe.
        with open(
            os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)), "rb"
        ) as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FormatError(path, "is not a file with a picture, but a device, a pipe or a folder")
            if status.st_size > _SMALL_FILE:
                _check_large_file(stream, status.st_size, path, megapixels)
            return stream.read()
    except ValueError as error:
        raise FormatError(Path(str(path).replace("\0", "\\0")), f"cannot be read ({error})") from None
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from None


def _check_large_file(stream, size, path, megapixels):
    limit = (frame_limit() if megapixels is None else megapixels) * MEGAPIXEL * _LARGEST_PIXEL
    if size > limit:
        raise FormatError(
            path, f"has {size >> 20} MiB, more than any picture within the limit of pixels ({limit >> 20})"
        )
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as view:
        check_picture(view, path, megapixels)
