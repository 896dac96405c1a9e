"""The 68 face landmarks: pose, mirroring, conversions and the masks that they span."""

from dataclasses import dataclass

import cv2
import numpy as np

from facelib.landmark_tables import (
    INNER_LIP,
    LEFT_EYE,
    MEAN_FACE_2D,
    MIRROR_PERMUTATION,
    MODEL_3D,
    POSE_INDICES,
    RIGHT_EYE,
)

_POSE_ROWS = np.array(POSE_INDICES)

# Mean distance of a believable pose fit to the landmarks, as part of their extent.
_LARGEST_POSE_ERROR = 0.15

# Convex pieces whose union is the face without the forehead.
_HULL_PARTS = (
    (*range(9), 17),
    (*range(8, 17), 26),
    (17, 18, 19, 8),
    (24, 25, 26, 8),
    (19, 20, 21, 22, 23, 24, 8),
    (*range(17, 22), 27, *range(31, 36), 8),
    (*range(22, 27), 27, *range(31, 36), 8),
    (*range(27, 36),),
)


def averaged_yaw(landmarks: np.ndarray) -> float:
    """How far the nose stands from the middle of the cheeks, in units of the landmarks; above 0 = towards image left."""
    x = np.asarray(landmarks, np.float64)[:, 0]
    image_left = np.mean([x[27] - x[0], x[28] - x[1], x[29] - x[2]])
    image_right = np.mean([x[16] - x[27], x[15] - x[28], x[14] - x[29]])
    return float(image_right - image_left)


def pose(landmarks: np.ndarray, width: int) -> tuple[float, float, float]:
    """Pitch, yaw and roll of a face, from a fit of the 3-D model to landmarks of an aligned face picture.

    Parameters
    ----------
    landmarks : numpy.ndarray
        (68, 2) in pixels of the face picture.
    width : int
        Width of the picture, taken as the focal length.

    Returns
    -------
    tuple of float
        Radians in −π/2…π/2. Pitch > 0 looks up, yaw > 0 looks to the image's left, roll > 0 is a clockwise turn.
        All NaN when no pose fits the landmarks.

    Notes
    -----
    As in DeepFaceLab the solver starts from a closed solution. Where that ends behind the camera, the fit is repeated
    from a head that looks into it; landmarks that no head could have keep the first result.
    """
    focal = float(width)
    camera = np.array([[focal, 0, focal / 2], [0, focal, focal / 2], [0, 0, 1]], np.float64)
    points = np.asarray(landmarks, np.float32)[_POSE_ROWS]
    if not np.isfinite(points).all():
        return (np.nan, np.nan, np.nan)
    fit = _fit_pose(points, camera)
    if fit is None or fit.depth <= 0:
        # Without a start the solver may put the head behind the camera, which turns all angles round.
        from_front = _fit_pose(points, camera, start_from_front=True)
        if from_front is not None and (fit is None or from_front.error < _LARGEST_POSE_ERROR * np.ptp(points)):
            fit = from_front
    if fit is None:
        return (np.nan, np.nan, np.nan)
    pitch, yaw, roll = _euler_angles(cv2.Rodrigues(fit.rotation)[0])
    return (-pitch, yaw, roll)


def mirror(landmarks: np.ndarray, width: int) -> np.ndarray:
    """(68, 2) landmarks of the picture mirrored left to right, ``width`` pixels wide; float64."""
    mirrored = np.asarray(landmarks, np.float64)[MIRROR_PERMUTATION]
    mirrored[:, 0] = width - mirrored[:, 0] - 1
    return mirrored


