"""The labels of one face while they are edited: polygons, modes and undo, without any window."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, cast

import numpy as np

from core.imagelib.polygons import rasterize
from samplelib.faces.aligned_face import SegPolygon

LEAST_POINTS = 3


class Mode(Enum):
    """What a press of the left button means."""

    NONE = "none"
    DRAW = "draw"
    EDIT = "edit"
    VIEW_BAKED = "view_baked"
    VIEW_XSEG = "view_xseg"

    @property
    def is_view(self) -> bool:
        """Whether a mask is shown instead of picture and polygons."""
        return self in (Mode.VIEW_BAKED, Mode.VIEW_XSEG)


@dataclass(frozen=True)
class Polygon:
    """A label: kind and corners, in image pixels."""

    include: bool
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _State:
    """What undo brings back."""

    polygons: tuple[Polygon, ...] = ()
    mode: Mode = Mode.NONE
    selected: int | None = None


class Labels:
    """Polygons of one face with modes and an undo stack.

    Includes stand before excludes, in the order of drawing inside each kind. Every edit can be undone and redone, also
    after the polygon was closed; undoing brings back the mode in which the edit was made. While a polygon is drawn,
    that takes back point after point and, at none, the polygon.

    Parameters
    ----------
    polygons : iterable of SegPolygon
    mode : Mode
        NONE, or a VIEW mode that goes on from the image before.
    """

    def __init__(self, polygons: Iterable = (), mode: Mode = Mode.NONE):
        loaded = [Polygon(polygon.include, _as_tuples(polygon.points)) for polygon in polygons]
        self._state = _State(_ordered(loaded)[0], mode)
        self._undone: list = []
        self._done: list = []

    @property
    def polygons(self) -> tuple[Polygon, ...]:
        """All polygons, includes first."""
        return self._state.polygons

    @property
    def mode(self) -> Mode:
        """Current mode."""
        return self._state.mode

    @property
    def selected(self) -> int | None:
        """Index of the polygon that is drawn or edited."""
        return self._state.selected

    @property
    def current(self) -> Polygon | None:
        """The polygon that is drawn or edited."""
        return None if self.selected is None else self.polygons[self.selected]

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether an edit was taken back."""
        return bool(self._undone)

    def start_polygon(self, include: bool, point: Any) -> None:
        """NONE → DRAW: a new polygon with one point."""
        self._require(Mode.NONE)
        polygons, selected = _ordered([*self.polygons, Polygon(include, (_pair(point),))], len(self.polygons))
        self._edit(_State(polygons, Mode.DRAW, selected))

    @property
    def _selected(self) -> Polygon:
        """The current polygon, in a mode that has one."""
        return cast(Polygon, self.current)

    def add_point(self, point: Any) -> None:
        """DRAW: append a point; what was undone before cannot be redone any more."""
        self._require(Mode.DRAW)
        self._edit(self._with_points((*self._selected.points, _pair(point))))

    def close(self) -> None:
        """DRAW → EDIT of the same polygon, when it has at least three points."""
        if self.mode is Mode.DRAW and len(self._selected.points) >= LEAST_POINTS:
            self._state = replace(self._state, mode=Mode.EDIT)

    def select(self, index: int) -> None:
        """NONE → EDIT."""
        self._require(Mode.NONE)
        self._state = replace(self._state, mode=Mode.EDIT, selected=index)

    def leave(self) -> None:
        """DRAW or EDIT → NONE. A polygon of fewer than three points, as it was drawn, is dropped."""
        if self.mode is Mode.DRAW and len(self._selected.points) < LEAST_POINTS:
            self._edit(self._without_selected())
        elif self.mode in (Mode.DRAW, Mode.EDIT):
            self._state = replace(self._state, mode=Mode.NONE, selected=None)

    def view(self, mode: Mode) -> None:
        """Any → a VIEW mode, or from there back to NONE."""
        self.leave()
        if mode is not self.mode and (mode.is_view or self.mode.is_view):
            self._state = replace(self._state, mode=mode)

    def move_point(self, index: int, point: Any, first: bool = True) -> None:
        """EDIT: move a point. With ``first`` off the move belongs to the edit before (one drag is one edit)."""
        self._require(Mode.EDIT)
        points = list(self._selected.points)
        points[index] = _pair(point)
        state = self._with_points(tuple(points))
        if first:
            self._edit(state)
        else:
            self._state = state

    def insert_point(self, index: int, point: Any) -> None:
        """EDIT: put a point before the one at ``index``."""
        self._require(Mode.EDIT)
        points = self._selected.points
        self._edit(self._with_points((*points[:index], _pair(point), *points[index:])))

    def delete_point(self, index: int) -> None:
        """EDIT: drop a point; with fewer than three left, the polygon."""
        self._require(Mode.EDIT)
        points = self._selected.points[:index] + self._selected.points[index + 1 :]
        self._edit(self._with_points(points) if len(points) >= LEAST_POINTS else self._without_selected())

    def delete_polygon(self) -> None:
        """EDIT → NONE: drop the polygon."""
        self._require(Mode.EDIT)
        self._edit(self._without_selected())

    def add_polygons(self, polygons: Iterable) -> None:
        """Add ready polygons as one edit; mode NONE afterwards."""
        self.leave()
        self._edit(_State(_ordered([*self.polygons, *polygons])[0], Mode.NONE))

    def undo(self) -> None:
        """Take back the last edit; in a VIEW mode that also returns to the picture."""
        if self._done:
            self._undone.append(self._remembered())
            self._state = self._done.pop()

    def redo(self) -> None:
        """Do again what was taken back last."""
        if self._undone:
            self._done.append(self._remembered())
            self._state = self._undone.pop()

    def stored(self) -> tuple[SegPolygon, ...]:
        """Polygons as they go into the file."""
        return tuple(
            SegPolygon(polygon.include, np.array(polygon.points, np.float32).reshape(-1, 2))
            for polygon in self.polygons
        )

    def baked(self, height: int, width: int) -> np.ndarray:
        """The labels as a mask (height, width, 1) float32."""
        return rasterize([(polygon.include, np.asarray(polygon.points)) for polygon in self.polygons], height, width)

    def _require(self, mode):
        if self.mode is not mode:
            raise ValueError(f"this needs mode {mode.value}, but the mode is {self.mode.value}")

    def _remembered(self):
        """The state as undo and redo come back to it: a VIEW mode is remembered as NONE."""
        return replace(self._state, mode=Mode.NONE) if self._state.mode.is_view else self._state

    def _edit(self, state):
        self._done.append(self._remembered())
        self._undone.clear()
        self._state = state

    def _with_points(self, points):
        polygons = list(self.polygons)
        polygons[self.selected] = replace(self.current, points=points)
        return replace(self._state, polygons=tuple(polygons))

    def _without_selected(self):
        polygons = self.polygons[: self.selected] + self.polygons[self.selected + 1 :]
        return _State(polygons, Mode.NONE)


def labels_differ(first: Sequence, second: Sequence) -> bool:
    """Whether two lists of SegPolygon differ in kinds, numbers of points or coordinates."""
    if len(first) != len(second):
        return True
    return any(
        one.include != other.include or not np.array_equal(np.float32(one.points), np.float32(other.points))
        for one, other in zip(first, second)
    )


def _ordered(polygons, watched=None):
    """Polygons with includes first, and the new index of the one at ``watched``."""
    order = sorted(range(len(polygons)), key=lambda index: not polygons[index].include)
    return tuple(polygons[index] for index in order), order.index(watched) if watched is not None else None


def _pair(point):
    return float(point[0]), float(point[1])


def _as_tuples(points):
    return tuple(_pair(point) for point in np.asarray(points, np.float64).reshape(-1, 2))
