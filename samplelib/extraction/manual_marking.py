"""What the keys and the mouse of the manual extractor do: a state machine without a window."""

from dataclasses import dataclass

import numpy as np

from core.window.keys import ENTER
from core.window.mouse import LEFT_DOWN, RIGHT_DOWN, WHEEL_DOWN, WHEEL_UP
from facelib.face_finder import FoundFace
from facelib.landmarks import landmarks_of_rectangle

LEAST_HALF_SIZE = 5
# Up to this half side the rectangle changes by single pixels, and the window shows the place enlarged.
SMALL_HALF_SIZE = 40


@dataclass(frozen=True)
class Request:
    """Landmarks wanted: of the face in ``rect`` of the frame with this index."""

    frame_index: int
    rect: tuple[int, int, int, int]
    accurate: bool


class ManualMarking:
    """One face a frame, marked by hand.

    Parameters
    ----------
    frame_count : int

    Attributes
    ----------
    index : int
        The frame shown; ``frame_count`` or more when all is done.
    faces : dict
        Frame index → :class:`FoundFace` marked so far.
    left_frames : list of int
        Frames that were left since this was last emptied by the caller, to be saved.
    """

    def __init__(self, frame_count: int):
        self.frame_count = frame_count
        self.index = 0
        self.faces: dict[int, FoundFace] = {}
        self.left_frames: list[int] = []
        self.x, self.y, self.half_size = 0.0, 0.0, 100.0
        self.locked, self.accurate, self.help_shown, self.rectangle_mode = False, True, True, False
        self.rect: tuple[int, int, int, int] | None = None
        self.landmarks: np.ndarray | None = None
        self._wanted = True

    @property
    def finished(self) -> bool:
        """Whether there is no frame left to show."""
        return self.index >= self.frame_count

    def request(self) -> Request | None:
        """The landmarks that are wanted now, once for each change; the rectangle shown becomes the one asked for."""
        if not self._wanted or self.rectangle_mode or self.finished:
            return None
        self._wanted = False
        self.rect = _square(self.x, self.y, self.half_size)
        return Request(self.index, self.rect, self.accurate)

    def answer(self, request: Request, landmarks: np.ndarray | None) -> None:
        """Take the landmarks found for a request; None keeps the ones shown."""
        if request.frame_index == self.index and landmarks is not None:
            self.landmarks = landmarks

    def mouse(self, kind: str, x: float, y: float) -> None:
        """A mouse event at (x, y) in frame pixels."""
        if kind in (WHEEL_UP, WHEEL_DOWN):
            self._wheel(1 if kind == WHEEL_UP else -1)
        elif kind == LEFT_DOWN:
            self._left_button(x, y)
        elif kind == RIGHT_DOWN:
            self.rectangle_mode = not self.rectangle_mode
            if self.rectangle_mode:
                self.locked = False
            else:
                self._wanted = True
        elif self.rectangle_mode:
            self._draw_rectangle(x, y)
        elif not self.locked and (x, y) != (self.x, self.y):
            self.x, self.y, self._wanted = x, y, True

    def key(self, character: str) -> None:
        """A key, as its lower-case character; Enter is ``"\\r"`` or ``"\\n"``."""
        if self.finished:
            return
        if character == ENTER:
            self._leave(keep=True, target=self.index + 1)
        elif character == " ":
            self._leave(keep=False, target=self.index + 1)
        elif character == ",":
            if self.index > 0:
                self._leave(keep=self.locked, target=self.index - 1, take_back=True)
        elif character == ".":
            self._leave(keep=self.locked, target=self.index + 1, take_back=True)
        elif character == "q":
            self._leave(keep=self.locked, target=self.frame_count)
        elif character == "h":
            self.help_shown = not self.help_shown
        elif character == "a":
            self.accurate = not self.accurate

    def skip_unreadable(self) -> None:
        """Go on from a frame that cannot be shown."""
        self._go_to(self.index + 1, take_back=False)

    def _wheel(self, direction):
        if self.locked or self.rectangle_mode:
            return
        step = 1 if self.half_size <= SMALL_HALF_SIZE else min(10.0, max(1.0, self.half_size / 10))
        self.half_size = max(LEAST_HALF_SIZE, self.half_size + direction * step)
        self._wanted = True

    def _left_button(self, x, y):
        if self.rectangle_mode:
            self.rectangle_mode = False
            self.x, self.y, self.locked = x, y, True
        else:
            self.locked = not self.locked
            self._wanted = True

    def _draw_rectangle(self, x, y):
        vector = np.array([x - self.x, y - self.y])
        length = float(np.hypot(*vector))
        if length < 1:
            return
        self.half_size = max(LEAST_HALF_SIZE, length)
        self.rect = _square(self.x, self.y, length)
        self.landmarks = landmarks_of_rectangle((self.x, self.y), vector)

    def _leave(self, keep, target, take_back=False):
        self.faces.pop(self.index, None)
        if keep and self.landmarks is not None and self.rect is not None:
            self.faces[self.index] = FoundFace(self.rect, self.landmarks)
        self.left_frames.append(self.index)
        self._go_to(target, take_back)

    def _go_to(self, target, take_back):
        self.locked, self.rectangle_mode, self.landmarks, self._wanted = False, False, None, True
        self.index = target
        if not take_back:
            while self.index in self.faces:
                self.index += 1
        elif self.index in self.faces:
            self._take_back(self.faces[self.index])

    def _take_back(self, face):
        left, top, right, bottom = face.rect
        self.rect, self.landmarks, self.locked, self._wanted = face.rect, face.landmarks, True, False
        self.x, self.y, self.half_size = (left + right) / 2, (top + bottom) / 2, (right - left) / 2


def _square(x, y, half_size):
    return (int(x - half_size), int(y - half_size), int(x + half_size), int(y + half_size))
