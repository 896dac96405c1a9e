"""Where the image lies on the canvas, and which corner or edge of a polygon lies under the cursor."""

from dataclasses import dataclass
from typing import Any

import numpy as np

HIT_RADIUS = 8.0
LARGEST_SCALE = 20.0


class Viewport:
    """Zoom and position of the image on the canvas.

    Parameters
    ----------
    image_size : tuple of int
        (width, height) of the image, pixels.
    canvas_size : tuple of int
        (width, height) of the canvas, pixels.
    """

    def __init__(self, image_size: tuple[int, int], canvas_size: tuple[int, int]):
        self.image_size = np.array(image_size, np.float64)
        self.look_point = self.image_size / 2
        self._scale: float | None = None
        self.resize(canvas_size)

    @property
    def fit_scale(self) -> float:
        """Scale at which the image just fits."""
        return float(self._canvas.min() / self.image_size.max())

    @property
    def scale(self) -> float:
        """Canvas pixels per image pixel; the fitting one until the first zoom."""
        return self.fit_scale if self._scale is None else self._scale

    @property
    def center(self) -> np.ndarray:
        """(2,) whole-numbered middle of the canvas."""
        return np.round(self._canvas / 2)

    def resize(self, canvas_size: tuple[int, int]) -> None:
        """The canvas got another size."""
        self._canvas = np.maximum(np.array(canvas_size, np.float64), 1)

    def to_canvas(self, points: Any) -> np.ndarray:
        """Image points (…, 2) on the canvas."""
        return (np.asarray(points, np.float64) - self.look_point) * self.scale + self.center

    def to_image(self, points: Any) -> np.ndarray:
        """Canvas points (…, 2) in the image."""
        return (np.asarray(points, np.float64) - self.center) / self.scale + self.look_point

    def zoom(self, direction: int, cursor: Any) -> None:
        """Zoom in (1) or out (−1) by a step; what lies under ``cursor`` (canvas) stays there."""
        anchor = self.to_image(cursor)
        step = direction * (0.2 + self.scale / 10)
        smallest = min(1.0, self.fit_scale)
        self._scale = float(np.clip(self.scale + step, smallest, max(LARGEST_SCALE, self.fit_scale)))
        self.look_point = anchor - (np.asarray(cursor, np.float64) - self.center) / self._scale

    def look_at(self, point: Any) -> None:
        """Bring an image point into the middle of the canvas."""
        self.look_point = np.array(point, np.float64)


@dataclass(frozen=True)
class EdgeHit:
    """An edge near the cursor.

    Parameters
    ----------
    index : int
        Of the edge's first corner.
    distance : float
        From the cursor, canvas pixels.
    projection : numpy.ndarray
        (2,) nearest point of the edge, canvas.
    """

    index: int
    distance: float
    projection: np.ndarray


def hit_point(points: Any, cursor: Any, prefer_first: bool = False) -> int | None:
    """Index of the corner within 8 pixels of the cursor, or None.

    Parameters
    ----------
    points : array_like
        (k, 2) on the canvas.
    cursor : array_like
        (2,) on the canvas.
    prefer_first : bool
        Of several, take corner 0 if it is among them (it closes a polygon), else the last.
    """
    points = np.asarray(points, np.float64).reshape(-1, 2)
    near = np.flatnonzero(np.hypot(*(points - cursor).T) <= HIT_RADIUS)
    if not len(near):
        return None
    return int(near[0] if prefer_first and near[0] == 0 else near[-1])


def nearest_edge(points: Any, cursor: Any) -> EdgeHit | None:
    """Nearest edge of a closed polygon of at least three corners; None for fewer."""
    points = np.asarray(points, np.float64).reshape(-1, 2)
    if len(points) < 3:
        return None
    along = np.roll(points, -1, axis=0) - points
    offset = np.asarray(cursor, np.float64) - points
    length = np.maximum((along**2).sum(axis=1), 1e-12)
    share = np.clip((offset * along).sum(axis=1) / length, 0, 1)
    projections = points + share[:, None] * along
    distances = np.hypot(*(projections - cursor).T)
    index = int(np.argmin(distances))
    return EdgeHit(index, float(distances[index]), projections[index])


def hit_edge(points: Any, cursor: Any) -> EdgeHit | None:
    """The nearest edge if it is within 8 pixels of the cursor."""
    edge = nearest_edge(points, cursor)
    return edge if edge is not None and edge.distance <= HIT_RADIUS else None


def hit_wire(outlines: Any, cursor: Any) -> int | None:
    """Index of the topmost (last) polygon one of whose edges or corners is within 8 pixels; None if there is none.

    ``outlines`` is a list of (k, 2) corners on the canvas; polygons of fewer than three corners are passed over.
    """
    for index in reversed(range(len(outlines))):
        if hit_edge(outlines[index], cursor) is not None:
            return index
    return None
