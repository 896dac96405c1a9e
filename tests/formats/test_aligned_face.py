"""Face pictures: what goes in comes out, nothing else in the file changes, and no save ever leaves half a file."""

import os
import pickle
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from core.errors import FormatError, UserError
from core.files.imageio import encode_image, read_image
from samplelib.faces import aligned_face, jpeg_segments, mask_codec
from samplelib.faces.aligned_face import FACE_TYPES, FaceMetadata, SegPolygon

coordinates = st.floats(-1e6, 1e6, width=32)


def points(count):
    return st_numpy.arrays(np.float64, (count, 2), elements=coordinates)


polygons = st.builds(
    SegPolygon,
    st.booleans(),
    st.integers(0, 12).flatmap(lambda k: st_numpy.arrays(np.float32, (k, 2), elements=coordinates)),
)
metadatas = st.builds(
    FaceMetadata,
    face_type=st.sampled_from(FACE_TYPES),
    landmarks=points(68),
    source_filename=st.none() | st.text(min_size=1, max_size=80),
    source_rect=st.none() | st_numpy.arrays(np.int64, 4, elements=st.integers(-(10**6), 10**6)),
    source_landmarks=st.none() | points(68),
    image_to_face_mat=st.none() | st_numpy.arrays(np.float64, (2, 3), elements=coordinates),
    polygons=st.lists(polygons, max_size=5).map(tuple),
    xseg_mask=st.none() | st.binary(min_size=1, max_size=2000),
    eyebrows_expand_mod=st.floats(0.5, 4.0),
    extra=st.dictionaries(
        st.text(min_size=1, max_size=10).map(lambda key: f"x_{key}"),
        st.integers(-9, 9) | st.text(max_size=9) | st.lists(st.floats(0, 1), max_size=9) | points(3),
        max_size=3,
    ),
)


def noise(height, width=None, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width or height, 3), np.uint8)


def plain_metadata(**changes):
    rng = np.random.default_rng(1)
    metadata = FaceMetadata(
        face_type="whole_face",
        landmarks=rng.random((68, 2)) * 100,
        source_filename="00001.png",
        source_rect=[1, 2, 3, 4],
        source_landmarks=rng.random((68, 2)) * 1000,
        image_to_face_mat=rng.random((2, 3)),
    )
    return metadata.replace(**changes)


JPEG = encode_image(noise(64), ".jpg")


@given(metadatas)
@settings(max_examples=120, deadline=None)
def test_metadata_round_trip(metadata):
    data = aligned_face.with_metadata(JPEG, metadata, "face")
    again = aligned_face.metadata_from_jpeg(data, "face")
    assert again == metadata
    assert aligned_face.metadata_from_dict(aligned_face.metadata_to_dict(metadata), "face") == metadata
    body = aligned_face.metadata_to_bytes(metadata)
    assert data == JPEG[:20] + b"\xff\xef" + struct.pack(">H", len(body) + 2) + body + JPEG[20:]
    assert aligned_face.with_metadata(data, again, "face") is data


def test_absent_values_have_no_key():
    values = aligned_face.metadata_to_dict(plain_metadata())
    assert list(values) == [
        "face_type", "landmarks", "source_filename", "source_rect", "source_landmarks", "image_to_face_mat",
    ]  # fmt: skip
    assert type(values["landmarks"]) is list and type(values["landmarks"][0]) is list
    assert type(values["source_rect"]) is np.ndarray
    assert type(aligned_face.metadata_to_dict(plain_metadata(xseg_mask=b"x"))["xseg_mask"]) is np.ndarray


@pytest.mark.parametrize("key", ["landmarks", "source_rect", "source_landmarks", "image_to_face_mat"])
def test_lists_and_arrays_are_read(key):
    metadata = plain_metadata()
    values = aligned_face.metadata_to_dict(metadata)
    for form in (np.asarray(values[key]).tolist(), np.asarray(values[key]), np.asarray(values[key]).astype(object)):
        if isinstance(form, np.ndarray) and form.dtype == object:
            form = tuple(np.asarray(values[key]).tolist())
        assert aligned_face.metadata_from_dict({**values, key: form}, "face") == metadata


def test_points_under_unknown_keys_stay_lists(tmp_path):
    """Programs that know the key expect what they wrote, not an array."""
    known = [[float(number), number / 3] for number in range(30)]
    path = tmp_path / "face.jpg"
    aligned_face.save_face(path, noise(16), plain_metadata(extra={"fork": {"points": known}, "more": known}), 90)
    aligned_face.write_metadata(path, aligned_face.read_metadata(path).replace(face_type="head"))
    data = path.read_bytes()
    (ours,) = [part for part in jpeg_segments.scan_header(data) if part.marker == jpeg_segments.APP15]
    stored = pickle.loads(data[ours.body : ours.end])
    assert stored["face_type"] == "head" and stored["more"] == stored["fork"]["points"] == known


def test_face_type_is_lower_cased_and_may_be_missing():
    values = aligned_face.metadata_to_dict(plain_metadata())
    assert aligned_face.metadata_from_dict({**values, "face_type": "Whole_Face"}, "face").face_type == "whole_face"
    del values["face_type"]
    assert aligned_face.metadata_from_dict(values, "face").face_type == "full_face"


