"""The header reader says what the decoder will find, for every kind, and refuses what contradicts itself."""

import io
import struct
import zlib

import cv2
import numpy as np
import picture_bombs as bombs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import FormatError, UsageError
from core.files.imageio import decode_image, read_image
from core.files.picture_limits import FACE_MEGAPIXELS, FRAME_MEGAPIXELS, LIMIT_VARIABLE, check_picture, check_size
from core.imagelib.picture_header import HeaderError, PictureHeader, decodable, read_picture_header

COLOUR_KINDS = (".png", ".jpg", ".tif", ".webp", ".bmp", ".gif", ".jp2", ".ppm", ".pam", ".ras")
GREY_KINDS = (".png", ".jpg", ".tif", ".pgm", ".pbm", ".jp2")
DEEP_KINDS = (".png", ".tif", ".jp2", ".ppm")
FLOAT_KINDS = (".hdr", ".pfm", ".tif")
KINDS = [
    *((suffix, np.uint8, 3) for suffix in COLOUR_KINDS),
    *((suffix, np.uint8, 1) for suffix in GREY_KINDS),
    *((suffix, np.uint16, 3) for suffix in DEEP_KINDS),
    *((suffix, np.float32, 3) for suffix in FLOAT_KINDS),
    (".png", np.uint8, 4), (".tif", np.uint8, 4), (".webp", np.uint8, 4), (".png", np.uint16, 4), (".png", np.uint16, 1),
]  # fmt: skip


def picture(width, height, dtype, channels):
    values = np.arange(width * height * channels, dtype=np.uint32) * 37 % 251
    values = values if dtype != np.uint16 else values * 257
    return values.reshape(height, width, channels).astype(dtype)


@pytest.mark.parametrize(("suffix", "dtype", "channels"), KINDS)
@settings(max_examples=25, deadline=None)
@given(width=st.integers(33, 300), height=st.integers(33, 300))
def test_size_and_depth_are_those_of_the_decoded_picture(suffix, dtype, channels, width, height):
    data = cv2.imencode(suffix, picture(width, height, dtype, channels))[1].tobytes()
    header, decoded = read_picture_header(data), decode_image(data)
    assert (header.height, header.width) == decoded.shape[:2] == (height, width)
    assert header.bits == decoded.dtype.itemsize * 8
    assert header.channels >= (1 if decoded.ndim == 2 else decoded.shape[2]), "never fewer than are decoded"


@pytest.mark.parametrize(
    "options",
    [
        {"format": "PNG", "mode": "P"},
        {"format": "PNG", "mode": "1"},
        {"format": "PNG", "mode": "LA"},
        {"format": "JPEG", "mode": "CMYK"},
        {"format": "JPEG", "mode": "RGB", "progressive": True},
        {"format": "TIFF", "mode": "RGB", "compression": "tiff_deflate"},
        {"format": "TIFF", "mode": "RGB", "compression": "jpeg"},
        {"format": "TIFF", "mode": "1", "compression": "group4"},
        {"format": "TIFF", "mode": "RGB", "big_tiff": True},
        {"format": "WEBP", "mode": "RGBA", "lossless": True},
        {"format": "WEBP", "mode": "RGB", "exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"},
        {"format": "GIF", "mode": "P", "comment": b"x" * 600},
        {"format": "BMP", "mode": "1"},
        {"format": "BMP", "mode": "P"},
        {"format": "JPEG2000", "mode": "RGB", "no_jp2": True},
        {"format": "JPEG2000", "mode": "RGB", "tile_size": (32, 32)},
    ],
    ids=lambda options: "-".join(str(value)[:12] for value in options.values()),
)
def test_pictures_of_other_programs(options):
    options = dict(options)
    kind, mode = options.pop("format"), options.pop("mode")
    stream = io.BytesIO()
    Image.fromarray(picture(130, 77, np.uint8, 3)).convert(mode).save(stream, kind, **options)
    header = read_picture_header(stream.getvalue())
    assert (header.width, header.height) == (130, 77)
    assert decode_image(stream.getvalue()).shape[:2] == (77, 130)


