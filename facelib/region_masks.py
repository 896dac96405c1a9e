"""Further masks that can be drawn from 68 landmarks: blurred hull, line drawing, coloured regions."""

import cv2
import numpy as np

from facelib.landmark_tables import JAW, LEFT_EYE, LEFT_EYEBROW, MOUTH, NOSE, OUTER_LIP, RIGHT_EYE, RIGHT_EYEBROW
from facelib.landmarks import hull_mask

_UPPER_NOSE, _LOWER_NOSE = (27, 28, 29, 30, 33), slice(31, 36)


def blurred_hull_mask(shape: tuple, landmarks: np.ndarray) -> np.ndarray:
    """The hull mask, shrunk and blurred in proportion to its size; (H, W, 1) float32 in 0…1."""
    mask = hull_mask(shape, landmarks)
    rows, columns, _ = np.nonzero(mask == 1)
    if not len(rows):
        return mask
    side = min(np.ptp(rows), np.ptp(columns))
    shrink, blur = int(side * 0.085), int(side * 0.10)
    if shrink > 0:
        mask = cv2.erode(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (shrink, shrink)), iterations=1)
    if blur > 0:
        mask = cv2.blur(mask, (blur, blur))
    return mask.reshape(*shape[:2], 1)


def line_mask(shape: tuple, landmarks: np.ndarray) -> np.ndarray:
    """The lines between landmarks, two pixels wide; (H, W, 1) float32, 0 or 1."""
    mask = np.zeros((*shape[:2], 1), np.float32)
    points = np.trunc(np.asarray(landmarks, np.float64)).astype(np.int32)
    nose = np.concatenate([points[NOSE], points[30:31]])
    open_lines = [points[RIGHT_EYEBROW], points[JAW], points[LEFT_EYEBROW], nose]
    cv2.polylines(mask, open_lines, False, (1,), thickness=2, lineType=cv2.LINE_AA)
    cv2.polylines(
        mask, [points[RIGHT_EYE], points[LEFT_EYE], points[MOUTH]], True, (1,), thickness=2, lineType=cv2.LINE_AA
    )
    return mask


def region_picture(shape: tuple, landmarks: np.ndarray) -> np.ndarray:
    """Soft regions of the face in colours: eyes, brows, nose, mouth, and the rest of the hull.

    Returns
    -------
    numpy.ndarray
        (H, W, 3) float32. Eyes (1, 0, 0), brows (0, 0, 1), nose (0, 1, 1), mouth (0, 0, 1), other skin (0, 1, 0).

    Notes
    -----
    A region is 1 − clip(d / f, 0, 1), d being the distance of a pixel to the region's lines less their thickness.
    """
    height, width = shape[:2]
    points = np.asarray(landmarks, np.float64)
    hull = hull_mask(shape, landmarks)[..., 0]

    def near(groups, closed, thickness, fade):
        distance = np.min([_distance_to_lines(height, width, points[group], closed) for group in groups], axis=0)
        return 1 - np.clip((distance - thickness) / fade, 0, 1)

    eyes = near([LEFT_EYE, RIGHT_EYE], True, max(width // 64, 1), width // 32)
    brows = near([LEFT_EYEBROW, RIGHT_EYEBROW], False, max(width // 256, 1), width // 32)
    mouth = near([OUTER_LIP], True, max(width // 64, 1), width // 32)
    nose_thickness = max(width // 96, 1)
    upper, lower = (
        _distance_to_lines(height, width, points[list(group) if isinstance(group, tuple) else group], False)
        - nose_thickness
        for group in (_UPPER_NOSE, _LOWER_NOSE)
    )
    nose = 1 - np.clip(_smooth_minimum(upper, lower, 3 * nose_thickness) / (width / 12), 0, 1)

    eyes = eyes * (1 - mouth)
    nose = nose * (1 - eyes)
    skin = hull * (1 - eyes) * (1 - brows) * (1 - nose) * (1 - mouth)
    mouth = mouth * (1 - nose)
    brows = brows * (1 - nose) * (1 - eyes)
    picture = np.stack([eyes, skin + nose, brows + nose + mouth], axis=-1)
    return (picture * hull[..., None]).astype(np.float32)


def _distance_to_lines(height, width, points, closed):
    """(H, W) distance of every pixel to the nearest of the line segments through (k, 2) points."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    ends = np.roll(points, -1, axis=0) if closed else points[1:]
    nearest = np.full((height, width), np.inf)
    for start, end in zip(points, ends):
        along = end - start
        length = max(along @ along, 1e-12)
        part = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - start[0] - part * along[0], y - start[1] - part * along[1]))
    return nearest


def _smooth_minimum(first, second, width):
    part = np.clip(0.5 + 0.5 * (second - first) / width, 0, 1)
    return (first - second) * part + second - width * part * (1 - part)
