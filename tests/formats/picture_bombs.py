"""Small pictures that claim to be large, and pictures whose headers are damaged."""

import random
import struct
import zlib

import cv2
import numpy as np

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png_chunk(kind, body, length=None):
    """A chunk; ``length`` is what it claims."""
    length = len(body) if length is None else length
    return struct.pack(">I", length) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width=8, height=8, bits=8, colour=0, extra=b"", data_length=None, rows=None):
    """A grey PNG of zeros; ``extra`` chunks follow the header, ``data_length`` is what the pixels' chunk claims."""
    pixels = zlib.compress(b"\0" * (rows or min(height, 1000)) * ((width * bits + 7) // 8 + 1), 9)
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"".join(
        (
            PNG_SIGNATURE,
            png_chunk(b"IHDR", header),
            extra,
            png_chunk(b"IDAT", pixels, data_length),
            png_chunk(b"IEND", b""),
        )
    )


def jpeg(width, height, claimed=None, progressive=False):
    """A grey JPEG; ``claimed`` (width, height) is written over the size in its header."""
    parameters = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    data = cv2.imencode(".jpg", np.zeros((height, width), np.uint8), parameters)[1].tobytes()
    if claimed is None:
        return data
    place = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) + 5
    return data[:place] + struct.pack(">HH", claimed[1], claimed[0]) + data[place + 4 :]


def tiff(width, height, tile=None, samples=1, strips=1, big=False, order="<"):
    """An uncompressed TIFF or BigTIFF without pixels that claims a size."""
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: samples, 278: height}
    if tile:
        tags.update({322: tile[0], 323: tile[1]})
    number = 16 if big else 4
    entries = [(tag, number, 1, value) for tag, value in tags.items()]
    entries += [(273, number, strips, 8), (279, number, strips, 8)]
    form, count, head = ("HHQQ", "Q", "HHHQ") if big else ("HHII", "H", "HI")
    start = struct.pack(order + head, *((43, 8, 0, 16) if big else (42, 8)))
    body = b"".join(struct.pack(order + form, *entry) for entry in sorted(entries))
    mark = b"II" if order == "<" else b"MM"
    return mark + start + struct.pack(order + count, len(entries)) + body + bytes(8)


def bmp(width, height, bits=1):
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, 0, 0, 0, 2, 0)
    return b"BM" + struct.pack("<IHHI", 62, 0, 0, 62) + header + bytes(16)


def gif(width, height, frame=None):
    frame_width, frame_height = frame or (width, height)
    picture = b"," + struct.pack("<HHHHB", 0, 0, frame_width, frame_height, 0) + b"\x02\x02\x4c\x01\0;"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + picture


def webp(width, height, canvas=None):
    """A WebP with a lossless bitstream of a claimed size, and with a canvas if given."""
    chunks = b""
    if canvas:
        low = struct.pack("<I", canvas[0] - 1)[:3] + struct.pack("<I", canvas[1] - 1)[:3]
        chunks += b"VP8X" + struct.pack("<II", 10, 0) + low
    bits = b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + bytes(5)
    chunks += b"VP8L" + struct.pack("<I", len(bits)) + bits
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def jpeg2000(width, height, components=3, tile=None):
    """The beginning of a codestream that claims a size."""
    tile = tile or (width, height)
    size = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, *tile, 0, 0, components) + b"\x07\x01\x01" * components
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size + b"\xff\xd9"


def hdr(width, height):
    return b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (height, width) + bytes(64)


def pnm(width, height):
    return b"P5\n# made up\n%d %d\n255\n" % (width, height) + bytes(64)


def sun_raster(width, height):
    return struct.pack(">8I", 0x59A66A95, width, height, 8, 0, 1, 0, 0) + bytes(64)


def claiming(width, height):
    """A small file of each kind that claims a size: suffix to bytes."""
    return {
        ".png": png(width, height, rows=1),
        ".jpg": jpeg(8, 8, (width, height)),
        ".tif": tiff(width, height),
        ".webp": webp(min(width, 16384), min(height, 16384)),
        ".bmp": bmp(width, height),
        ".gif": gif(width, height),
        ".jp2": jpeg2000(width, height),
        ".hdr": hdr(width, height),
        ".pgm": pnm(width, height),
        ".ras": sun_raster(width, height),
    }


def mutated(data, seed):
    """A picture with a few bytes of its beginning changed, taken out or put in."""
    chance, changed = random.Random(seed), bytearray(data)
    end = min(len(changed), chance.choice((48, 256, len(changed))))
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        place = chance.randrange(max(1, end - 8))
        large = chance.choice((0xFFFFFFFF, 0x7FFFFFFF, 0x40000000, 1 << 24, 100_000, 65535, 30000, 1, 0))
        kind = chance.randrange(5)
        if kind == 0:
            changed[place] = chance.choice((0, 1, 0x40, 0x7F, 0x80, 0xFF))
        elif kind == 1:
            changed[place : place + 4] = struct.pack(chance.choice("<>") + "I", large)
        elif kind == 2:
            changed[place : place + 2] = struct.pack(chance.choice("<>") + "H", large & 0xFFFF)
        elif kind == 3:
            del changed[place : place + chance.randrange(1, 5)]
        else:
            changed[place:place] = chance.randbytes(chance.randrange(1, 5))
    data = bytes(changed)
    return with_right_checksums(data) if chance.random() < 0.7 else data


def with_right_checksums(data):
    """A PNG whose chunks all carry the right checksum, so that the decoder does not stop there."""
    if not data.startswith(PNG_SIGNATURE):
        return data
    changed, at = bytearray(data), len(PNG_SIGNATURE)
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        if at + 12 + length > len(data):
            break
        struct.pack_into(">I", changed, at + 8 + length, zlib.crc32(data[at + 4 : at + 8 + length]))
        at += 12 + length
    return bytes(changed)
