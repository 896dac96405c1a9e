"""Masks and debug drawings of landmarks against DeepFaceLab's own pixels."""

from pathlib import Path

import numpy as np
import pytest

from facelib import drawing
from facelib.alignment import face_matrix
from facelib.face_type import FaceType
from facelib.landmarks import expand_eyebrows, eye_mask, eyes_mouth_mask, hull_mask, mouth_mask

GOLDEN = Path(__file__).parents[1] / "golden" / "faces"
SHAPE = (128, 128, 3)


@pytest.fixture(scope="module")
def masks():
    with np.load(GOLDEN / "masks.npz", allow_pickle=False) as data:
        return dict(data)


@pytest.fixture(scope="module")
def drawn():
    with np.load(GOLDEN / "debug_draw.npz", allow_pickle=False) as data:
        return dict(data)


@pytest.mark.parametrize("face", range(4))
def test_hulls_and_brows(masks, face):
    landmarks = masks["landmarks"][face]
    assert np.array_equal(expand_eyebrows(landmarks), masks[f"brows_{face}"])
    for factor, key in ((0.5, "e05"), (1.0, "e10"), (1.5, "e15")):
        mask = hull_mask(SHAPE, landmarks, factor)
        assert mask.dtype == np.float32
        assert np.array_equal(mask, masks[f"hull_{face}_{key}"])


@pytest.mark.parametrize("face", range(4))
def test_eyes_and_mouth(masks, face):
    landmarks = masks["landmarks"][face]
    assert np.abs(eye_mask(SHAPE, landmarks) - masks[f"eye_{face}"]).max() < 0.005
    assert np.abs(mouth_mask(SHAPE, landmarks) - masks[f"mouth_{face}"]).max() < 0.005
    both = eyes_mouth_mask(SHAPE, landmarks)
    assert both.max() <= 1 and (both >= eye_mask(SHAPE, landmarks) - 1e-6).all()


@pytest.mark.parametrize("height", [1, 15, 31])
def test_tiny_pictures_have_masks_too(masks, height):
    landmarks = masks["landmarks"][0] * height / 128
    assert eye_mask((height, height), landmarks).shape == (height, height, 1)
    assert mouth_mask((height, height), landmarks).shape == (height, height, 1)


def test_landmarks_outside_the_picture_do_not_matter(masks):
    mask = hull_mask((64, 64), masks["landmarks"][0] - 500)
    assert not mask.any()


def test_drawings(drawn):
    picture = drawn["image"].copy()
    drawing.draw_landmarks(picture, drawn["landmarks"], transparent_mask=True)
    assert_close(picture, drawn["landmarks_transparent"])
    picture = drawn["image"].copy()
    drawing.draw_rect_landmarks(picture, drawn["rect"], drawn["landmarks"], FaceType.WHOLE_FACE, 256, True)
    assert_close(picture, drawn["rect_landmarks_wf256"])


def assert_close(picture, expected):
    """Equal, but for the anti-aliasing of lines, which differs between versions of OpenCV."""
    different = np.abs(picture.astype(int) - expected).max(axis=2) > 40
    assert different.mean() < 0.002


def test_crop_and_triangle(drawn):
    matrix = face_matrix(drawn["landmarks"], 256, FaceType.WHOLE_FACE)
    assert np.array_equal(drawing.crop_corners(matrix, 256), drawn["wf256_frame_corners"])
    assert np.array_equal(drawing.up_triangle(matrix, 256), drawn["wf256_triangle"])


def test_mark_only_draws_landmarks_and_box(drawn):
    picture = np.zeros_like(drawn["image"])
    drawing.draw_rect_landmarks(picture, drawn["rect"], drawn["landmarks"], FaceType.MARK_ONLY, 256)
    assert (picture[..., 0] == 255).any() and (picture[..., 1] > 0).any() and not picture[..., 2].any()
