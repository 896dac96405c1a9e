"""Matrices that map a frame onto an upright, cropped face picture."""

import cv2
import numpy as np

from core.errors import UserError
from facelib.face_type import FaceType
from facelib.landmark_tables import ALIGN_INDICES, MEAN_FACE_2D
from facelib.landmarks import averaged_yaw

_ALIGN_ROWS = np.array(ALIGN_INDICES)
_ALIGN_TARGET = MEAN_FACE_2D[_ALIGN_ROWS - 17].astype(np.float64)
_UNIT_CORNERS_AND_CENTER = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5]], np.float64)

_WHOLE_FACE_SHIFT_UP = 0.07
_HEAD_SHIFT_UP = 0.5


def umeyama(source: np.ndarray, target: np.ndarray, estimate_scale: bool = True) -> np.ndarray:
    """Least-squares similarity (or rigid motion) that maps ``source`` points onto ``target`` points.

    Parameters
    ----------
    source, target : numpy.ndarray
        (N, D) points.
    estimate_scale : bool
        Without it the scale is 1.

    Returns
    -------
    numpy.ndarray
        (D+1, D+1) homogeneous matrix, float64; all NaN when the points do not determine a turn.

    References
    ----------
    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991,
    equations 34-43.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    count, dimension = source.shape
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source_centered, target_centered = source - source_mean, target - target_mean
    covariance = target_centered.T @ source_centered / count
    signs = np.ones(dimension)
    if np.linalg.det(covariance) < 0:
        signs[-1] = -1
    left, singular, right = np.linalg.svd(covariance)
    matrix = np.eye(dimension + 1)
    rank = np.linalg.matrix_rank(covariance)
    if rank == 0:
        return np.full_like(matrix, np.nan)
    if rank == dimension - 1:
        turn_signs = np.ones(dimension)
        if np.linalg.det(left) * np.linalg.det(right) <= 0:
            turn_signs[-1] = -1
    else:
        turn_signs = signs
    rotation = left @ np.diag(turn_signs) @ right
    scale = singular @ signs / source_centered.var(axis=0).sum() if estimate_scale else 1.0
    matrix[:dimension, :dimension] = scale * rotation
    matrix[:dimension, dimension] = target_mean - scale * rotation @ source_mean
    return matrix


def transform_points(points: np.typing.ArrayLike, matrix: np.ndarray, invert: bool = False) -> np.ndarray:
    """Apply a 2×3 affine matrix, or with ``invert`` its inverse, to points.

    Parameters
    ----------
    points : array_like
        (…, 2), any dtype; computed in float64.
    matrix : numpy.ndarray
        (2, 3).

    Returns
    -------
    numpy.ndarray
        (…, 2) float64.
    """
    points, matrix = np.asarray(points, np.float64), np.asarray(matrix, np.float64)
    linear, shift = matrix[:, :2], matrix[:, 2]
    if invert:
        return (points - shift) @ np.linalg.inv(linear).T
    return points @ linear.T + shift


def unit_matrix(landmarks: np.ndarray) -> np.ndarray:
    """(2, 3) similarity that maps (68, 2) frame landmarks onto the mean face in the unit square."""
    return umeyama(np.asarray(landmarks, np.float64)[_ALIGN_ROWS], _ALIGN_TARGET)[:2]


def face_matrix(landmarks: np.ndarray, size: int, face_type: FaceType, scale: float = 1.0) -> np.ndarray:
    """Matrix from the frame to an aligned face picture of ``size`` × ``size`` pixels.

    Parameters
    ----------
    landmarks : numpy.ndarray
        (68, 2) in frame pixels.
    size : int
        Side of the face picture.
    face_type : FaceType
        Decides border and centre. ``MARK_ONLY`` has no matrix.
    scale : float
        Above 1 gives a tighter crop.

    Returns
    -------
    numpy.ndarray
        (2, 3) float64, a similarity.

    Notes
    -----
    The unit square of the mean face is found in the frame with :func:`unit_matrix`. The crop is a square about its
    (possibly shifted) centre, parallel to it, whose half diagonal is the unit diagonal times (√2·padding + ½) / scale.
    """
    face_type = FaceType(face_type)
    if face_type.padding is None:
        raise UserError(f"face type {face_type.text} has no aligned picture.")
    landmarks = np.asarray(landmarks, np.float64)
    to_unit = unit_matrix(landmarks)
    *corners, center = transform_points(_UNIT_CORNERS_AND_CENTER, to_unit, invert=True)
    center = center + _center_shift(landmarks, to_unit, corners, face_type)

    diagonal = corners[2] - corners[0]
    diagonal_length = np.linalg.norm(diagonal)
    half_diagonal = diagonal_length * (np.sqrt(2) * face_type.padding + 0.5) / scale
    if face_type.is_upright:
        half_side = half_diagonal / np.sqrt(2)
        frame_points = center + half_side * np.array([[-1, -1], [1, -1], [1, 1]])
    else:
        down_right = diagonal / diagonal_length
        other_diagonal = corners[1] - corners[3]
        up_right = other_diagonal / np.linalg.norm(other_diagonal)
        frame_points = center + half_diagonal * np.array([-down_right, up_right, down_right])
    return affine_from_points(frame_points, np.array([[0, 0], [size, 0], [size, size]], np.float64))


def affine_from_points(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(2, 3) float64 affine matrix that maps three (3, 2) points onto three others."""
    return np.linalg.solve(np.column_stack([source, np.ones(3)]), target).T


def warp_face(image: np.ndarray, matrix: np.ndarray, size: int, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Cut a ``size`` × ``size`` face picture out of a frame; black beyond the frame's border."""
    return cv2.warpAffine(image, np.asarray(matrix, np.float64), (size, size), flags=interpolation)


def _center_shift(landmarks, to_unit, corners, face_type):
    """Displacement in the frame of the crop's centre from the centre of the unit square."""
    top_left, top_right, _, bottom_left = corners
    up = top_left - bottom_left
    if face_type == FaceType.WHOLE_FACE:
        return _WHOLE_FACE_SHIFT_UP * up
    if face_type == FaceType.HEAD:
        yaw = averaged_yaw(transform_points(landmarks, to_unit))
        yaw *= abs(np.tanh(2 * yaw))
        return (top_right - top_left) * yaw / 2 + _HEAD_SHIFT_UP * up
    return np.zeros(2)
