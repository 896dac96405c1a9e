"""Debug pictures: landmarks, detector box and crop drawn onto a frame."""

import cv2
import numpy as np

from facelib.alignment import face_matrix, transform_points
from facelib.face_type import FaceType
from facelib.landmark_tables import JAW, LEFT_EYE, LEFT_EYEBROW, MOUTH, NOSE, RIGHT_EYE, RIGHT_EYEBROW
from facelib.landmarks import hull_mask

GREEN, CYAN, BLUE, RED = (0, 255, 0), (255, 255, 0), (255, 0, 0), (0, 0, 255)


def draw_landmarks(
    image: np.ndarray, landmarks: np.ndarray, color: tuple = GREEN, transparent_mask: bool = False
) -> None:
    """Draw 68 landmarks as lines and small circles, in place.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) uint8 BGR; changed.
    landmarks : numpy.ndarray
        (68, 2) in pixels.
    color : tuple
        BGR.
    transparent_mask : bool
        Darken the face area to half.
    """
    points = np.trunc(np.asarray(landmarks, np.float64)).astype(np.int32)
    open_lines = [
        points[RIGHT_EYEBROW],
        points[JAW],
        points[LEFT_EYEBROW],
        np.concatenate([points[NOSE], points[30:31]]),
    ]
    closed_lines = [points[RIGHT_EYE], points[LEFT_EYE], points[MOUTH]]
    cv2.polylines(image, open_lines, False, color, thickness=1, lineType=cv2.LINE_AA)
    cv2.polylines(image, closed_lines, True, color, thickness=1, lineType=cv2.LINE_AA)
    for part in (RIGHT_EYEBROW, LEFT_EYEBROW, MOUTH, RIGHT_EYE, LEFT_EYE, NOSE):
        for point in points[part]:
            _circle(image, point, 1, color)
    for point in points[JAW]:
        _circle(image, point, 2, color)
    if transparent_mask:
        inside = hull_mask(image.shape, landmarks)[..., 0] != 0
        image[inside] = image[inside] // 2


def draw_rect_landmarks(
    image: np.ndarray,
    rect: tuple,
    landmarks: np.ndarray,
    face_type: FaceType,
    face_size: int,
    transparent_mask: bool = False,
    landmarks_color: tuple = GREEN,
) -> None:
    """Draw landmarks, the detector's box (blue), the crop (red) and which of its corners is "up", in place.

    Parameters
    ----------
    rect : sequence of int
        (left, top, right, bottom).
    face_type : FaceType
        ``MARK_ONLY`` has no crop to draw.
    face_size : int
        Side of the face picture.
    """
    draw_landmarks(image, landmarks, landmarks_color, transparent_mask)
    left, top, right, bottom = (int(value) for value in rect)
    cv2.rectangle(image, (left, top), (right, bottom), BLUE, thickness=2)
    if FaceType(face_type).padding is None:
        return
    matrix = face_matrix(landmarks, face_size, face_type)
    for corners in (crop_corners(matrix, face_size), up_triangle(matrix, face_size)):
        cv2.polylines(image, [corners.astype(np.int32)], True, RED, thickness=2)


def crop_corners(matrix: np.ndarray, face_size: int) -> np.ndarray:
    """(4, 2) int64: corners of the face picture in the frame, rounded, anticlockwise from the top left."""
    end = face_size - 1
    return _rounded(transform_points([[0, 0], [0, end], [end, end], [end, 0]], matrix, invert=True))


def up_triangle(matrix: np.ndarray, face_size: int) -> np.ndarray:
    """(3, 2) int64: a small triangle at the top left of the face picture, in the frame."""
    half, whole = int(face_size * 0.05), int(face_size * 0.1)
    return _rounded(transform_points([[half, 0], [whole, whole], [0, whole]], matrix, invert=True))


def _rounded(points):
    return np.rint(points).astype(np.int64)


def _circle(image, point, radius, color):
    cv2.circle(image, (int(point[0]), int(point[1])), radius, color, thickness=1, lineType=cv2.LINE_AA)
