"""Windows in which samples are looked through: the choice of the history sample, and the debug view."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from core.console import interact
from core.files.imageio import write_image
from core.keyboard import ENTER, translate_key
from models.preview import pages as preview
from models.preview.preview_window import OpenWindow, open_window

CHOICE_TITLE = "[p] - next. [space] - switch preview type. [enter] - confirm."
DEBUG_PAGE = "debug, press update for new"
_TICK_MILLISECONDS = 100


def choose_sample(previewer) -> None:
    """Let the user choose the sample of the history pictures: p draws another, Space shows the next page, Enter takes it.

    Closing the window takes it as well.
    """
    number, page = 0, 0
    sample = previewer.draw_sample(number)
    pages = previewer.pages(sample, 0)
    interact.info("Choose the image for the preview history in the window.")
    while True:
        key = _show(CHOICE_TITLE, preview.window_picture(pages, page % len(pages), [], 0, with_keys=False))
        if key == ENTER:
            break
        if key == " ":
            page += 1
        elif key == "p":
            number += 1
            sample = previewer.draw_sample(number)
            pages = previewer.pages(sample, 0)
    cv2.destroyAllWindows()
    previewer.set_sample(sample)


def show_samples(make: Callable[[int], dict[str, np.ndarray]], path: Path, has_window: bool) -> None:
    """The debug view: every output of the sample generators side by side; p draws new ones, Enter ends.

    Parameters
    ----------
    make : callable
        Takes a number, returns a batch.
    path : Path
        Where the picture is written when there is no window.
    has_window : bool
    """
    number = 0
    while True:
        picture = preview.window_picture([(DEBUG_PAGE, all_outputs(make(number)))], 0, [], 0)
        if not has_window:
            write_image(path, picture)
            interact.info(f"Samples written to {path}.")
            return
        key = ""
        while key not in (ENTER, "p"):
            key = _show("Training preview", picture)
        if key == ENTER:
            cv2.destroyAllWindows()
            return
        number += 1


def all_outputs(batch: dict[str, np.ndarray]) -> np.ndarray:
    """One picture with a row per sample and a column per output, float32."""
    columns = [np.repeat(array, 3, axis=3) if array.shape[3] == 1 else array for array in batch.values()]
    rows = [np.concatenate([column[row] for column in columns], axis=1) for row in range(len(columns[0]))]
    return np.concatenate(rows, axis=0).astype(np.float32) / np.float32(255.0)


def _show(title, picture):
    """Show a picture until a key is pressed; returns ``ENTER`` (also when the window is closed) or the character."""
    open_window(title)
    cv2.imshow(title, picture)
    window = OpenWindow(title)
    while True:
        key = cv2.waitKeyEx(_TICK_MILLISECONDS)
        if key != -1:
            return translate_key(key)[0]
        if window.was_closed():
            return ENTER
