"""Windows in which samples are looked through: the choice of the history sample, and the debug view."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.console import interact
from core.files.imageio import write_image
from core.window.keys import ENTER
from core.window.picture_window import PictureWindow, open_window
from models.preview import pages as preview

CHOICE_TITLE = "[p] - next. [space] - switch preview type. [enter] - confirm."
DEBUG_TITLE = "Training preview"
DEBUG_PAGE = "debug, press update for new"
CHOICE_KEYS, DEBUG_KEYS = ("[p]:next [space]:next preview [enter]:take it",), ("[p]:update [enter]:exit",)
_TICK_SECONDS = 0.1


def choose_sample(previewer: Any) -> None:
    """Let the user choose the sample of the history pictures: p draws another, Space shows the next page, Enter takes it.

    Closing the window takes it as well.
    """
    number, page = 0, 0
    sample = previewer.draw_sample(number)
    pages = previewer.pages(sample, 0)
    interact.info("Choose the image for the preview history in the window.")
    window = open_window(CHOICE_TITLE, zooms=True)
    while True:
        key = _key_in(window, preview.window_picture(pages, page % len(pages), [], 0, CHOICE_KEYS))
        if key == ENTER:
            break
        if key == " ":
            page += 1
        elif key == "p":
            number += 1
            sample = previewer.draw_sample(number)
            pages = previewer.pages(sample, 0)
    window.close()
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
    number, window = 0, open_window(DEBUG_TITLE, zooms=True) if has_window else None
    while True:
        picture = preview.window_picture([(DEBUG_PAGE, all_outputs(make(number)))], 0, [], 0, DEBUG_KEYS)
        if window is None:
            write_image(path, picture)
            interact.info(f"Samples written to {path}.")
            return
        key = ""
        while key not in (ENTER, "p"):
            key = _key_in(window, picture)
        if key == ENTER:
            window.close()
            return
        number += 1


def all_outputs(batch: dict[str, np.ndarray]) -> np.ndarray:
    """One picture with a row per sample and a column per output, float32."""
    columns = [np.repeat(array, 3, axis=3) if array.shape[3] == 1 else array for array in batch.values()]
    rows = [np.concatenate([column[row] for column in columns], axis=1) for row in range(len(columns[0]))]
    return np.concatenate(rows, axis=0).astype(np.float32) / np.float32(255.0)


def _key_in(window: PictureWindow, picture: np.ndarray) -> str:
    """Show a picture until a key is pressed; returns its character, ``ENTER`` also when the window is closed."""
    window.show(picture)
    while not window.keys and not window.closed:
        window.wait(_TICK_SECONDS)
        window.mouse.clear()
    return ENTER if window.closed else window.keys.pop(0).character