@pytest.mark.parametrize(
    "changes",
    [
        {"face_type": "mve_custom"}, {"face_type": 4}, {"landmarks": None}, {"landmarks": [[1, 2]] * 67},
        {"landmarks": [["a", "b"]] * 68}, {"landmarks": [[np.inf, 0]] * 68}, {"landmarks": 5}, {"source_rect": "1234"},
        {"source_rect": [1, 2, 3]}, {"source_filename": 5}, {"image_to_face_mat": [[1, 2], [3, 4]]},
        {"seg_ie_polys": 5}, {"seg_ie_polys": {"polys": [{"type": 7, "pts": [[1, 2]]}]}},
        {"seg_ie_polys": {"polys": [5]}}, {"seg_ie_polys": {"polys": [{"type": 1, "pts": [[1, 2, 3]]}]}},
        {"seg_ie_polys": {"polys": [{"type": 1, "pts": [[np.nan, 2]]}]}}, {"xseg_mask": "text"},
        {"xseg_mask": np.zeros((3, 3), np.uint8)}, {"eyebrows_expand_mod": "1"}, {"eyebrows_expand_mod": np.nan},
    ],
)  # fmt: skip
def test_wrong_values_are_named(changes):
    values = {**aligned_face.metadata_to_dict(plain_metadata()), **changes}
    with pytest.raises(FormatError, match="face.jpg: its face data cannot be used: ") as caught:
        aligned_face.metadata_from_dict(values, "face.jpg")
    assert next(iter(changes)).split("_")[-1][:4] in str(caught.value) or "polygon" in str(caught.value)


def test_polygons_in_every_stored_form_and_order():
    dictionary = {"polys": [{"type": 0, "pts": [[1, 2]]}, {"type": 1, "pts": np.float32([[3, 4], [5, 6]])}]}
    pairs = [(0, [[1, 2]]), (1, [[3, 4], [5, 6]])]
    read = aligned_face.polygons_from_stored(dictionary)
    assert (
        read == aligned_face.polygons_from_stored(pairs) == aligned_face.polygons_from_stored([list(p) for p in pairs])
    )
    metadata = plain_metadata(polygons=read)
    assert [polygon.include for polygon in metadata.polygons] == [True, False]
    assert aligned_face.polygons_from_stored(None) == () == aligned_face.polygons_from_stored({})
    mask = metadata.replace(polygons=(SegPolygon(True, np.float32([[2, 2], [9, 2], [9, 9], [2, 9]])),)).polygon_mask(
        12, 14
    )
    assert mask.shape == (12, 14, 1) and mask.sum() == 64


def segment(marker, body):
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body


def app15_positions(data):
    return [item.start for item in jpeg_segments.scan_header(data) if item.marker == jpeg_segments.APP15]


def test_place_of_the_segment():
    metadata = plain_metadata()
    after_app0 = aligned_face.with_metadata(JPEG, metadata, "x")
    assert app15_positions(after_app0) == [20]
    bare = JPEG[:2] + JPEG[20:]
    assert app15_positions(aligned_face.with_metadata(bare, metadata, "x")) == [2]
    exif, comment = segment(0xE1, b"Exif\0\0" + b"e" * 40), segment(0xFE, b"comment")
    rich = JPEG[:20] + comment + exif + JPEG[20:]
    place = 20 + len(comment) + len(exif)
    written = aligned_face.with_metadata(rich, metadata, "x")
    assert app15_positions(written) == [place] and written[:place] == rich[:place]
    assert written.endswith(rich[place:])
    twice = aligned_face.with_metadata(written, metadata.replace(face_type="head"), "x")
    assert app15_positions(twice) == [place] and twice.endswith(rich[place:])


def test_large_headers_and_nothing_after_them_is_read(tmp_path):
    path = tmp_path / "face.jpg"
    profile = b"".join(segment(0xE2, bytes([n]) * 65000) for n in range(5))
    data = aligned_face.with_metadata(JPEG[:20] + profile + JPEG[20:], plain_metadata(), "x")
    scan = data.index(b"\xff\xda", len(profile))
    path.write_bytes(data[: scan + 4])
    shape, metadata = aligned_face.read_header(path)
    assert metadata == plain_metadata() and shape == (64, 64, 3)


