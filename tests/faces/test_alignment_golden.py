"""Alignment matrices, pose and landmark conversions against DeepFaceLab's own numbers, and what must hold for any face."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import UserError
from facelib.alignment import (
    face_matrix,
    transform_points,
    umeyama,
    unit_matrix,
    warp_face,
)
from facelib.face_type import FaceType
from facelib.landmark_tables import MODEL_3D
from facelib.landmarks import (
    MEAN_FACE_68,
    averaged_yaw,
    landmarks_of_rectangle,
    mirror,
    pose,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "faces"
ALIGNED_TYPES = [face_type for face_type in FaceType if face_type.padding is not None]


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "alignment.npz", allow_pickle=False) as data:
        return dict(data)


def corner_error(matrix, expected, size):
    """Largest distance in face pixels between where two matrices put the corners of the expected crop, over the size."""
    frame = transform_points([[0, 0], [size, 0], [size, size], [0, size]], expected, invert=True)
    return np.abs(transform_points(frame, matrix) - transform_points(frame, expected)).max() / size


def test_matrices_of_all_types_sizes_and_scales(golden):
    for landmarks, by_type, scaled in zip(golden["landmarks"], golden["mats"], golden["mats_scale125_256"]):
        for code, by_size, scaled_matrix in zip(golden["face_types"], by_type, scaled):
            face_type = FaceType(int(code))
            for size, expected in zip(golden["sizes"], by_size):
                assert corner_error(face_matrix(landmarks, int(size), face_type), expected, size) < 1e-5
            assert corner_error(face_matrix(landmarks, 256, face_type, 1.25), scaled_matrix, 256) < 1e-5


def test_unit_square_and_yaw(golden):
    for index, landmarks in enumerate(golden["landmarks"]):
        assert np.allclose(unit_matrix(landmarks), golden["unit_umeyama"][index, :2], atol=1e-6)
        yaw = averaged_yaw(transform_points(landmarks, unit_matrix(landmarks)))
        assert abs(yaw - golden["averaged_yaw_unit"][index]) < 1e-6


@pytest.mark.parametrize(("case", "key"), [(0, "full256"), (1, "wf512"), (2, "head768")])
def test_pose(golden, case, key):
    width = int(golden["pose_cfg"][case, 1])
    for index, landmarks in enumerate(golden[f"aligned_landmarks_{key}"]):
        expected = golden["pose_pitch_yaw_roll"][index, case]
        tolerance = 1e-2 if index == 19 else 1e-3  # 19 has a collapsed jaw: solver versions differ
        assert np.allclose(pose(landmarks, width), expected, atol=tolerance), index


@settings(max_examples=80, deadline=None)
@given(st.floats(-0.5, 0.5), st.floats(-0.7, 0.7), st.floats(-0.3, 0.3), st.floats(0, 0.03), st.integers(0, 1000))
def test_pose_of_projected_heads(pitch, yaw, roll, noise, seed):
    """Heads turned by known angles come out as such, also when the landmarks are not quite those of the model."""
    vectors = [np.array(vector, float) for vector in ((-pitch, 0, 0), (0, yaw, 0), (0, 0, roll))]
    about_x, about_y, about_z = (cv2.Rodrigues(vector)[0] for vector in vectors)
    camera = np.array([[256, 0, 128], [0, 256, 128], [0, 0, 1.0]])
    turned = MODEL_3D.astype(float) @ (about_z @ about_y @ about_x).T + (0, 0, 200)
    points = (turned / turned[:, 2:]) @ camera.T
    points = points[:, :2] + np.random.default_rng(seed).normal(0, noise * 50, (68, 2))
    assert np.allclose(pose(points, 256), (pitch, yaw, roll), atol=0.02 + 8 * noise)


def test_pose_says_when_there_is_none():
    assert np.isnan(pose(np.full((68, 2), np.nan), 256)).all()


def test_mirroring(golden):
    for index, landmarks in enumerate(golden["aligned_landmarks_full256"]):
        assert np.array_equal(mirror(landmarks, 256), golden["mirror_full256"][index])
        assert np.allclose(mirror(mirror(landmarks, 256), 256), landmarks)


def test_manual_rectangle_equals_dfl_but_for_the_jaw(golden):
    for (x, y, vector_x, vector_y), expected in zip(golden["manual_cases"], golden["manual_landmarks"]):
        landmarks = landmarks_of_rectangle((x, y), (vector_x, vector_y))
        assert np.allclose(landmarks[17:], expected[17:], atol=1e-3)
        assert np.allclose(landmarks[30], (x, y))
        assert len(np.unique(landmarks[:17].round(3), axis=0)) == 17
        for face_type in (FaceType.HALF, FaceType.FULL, FaceType.WHOLE_FACE):
            assert (
                corner_error(face_matrix(landmarks, 256, face_type), face_matrix(expected, 256, face_type), 256) < 1e-5
            )


def test_jaw_of_the_mean_face_lies_around_it():
    jaw = MEAN_FACE_68[:17]
    assert jaw[0, 0] < MEAN_FACE_68[17, 0] and jaw[16, 0] > MEAN_FACE_68[26, 0]
    assert jaw[8, 1] > MEAN_FACE_68[57, 1] and jaw[:, 1].argmax() == 8


def test_umeyama():
    with np.load(GOLDEN / "umeyama.npz", allow_pickle=False) as data:
        for index, estimate_scale in enumerate(data["estimate_scale"]):
            result = umeyama(data[f"src{index}"], data[f"dst{index}"], bool(estimate_scale))
            assert np.allclose(result, data["T"][index], atol=1e-9, equal_nan=True), index


def test_points_in_one_place_have_no_fit():
    assert np.isnan(umeyama(np.ones((5, 2)), np.ones((5, 2)))).all()


angles = st.floats(-3.1, 3.1)
scales = st.floats(0.1, 50)
shifts = st.floats(-500, 500)


def placed_face(angle, scale, x, y):
    """The mean face, turned, scaled and shifted."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return MEAN_FACE_68 @ turn.T * scale * 20 + [x, y]


