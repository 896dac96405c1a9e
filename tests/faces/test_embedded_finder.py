"""The embedded detector and aligner on a real photograph (NASA's portrait of Eileen Collins, public domain)."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from core.errors import UserError
from facelib import tflite_models
from facelib.aligners.embedded import EmbeddedAligner
from facelib.aligners.face_mesh import FaceCrop, FaceMesh, FaceView
from facelib.aligners.mesh_to_68 import landmarks_from_mesh
from facelib.alignment import face_matrix, transform_points
from facelib.detectors.blazeface import Candidate, suppress_overlapping, tile_levels
from facelib.detectors.embedded import EmbeddedDetector
from facelib.face_finder import FaceFinder, turn_image, unturn_points
from facelib.face_type import FaceType
from facelib.landmark_tables import MIRROR_PERMUTATION
from facelib.landmarks import pose

# Read off the photograph, enlarged nine times, before any landmarks were drawn on it: corners of the eyes, tip of the
# nose, corners of the mouth, the lowest point of the chin, points of the brows.
SEEN = {
    **{36: (192.3, 100.8), 39: (211.0, 101.5), 42: (236.7, 104.0), 45: (257.2, 104.0)},
    **{30: (224.3, 126.5), 48: (202.5, 139.6), 54: (244.8, 141.0), 8: (224.0, 177.8)},
    **{18: (191.0, 89.0), 20: (207.0, 89.5), 23: (245.0, 93.0), 25: (260.5, 92.5)},
}


@pytest.fixture(scope="module")
def finder():
    return FaceFinder(EmbeddedDetector(), EmbeddedAligner())


@pytest.fixture(scope="module")
def portrait():
    return np.ascontiguousarray(skimage.data.astronaut()[..., ::-1])


@pytest.fixture(scope="module")
def face(finder, portrait):
    (found,) = finder.find([portrait])[0]
    return found


def eye_distance(landmarks):
    return np.linalg.norm(landmarks[36] - landmarks[45])


def test_landmarks_sit_where_a_person_sees_them(face):
    seen = np.array(list(SEEN.values()))
    errors = np.linalg.norm(face.landmarks[list(SEEN)] - seen, axis=1) / eye_distance(face.landmarks)
    assert errors.mean() < 0.05, errors.round(3)


def test_landmarks_agree_with_a_known_predictor(face):
    """All 68, with those of the 68-point predictor that most programs use, which learnt the same annotation as FAN."""
    golden = json.loads((Path(__file__).parents[1] / "golden" / "faces" / "astronaut_68.json").read_text())
    expected = np.array(golden["landmarks"], float)
    errors = np.linalg.norm(face.landmarks - expected, axis=1) / eye_distance(expected)
    assert errors.mean() < 0.04 and errors.max() < 0.12, errors.round(3)


def test_landmarks_are_in_order(face):
    x, y = face.landmarks.T
    assert (np.diff(x[17:27]) > 0).all() and (np.diff(y[27:31]) > 0).all() and (np.diff(x[31:36]) > 0).all()
    assert (np.diff(x[48:55]) > 0).all() and (np.diff(y[:9]) > 0).all() and (np.diff(y[8:17]) < 0).all()
    left, top, right, bottom = face.rect
    assert left < x[0] + 10 and right > x[16] - 10 and top < y[19] and abs(bottom - y[8]) < 10


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_by_right_angles(finder, portrait, face, turn):
    (found,) = finder.find([turn_image(portrait, turn)])[0]
    back = unturn_points(found.landmarks, turn, portrait.shape)
    assert np.linalg.norm(back - face.landmarks, axis=1).max() < 0.01


@pytest.mark.parametrize("angle", [-40, -20, 25, 45])
def test_turned_by_other_angles(finder, portrait, face, angle):
    matrix = cv2.getRotationMatrix2D((226, 120), angle, 1.0)
    turned = cv2.warpAffine(portrait, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    found = finder.find([turned])[0]
    assert len(found) == 1
    errors = np.linalg.norm(found[0].landmarks - transform_points(face.landmarks, matrix), axis=1)
    assert errors.mean() / eye_distance(face.landmarks) < 0.03


def test_quarter_scale_in_a_large_frame(finder, portrait):
    canvas = np.full((1080, 1920, 3), 60, np.uint8)
    canvas[700:970, 1500:1770] = cv2.resize(portrait, (270, 270), interpolation=cv2.INTER_AREA)
    (found,) = finder.find([canvas])[0]
    left, top, right, bottom = found.rect
    assert 1580 < left < right < 1660 and 725 < top < bottom < 805


def test_a_smaller_least_size_finds_faces_under_40_pixels(portrait):
    """The picture at a quarter of its size has a face of 24 × 27 pixels."""
    canvas = np.full((540, 960, 3), 60, np.uint8)
    canvas[300:428, 700:828] = cv2.resize(portrait, (128, 128), interpolation=cv2.INTER_AREA)
    aligner = EmbeddedAligner()
    assert FaceFinder(EmbeddedDetector(), aligner).find([canvas]) == [[]]
    (found,) = FaceFinder(EmbeddedDetector(20), aligner).find([canvas])[0]
    left, top, right, bottom = found.rect
    assert 738 < left < right < 776 and 310 < top < bottom < 352


def test_two_faces_side_by_side_largest_first(finder, portrait):
    head = portrait[:256, 100:356]
    pair = np.full((300, 640, 3), 60, np.uint8)
    pair[20:276, 20:276] = cv2.resize(head, None, fx=0.9, fy=0.9)[:230, :230].mean(axis=(0, 1)).astype(np.uint8)
    pair[20:250, 20:250] = cv2.resize(head, (230, 230))
    pair[20:276, 350:606] = head[:, ::-1]
    first, second = finder.find([pair])[0]
    assert first.rect[0] > 350 > second.rect[2]


@pytest.mark.parametrize("name", ["coffee", "chelsea", "rocket"])
def test_no_face_in_pictures_without_one(finder, name):
    picture = np.ascontiguousarray(getattr(skimage.data, name)()[..., ::-1])
    assert finder.find([picture]) == [[]]


def test_mirrored_picture_gives_mirrored_landmarks(finder, portrait, face):
    (found,) = finder.find([np.ascontiguousarray(portrait[:, ::-1])])[0]
    mirrored = found.landmarks[MIRROR_PERMUTATION] * (-1, 1) + (portrait.shape[1] - 1, 0)
    errors = np.linalg.norm(mirrored - face.landmarks, axis=1)
    assert errors.mean() / eye_distance(face.landmarks) < 0.03


def test_landmarks_hold_still_on_a_static_face(finder, portrait, face):
    """A cut-out face on a plain canvas, each frame with its own sensor noise, sub-pixel light and JPEG quality."""
    random = np.random.default_rng(3)
    canvas = np.full((480, 640, 3), 105.0)
    distance = np.hypot(*(np.mgrid[:512, :512] - np.array([120.0, 226.0])[:, None, None]))
    alpha = np.clip((95 - distance) / 12, 0, 1)[40:232, 130:322, None]
    canvas[120:312, 200:392] += alpha * (portrait[40:232, 130:322] - canvas[120:312, 200:392])
    frames = []
    for quality in (60, 70, 80, 85, 90, 95, 98, 75):
        noisy = np.clip(canvas * random.uniform(0.97, 1.03) + random.normal(0, 3, canvas.shape), 0, 255)
        _, data = cv2.imencode(".jpg", noisy.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
        frames.append(cv2.imdecode(data, cv2.IMREAD_COLOR))
    found = [faces[0].landmarks for faces in finder.find(frames)]
    matrix = face_matrix(np.mean(found, axis=0), 256, FaceType.FULL)
    tracks = np.array([transform_points(landmarks, matrix) for landmarks in found])
    deviation = np.sqrt(((tracks - tracks.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0))
    assert np.sqrt((deviation**2).mean()) < 0.5, deviation.round(2)
    assert np.linalg.norm(np.mean(found, axis=0) - face.landmarks - (70, 80), axis=1).mean() < 1.5


def test_crops_of_one_face_share_a_shrunk_copy_and_show_the_same(portrait):
    large = cv2.resize(portrait, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    view = FaceView(large)
    for crop in (
        FaceCrop(678, 360, 600, 0.2),
        FaceCrop(690, 350, 620, 0.1),
        FaceCrop(300, 900, 900),
        FaceCrop(0, 0, 500),
    ):
        assert np.abs(view.cut(crop.to_picture) - FaceView(large).cut(crop.to_picture)).mean() < 0.01


def test_refining_stops_where_the_crop_stays(portrait, face):
    seen = []
    mesh = FaceMesh()
    network = mesh._network
    mesh._network = lambda batch: seen.append(1) or network(batch)
    start = mesh.refine(portrait, FaceCrop(226, 120, 200), 3).crop()
    seen.clear()
    mesh.refine(portrait, start, 3)
    assert len(seen) < 3


def test_same_picture_same_landmarks_whatever_is_found_beside_it(finder, portrait, face):
    batch = finder.find([portrait[:, ::-1].copy(), portrait, portrait[::-1].copy()])
    assert np.array_equal(batch[1][0].landmarks, face.landmarks)


def test_boxes_by_hand_always_get_landmarks_with_the_aligner_for_it(portrait):
    anywhere = (380, 300, 460, 380)
    assert EmbeddedAligner(0.0).align([portrait], [[anywhere]])[0][0].shape == (68, 2)
    assert EmbeddedAligner(0.99).align([portrait], [[anywhere]])[0][0] is None


def test_rough_box_is_enough(portrait, face):
    for box in ((160, 60, 260, 160), (190, 90, 290, 190), (150, 40, 310, 200)):
        (landmarks,) = EmbeddedAligner().align([portrait], [[box]])[0]
        assert np.linalg.norm(landmarks - face.landmarks, axis=1).mean() / eye_distance(landmarks) < 0.02


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(tflite_models, "PACKAGE_FOLDER_NAME", "no_such_package")
    with pytest.raises(UserError, match="pip install"):
        tflite_models.model_path("face_landmark.tflite")


@pytest.mark.parametrize("size", [(1920, 1080), (1280, 720), (640, 480), (200, 3000), (130, 128)])
def test_tiles_cover_the_frame_and_overlap(size):
    width, height = size
    for tiles in tile_levels(width, height, 40):
        covered = np.zeros((height, width), bool)
        for tile in tiles:
            top, left = max(0, int(np.ceil(tile.top))), max(0, int(np.ceil(tile.left)))
            covered[top : int(tile.top + tile.side) + 1, left : int(tile.left + tile.side) + 1] = True
        assert covered.all()
        lefts = sorted({tile.left for tile in tiles})
        assert all(b - a <= tiles[0].side * 5 / 6 + 1e-6 for a, b in zip(lefts, lefts[1:]))


def test_overlapping_candidates():
    def box(left, top, right, bottom, score):
        return Candidate(np.array([left, top, right, bottom], float), np.zeros((6, 2)), score)

    kept = suppress_overlapping(
        [box(0, 0, 10, 10, 0.6), box(1, 1, 11, 11, 0.9), box(30, 0, 40, 10, 0.5), box(3, 3, 8, 8, 0.4)]
    )
    assert [candidate.score for candidate in kept] == [0.9, 0.5]


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_crops_show_the_same_place_at_any_size(portrait, scale):
    large = cv2.resize(
        portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    reference = FaceView(portrait).cut(FaceCrop(226, 120, 200, 0.2).to_picture)
    shift = (scale - 1) / 2  # pixel centres
    crop = FaceView(large).cut(FaceCrop(226 * scale + shift, 120 * scale + shift, 200 * scale, 0.2).to_picture)
    assert np.abs(crop - reference).mean() < 0.02


def test_hidden_jaw_follows_the_outline():
    random = np.random.default_rng(0)
    points = random.uniform(0, 100, (468, 2))
    landmarks = landmarks_from_mesh(points)
    assert landmarks.shape == (68, 2) and np.isfinite(landmarks).all()
    assert np.allclose(landmarks_from_mesh(points * 3 + 7), landmarks * 3 + 7)


def test_the_jaw_in_space_tells_the_turn_of_a_head(portrait):
    """For face type head the hidden side of the jaw comes nearer to the nose than its visible outline."""
    from facelib.alignment import unit_matrix
    from facelib.finder_factory import make_finders
    from facelib.landmarks import averaged_yaw

    yaws = []
    for face_type in (FaceType.HEAD, FaceType.WHOLE_FACE):
        (finder, *_), _ = make_finders("embedded", face_type)
        squeezed = cv2.warpAffine(portrait, np.array([[0.8, 0, 0], [0, 1.0, 0]]), (410, 512))
        landmarks = finder.find([squeezed])[0][0].landmarks
        yaws.append(abs(averaged_yaw(transform_points(landmarks, unit_matrix(landmarks)))))
    assert yaws[0] >= yaws[1]
    mesh = np.random.default_rng(1).uniform(0, 100, (468, 3))
    assert np.array_equal(landmarks_from_mesh(mesh, False)[17:], landmarks_from_mesh(mesh)[17:])
    assert not np.allclose(landmarks_from_mesh(mesh, False)[:17], landmarks_from_mesh(mesh)[:17])


def test_pose_of_a_real_face(face):
    """She looks into the camera, her head a little lower on the image's left."""
    in_face = transform_points(face.landmarks, face_matrix(face.landmarks, 256, FaceType.FULL))
    pitch, yaw, roll = np.degrees(pose(in_face, 256))
    assert abs(pitch) < 20 and abs(yaw) < 15 and abs(roll) < 8


@pytest.mark.skipif(importlib.util.find_spec("ai_edge_litert") is None, reason="needs the package ai-edge-litert")
def test_extraction_starts_without_tensorflow(tmp_path):
    """TensorFlow takes seconds to load, which the embedded finder does not need."""
    frames = tmp_path / "frames"
    frames.mkdir()
    cv2.imwrite(str(frames / "1.png"), skimage.data.astronaut()[:300, 60:400, ::-1])
    code = (
        "import sys, main\n"
        f"code = main.main(['extract', '--input-dir', {str(frames)!r}, '--output-dir', {str(tmp_path / 'aligned')!r},"
        " '--detector', 'embedded', '--yes'])\n"
        "sys.exit(code or ('tensorflow' in sys.modules and 'TensorFlow was imported'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "aligned").glob("*.jpg"))) == 1