def test_animations_are_read_as_their_first_picture():
    pictures = [Image.fromarray(picture(60, 40, np.uint8, 3)), Image.fromarray(255 - picture(60, 40, np.uint8, 3))]
    for kind in ("PNG", "WEBP", "GIF"):
        stream = io.BytesIO()
        options = {"lossless": True} if kind == "WEBP" else {}
        pictures[0].save(stream, kind, save_all=True, append_images=pictures[1:], **options)
        decoded = decode_image(stream.getvalue())[:, :, 2::-1]
        assert decoded.shape == (40, 60, 3)
        if kind != "GIF":
            np.testing.assert_array_equal(decoded, np.asarray(pictures[0]))


@pytest.mark.parametrize("suffix", sorted(bombs.claiming(9, 9)))
def test_a_claim_is_read_from_a_header_alone(suffix):
    header = read_picture_header(bombs.claiming(16000, 12000)[suffix])
    assert (header.width, header.height) == (16000, 12000)


def test_a_canvas_a_frame_or_a_tile_that_is_larger_than_the_picture_counts():
    for data, size in (
        (bombs.webp(8, 8, canvas=(9000, 7000)), (9000, 7000)),
        (bombs.webp(9000, 7000, canvas=(8, 8)), (9000, 7000)),
        (bombs.gif(8, 8, frame=(9000, 7000)), (9000, 7000)),
        (bombs.tiff(64, 64, tile=(30000, 20000)), (30000, 20000)),
        (bombs.tiff(64, 64, tile=(30000, 20000), big=True, order=">"), (30000, 20000)),
    ):
        header = read_picture_header(data)
        assert (header.width, header.height) == size


def test_more_than_four_channels_count_as_more_pixels():
    assert PictureHeader("tiff", 100, 100, 4, 8).pixels == 10_000
    assert PictureHeader("tiff", 100, 100, 5, 8).pixels == 20_000
    with pytest.raises(FormatError, match="megapixels"):
        check_picture(bombs.tiff(8000, 8000, samples=60000), "x.tif")


@pytest.mark.parametrize("length", [0x40000000, 0x7FFFFFF0, 0x7FFFFFFF, 0xFFFFFFFF, 200])
def test_a_part_that_claims_more_bytes_than_the_file_has_is_refused(length):
    for data in (bombs.png(data_length=length), bombs.png(extra=bombs.png_chunk(b"zzZz", b"abcd", length))):
        with pytest.raises(FormatError, match=rf"^x.png: is cut off: a part of it claims {length} bytes"):
            decode_image(data, "x.png")


