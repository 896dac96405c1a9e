"""What mouse and modifier keys do to the labels of one face: the editor's canvas without its pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xseglib.labels import LEAST_POINTS, Labels, Mode
from xseglib.viewport import EdgeHit, Viewport, hit_edge, hit_point, hit_wire


@dataclass
class _Drag:
    """A drag that is going on: of the view (``index`` None) or of a point."""

    start: np.ndarray
    origin: np.ndarray
    index: int | None = None
    moved: bool = False


@dataclass
class _Hold:
    """A setting that is on while its key is held, or after its button was pressed."""

    by_key: bool = False
    by_button: bool = False

    @property
    def on(self):
        return self.by_key or self.by_button

    def clear(self):
        self.by_button = False


class Interaction:
    """Translates events on the canvas into edits; positions are (x, y) in canvas pixels.

    Parameters
    ----------
    labels : Labels
    viewport : Viewport
    warp_cursor : callable
        Is asked to put the mouse pointer at a canvas position and returns where it is now: where a platform does not
        allow that, the lock at the centre works by the pointer's movements alone.
    """

    def __init__(self, labels: Labels, viewport: Viewport, warp_cursor: Callable[[np.ndarray], np.ndarray]):
        self.labels, self.viewport = labels, viewport
        self.include = True
        self.cursor: Any = None
        self._warp_cursor = warp_cursor
        self._drag: _Drag | None = None
        self._lock, self._add_delete = _Hold(), _Hold()
        self._locked_pointer = None

    @property
    def mode(self) -> Mode:
        """Mode of the labels."""
        return self.labels.mode

    @property
    def is_locked(self) -> bool:
        """Whether the cursor stays at the centre while the image moves under it (DRAW)."""
        return self.mode is Mode.DRAW and self._lock.on

    @property
    def adds_and_deletes(self) -> bool:
        """Whether presses insert and delete points instead of moving them (EDIT)."""
        return self.mode is Mode.EDIT and self._add_delete.on

    @property
    def is_panning(self) -> bool:
        """Whether the middle button drags the view."""
        return self._drag is not None and self._drag.index is None

    @property
    def is_dragging(self) -> bool:
        """Whether a button drags the view or a point."""
        return self._drag is not None

    def press_left(self, position: Any) -> None:
        """Left button down."""
        self._see(position)
        if self._drag is not None:
            return
        if self.mode is Mode.NONE:
            self._press_idle()
        elif self.mode is Mode.DRAW:
            self._press_drawing()
        elif self.mode is Mode.EDIT:
            self._press_editing()
        self._settle()

    def press_middle(self, position: Any) -> None:
        """Middle button down: the view is dragged."""
        self._see(position)
        if self._drag is None and not self.is_locked:
            self._drag = _Drag(self.cursor, self.viewport.look_point.copy())

    def move(self, position: Any) -> None:
        """The pointer is at ``position`` now."""
        if self.is_locked:
            self._move_locked(np.asarray(position, np.float64))
            return
        self._see(position)
        if self._drag is None:
            return
        delta = (self.cursor - self._drag.start) / self.viewport.scale
        if self._drag.index is None:
            self.viewport.look_at(self._drag.origin - delta)
        elif delta.any() or self._drag.moved:
            self.labels.move_point(self._drag.index, self._drag.origin + delta, first=not self._drag.moved)
            self._drag.moved = True

    def release_left(self, position: Any) -> None:
        """Left button up: a point that was dragged stays."""
        if self._drag is not None and self._drag.index is not None:
            self.move(position)
            self._drag = None

    def release_middle(self, position: Any) -> None:
        """Middle button up."""
        if self.is_panning:
            self.move(position)
            self._drag = None

    def wheel(self, direction: int, position: Any) -> None:
        """Zoom in (1) or out (−1) at the cursor; not during a drag."""
        self._see(position)
        if self._drag is None:
            self.viewport.zoom(direction, self.cursor)

    def leave_canvas(self) -> None:
        """The pointer left the canvas."""
        if not self.is_locked:
            self.cursor = None

    def drop_drag(self) -> None:
        """The window lost the mouse."""
        self._drag = None

    def hold(self, shift_only: bool, control_only: bool) -> None:
        """Modifier keys as they are now: exactly Shift locks in DRAW, exactly Ctrl adds and deletes points in EDIT."""
        self._lock.by_key, self._add_delete.by_key = shift_only, control_only
        self._settle()

    def set_lock(self, on: bool) -> None:
        """The lock button."""
        self._lock.by_button = on and self.mode is Mode.DRAW
        self._settle()

    def set_add_delete(self, on: bool) -> None:
        """The add/delete point button."""
        self._add_delete.by_button = on and self.mode is Mode.EDIT
        self._settle()

    def delete_polygon(self) -> None:
        """Delete the selected polygon (EDIT, moving points, no drag)."""
        if self.mode is Mode.EDIT and not self.adds_and_deletes and self._drag is None:
            self.labels.delete_polygon()
            self._settle()

    def undo(self) -> None:
        """Take back an edit."""
        if self._drag is None:
            self.labels.undo()
            self._settle()

    def redo(self) -> None:
        """Do an edit again."""
        if self._drag is None:
            self.labels.redo()
            self._settle()

    def view(self, mode: Mode) -> None:
        """Show a mask, or with NONE the picture again."""
        self._drag = None
        if mode.is_view or self.mode.is_view:
            self.labels.view(mode)
        self._settle()

    def finish(self) -> None:
        """Leave DRAW and EDIT, before the labels are stored."""
        self._drag = None
        self.labels.leave()
        self._settle()

    def outline(self, index: int | None = None) -> np.ndarray:
        """(k, 2) corners of a polygon, of the current one by default, on the canvas."""
        polygon: Any = self.labels.current if index is None else self.labels.polygons[index]
        return self.viewport.to_canvas(np.reshape(polygon.points, (-1, 2)))

    def wire_under_cursor(self) -> int | None:
        """Polygon that a press would select (NONE)."""
        if self.mode is not Mode.NONE or self.cursor is None:
            return None
        return hit_wire([self.outline(index) for index in range(len(self.labels.polygons))], self.cursor)

    def point_under_cursor(self) -> int | None:
        """Point of the current polygon that a press would take hold of, close with, or delete (DRAW, EDIT)."""
        if self.mode not in (Mode.DRAW, Mode.EDIT) or self.cursor is None:
            return None
        return hit_point(self.outline(), self.cursor, prefer_first=self.mode is Mode.DRAW)

    def closes_polygon(self) -> bool:
        """Whether a press would close the polygon (DRAW)."""
        current = self.labels.current
        enough = self.mode is Mode.DRAW and current is not None and len(current.points) >= LEAST_POINTS
        return enough and self.point_under_cursor() == 0

    def edge_under_cursor(self) -> EdgeHit | None:
        """Edge of the current polygon under the cursor and not at one of its points (EDIT)."""
        if self.mode is not Mode.EDIT or self.cursor is None or self.point_under_cursor() is not None:
            return None
        return hit_edge(self.outline(), self.cursor)

    def _press_idle(self):
        wire = self.wire_under_cursor()
        if wire is not None:
            self.labels.select(wire)
        else:
            self.labels.start_polygon(self.include, self._image_cursor())

    def _press_drawing(self):
        if self.closes_polygon():
            self.labels.close()
        else:
            self.labels.add_point(self._image_cursor())

    def _press_editing(self):
        point, edge = self.point_under_cursor(), self.edge_under_cursor()
        if point is not None and self.adds_and_deletes:
            self.labels.delete_point(point)
        elif point is not None:
            self._drag = _Drag(self.cursor, np.array(self.labels.current.points[point]), point)
        elif edge is not None and self.adds_and_deletes:
            self.labels.insert_point(edge.index + 1, self.viewport.to_image(edge.projection))
        elif edge is None:
            self.labels.leave()

    def _see(self, position):
        """Take note of the pointer's place; in the lock it counts as being at the centre."""
        self.cursor = self.viewport.center if self.is_locked else np.asarray(position, np.float64)

    def _image_cursor(self):
        return self.viewport.to_image(self.cursor)

    def _move_locked(self, position):
        delta = position - self._locked_pointer
        if np.hypot(*delta) >= 1:
            self.viewport.look_at(self.viewport.look_point + delta / self.viewport.scale)
            self._locked_pointer = np.asarray(self._warp_cursor(self.viewport.center), np.float64)

    def _settle(self):
        """After a change of mode or keys: settings of a mode that was left go off, the lock begins or ends."""
        if self.mode is not Mode.DRAW:
            self._lock.clear()
        if self.mode is not Mode.EDIT:
            self._add_delete.clear()
        if not self.is_locked:
            self._locked_pointer = None
        elif self._locked_pointer is None:
            self._drag = None
            if self.cursor is not None:
                self.viewport.look_at(self._image_cursor())
            self.cursor = self.viewport.center
            self._locked_pointer = np.asarray(self._warp_cursor(self.cursor), np.float64)
