"""Resizing of face pictures against DeepFaceLab's own results."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.console import interact
from core.errors import UserError
from core.files.imageio import decode_image, encode_image
from facelib.alignment import transform_points
from facelib.face_type import FaceType
from samplelib.faces import aligned_face
from samplelib.faces.aligned_face import FaceMetadata, SegPolygon
from samplelib.faces.mask_codec import encode_mask
from samplelib.faces.resize_faceset import resize_face, resize_faceset

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "formats" / "resizer.npz")


def case(number):
    """(old type, new type or None, new size, image, metadata) of a golden case."""
    old, _, new, size = (int(value) for value in GOLDEN[f"r{number}_cfg"])
    prefix = f"r{number}_in_"
    polygons = [
        SegPolygon(key.endswith("type1"), GOLDEN[key])
        for key in sorted(GOLDEN.files)
        if key.startswith(prefix + "poly")
    ]
    metadata = FaceMetadata(
        face_type=FaceType(old).text,
        landmarks=GOLDEN[prefix + "landmarks"],
        source_filename="00001.png",
        source_rect=[1, 2, 3, 4],
        source_landmarks=GOLDEN[f"r{number}_source_landmarks"],
        image_to_face_mat=GOLDEN[prefix + "mat"],
        polygons=tuple(polygons),
        xseg_mask=encode_mask(GOLDEN[prefix + "mask"] / np.float32(255)),
        extra={"pitch_yaw_roll": [0.1, 0.2, 0.3]},
    )
    return None if new < 0 else FaceType(new), size, GOLDEN[prefix + "image"], metadata


@pytest.mark.parametrize("number", range(4))
def test_as_deepfacelab(number):
    face_type, size, image, metadata = case(number)
    result = resize_face(image, metadata, size, face_type)
    out = f"r{number}_out_"
    decoded = decode_image(encode_image(result.image, ".jpg", 100)).astype(int)
    assert np.abs(decoded - GOLDEN[out + "image"]).max() <= 2
    new = result.metadata
    assert new.face_type == str(GOLDEN[out + "face_type"])
    np.testing.assert_allclose(new.landmarks, GOLDEN[out + "landmarks"], atol=1e-3)
    corners = [[0, 0], [640, 0], [640, 480], [0, 480]]
    np.testing.assert_allclose(
        transform_points(corners, new.image_to_face_mat), transform_points(corners, GOLDEN[out + "mat"]), atol=0.02
    )
    wanted = [key for key in sorted(GOLDEN.files) if key.startswith(out + "poly")]
    assert [polygon.include for polygon in new.polygons] == [key.endswith("type1") for key in wanted]
    for polygon, key in zip(new.polygons, wanted):
        np.testing.assert_allclose(polygon.points, GOLDEN[key], atol=1e-3)
    mask = np.rint(new.decode_xseg_mask() * 255).astype(np.uint8)
    assert mask.shape == GOLDEN[out + "mask"].shape
    assert np.count_nonzero(mask != GOLDEN[out + "mask"]) <= 8
    if face_type is None:
        assert new.xseg_mask == metadata.xseg_mask
    assert (new.source_filename, new.extra) == (metadata.source_filename, metadata.extra)
    np.testing.assert_array_equal(new.source_landmarks, metadata.source_landmarks)


@pytest.mark.parametrize("old", [kind for kind in FaceType if kind != FaceType.MARK_ONLY])
@pytest.mark.parametrize("key", ["h", "mf", "f", "wf", "head"])
def test_every_face_type(old, key):
    _, _, image, metadata = case(0)
    new_type = FaceType.from_prompt_key(key)
    result = resize_face(image, metadata.replace(face_type=old.text), 96, new_type)
    assert result.image.shape == (96, 96, 3) and result.metadata.face_type == new_type.text
    assert np.isfinite(result.metadata.landmarks).all()
    if new_type == old:
        np.testing.assert_allclose(result.metadata.landmarks, metadata.landmarks * 96 / 256)


def test_mask_of_another_size_is_warped_at_its_own():
    face_type, size, image, metadata = case(0)
    small = cv2.resize(metadata.decode_xseg_mask(), (128, 128), interpolation=cv2.INTER_AREA)
    result = resize_face(image, metadata.with_xseg_mask(small), size, face_type).metadata.decode_xseg_mask()
    assert result.shape == (128, 128, 1) and set(np.unique(result)) <= {0.0, 1.0}
    whole = GOLDEN["r0_out_mask"][:, :, 0] / 255.0
    difference = np.abs(cv2.resize(result, (256, 256)) - whole).mean()
    assert difference < 0.02


def test_oblong_and_mark_only_pictures_are_refused():
    _, _, image, metadata = case(0)
    with pytest.raises(UserError, match="not square"):
        resize_face(image[:200], metadata, 64)
    with pytest.raises(UserError, match="only marks"):
        resize_face(image, metadata.replace(face_type="mark_only"), 64)


def test_folder(tmp_path, capsys):
    folder, output = tmp_path / "aligned", tmp_path / "out"
    folder.mkdir()
    output.mkdir()
    _, _, image, metadata = case(0)
    aligned_face.save_face(folder / "a.jpg", image, metadata)
    aligned_face.save_face(folder / "b.jpg", image[:200], metadata)
    grey = image[:, :, 0]
    aligned_face.save_face(folder / "c.jpg", grey, metadata.replace(face_type="full_face"))
    (folder / "d.jpg").write_bytes(encode_image(image, ".jpg"))
    (folder / "e.jpg").write_bytes(b"nothing")
    interact.configure(assume_yes=False)
    written, failed = resize_faceset(folder, output, 256, FaceType.WHOLE_FACE)
    assert [path.name for path in written] == ["a.jpg", "c.jpg"] and failed == 2
    assert (output / "a.jpg").read_bytes() == (folder / "a.jpg").read_bytes(), "nothing to change: same bytes"
    shape, new = aligned_face.read_header(output / "c.jpg")
    assert shape == (256, 256, 3) and new.face_type == "whole_face"
    errors = capsys.readouterr().err
    assert "b.jpg: it is not square" in errors and "d.jpg is not a DFL image" in errors and "e.jpg" in errors
    assert "1 pictures went to a larger face type" in errors
