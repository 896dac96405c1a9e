"""The crops that the landmark network FAN looks at, and the points in its heat maps."""

from dataclasses import dataclass

import cv2
import numpy as np

LANDMARKS = 68
CROP_SIZE, HEATMAP_SIZE = 256, 64

_REFERENCE_SIZE = 195.0
_CROP_SIDE = 200.0

# Centres of the five crops whose points are averaged, in pixels from the middle of the box.
SAMPLE_SHIFTS = ((0.0, 0.0), (-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0))


@dataclass(frozen=True)
class FanCrop:
    """A square part of a picture: its centre (x, y) and the length of its side, in pixels."""

    center: np.ndarray
    side: float

    @classmethod
    def around(cls, box: tuple) -> "FanCrop":
        """The crop for a face box (left, top, right, bottom)."""
        left, top, right, bottom = (float(value) for value in box)
        scale = ((right - left) + (bottom - top)) / _REFERENCE_SIZE
        return cls(np.array([(left + right) / 2, (top + bottom) / 2]), _CROP_SIDE * scale)

    def shifted(self, shift: tuple) -> "FanCrop":
        """The same crop a little aside."""
        return FanCrop(self.center + shift, self.side)

    def to_picture(self, points: np.typing.ArrayLike, resolution: int) -> np.ndarray:
        """Points (…, 2) on a grid of ``resolution`` × ``resolution`` over the crop, in picture pixels."""
        return (np.asarray(points, np.float64) / resolution - 0.5) * self.side + self.center

    def cut(self, image: np.ndarray) -> np.ndarray | None:
        """The crop of an (H, W, 3) picture, 256 × 256, black outside; None when it lies outside altogether."""
        left, top = np.trunc(self.to_picture([1, 1], CROP_SIZE)).astype(int)
        right, bottom = np.trunc(self.to_picture([CROP_SIZE, CROP_SIZE], CROP_SIZE)).astype(int)
        height, width = image.shape[:2]
        inner_left, inner_top, inner_right, inner_bottom = (
            max(left, 0),
            max(top, 0),
            min(right, width),
            min(bottom, height),
        )
        if inner_left >= inner_right or inner_top >= inner_bottom:
            return None
        part = image[inner_top:inner_bottom, inner_left:inner_right]
        if part.shape[:2] != (bottom - top, right - left):
            borders = (inner_top - top, bottom - inner_bottom, inner_left - left, right - inner_right)
            part = cv2.copyMakeBorder(part, *borders, cv2.BORDER_CONSTANT, value=(0, 0, 0))
        return cv2.resize(part, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_LINEAR)


def peaks(heatmaps: np.ndarray) -> np.ndarray:
    """Places of the maxima, moved by a quarter pixel towards the higher neighbours.

    Parameters
    ----------
    heatmaps : numpy.ndarray
        (n, s, s).

    Returns
    -------
    numpy.ndarray
        (n, 2) float64 (x, y), pixel centres at .5; a maximum on the border is not moved.
    """
    count, size = heatmaps.shape[:2]
    index = heatmaps.reshape(count, -1).argmax(axis=1)
    y, x = index // size, index % size
    points = np.stack([x, y], axis=1).astype(np.float64)
    inner = np.flatnonzero((x > 0) & (x < size - 1) & (y > 0) & (y < size - 1))
    maps, x, y = heatmaps[inner].astype(np.float64), x[inner], y[inner]
    rows = np.arange(len(inner))
    points[inner, 0] += 0.25 * np.sign(maps[rows, y, x + 1] - maps[rows, y, x - 1])
    points[inner, 1] += 0.25 * np.sign(maps[rows, y + 1, x] - maps[rows, y - 1, x])
    return points + 0.5
