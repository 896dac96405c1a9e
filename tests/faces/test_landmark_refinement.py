"""Landmarks of the embedded networks: eyes from a look at each eye, places as annotators put them, nothing of that where it cannot be trusted."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from facelib.aligners.embedded import EmbeddedAligner
from facelib.aligners.eye_refiner import EyeRefiner
from facelib.aligners.face_mesh import FaceCrop, FaceMesh, FaceView
from facelib.aligners.mesh_to_68 import corrected, face_axes, landmarks_from_mesh, pose_features
from facelib.landmark_tables import MIRROR_PERMUTATION

EYES = slice(36, 48)
# Corners of the astronaut's eyes, read off at sixteen times the size; a pixel is 1.6 % of the distance between the outer ones.
DRAWN_EYES = {36: (194.0, 101.5), 39: (213.0, 103.2), 42: (236.0, 104.8), 45: (257.5, 105.0)}


@pytest.fixture(scope="module")
def portrait():
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


@pytest.fixture(scope="module")
def mesh(portrait):
    return FaceMesh().refine(FaceView(portrait), FaceCrop(225, 125, 170), 3)


@pytest.fixture(scope="module")
def refine():
    return EyeRefiner()


def test_only_eyes_and_brows_change(portrait, mesh, refine):
    refined = refine(portrait, mesh.points)
    moved = np.flatnonzero((refined != mesh.points).any(axis=1))
    assert len(moved) == 60  # two rims of 16 points and two brows of 14
    np.testing.assert_array_equal(refined[:, 2], mesh.points[:, 2])
    before, after = (landmarks_from_mesh(points, as_annotated=False) for points in (mesh.points, refined))
    np.testing.assert_array_equal(
        np.r_[before[:17], before[27:36], before[48:]], np.r_[after[:17], after[27:36], after[48:]]
    )


def test_both_eyes_are_treated_alike(portrait, mesh, refine):
    """The mirrored picture gives the mirrored eyes."""
    width = portrait.shape[1]
    mirrored = np.ascontiguousarray(portrait[:, ::-1])
    other = FaceMesh().refine(FaceView(mirrored), FaceCrop(width - 1 - 225, 125, 170), 3)
    one = landmarks_from_mesh(refine(portrait, mesh.points), as_annotated=False)
    back = landmarks_from_mesh(refine(mirrored, other.points), as_annotated=False)[np.array(MIRROR_PERMUTATION)]
    back[:, 0] = width - 1 - back[:, 0]
    eyes_apart = np.linalg.norm(one[45] - one[36])
    assert np.linalg.norm(one[EYES] - back[EYES], axis=1).mean() < 0.02 * eyes_apart


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_size_does_not_matter(portrait, mesh, refine, scale):
    small = cv2.resize(
        portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    points = mesh.points * scale
    points[:, :2] += 0.5 * scale - 0.5
    one, other = refine(portrait, mesh.points) * scale, refine(small, points)
    one[:, :2] += 0.5 * scale - 0.5
    eyes_apart = scale * np.linalg.norm(mesh.points[33, :2] - mesh.points[263, :2])
    assert np.linalg.norm((one - other)[:, :2], axis=1).max() < 0.03 * eyes_apart


@pytest.mark.parametrize("turn", [-35, 25, 90])
def test_a_turned_head_gets_turned_eyes(portrait, mesh, refine, turn):
    matrix = cv2.getRotationMatrix2D((225, 125), turn, 1.0)
    turned = cv2.warpAffine(
        portrait, matrix, portrait.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    points = mesh.points.copy()
    points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    expected = refine(portrait, mesh.points)[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    eyes_apart = np.linalg.norm(points[33, :2] - points[263, :2])
    assert np.linalg.norm(refine(turned, points)[:, :2] - expected, axis=1).max() < 0.03 * eyes_apart


def test_where_there_is_no_eye_the_mesh_stays(mesh, refine):
    """On a plain picture the network says something; what differs from the mesh by much is not taken."""
    nothing = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    moved = np.linalg.norm((refine(nothing, mesh.points) - mesh.points)[:, :2], axis=1).max()
    assert moved < 0.35 * np.linalg.norm(mesh.points[33, :2] - mesh.points[133, :2])


def test_eyes_at_the_edge_of_the_picture_and_beyond(portrait, mesh, refine):
    for shift in ((-200, 0), (0, -110), (400, 500), (-5000, -5000)):
        points = mesh.points.copy()
        points[:, :2] += shift
        assert np.isfinite(refine(portrait, points)).all()


def test_corners_of_the_eyes_lie_on_them(portrait):
    [landmarks] = EmbeddedAligner().align([portrait], [[(170, 60, 275, 195)]])[0]
    eyes_apart = np.linalg.norm(np.subtract(DRAWN_EYES[45], DRAWN_EYES[36]))
    for number, place in DRAWN_EYES.items():
        assert np.linalg.norm(landmarks[number] - place) < 0.045 * eyes_apart


def test_corrections_follow_the_face_and_its_mirror_image(mesh):
    """They scale, turn and mirror with it."""
    plain = landmarks_from_mesh(mesh.points, as_annotated=False)
    offsets = corrected(mesh.points, plain) - plain
    assert 0 < np.linalg.norm(offsets, axis=1).max() < 0.1 * np.linalg.norm(face_axes(plain)[0])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]]) * 2.5
    points = np.column_stack([mesh.points[:, :2] @ turn.T + (40, 70), mesh.points[:, 2] * 2.5])
    np.testing.assert_allclose(
        corrected(points, plain @ turn.T + (40, 70)), (plain + offsets) @ turn.T + (40, 70), atol=1e-8
    )
    table = np.zeros((6, 68, 2))
    table[0, 30] = 0.1, 0.2
    moved = corrected(mesh.points, plain, table) - plain
    np.testing.assert_allclose(moved[30], np.array([0.1, 0.2]) @ face_axes(plain))
    assert not moved[np.arange(68) != 30].any()


def test_the_table_is_symmetric():
    table = np.load(Path(__file__).parents[2] / "facelib/aligners/mesh_corrections.npy", allow_pickle=False)
    sign = np.array([1, -1, 1, 1, 1, 1])[:, None, None]  # what depends on yaw turns round
    mirrored = table[:, np.array(MIRROR_PERMUTATION)] * sign * (-1, 1)
    np.testing.assert_allclose(table, mirrored, atol=1e-6)


def test_extreme_poses_are_not_extrapolated(mesh):
    plain = landmarks_from_mesh(mesh.points, as_annotated=False)
    for depth in (-50, 50):
        points = mesh.points.copy()
        points[:, 2] *= depth
        features = pose_features(points, plain)
        assert np.abs(features[1:4]).max() <= 4 * np.sin(np.radians(40)) ** 2 + 1e-9
        assert np.linalg.norm(corrected(points, plain) - plain, axis=1).max() < 0.2 * np.linalg.norm(
            face_axes(plain)[0]
        )


def test_every_vertex_has_its_mirror_image():
    from facelib.aligners import eye_refiner, face_mesh, mesh_to_68

    mirror = face_mesh.MIRROR_VERTICES
    assert np.array_equal(mirror[mirror], np.arange(468))
    np.testing.assert_array_equal(mirror[eye_refiner._RIGHT], eye_refiner._LEFT)
    assert all(mirror[right] == left for right, left in mesh_to_68._LEFT_VERTEX.items())
    assert {0, 1, 4, 10, 13, 14, 17, 152, 168} <= set(np.flatnonzero(mirror == np.arange(468)))


def test_a_mirrored_look_sees_the_same_face(portrait, mesh):
    crop = mesh.crop()
    plain, mirrored = FaceMesh()(portrait, crop), FaceMesh()(portrait, crop, mirrored=True)
    eyes_apart = np.linalg.norm(mesh.points[33, :2] - mesh.points[263, :2])
    assert np.linalg.norm((plain.points - mirrored.points)[:, :2], axis=1).mean() < 0.03 * eyes_apart
    assert mirrored.presence > 0.9


def test_the_mirrored_picture_gives_mirrored_landmarks(portrait):
    """Crops and their mirrored ones are not the same for both, so a little is left."""
    width = portrait.shape[1]
    [landmarks] = EmbeddedAligner().align([portrait], [[(170, 60, 275, 195)]])[0]
    other = np.ascontiguousarray(portrait[:, ::-1])
    [back] = EmbeddedAligner().align([other], [[(width - 1 - 275, 60, width - 1 - 170, 195)]])[0]
    back = back[np.array(MIRROR_PERMUTATION)] * (-1, 1) + (width - 1, 0)
    eyes_apart = np.linalg.norm(landmarks[45] - landmarks[36])
    assert np.linalg.norm(landmarks - back, axis=1).mean() < 0.015 * eyes_apart
