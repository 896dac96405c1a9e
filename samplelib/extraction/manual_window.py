"""The window ``Manual pass``: shows frames, takes keys and mouse, has landmarks found in the background."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from core.console import interact
from core.errors import UserError
from core.files.imageio import read_bgr
from core.window.picture_window import open_window, window_problem
from facelib.alignment import affine_from_points, transform_points
from facelib.drawing import BLUE, CYAN, GREEN, draw_rect_landmarks
from facelib.face_finder import FaceFinder, FoundFace
from samplelib.extraction.manual_marking import SMALL_HALF_SIZE, ManualMarking
from samplelib.extraction.pipeline import ExtractSettings, even_sized

TITLE = "Manual pass"
TICK_SECONDS = 0.015
HELP_LINES = (
    "[L Mouse click] - lock/unlock selection. [Mouse wheel] - change rect",
    "[R Mouse Click] - manual face rectangle",
    "[Enter] / [Space] - confirm / skip frame",
    "[,] [.]- prev frame, next frame. [Q] - skip remaining frames",
    "[a] - accuracy on/off (more fps)",
    "[h] - hide this help",
)
_HELP_HEIGHT = 100
_FRAMES_KEPT = 8


def mark_faces(
    paths: list[Path],
    finder: FaceFinder,
    settings: ExtractSettings,
    window_size: int,
    save: Callable[[Path, np.ndarray | None, FoundFace | None, str | None], None],
) -> int:
    """Show frames one after the other until the user has marked a face in each, or wants no more.

    Parameters
    ----------
    paths : list of Path
    finder : FaceFinder
        Finds landmarks in the rectangle that the user points at.
    settings : ExtractSettings
        For the crop that is drawn.
    window_size : int
        The view's height is 9/16 of it; 0 = as large as the frame.
    save : callable
        Called with path, frame, face or None, and the reason if the frame could not be read, each time the user leaves
        a frame. May be called again for the same frame, with another face.

    Returns
    -------
    int
        Number of frames that were left, each counted once.

    Raises
    ------
    UserError
        When no window can be opened.
    """
    problem = window_problem()
    if problem:
        raise UserError(f"Faces cannot be marked by hand: {problem}. Use --detector s3fd, or run it with a screen.")
    return _Window(paths, finder, settings, window_size, save).run()


class _Window:
    """The window, the marking that it shows, and the landmarks being found in the background."""

    def __init__(self, paths, finder, settings, window_size, save):
        self._paths, self._finder, self._settings = paths, finder, settings
        self._window_size, self._save = window_size, save
        self._marking = ManualMarking(len(paths))
        self._window = open_window(TITLE)
        self._frames = OrderedDict()
        self._pending, self._drawn = None, None
        self._saved = set()

    def run(self):
        with ThreadPoolExecutor(1) as worker, interact.progress(len(self._paths), "Marking") as bar:
            try:
                while not self._marking.finished:
                    self._tick(worker)
                    bar.update(min(self._marking.index, len(self._paths)) - bar.count)
            finally:
                self._window.close()
        return len(self._saved)

    def _tick(self, worker):
        frame = self._frame(self._marking.index)
        if isinstance(frame, UserError):
            self._leave_unreadable(frame)
            return
        scale = self._window_size * 9 / 16 / frame.shape[0] if self._window_size > 0 else 1.0
        self._draw(frame, scale)
        self._window.wait(TICK_SECONDS)
        if self._pending is not None:
            request, future = self._pending
            if not future.done():
                return
            self._marking.answer(request, future.result())
            self._pending = None
        self._handle_input(frame, scale)
        self._save_left_frames()
        request = self._marking.request()
        if request is not None:
            image = self._frame(request.frame_index)
            if not isinstance(image, UserError):
                future = worker.submit(self._finder.align_rect, image, request.rect, request.accurate)
                self._pending = (request, future)

    def _handle_input(self, frame, scale):
        """Apply the queued mouse events, then the last key; closing the window is the key q."""
        height, width = frame.shape[:2]
        for kind, x, y in self._window.mouse:
            x = min(max(x, 0), width * scale - 1) / scale
            y = min(max(y, 0), height * scale - 1) / scale
            self._marking.mouse(kind, x, y)
        pressed = ["q"] if self._window.closed else [key.character for key in self._window.keys]
        self._window.mouse.clear()
        self._window.keys.clear()
        for character in pressed[-1:]:
            self._marking.key(character)

    def _save_left_frames(self):
        for index in self._marking.left_frames:
            self._saved.add(index)
            self._save(self._paths[index], self._frame(index), self._marking.faces.get(index), None)
        self._marking.left_frames.clear()

    def _leave_unreadable(self, error):
        index = self._marking.index
        if index not in self._saved:
            self._saved.add(index)
            self._save(self._paths[index], None, None, str(error))
        self._marking.skip_unreadable()

    def _frame(self, index):
        """The picture of a frame, or the error that reading it gave; the last few are kept."""
        if index not in self._frames:
            try:
                self._frames[index] = even_sized(read_bgr(self._paths[index]))
            except UserError as error:
                self._frames[index] = error
            while len(self._frames) > _FRAMES_KEPT:
                self._frames.popitem(last=False)
        return self._frames[index]

    def _draw(self, frame, scale):
        marking = self._marking
        state = (
            marking.index,
            marking.rect,
            id(marking.landmarks),
            marking.locked,
            marking.help_shown,
            marking.half_size,
        )
        if state != self._drawn:
            self._drawn = state
            self._window.show(draw_view(frame, marking, self._settings, scale))


def draw_view(frame: np.ndarray, marking: ManualMarking, settings: ExtractSettings, scale: float) -> np.ndarray:
    """The picture in the window, uint8 BGR: frame, help, rectangle, landmarks (cyan when locked) and crop.

    A small rectangle is shown enlarged, with all that is drawn in it.
    """
    height, width = (max(1, round(side * scale)) for side in frame.shape[:2])
    view = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    to_view = np.array([[scale, 0, 0], [0, scale, 0]])
    if marking.half_size <= SMALL_HALF_SIZE:
        zoom = _zoom(marking, scale, width, height)
        view = cv2.warpAffine(view, zoom, (width, height))
        to_view = zoom @ np.vstack([to_view, [0, 0, 1]])
    if marking.help_shown:
        view = cv2.add(view, _help_picture(height, width))
    if marking.rect is None:
        return view
    corners = transform_points(np.array(marking.rect, np.float64).reshape(2, 2), to_view)
    rect = tuple(int(value) for value in corners.flat)
    if marking.landmarks is None:
        cv2.rectangle(view, rect[:2], rect[2:], BLUE, 2)
        return view
    landmarks = transform_points(marking.landmarks, to_view)
    color = CYAN if marking.locked else GREEN
    draw_rect_landmarks(view, rect, landmarks, settings.face_type, settings.image_size, landmarks_color=color)
    return view


def _zoom(marking, scale, width, height):
    """Matrix that maps the rectangle in the view to a square of half the view's shorter side in its middle."""
    x, y, half = marking.x * scale, marking.y * scale, marking.half_size * scale
    source = np.array([[x - half, y - half], [x + half, y - half], [x + half, y + half]])
    middle, reach = np.array([width, height]) / 2, min(width, height) / 4
    target = middle + reach * np.array([[-1, -1], [1, -1], [1, 1]])
    return affine_from_points(source, target)


def _help_picture(height, width):
    picture = np.zeros((height, width, 3), np.uint8)
    line_height = min(_HELP_HEIGHT, height) / len(HELP_LINES)
    for number, line in enumerate(HELP_LINES):
        place = (4, int((number + 0.75) * line_height))
        cv2.putText(picture, line, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return picture