def test_texts_and_profiles_that_unpack_to_much_do_not_reach_the_decoder():
    packed = zlib.compress(bytes(8_000_000), 9)
    for kind, head in ((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")):
        data = bombs.png(64, 48, extra=bombs.png_chunk(kind, head + packed) * 40)
        assert decodable(data) == bombs.png(64, 48)
        assert decode_image(data).shape == (48, 64)
    assert decodable(bombs.png()) == bombs.png()


def test_a_progressive_jpeg_of_endless_scans_is_refused():
    data = bombs.jpeg(64, 64, progressive=True)
    scan = data.rindex(b"\xff\xda")
    with pytest.raises(FormatError, match="more than 500 scans"):
        decode_image(data[:scan] + data[scan:-2] * 600 + b"\xff\xd9")
    assert decode_image(data).shape == (64, 64)


def test_a_jpeg_2000_of_endless_tiles_and_a_tiff_of_endless_strips_are_refused():
    with pytest.raises(HeaderError, match="tiles"):
        read_picture_header(bombs.jpeg2000(4000, 4000, tile=(8, 8)))
    with pytest.raises(HeaderError, match="strips"):
        read_picture_header(bombs.tiff(4000, 4000, strips=1 << 28))


def test_the_limits_and_how_the_one_of_frames_is_raised(monkeypatch):
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    assert (FRAME_MEGAPIXELS, FACE_MEGAPIXELS) == (64, 16)
    check_size(8192, 8192, "x")
    check_size(4096, 4096, "x", FACE_MEGAPIXELS)
    text = (
        r"^x: is 8193x8192 pixels large, 65 megapixels; the limit is 64 .*Set DFL_MAX_MEGAPIXELS=65 in the environment"
    )
    with pytest.raises(FormatError, match=text):
        check_size(8193, 8192, "x")
    with pytest.raises(FormatError, match="4097x4096 pixels large, 17 megapixels; the limit is 16"):
        check_size(4097, 4096, "x", FACE_MEGAPIXELS)
    monkeypatch.setenv(LIMIT_VARIABLE, "65")
    check_size(8193, 8192, "x")
    with pytest.raises(FormatError, match="the limit is 16"):
        check_size(8192, 8192, "x", FACE_MEGAPIXELS)
    monkeypatch.setenv(LIMIT_VARIABLE, "1")
    with pytest.raises(FormatError, match="the limit is 1 "):
        decode_image(cv2.imencode(".png", np.zeros((1025, 1024), np.uint8))[1].tobytes())
    for wrong in ("many", "0", "-5", "1e9", "99999999999999999999", "²"):
        monkeypatch.setenv(LIMIT_VARIABLE, wrong)
        with pytest.raises(UsageError, match=f"{LIMIT_VARIABLE}={wrong}: must be a whole number"):
            check_size(1, 1, "x")


def test_a_large_file_is_looked_at_before_it_is_read(tmp_path):
    """Sparse files: reading them would take a gigabyte."""
    for start, message in ((b"", "not a readable image"), (bombs.png(30000, 30000, rows=1), "megapixels")):
        path = tmp_path / "x.png"
        path.write_bytes(start)
        with open(path, "r+b") as stream:
            stream.truncate(900 << 20)
        with pytest.raises(FormatError, match=message):
            read_image(path)
    with open(path, "r+b") as stream:
        stream.truncate(5 << 30)
    with pytest.raises(FormatError, match="5120 MiB, more than any picture within the limit"):
        read_image(path)


def test_what_is_no_file_is_named_and_does_not_hang(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("pipe.png", "folder.png"):
        with pytest.raises(FormatError, match=f"{name}: (is not a file|cannot be read)"):
            read_image(tmp_path / name)
    with pytest.raises(FormatError, match="/dev/zero: is not a file"):
        read_image("/dev/zero")
    with pytest.raises(FormatError, match=r"a\\0b.png: cannot be read"):
        read_image(tmp_path / "a\0b.png")


@pytest.mark.parametrize("suffix", sorted({kind[0] for kind in KINDS}))
def test_damaged_headers_never_end_in_another_error(suffix):
    float_kind = suffix in (".hdr", ".pfm")
    grey = suffix in (".pgm", ".pbm")
    data = cv2.imencode(suffix, picture(40, 36, np.float32 if float_kind else np.uint8, 1 if grey else 3))[1].tobytes()
    for seed in range(400):
        damaged = bombs.mutated(data, seed)
        try:
            header = read_picture_header(damaged)
        except HeaderError:
            with pytest.raises(FormatError):
                decode_image(damaged, megapixels=1)
            continue
        try:
            decoded = decode_image(damaged, megapixels=1)
        except FormatError:
            continue
        assert header is not None
        assert decoded.shape[0] * decoded.shape[1] <= header.width * header.height <= 1 << 20


@given(st.binary(max_size=200), st.sampled_from([b"", *(data[:30] for data in bombs.claiming(64, 48).values())]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused(rest, start):
    try:
        header = read_picture_header(start + rest)
    except HeaderError:
        return
    assert header is None or (header.width > 0 and header.height > 0 and header.pixels >= 1)


def test_a_long_png_is_looked_through_quickly():
    """One step for each chunk, none for each byte."""
    data = bombs.png(64, 64, extra=bombs.png_chunk(b"tEXt", bytes(1 << 20)) * 16)
    steps = []

    class Counted(bytes):
        def __getitem__(self, key):
            steps.append(key)
            return super().__getitem__(key)

    assert read_picture_header(Counted(data)).width == 64
    assert len(steps) < 50
    assert struct.unpack_from(">I", data, 16) == (64,)
