"""The own PNG writer and reader: what it writes any program reads, and it reads what others write as OpenCV does, or not at all."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from skimage.data import astronaut

from core.errors import FormatError
from core.files.imageio import decode_image, encode_image
from core.imagelib import png_codec
from core.imagelib.png_codec import decode_png, encode_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TYPES = {1: 0, 3: 2, 4: 6}


def by_opencv(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def picture(height=20, width=30, channels=3, dtype=np.uint8, seed=0):
    shape = (height, width) if channels == 1 else (height, width, channels)
    smooth = np.add.outer(np.arange(height) * 3, np.arange(width) * 5)
    smooth = smooth if channels == 1 else np.stack([smooth + 40 * channel for channel in range(channels)], axis=-1)
    noise = np.random.default_rng(seed).integers(0, 9, shape)
    return ((smooth + noise) * (1 if dtype == np.uint8 else 257) % (np.iinfo(dtype).max + 1)).astype(dtype)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(image, filters, interlace=0, parts=1, before=b"", header=None):
    """A PNG of uint8 pixels in RGB order whose rows are filtered as said."""
    height, width = image.shape[:2]
    channels = image.shape[2] if image.ndim == 3 else 1
    rows, raw = image.reshape(height, -1).astype(int), bytearray()
    for number, kind in zip(range(height), filters):
        left = np.concatenate([np.zeros(channels, int), rows[number][:-channels]])
        up = rows[number - 1] if number else np.zeros_like(left)
        corner = np.concatenate([np.zeros(channels, int), up[:-channels]])
        guess = left + up - corner
        distances = np.abs(np.stack([guess - left, guess - up, guess - corner]))
        paeth = np.choose(distances.argmin(axis=0), [left, up, corner])
        taken = (0, left, up, (left + up) // 2, paeth)[kind]
        raw += bytes([kind]) + ((rows[number] - taken) % 256).astype(np.uint8).tobytes()
    packed = zlib.compress(bytes(raw))
    step = -(-len(packed) // parts)
    data = b"".join(chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step))
    header = header or struct.pack(">IIBBBBB", width, height, 8, TYPES[channels], 0, 0, interlace)
    return SIGNATURE + chunk(b"IHDR", header) + before + data + chunk(b"IEND", b"")


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_any_picture_comes_back_from_any_reader(data):
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16]))
    size = data.draw(st.tuples(st.integers(1, 24), st.integers(1, 24)))
    channels = data.draw(st.sampled_from([(), (3,), (4,)]))
    image = data.draw(arrays.arrays(dtype, (*size, *channels)))
    encoded = encode_png(image)
    np.testing.assert_array_equal(by_opencv(encoded), image)
    own = decode_png(encoded)
    assert own.dtype == dtype
    np.testing.assert_array_equal(own, image)


@pytest.mark.parametrize("channels, mode", [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_pillow_reads_it_and_finds_no_damage(tmp_path, channels, mode):
    image = picture(channels=channels)
    (tmp_path / "a.png").write_bytes(encode_image(image, ".png"))
    with Image.open(tmp_path / "a.png") as opened:
        opened.verify()
    with Image.open(tmp_path / "a.png") as opened:
        assert opened.mode == mode
        ordered = image if channels == 1 else image[..., [2, 1, 0, 3][:channels]]
        np.testing.assert_array_equal(np.asarray(opened), ordered)


@pytest.mark.parametrize("view", ["strided", "turned", "one channel", "read-only"])
def test_arrays_that_do_not_lie_in_one_piece(view):
    image = picture(40, 60)
    image = {"strided": image[::2, ::3], "turned": image.transpose(1, 0, 2), "one channel": image[..., :1]}.get(
        view, image
    )
    if view == "read-only":
        image = np.frombuffer(image.tobytes(), np.uint8).reshape(image.shape)
    expected = image[..., 0] if view == "one channel" else image
    np.testing.assert_array_equal(by_opencv(encode_png(image)), expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    "filters", [[0] * 20, [1] * 20, [2] * 20, [1] + [2] * 19, [0, 1, 2, 2, 1, 0, 2, 1, 1, 2] * 2, [2, 0] * 10]
)
def test_rows_filtered_in_every_simple_way(channels, filters):
    image = picture(channels=channels)
    data = png(image, filters, parts=3)
    np.testing.assert_array_equal(decode_png(data), by_opencv(data))
    ordered = image if channels == 1 else image[..., [2, 1, 0, 3][:channels]]
    np.testing.assert_array_equal(decode_png(data), ordered)


@pytest.mark.parametrize("kind", [3, 4])
def test_filters_that_go_pixel_by_pixel_are_left_to_opencv(kind):
    data = png(picture(), [2] * 10 + [kind] + [1] * 9)
    assert decode_png(data) is None
    np.testing.assert_array_equal(decode_image(data), by_opencv(data))


PLAIN, SMALLEST, BILEVEL = (), (cv2.IMWRITE_PNG_COMPRESSION, 9), (cv2.IMWRITE_PNG_BILEVEL, 1)


@pytest.mark.parametrize(
    ("parameters", "channels", "dtype"),
    [
        *(
            (each, channels, dtype)
            for each in (PLAIN, SMALLEST)
            for channels in (1, 3, 4)
            for dtype in (np.uint8, np.uint16)
        ),
        (BILEVEL, 1, np.uint8),
    ],
)
def test_what_opencv_writes(parameters, channels, dtype):
    data = cv2.imencode(".png", picture(channels=channels, dtype=dtype), parameters)[1].tobytes()
    np.testing.assert_array_equal(decode_image(data), by_opencv(data))


@pytest.mark.parametrize("mode", ["P", "LA", "1", "I;16", "L", "RGB", "RGBA"])
def test_what_pillow_writes(tmp_path, mode):
    image = Image.fromarray(picture()).convert("L" if mode == "I;16" else mode)
    image = image.convert("I").convert("I;16") if mode == "I;16" else image
    image.save(tmp_path / "a.png", dpi=(72, 72))
    data = (tmp_path / "a.png").read_bytes()
    read, expected = decode_image(data), by_opencv(data)
    assert read.dtype == expected.dtype
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize(
    "data",
    [
        png(picture(), [2] * 20, before=chunk(b"tRNS", bytes(6))),
        png(picture(), [2] * 20, interlace=1),
        png(picture(), [2] * 20, header=struct.pack(">IIBBBBB", 30, 21, 8, 2, 0, 0, 0)),
        png(picture(), [2] * 20, header=struct.pack(">IIBBBBB", 30, 19, 8, 2, 0, 0, 0)),
        png(picture(), [2] * 20, header=struct.pack(">IIBBBBB", 1 << 30, 1 << 30, 8, 2, 0, 0, 0)),
        png(picture(), [2] * 20, header=struct.pack(">IIBBBBB", 0, 20, 8, 2, 0, 0, 0)),
        png(picture(), [2] * 20, header=bytes(12)),
        png(picture(), [2] * 20, header=struct.pack(">IIBBBBB", 30, 20, 4, 0, 0, 0, 0)),
        SIGNATURE,
        b"",
        SIGNATURE + chunk(b"IDAT", b"") + chunk(b"IEND", b""),
        SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)) + chunk(b"IEND", b""),
    ],
)  # fmt: skip
def test_what_is_out_of_the_ordinary_is_left_to_opencv(data):
    assert decode_png(data) is None


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_no_changed_byte_gives_another_picture(place, value):
    whole = encode_png(picture(12, 9))
    data = bytearray(whole)
    data[place % len(data)] = value
    read = decode_png(bytes(data))
    if read is not None and bytes(data) != whole:
        np.testing.assert_array_equal(read, by_opencv(bytes(data)))


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_a_cut_file_is_refused(share):
    whole = encode_png(picture(64, 64))
    assert decode_png(whole[: int(len(whole) * share)]) is None
    with pytest.raises(FormatError):
        decode_image(whole[: int(len(whole) * share)])


def test_a_bomb_is_not_unpacked():
    header = struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(1 << 26), 9)
    assert decode_png(SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")) is None


def test_a_frame_is_no_larger_than_by_opencv():
    image = np.ascontiguousarray(astronaut()[..., ::-1])
    assert len(encode_png(image)) <= 1.02 * len(cv2.imencode(".png", image)[1])


def test_other_arrays_are_left_to_opencv():
    for image in (np.zeros((4, 4, 2), np.uint8), np.zeros((4, 4), np.float32), np.zeros((0, 4), np.uint8)):
        assert encode_png(image) is None


def test_without_the_package_opencv_does_it(monkeypatch):
    monkeypatch.setattr(png_codec, "isal_zlib", None)
    image = picture()
    assert encode_png(image) is None and decode_png(png(image, [2] * 20)) is None
    np.testing.assert_array_equal(decode_image(encode_image(image, ".png")), image)
