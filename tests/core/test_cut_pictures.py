"""A picture of which only a part is there is refused, and a whole one never is."""

import cv2
import numpy as np
import pytest

from core.errors import FormatError
from core.files.imageio import decode_image, encode_image, read_bgr

KINDS = {
    "baseline": [],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "own tables": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    "restart marks": [cv2.IMWRITE_JPEG_RST_INTERVAL, 4],
}


def picture(kind="texture", side=192):
    noise = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
    image = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    if kind == "black below":
        image[side // 2 :] = 0
    return image


def jpeg(image, kind="baseline"):
    return cv2.imencode(".jpg", image, KINDS[kind])[1].tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.95])
def test_a_jpeg_that_is_cut_is_refused_with_what_is_there(kind, share):
    data = jpeg(picture(), kind)
    with pytest.raises(FormatError, match=r"x\.jpg: is cut off: only the upper \d+ % of the picture"):
        decode_image(data[: int(len(data) * share)], "x.jpg")


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_zeros_in_place_of_the_rest_are_seen_through(share):
    data = jpeg(picture())
    kept = int(len(data) * share)
    with pytest.raises(FormatError, match="is cut off"):
        decode_image(data[:kept] + bytes(len(data) - kept), "x.jpg")


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_any_kind_of_bytes_will_do(kind):
    data = jpeg(picture())
    assert decode_image(kind(data)).shape == (192, 192, 3)
    with pytest.raises(FormatError, match="is cut off"):
        decode_image(kind(data[: len(data) // 2]), "x.jpg")


def test_the_share_is_that_of_the_rows():
    data = jpeg(picture())
    with pytest.raises(FormatError, match=r"upper (4[0-9]|5[0-9]) %"):
        decode_image(data[: len(data) // 2], "x.jpg")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", ["texture", "black below"])
def test_whole_jpegs_are_read_whatever_follows_them(kind, content):
    data = jpeg(picture(content), kind)
    right = decode_image(data)
    for other in (data + bytes(5000), data + b"trailer of a camera" * 99, data + data[: len(data) // 2], data[:-2]):
        assert np.array_equal(decode_image(other), right)


def test_marks_of_a_thumbnail_or_of_face_data_in_the_header_do_not_count():
    thumbnail = encode_image(picture(side=16), ".jpg")
    data = jpeg(picture())
    for marker in (b"\xff\xe1", b"\xff\xef"):
        whole = data[:2] + marker + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + data[2:]
        assert np.array_equal(decode_image(whole), decode_image(data))
        with pytest.raises(FormatError, match="is cut off"):
            decode_image(whole[: len(whole) * 2 // 3], "x.jpg")


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp", ".jp2"])
def test_other_kinds_that_are_cut_are_refused(suffix):
    data = encode_image(picture(), suffix)
    assert decode_image(data).shape == (192, 192, 3)
    for share in (0.3, 0.6, 0.95):
        with pytest.raises(FormatError):
            decode_image(data[: int(len(data) * share)], "x")


def test_a_png_needs_its_last_chunk_whatever_the_decoder_says():
    from core.files.image_checks import require_whole

    data = encode_image(picture(), ".png")
    require_whole(data, "x.png", None)
    require_whole(data + b"more" * 100, "x.png", None)
    for cut in (len(data) - 12, len(data) // 2, 40):
        with pytest.raises(FormatError, match="x.png: is cut off"):
            require_whole(data[:cut], "x.png", None)


@pytest.fixture
def half_frame(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"{number:05d}.jpg").write_bytes(jpeg(picture()))
    data = (folder / "00002.jpg").read_bytes()
    (folder / "00002.jpg").write_bytes(data[: len(data) // 2])
    return folder


def test_extraction_names_the_frame_and_makes_no_face_of_it(half_frame, tmp_path, capsys):
    import main

    words = ["extract", "--input-dir", half_frame, "--output-dir", tmp_path / "out", "--detector", "embedded", "--yes"]
    assert main.main([str(word) for word in words]) == 0
    told = capsys.readouterr()
    assert "00002.jpg: is cut off: only the upper" in told.err
    assert "Frames that could not be read: 1 (00002.jpg)" in told.out


@pytest.mark.parametrize("command", ["denoise-image-sequence", "video-from-sequence"])
def test_videos_and_denoising_refuse_it(half_frame, tmp_path, capsys, command):
    import main

    before = (half_frame / "00002.jpg").read_bytes()
    more = {"denoise-image-sequence": ["--factor", "3"], "video-from-sequence": ["--output-file", tmp_path / "o.mp4"]}
    words = [
        "videoed",
        command,
        "--input-dir",
        half_frame,
        *more[command],
        "--yes",
        *(["--no-provenance"] if "video" in command else []),
    ]
    assert main.main([str(word) for word in words]) == 1
    assert "00002.jpg: is cut off" in capsys.readouterr().err
    assert (half_frame / "00002.jpg").read_bytes() == before and not (tmp_path / "o.mp4").exists()


def test_training_leaves_such_a_face_out_and_counts_it(half_frame, capsys):
    from types import SimpleNamespace

    from samplelib.training.face_store import CacheBudget, FaceStore

    for name in ("00001.jpg", "00002.jpg"):
        (half_frame / name).write_bytes(jpeg(picture())[:3000])
    samples = [SimpleNamespace(name=path.name, path=path) for path in sorted(half_frame.iterdir())]
    store = FaceStore(samples, lambda sample: read_bgr(sample.path), CacheBudget(0))
    assert [store.get(index) is None for index in range(3)] == [True, True, False]
    told = capsys.readouterr().err
    assert "00001.jpg: is cut off" in told and "The face is left out." in told
    assert "The face is left out (2 so far)." in told
