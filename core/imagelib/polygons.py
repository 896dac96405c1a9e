"""Turns mask labels (include and exclude polygons) into mask pictures."""

from collections.abc import Iterable

import cv2
import numpy as np

# Far outside of any picture, yet safe in OpenCV's fixed-point arithmetic.
_COORDINATE_LIMIT = 1 << 20


def rasterize(
    polygons: Iterable[tuple[bool, np.ndarray]], height: int, width: int, base: np.ndarray | None = None
) -> np.ndarray:
    """Draw include polygons with 1 and, after all of them, exclude polygons with 0.

    Parameters
    ----------
    polygons : iterable of (bool, array_like)
        ``(include, points)``; points (k, 2), x then y in pixels, any real type. An exclude polygon cuts through every
        include polygon, wherever it stands in the list. One without points is skipped, one with one or two points
        paints a pixel or a line.
    height, width : int
        Size of the mask.
    base : numpy.ndarray, optional
        (height, width) or (height, width, 1): mask to draw on (copied); zeros by default.

    Returns
    -------
    numpy.ndarray
        (height, width, 1) float32.

    Notes
    -----
    Points are truncated towards zero to whole pixels; pixels on the outline belong to the polygon, nothing is
    anti-aliased, and a self-crossing outline follows the even-odd rule.
    """
    if base is None:
        mask = np.zeros((height, width), np.float32)
    else:
        mask = np.array(base, np.float32).reshape(height, width)
    for include, points in sorted(polygons, key=lambda polygon: not polygon[0]):
        points = np.asarray(points, np.float64).reshape(-1, 2)
        if not len(points):
            continue
        corners = np.clip(np.nan_to_num(points), -_COORDINATE_LIMIT, _COORDINATE_LIMIT).astype(np.int32)
        cv2.fillPoly(mask, [corners], 1.0 if include else 0.0)
    return mask[:, :, None]