@settings(max_examples=60, deadline=None)
@given(angles, scales, shifts, shifts, st.sampled_from(ALIGNED_TYPES), st.sampled_from([64, 256, 500]))
def test_a_matrix_is_a_similarity_whose_size_follows_from_the_padding(angle, scale, x, y, face_type, size):
    matrix = face_matrix(placed_face(angle, scale, x, y), size, face_type)
    a, b = matrix[0, :2], matrix[1, :2]
    assert a @ b == pytest.approx(0, abs=1e-6 * (a @ a))
    assert a @ a == pytest.approx(b @ b, rel=1e-6)
    unit_side = scale * 20
    assert size / np.sqrt(a @ a) == pytest.approx(unit_side * (1 + 2 * np.sqrt(2) * face_type.padding), rel=1e-4)
    if face_type.is_upright:
        assert abs(matrix[0, 1]) < 1e-9 * size


@settings(max_examples=40, deadline=None)
@given(
    angles, scales, shifts, shifts, st.sampled_from([FaceType.HALF, FaceType.FULL, FaceType.WHOLE_FACE, FaceType.HEAD])
)
def test_sizes_scale_and_aligning_twice_composes(angle, scale, x, y, face_type):
    landmarks = placed_face(angle, scale, x, y)
    small, large = face_matrix(landmarks, 128, face_type), face_matrix(landmarks, 512, face_type)
    assert np.allclose(small * 4, large, rtol=1e-6, atol=1e-4)
    in_face = transform_points(landmarks, large)
    again = face_matrix(in_face, 128, face_type)
    assert np.allclose(transform_points(in_face, again), transform_points(landmarks, small), atol=1e-2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(shifts, shifts), min_size=1, max_size=5), angles, scales)
def test_transforming_there_and_back(points, angle, scale):
    matrix = face_matrix(placed_face(angle, scale, 3, 4), 256, FaceType.FULL)
    points = np.array(points)
    assert np.allclose(transform_points(transform_points(points, matrix), matrix, invert=True), points, atol=1e-6)


def test_whole_numbers_become_decimal_numbers():
    matrix = np.array([[0.5, 0, 0.25], [0, 0.5, 0]])
    assert transform_points([3, 5], matrix).tolist() == [1.75, 2.5]


def test_mark_only_has_no_picture():
    with pytest.raises(UserError, match="mark_only"):
        face_matrix(MEAN_FACE_68, 256, FaceType.MARK_ONLY)


def test_names_of_face_types():
    for face_type in FaceType:
        assert FaceType.from_text(face_type.text.upper()) is face_type
    assert [FaceType.from_prompt_key(key).text for key in ("h", "mf", "f", "wf", "head")] == [
        "half_face", "midfull_face", "full_face", "whole_face", "head",
    ]  # fmt: skip
    with pytest.raises(UserError, match="mve_custom"):
        FaceType.from_text("mve_custom")
    with pytest.raises(UserError, match="wf"):
        FaceType.from_prompt_key("x")


def test_warping_puts_the_eyes_where_the_matrix_says():
    landmarks = placed_face(0.4, 8, 300, 200)
    frame = np.zeros((600, 800, 3), np.uint8)
    x, y = landmarks[36].round().astype(int)
    frame[y - 4 : y + 5, x - 4 : x + 5] = 255
    matrix = face_matrix(landmarks, 256, FaceType.FULL)
    face = warp_face(frame, matrix, 256)
    rows, columns = np.nonzero(face[..., 0] > 128)
    assert np.allclose([columns.mean(), rows.mean()], transform_points(landmarks[36], matrix), atol=1)
