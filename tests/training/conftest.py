"""Small synthetic facesets for the tests of training."""

import cv2
import numpy as np
import pytest

from facelib.alignment import face_matrix, transform_points
from facelib.face_type import FaceType
from facelib.landmarks import MEAN_FACE_68
from samplelib.faces.aligned_face import FaceMetadata, SegPolygon, save_face

FRAME_SIZE = 256


def draw_face(number: int, hue: int, yaw: float = 0.0):
    """A simple face in a frame: (256, 256, 3) uint8 and its 68 landmarks."""
    random = np.random.default_rng((number, hue))
    points = MEAN_FACE_68.astype(np.float64) - 0.5
    points[:, 0] = points[:, 0] * np.cos(yaw) + 0.25 * np.sin(yaw) * (1 - 2 * np.abs(points[:, 0]))
    angle = random.uniform(-0.2, 0.2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = points @ turn.T * (100 + random.uniform(-10, 10)) + FRAME_SIZE / 2 + random.uniform(-8, 8, 2)
    frame = np.full((FRAME_SIZE, FRAME_SIZE, 3), (60, 70, 80), np.uint8)
    frame[::8] += 20
    skin = cv2.cvtColor(np.uint8([[[hue, 120, 200]]]), cv2.COLOR_HSV2BGR)[0, 0].tolist()
    whole = cv2.convexHull(landmarks.astype(np.int32))
    cv2.fillConvexPoly(frame, whole, skin)
    for part, color in (((36, 42), (255, 255, 255)), ((42, 48), (255, 255, 255)), ((48, 60), (60, 40, 180))):
        cv2.fillPoly(frame, [landmarks[slice(*part)].astype(np.int32)], color)
    cv2.polylines(frame, [landmarks[27:36].astype(np.int32)], False, (40, 60, 90), 2)
    return frame, landmarks


def write_face(path, number, hue, size=128, face_type=FaceType.WHOLE_FACE, yaw=0.0, **extra):
    """Write one aligned face with metadata; ``labelled`` adds a polygon, other extras go into the metadata."""
    frame, landmarks = draw_face(number, hue, yaw)
    matrix = face_matrix(landmarks, size, face_type)
    picture = cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_CUBIC)
    points = transform_points(landmarks, matrix)
    if extra.pop("labelled", False):
        hull = cv2.convexHull(points[:27].astype(np.float32))[:, 0]
        extra["polygons"] = (SegPolygon(True, hull),)
    metadata = FaceMetadata(
        face_type.text, points, f"{number:05d}.png", np.array([0, 0, 255, 255]), landmarks, matrix, **extra
    )
    save_face(path, picture, metadata, 90)


def make_faceset(folder, count=8, hue=15, **arguments):
    """A folder with ``count`` faces."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_face(folder / f"{number:05d}_0.jpg", number, hue, **arguments)
    return folder


@pytest.fixture(scope="session")
def facesets(tmp_path_factory):
    """Folders ``src`` and ``dst`` with eight whole faces each."""
    root = tmp_path_factory.mktemp("facesets")
    return make_faceset(root / "src", hue=15), make_faceset(root / "dst", hue=110)
