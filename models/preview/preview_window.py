"""The window ``Training preview`` and its keys."""

import os
import sys

import cv2

from core.keyboard import ENTER, translate_key
from models.preview import pages
from models.training.trainer import BACKUP, PREVIEW, SAVE, STOP, Trainer

TITLE = "Training preview"
_PROBE_TITLE = "Looking for a display"
TICK_MILLISECONDS = 100
HISTORY_RANGES = (0, 5000, 10000, 50000, 100000)


def can_open_window() -> bool:
    """Whether there is a display and an OpenCV that can draw on it."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        cv2.namedWindow(_PROBE_TITLE, cv2.WINDOW_AUTOSIZE)
        cv2.destroyWindow(_PROBE_TITLE)
        cv2.waitKey(1)  # Windows disappear only when events are handled.
        return True
    except cv2.error:
        return False


def open_window(title: str) -> None:
    """Make a window without a tool bar; nothing happens when it is there."""
    cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)


class OpenWindow:
    """Knows whether the user has closed a window; one that a slow display has not shown yet is not closed."""

    def __init__(self, title: str):
        self._title = title
        self._was_seen = False

    def was_closed(self) -> bool:
        try:
            is_visible = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            is_visible = False
        self._was_seen = self._was_seen or is_visible
        return self._was_seen and not is_visible


class PreviewWindow:
    """Shows previews and passes keys on; runs on the main thread until the trainer has finished.

    Parameters
    ----------
    trainer : Trainer
    """

    def __init__(self, trainer: Trainer):
        self.trainer = trainer
        self.page, self.history_range = 0, 0
        self._shown = None
        self._window = OpenWindow(TITLE)
        self._is_open = False
        self._stopping = False

    def run(self) -> None:
        """Handle keys until the trainer has finished."""
        while not self.trainer.finished.is_set():
            self._draw_if_new()
            if not self._is_open:
                self.trainer.finished.wait(TICK_MILLISECONDS / 1000)
                continue
            key = cv2.waitKeyEx(TICK_MILLISECONDS)
            last = key
            while key != -1:
                last, key = key, cv2.waitKeyEx(1)
            if last != -1:
                self.handle(last)
            elif self._window.was_closed():
                self._stop()
        if self._is_open:
            cv2.destroyAllWindows()

    def handle(self, key: int) -> None:
        """Do what a key asks for; Shift makes no difference."""
        character, _ = translate_key(key)
        if character == ENTER:
            self._stop()
        elif character == "s":
            self.trainer.send(SAVE)
        elif character == "b":
            self.trainer.send(BACKUP)
        elif character == "p":
            self.trainer.send(PREVIEW)
        elif character == " ":
            self.page += 1
            self._shown = None
        elif character == "l":
            self.history_range = (self.history_range + 1) % len(HISTORY_RANGES)
            self._shown = None

    def picture(self):
        """What is to be seen now, uint8 BGR, or None before the first preview."""
        state = self.trainer.previewer.state
        if state is None:
            return None
        shown = HISTORY_RANGES[self.history_range]
        history = state.history[-shown:] if shown else state.history
        return pages.window_picture(state.pages, self.page % len(state.pages), history, state.iteration)

    def _draw_if_new(self):
        state = self.trainer.previewer.state
        if state is None or state is self._shown:
            return
        open_window(TITLE)
        cv2.imshow(TITLE, self.picture())
        self._shown, self._is_open = state, True

    def _stop(self):
        if not self._stopping:
            self._stopping = True
            self.trainer.send(STOP)
