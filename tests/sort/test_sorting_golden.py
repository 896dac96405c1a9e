"""Every sorting method gives DeepFaceLab's scores and orders on its golden faceset."""

from pathlib import Path

import numpy as np
import pytest

from samplelib.faces.aligned_face import FaceMetadata, save_face
from samplelib.sorting import face_scores, methods
from samplelib.sorting.best_faces import best_faces
from samplelib.sorting.methods import SortOptions, sort_pictures

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "sort" / "sort.npz")
NAMES = [str(name) for name in GOLDEN["names"]]
IMAGES = dict(zip(NAMES, GOLDEN["images"]))


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden_faces")
    for number, name in enumerate(NAMES):
        metadata = FaceMetadata(
            face_type="full_face",
            landmarks=GOLDEN["landmarks"][number],
            source_filename=str(GOLDEN["source_filename"][number]),
            source_rect=GOLDEN["source_rect"][number],
        )
        save_face(folder / name, IMAGES[name], metadata, 100)
    return [folder / name for name in NAMES]


@pytest.fixture(autouse=True)
def golden_pixels(monkeypatch):
    """The golden pictures, without the loss of another JPEG compression."""
    for module in (face_scores, methods):
        monkeypatch.setattr(module, "read_bgr", lambda path: IMAGES[path.name])


def _names(paths):
    return [path.name for path in paths]


@pytest.mark.parametrize(
    "key, golden",
    [
        ("blur", "blur"),
        ("motion-blur", "motion_blur"),
        ("face-yaw", "yaw"),
        ("face-pitch", "pitch"),
        ("face-source-rect-size", "rect"),
        ("hist", "hist"),
        ("hist-dissim", "hist_dissim"),
        ("brightness", "brightness"),
        ("hue", "hue"),
        ("black", "black"),
        ("origname", "origname"),
    ],
)
def test_order_equals_golden(faces, key, golden):
    result = sort_pictures(faces, key, SortOptions())
    assert _names(result.order) == list(GOLDEN[f"order_{golden}"])
    assert result.trash == []


@pytest.mark.parametrize("similar, golden", [(True, "absdiff_similar"), (False, "absdiff_dissimilar")])
def test_pixel_difference_equals_golden(faces, similar, golden):
    result = sort_pictures(faces, "absdiff", SortOptions(similar=similar))
    assert _names(result.order) == list(GOLDEN[golden])


@pytest.mark.parametrize(
    "golden, score",
    [
        ("blur", face_scores.face_sharpness),
        ("motion_blur", face_scores.face_motion_sharpness),
        ("yaw", lambda path: face_scores.face_pose(path)[1]),
        ("pitch", lambda path: face_scores.face_pose(path)[0]),
        ("rect", face_scores.source_rect_area),
        ("brightness", face_scores.brightness),
        ("hue", face_scores.hue),
        ("black", face_scores.black_values),
    ],
)
def test_scores_equal_golden(faces, golden, score):
    folder = faces[0].parent
    scores = [score(folder / str(name)) for name in GOLDEN[f"order_{golden}"]]
    solver = 1e-3 if golden in ("yaw", "pitch") else 0  # the pose fit stops a little earlier or later by OpenCV version
    np.testing.assert_allclose(scores, GOLDEN[f"score_{golden}"], rtol=1e-6, atol=solver)


@pytest.mark.parametrize("target", [128, 256, 640])
@pytest.mark.parametrize("key, golden", [("final-by-blur", "blur"), ("final-by-size", "fast")])
def test_best_faces_equal_golden(faces, key, golden, target):
    result = sort_pictures(faces, key, SortOptions(target_count=target))
    assert _names(result.order) == list(GOLDEN[f"best_{golden}_{target}_order"])
    trash = GOLDEN[f"best_{golden}_{target}_trash"]
    assert sorted(_names(result.trash)) == sorted(str(name) for name in trash)


def test_best_faces_from_golden_measurements():
    inputs = [GOLDEN[f"loader_{name}"] for name in ("sharpness", "hist", "yaw", "pitch")]
    for target in (128, 256, 640):
        order, _ = best_faces(*inputs, target)
        assert list(GOLDEN["loader_names"][order]) == list(GOLDEN[f"best_blur_{target}_order"])


@pytest.mark.parametrize("target", [1, 2, 30, 47, 48, 64, 2000])
def test_best_faces_work_for_any_target(faces, target):
    result = sort_pictures(faces, "final", SortOptions(target_count=target, exact_count=True))
    assert len(result.order) == min(target, 48)
    assert sorted(_names(result.order) + _names(result.trash)) == NAMES
    near = sort_pictures(faces, "final", SortOptions(target_count=target))
    assert near.order and (target > 64 or len(near.order) <= target)


def test_one_face_equals_golden(tmp_path):
    names = [f"0000{frame}_{index}.jpg" for frame, index in
             ((1, 0), (2, 0), (2, 1), (3, 0), (4, 1), (5, 0), (6, 0), (6, 1), (6, 2))]  # fmt: skip
    for name in names:
        (tmp_path / name).write_bytes(b"\xff\xd8\xff\xd9")
    result = sort_pictures([tmp_path / name for name in names], "oneface", SortOptions(trash_multiple=True))
    assert _names(result.order) == list(GOLDEN["oneface_keep"])
    assert _names(result.trash) == list(GOLDEN["oneface_trash"])
    ordered = sort_pictures([tmp_path / name for name in names], "oneface", SortOptions())
    assert _names(ordered.order) == [
        "00001_0.jpg", "00003_0.jpg", "00004_1.jpg", "00005_0.jpg", "00002_0.jpg", "00002_1.jpg",
        "00006_0.jpg", "00006_1.jpg", "00006_2.jpg",
    ]  # fmt: skip
    assert ordered.trash == []
