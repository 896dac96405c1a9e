"""The window ``Training preview`` and its keys."""

from collections.abc import Callable
from typing import Any

from core.console import interact
from core.console.process import end_with
from core.window.display import when_display_is_lost
from core.window.keys import ENTER, Key
from core.window.picture_window import PictureWindow, open_window
from models.preview import pages
from models.training.trainer import BACKUP, PREVIEW, SAVE, Trainer

TITLE = "Training preview"
TICK_SECONDS = 0.1
HISTORY_RANGES = (0, 5000, 10000, 50000, 100000)
_COMMANDS = {"s": SAVE, "b": BACKUP, "p": PREVIEW}


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
        self._window: PictureWindow | None = None
        self._stopping = False

    def run(self, tick: Callable[[], None] = lambda: None) -> None:
        """Handle keys until the trainer has finished; ``tick`` is called now and then.

        A display that goes away does not end the training.
        """
        when_display_is_lost(self._go_on_without_display)
        try:
            while not self.trainer.finished.is_set():
                tick()
                self._draw_if_new()
                if self._window is None:
                    self.trainer.finished.wait(TICK_SECONDS)
                else:
                    self._handle_input()
            if self._window is not None:
                self._window.close()
        finally:
            when_display_is_lost(None)

    def handle(self, key: Key) -> None:
        """Do what a key asks for; Shift makes no difference."""
        if key.character == ENTER:
            self._stop()
        elif key.character in _COMMANDS:
            self.trainer.send(_COMMANDS[key.character])
        elif key.character == " ":
            self.page += 1
            self._shown = None
        elif key.character == "l":
            self.history_range = (self.history_range + 1) % len(HISTORY_RANGES)
            self._shown = None

    def picture(self) -> Any:
        """What is to be seen now, uint8 BGR, or None before the first preview."""
        state = self.trainer.previewer.state
        if state is None:
            return None
        shown = HISTORY_RANGES[self.history_range]
        history = state.history[-shown:] if shown else state.history
        page = self.page % len(state.pages)
        return pages.window_picture(state.pages, page, history, state.iteration, held_out=state.held_out)

    def _handle_input(self):
        self._window.wait(TICK_SECONDS)
        pressed = list(self._window.keys)
        self._window.keys.clear()
        self._window.mouse.clear()
        for key in pressed:
            self.handle(key)
        if self._window.closed:
            self._stop()
            self._window = None

    def _draw_if_new(self):
        state = self.trainer.previewer.state
        if self._stopping or state is None or state is self._shown:
            return
        if self._window is None:
            self._window = open_window(TITLE, zooms=True)
        self._window.show(self.picture())
        self._shown = state

    def _stop(self):
        if self._stopping:
            return
        self._stopping = True
        self.trainer.stop()
        if self._window is not None and not self._window.closed and self._shown is not None:
            self._window.show(self.picture(), f"{TITLE} - saving after this iteration")

    def _go_on_without_display(self):
        """Called by the window system, which ends the program afterwards: train to the end first."""
        interact.warning("Training goes on without its window. Ctrl+C saves and ends it.")
        self.trainer.finished.wait()
        if self.trainer.failure is not None:
            interact.error(str(self.trainer.failure))
        end_with(0 if self.trainer.failure is None else 1)