def landmarks_of_rectangle(anchor: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Mean-face landmarks whose nose tip lies on ``anchor``; ``vector`` is one side of the unit square.

    Parameters
    ----------
    anchor, vector : array_like
        (x, y). The face's x axis points along ``vector``; its length is the side of the unit square.

    Returns
    -------
    numpy.ndarray
        (68, 2) float64. The jaw, for which there is no mean, is taken from the 3-D model seen from the front.
    """
    x, y = np.asarray(vector, np.float64)
    points = MEAN_FACE_68.astype(np.float64) - MEAN_FACE_68[30]
    return points @ np.array([[x, y], [-y, x]]) + np.asarray(anchor, np.float64)


def expand_eyebrows(landmarks: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Move the brows up the forehead, away from the eyes, by ``factor`` × half their distance.

    Parameters
    ----------
    landmarks : array_like
        (68, 2), truncated to whole pixels first.

    Returns
    -------
    numpy.ndarray
        (68, 2) int64.
    """
    points = _whole(landmarks)
    right_middle, left_middle = (points[36] + points[0]) // 2, (points[16] + points[45]) // 2
    right_outer, left_outer = (points[36] + right_middle) // 2, (points[45] + left_middle) // 2
    below_right = np.stack([right_outer, *points[36:40]])
    below_left = np.stack([*points[42:46], left_outer])
    above = points[17:27]
    expanded = points.copy()
    expanded[17:27] = above + 0.5 * factor * (above - np.concatenate([below_right, below_left]))
    return expanded


def hull_mask(shape: tuple, landmarks: np.ndarray, eyebrows_expand: float = 1.0) -> np.ndarray:
    """Face mask spanned by the landmarks, forehead up to the raised brows.

    Parameters
    ----------
    shape : tuple
        Image shape (H, W, …).
    landmarks : numpy.ndarray
        (68, 2) in pixels of that image.
    eyebrows_expand : float
        Factor of :func:`expand_eyebrows`.

    Returns
    -------
    numpy.ndarray
        (H, W, 1) float32, 0 or 1.
    """
    points = expand_eyebrows(landmarks, eyebrows_expand)
    return _fill_hulls(shape, [points[list(part)] for part in _HULL_PARTS])


def eye_mask(shape: tuple, landmarks: np.ndarray) -> np.ndarray:
    """Soft mask of both eyes; (H, W, 1) float32 in 0…1. Arguments as :func:`hull_mask`."""
    points = _whole(landmarks)
    return _soften(_fill_hulls(shape, [points[RIGHT_EYE], points[LEFT_EYE]]))


def mouth_mask(shape: tuple, landmarks: np.ndarray) -> np.ndarray:
    """Soft mask of the opening of the mouth (inner lip); (H, W, 1) float32 in 0…1."""
    return _soften(_fill_hulls(shape, [_whole(landmarks)[INNER_LIP]]))


def eyes_mouth_mask(shape: tuple, landmarks: np.ndarray) -> np.ndarray:
    """Soft mask of eyes and mouth together; (H, W, 1) float32 in 0…1."""
    return np.clip(eye_mask(shape, landmarks) + mouth_mask(shape, landmarks), 0, 1)


def _mean_face_68():
    """The mean face with a jaw: the front view of the 3-D model, fitted to the mean in position and size."""
    front = MODEL_3D[:, :2].astype(np.float64)
    design = np.concatenate([front[17:], np.ones((51, 1))], axis=1)
    fit, *_ = np.linalg.lstsq(design, MEAN_FACE_2D.astype(np.float64), rcond=None)
    jaw = np.concatenate([front[:17], np.ones((17, 1))], axis=1) @ fit
    return np.concatenate([jaw, MEAN_FACE_2D]).astype(np.float32)


# The mean face with all 68 landmarks in the unit square (the jaw reaches below and beside it).
MEAN_FACE_68 = _mean_face_68()


@dataclass(frozen=True)
class _PoseFit:
    """Rotation vector, distance from the camera in model units, and mean distance to the landmarks in pixels."""

    rotation: np.ndarray
    depth: float
    error: float


def _fit_pose(points, camera, start_from_front=False):
    """The pose that the iterative solver finds for the pose landmarks, or None."""
    model = MODEL_3D[_POSE_ROWS]
    rotation, position = np.zeros((3, 1)), np.zeros((3, 1))
    if start_from_front:
        position[2] = camera[0, 0] * np.ptp(model[:, 0]) / max(np.ptp(points[:, 0]), 1.0)
    try:
        found, rotation, position = cv2.solvePnP(
            model, points, camera, np.zeros(4), rotation, position, start_from_front, cv2.SOLVEPNP_ITERATIVE
        )
        projected = cv2.projectPoints(model, rotation, position, camera, np.zeros(4))[0][:, 0]
    except cv2.error:
        return None
    error = float(np.linalg.norm(projected - points, axis=1).mean())
    if not found or not np.isfinite(rotation).all() or not np.isfinite(error):
        return None
    return _PoseFit(rotation, float(np.ravel(position)[2]), error)


def _euler_angles(rotation):
    """Turns about x, y and z of a rotation matrix, each within ±π/2."""
    horizontal = np.hypot(rotation[0, 0], rotation[1, 0])
    y = np.arctan2(-rotation[2, 0], horizontal)
    if horizontal >= 1e-6:
        x, z = np.arctan2(rotation[2, 1], rotation[2, 2]), np.arctan2(rotation[1, 0], rotation[0, 0])
    else:
        x, z = np.arctan2(-rotation[1, 2], rotation[1, 1]), 0.0
    return tuple(float(np.clip(angle, -np.pi / 2, np.pi / 2)) for angle in (x, y, z))


def _whole(landmarks):
    return np.trunc(np.asarray(landmarks, np.float64)).astype(np.int64)


def _fill_hulls(shape, groups):
    mask = np.zeros((*shape[:2], 1), np.float32)
    for points in groups:
        cv2.fillConvexPoly(mask, cv2.convexHull(points.astype(np.int32)), (1,))
    return mask


def _soften(mask):
    """Grow and blur a mask in proportion to its height."""
    height = mask.shape[0]
    grow, blur = max(1, height // 32), max(1, height // 16) | 1
    grown = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grow, grow)), iterations=1)
    return cv2.GaussianBlur(grown, (blur, blur), 0).reshape(mask.shape)
