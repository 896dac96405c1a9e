"""Reads size, channels and depth of an encoded picture from its first bytes, without decoding pixels.

The decoders reserve memory by what a header claims, so whoever opens files of others looks here first.
"""

import re
import struct
from typing import Any, NamedTuple

_JPEG_START = b"\xff\xd8"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
# Chunks of compressed text and colour profiles, which may unpack to a thousand times their size, and those of animations.
# The pixels of the picture do not depend on them.
_PNG_NEEDLESS = frozenset((b"zTXt", b"iTXt", b"iCCP", b"acTL", b"fcTL", b"fdAT"))
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
_JPEG_STANDALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
_JPEG_SCAN, _JPEG_END = 0xDA, 0xD9
_MOST_SCANS = 500  # of a progressive JPEG; cameras and editors write about ten, each takes the time of a whole picture
_MOST_TILES = 1 << 14  # of a JPEG 2000, times its components: some kilobytes are reserved for each
_TIFF_TYPE_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_TIFF_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_SAMPLES = 256, 257, 258, 277
_TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 322, 323
_TIFF_POSITIONS = (273, 279, 324, 325)  # of strips and tiles, and their sizes
_TEXT_HEADER, _LONGEST_NUMBER = 4096, 9


class HeaderError(ValueError):
    """The header is damaged, or claims what cannot be; the text says what, without the file's name."""


