"""Width and height of a picture from its header, without decoding it."""

import struct
from pathlib import Path

from core.errors import FormatError

_HEAD = 64
_JPEG_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_FORMATS = {1: "B", 3: "H", 4: "I"}
_MOST_TIFF_ENTRIES = 1000


def image_size(path) -> tuple[int, int]:
    """(width, height) of a PNG, JPEG, TIFF, BMP or WebP file, as stored; other kinds are decoded.

    Raises
    ------
    FormatError
        When the file is no readable picture.
    """
    try:
        with open(path, "rb") as stream:
            size = _from_header(stream)
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from None
    except (struct.error, IndexError, OverflowError):
        size = None
    if size is None or min(size) < 1:
        from core.imageio import read_image

        height, width = read_image(Path(path)).shape[:2]
        return width, height
    return size


def _from_header(stream):
    head = stream.read(_HEAD)
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":
        return struct.unpack(">II", head[16:24])
    if head.startswith(b"\xff\xd8"):
        return _jpeg_size(stream)
    if head[:4] in (b"II*\0", b"MM\0*"):
        return _tiff_size(stream, "<" if head[:2] == b"II" else ">")
    if head.startswith(b"BM"):
        width, height = struct.unpack("<ii", head[18:26])
        return width, abs(height)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp_size(head)
    return None


def _jpeg_size(stream):
    stream.seek(2)
    while True:
        byte = stream.read(1)
        if not byte:
            return None
        if byte != b"\xff":
            continue
        marker = stream.read(1)
        while marker == b"\xff":
            marker = stream.read(1)
        if not marker or marker[0] in (0, *_JPEG_WITHOUT_LENGTH):
            continue
        (length,) = struct.unpack(">H", stream.read(2))
        if marker[0] in _JPEG_FRAMES:
            height, width = struct.unpack(">xHH", stream.read(5))
            return width, height
        if marker[0] in (0xD9, 0xDA):
            return None
        stream.seek(length - 2, 1)


def _tiff_size(stream, order):
    stream.seek(4)
    (place,) = struct.unpack(order + "I", stream.read(4))
    stream.seek(place)
    (count,) = struct.unpack(order + "H", stream.read(2))
    values = {}
    for _ in range(min(count, _MOST_TIFF_ENTRIES)):
        tag, kind, _, raw = struct.unpack(order + "HHI4s", stream.read(12))
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT) and kind in _TIFF_FORMATS:
            (values[tag],) = struct.unpack_from(order + _TIFF_FORMATS[kind], raw)
    return (values[_TIFF_WIDTH], values[_TIFF_HEIGHT]) if len(values) == 2 else None


def _webp_size(head):
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and head[20] == 0x2F:
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None