@pytest.mark.parametrize("name", ["a.JPG", "a.jpeg", "a.Jpg", "имя 🙂.jpg", "a b#%.jpg", "л" * 125 + ".jpg"])
def test_names(name, tmp_path):
    path = tmp_path / name
    aligned_face.save_face(path, noise(32), plain_metadata())
    assert aligned_face.read_metadata(path) == plain_metadata()
    aligned_face.write_metadata(path, plain_metadata(face_type="head"))
    assert aligned_face.read_header(path)[1].face_type == "head"
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("parameters", [[cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]])
def test_progressive_and_restart_markers(parameters, tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(cv2.imencode(".jpg", noise(48, 80), parameters)[1].tobytes())
    before = read_image(path)
    aligned_face.write_metadata(path, plain_metadata())
    assert aligned_face.read_header(path) == ((48, 80, 3), plain_metadata())
    np.testing.assert_array_equal(read_image(path), before)


def test_other_pictures_have_no_metadata(tmp_path):
    for name in ("a.png", "a.tif"):
        (tmp_path / name).write_bytes(encode_image(noise(20, 30), os.path.splitext(name)[1]))
        assert aligned_face.read_metadata(tmp_path / name) is None
        assert aligned_face.read_header(tmp_path / name) == ((20, 30, 3), None)


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"\xff\xd8", b"no picture", b"\xff\xd8\xff\xe0\x00", b"\xff\xd8\xff\xe0\0\0"]
)
def test_what_is_no_jpeg_is_named(data, tmp_path):
    path = tmp_path / "face.jpg"
    path.write_bytes(data)
    for action in (
        lambda: aligned_face.read_header(path),
        lambda: aligned_face.save_face(path / "x", noise(8), plain_metadata()),
    ):
        with pytest.raises(UserError, match="face.jpg"):
            action()
    with pytest.raises(FormatError, match="no such file"):
        aligned_face.read_metadata(tmp_path / "missing.jpg")


def test_oversize_mask_is_stored_smaller(tmp_path, capsys):
    path = tmp_path / "face.jpg"
    aligned_face.save_face(path, noise(64), plain_metadata())
    pixels = read_image(path)
    random_mask = np.random.default_rng(0).random((256, 256)).astype(np.float32)
    many = SegPolygon(True, np.random.default_rng(1).random((3000, 2)))
    metadata = plain_metadata(polygons=(many,)).with_xseg_mask(random_mask)
    assert len(metadata.xseg_mask) <= 50_000
    aligned_face.write_metadata(path, metadata)
    again = aligned_face.read_metadata(path)
    assert again.replace(xseg_mask=None) == metadata.replace(xseg_mask=None)
    assert len(again.xseg_mask) < len(metadata.xseg_mask) and again.decode_xseg_mask().shape[2] == 1
    assert "the mask was stored smaller" in capsys.readouterr().err
    np.testing.assert_array_equal(read_image(path), pixels)


@pytest.mark.parametrize("with_mask", [False, True])
def test_what_cannot_fit_fails_and_leaves_the_file(with_mask, tmp_path):
    path = tmp_path / "face.jpg"
    aligned_face.save_face(path, noise(64), plain_metadata())
    before = path.read_bytes()
    metadata = plain_metadata(polygons=(SegPolygon(True, np.zeros((9000, 2))),))
    if with_mask:
        metadata = metadata.with_xseg_mask(np.eye(64, dtype=np.float32))
    with pytest.raises(FormatError, match="a JPEG can hold only 65533"):
        aligned_face.write_metadata(path, metadata)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["face.jpg"]


def test_exactly_full_segment():
    empty = len(aligned_face.metadata_to_bytes(plain_metadata(extra={"x": b"x" * 50_000})))
    fits = plain_metadata(extra={"x": b"x" * (50_000 + 65533 - empty)})
    assert len(aligned_face.metadata_to_bytes(fits)) == 65533
    assert aligned_face.metadata_from_jpeg(aligned_face.with_metadata(JPEG, fits, "x"), "x") == fits
    with pytest.raises(FormatError):
        aligned_face.metadata_to_bytes(plain_metadata(extra={"x": b"x" * (50_001 + 65533 - empty)}))


@pytest.mark.parametrize("limit", [50_000, 30_000, 9_000, 500])
def test_mask_takes_the_first_quality_that_fits(limit):
    mask = cv2.GaussianBlur(np.random.default_rng(3).random((256, 256)).astype(np.float32), (0, 0), 0.8)
    mask = (mask - mask.min()) / (mask.max() - mask.min())
    pixels = np.clip(mask * 255, 0, 255).astype(np.uint8)
    for quality in range(100, -1, -1):
        wanted = encode_image(pixels, ".jpg", quality)
        if len(wanted) <= limit:
            break
    png = encode_image(pixels, ".png")
    assert mask_codec.encode_mask(mask, limit) == (png if len(png) <= limit else wanted)


def test_mask_values():
    mask = np.float32([[0.0, 0.5, 1.0, 2.0, -1.0, np.nan]])
    decoded = mask_codec.decode_mask(mask_codec.encode_mask(mask[:, :, None]))
    np.testing.assert_allclose(decoded[0, :, 0] * 255, [0, 127, 255, 255, 0, 0])
    assert plain_metadata().with_xseg_mask(mask).with_xseg_mask(None) == plain_metadata()
    assert plain_metadata().decode_xseg_mask() is None
    colour = encode_image(np.dstack([np.full((4, 5), 10, np.uint8)] * 3), ".png")
    assert mask_codec.decode_mask(colour).shape == (4, 5, 1)


def test_grey_pictures_keep_one_channel(tmp_path):
    path = tmp_path / "face.jpg"
    aligned_face.save_face(path, noise(40)[:, :, 0], plain_metadata(), 95)
    assert aligned_face.read_header(path)[0] == (40, 40, 3) and read_image(path).shape == (40, 40)