class PictureHeader(NamedTuple):
    """What the header of a picture says.

    Parameters
    ----------
    kind : str
        ``"png"``, ``"jpeg"``, ``"tiff"``, ``"webp"``, ``"bmp"``, ``"jpeg 2000"``, ``"gif"``, ``"hdr"``, ``"pnm"`` or
        ``"sun raster"``.
    width, height : int
        In pixels, at least 1.
    channels : int
        As decoded: 3 for a palette of colours.
    bits : int
        Of a channel of a pixel.
    """

    kind: str
    width: int
    height: int
    channels: int
    bits: int

    @property
    def pixels(self) -> int:
        """Width times height; every four channels count as a picture of their own."""
        return self.width * self.height * max(1, -(-self.channels // 4))


def read_picture_header(data: Any) -> PictureHeader | None:
    """Header of an encoded picture.

    Parameters
    ----------
    data : bytes-like
        The whole file: bytes, or a memory map.

    Returns
    -------
    PictureHeader or None
        None for a kind of file that is none of the known pictures.

    Raises
    ------
    HeaderError
        When the header is cut off, damaged or contradicts the size of the file.
    """
    for signature, read in _READERS:
        if signature.match(data):
            try:
                header = read(data)
            except (struct.error, IndexError, OverflowError):
                raise HeaderError("is cut off inside its header") from None
            if header.width < 1 or header.height < 1 or header.channels < 1:
                raise HeaderError("is a picture without pixels")
            return header
    return None


def decodable(data: bytes) -> bytes:
    """The bytes to hand to a decoder: a PNG without what it can do without, anything else as it is."""
    if bytes(data[:8]) != _PNG_SIGNATURE:
        return data
    needless = [(start, end) for kind, start, end in _png_chunks(data) if kind in _PNG_NEEDLESS]
    if not needless:
        return data
    pieces, at = [], 0
    for start, end in needless:
        pieces.append(data[at:start])
        at = end
    return b"".join((*pieces, data[at:]))


def _png(data):
    length, kind, width, height, bits, colour = struct.unpack_from(">I4sIIBB", data, 8)
    if kind != b"IHDR" or length != 13 or colour not in _PNG_CHANNELS:
        raise HeaderError("has a damaged PNG header")
    for _ in _png_chunks(data):
        pass
    return PictureHeader("png", width, height, _PNG_CHANNELS[colour], bits)


def _png_chunks(data):
    """(kind, start, end) of each chunk up to the last; a chunk that claims more bytes than there are is an error."""
    at, size, unpack = len(_PNG_SIGNATURE), len(data), struct.Struct(">I4s").unpack_from
    while at < size:
        length, kind = unpack(data, at)
        end = at + 12 + length
        if end > size:
            raise HeaderError(
                f"is cut off: a part of it claims {length} bytes, but only {max(0, size - at - 12)} follow"
            )
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end


def _jpeg(data):
    """The first frame header; bytes between segments are skipped as libjpeg does."""
    at, size = 2, len(data)
    while True:
        at = data.find(b"\xff", at)
        if at < 0:
            raise HeaderError("is a JPEG without a picture")
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == 0 or marker in _JPEG_STANDALONE:
            continue
        if marker in (_JPEG_SCAN, _JPEG_END):
            raise HeaderError("is a JPEG without a picture")
        length = struct.unpack_from(">H", data, at)[0]
        if length < 2 or at + length > size:
            raise HeaderError("is cut off inside its header")
        if marker in _JPEG_FRAMES:
            bits, height, width, channels = struct.unpack_from(">BHHB", data, at + 2)
            if marker in _JPEG_PROGRESSIVE:
                _check_scans(data)
            return PictureHeader("jpeg", width, height, channels, bits)
        at += length


def _check_scans(data):
    at, scans = 0, 0
    while (at := data.find(b"\xff\xda", at) + 1) and scans <= _MOST_SCANS:
        scans += 1
    if scans > _MOST_SCANS:
        raise HeaderError(f"is a progressive JPEG of more than {_MOST_SCANS} scans, which no camera or editor writes")


def _tiff(data):
    """The first directory of a TIFF or BigTIFF; the pages after it are not decoded."""
    order = "<" if bytes(data[:2]) == b"II" else ">"
    if struct.unpack_from(order + "H", data, 2)[0] == 43:
        offset = struct.unpack_from(order + "Q", data, 8)[0]
        count_form, entry_form, pointer, inline = "Q", "HHQ8s", "Q", 8
    else:
        offset = struct.unpack_from(order + "I", data, 4)[0]
        count_form, entry_form, pointer, inline = "H", "HHI4s", "I", 4
    if offset > len(data):
        raise HeaderError("is cut off: its directory is behind its end")
    count = struct.unpack_from(order + count_form, data, offset)[0]
    entry, at = struct.Struct(order + entry_form), offset + struct.calcsize(order + count_form)
    if at + count * entry.size > len(data):
        raise HeaderError("is cut off inside its directory")
    numbers = {}
    for place in range(at, at + count * entry.size, entry.size):
        tag, kind, length, value = entry.unpack_from(data, place)
        size = _TIFF_TYPE_SIZES.get(kind, 1) * length
        if tag in _TIFF_POSITIONS and size > len(data):
            raise HeaderError("claims more strips or tiles than the file has room for")
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_SAMPLES, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT):
            where = place + entry.size - inline if size <= inline else struct.unpack(order + pointer, value)[0]
            if kind not in _TIFF_NUMBERS or length < 1 or where > len(data):
                raise HeaderError(f"has a damaged directory (entry {tag})")
            numbers[tag] = struct.unpack_from(order + _TIFF_NUMBERS[kind], data, where)[0]
    width, height = numbers.get(_TIFF_WIDTH, 0), numbers.get(_TIFF_HEIGHT, 0)
    # A tile is decoded as a whole, also where it is far larger than the picture.
    tile_width, tile_height = numbers.get(_TIFF_TILE_WIDTH, 1), numbers.get(_TIFF_TILE_HEIGHT, 1)
    if tile_width * tile_height > max(width * height, 1 << 20):
        width, height = tile_width, tile_height
    return PictureHeader("tiff", width, height, numbers.get(_TIFF_SAMPLES, 1), numbers.get(_TIFF_BITS, 1))


def _webp(data):
    """The canvas, or the first picture where that is larger."""
    width = height = 0
    channels, at = 3, 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        at += 8
        if kind == b"VP8X":
            flags, low_width, high_width, low_height, high_height = struct.unpack_from("<B3xHBHB", data, at)
            width, height = (high_width << 16 | low_width) + 1, (high_height << 16 | low_height) + 1
            channels = 4 if flags & 0x10 else 3
        elif kind == b"ANMF":
            at += 16
            continue
        elif kind == b"VP8 ":
            own = [side & 0x3FFF for side in struct.unpack_from("<6x2H", data, at)]
            return PictureHeader("webp", max(width, own[0]), max(height, own[1]), channels, 8)
        elif kind == b"VP8L":
            packed = struct.unpack_from("<xI", data, at)[0]
            own = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
            return PictureHeader(
                "webp", max(width, own[0]), max(height, own[1]), 4 if packed >> 28 & 1 else channels, 8
            )
        at += length + (length & 1)
    raise HeaderError("is a WebP file without a picture")


def _bmp(data):
    size = struct.unpack_from("<I", data, 14)[0]
    if size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    return PictureHeader("bmp", abs(width), abs(height), 4 if bits == 32 else 3, max(1, min(bits, 8)))


def _jpeg2000(data):
    """The size marker of the codestream, bare or inside the boxes of a jp2 file."""
    at = 0 if bytes(data[:4]) == b"\xff\x4f\xff\x51" else _codestream(data)
    right, bottom, left, top, tile_width, tile_height = struct.unpack_from(">IIIIII", data, at + 8)
    channels, bits = struct.unpack_from(">HB", data, at + 40)
    width, height = right - left, bottom - top
    if width < 1 or height < 1 or not tile_width or not tile_height:
        raise HeaderError("is a picture without pixels")
    if -(-right // tile_width) * -(-bottom // tile_height) * channels > _MOST_TILES:
        raise HeaderError(f"is cut into more than {_MOST_TILES} tiles")
    return PictureHeader("jpeg 2000", width, height, channels, (bits & 0x7F) + 1)


def _codestream(data):
    at = 0
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        start = at + 8
        if length == 1:
            length, start = struct.unpack_from(">Q", data, at + 8)[0], at + 16
        if kind == b"jp2c":
            if bytes(data[start : start + 4]) != b"\xff\x4f\xff\x51":
                break
            return start
        if length < 8:
            break
        at += length
    raise HeaderError("is a JPEG 2000 file without a picture")


def _gif(data):
    """The screen, or the first picture where that is larger."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while data[at] == 0x21:  # extensions
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    if data[at] == 0x2C:
        own = struct.unpack_from("<HH", data, at + 5)
        width, height = max(width, own[0]), max(height, own[1])
    return PictureHeader("gif", width, height, 4, 8)


def _hdr(data):
    """The largest size that stands where one may stand; the decoder takes one of them."""
    sizes = re.findall(rb"\n\n-Y\s+(\d+)\s+\+X\s+(\d+)", data)
    if not sizes:
        raise HeaderError("has a damaged HDR header")
    height, width = max(([_number(side) for side in size] for size in sizes), key=lambda size: size[0] * size[1])
    return PictureHeader("hdr", width, height, 3, 32)


def _pnm(data):
    """Portable bitmaps: P1 to P6, P7 with named fields, Pf and PF of floats."""
    kind, start = bytes(data[:2]), bytes(data[:_TEXT_HEADER])
    if kind == b"P7":
        fields = dict(re.findall(rb"(?m)^(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d+)\s*$", start.partition(b"ENDHDR")[0]))
        width, height, channels, greatest = (
            _number(fields.get(name, b"0")) for name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL")
        )
        return PictureHeader("pnm", width, height, channels, 16 if greatest > 255 else 8)
    wanted = 2 if kind in (b"P1", b"P4", b"PF", b"Pf") else 3
    numbers = [_number(text) for text in re.findall(rb"\d+", re.sub(rb"#[^\n\r]*", b"", start[2:]))[:wanted]]
    if len(numbers) < wanted:
        raise HeaderError("is cut off inside its header")
    channels = 3 if kind in (b"P3", b"P6", b"PF") else 1
    bits = 32 if kind in (b"PF", b"Pf") else 16 if wanted == 3 and numbers[2] > 255 else 8
    return PictureHeader("pnm", numbers[0], numbers[1], channels, bits)


def _number(digits):
    if len(digits) > _LONGEST_NUMBER:
        raise HeaderError("has a damaged header (a number of too many digits)")
    return int(digits)


def _sun_raster(data):
    width, height, bits = struct.unpack_from(">III", data, 4)
    return PictureHeader("sun raster", width, height, 4 if bits == 32 else 3 if bits >= 8 else 1, 8)


_READERS = tuple(
    (re.compile(signature, re.DOTALL), read)
    for signature, read in (
        (re.escape(_JPEG_START), _jpeg),
        (re.escape(_PNG_SIGNATURE), _png),
        (rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]", _tiff),
        (rb"RIFF....WEBP", _webp),
        (rb"BM", _bmp),
        (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", _jpeg2000),
        (rb"GIF8[79]a", _gif),
        (rb"#\?(RADIANCE|RGBE)", _hdr),
        (rb"P[1-7Ff]\s", _pnm),
        (rb"\x59\xa6\x6a\x95", _sun_raster),
    )
)
