"""A window that shows a picture and collects keys and mouse events: what every maker of windows promises."""

from collections.abc import Collection
from typing import Protocol

import numpy as np

from core.errors import UserError
from core.window.keys import Key
from core.window.mouse import MouseEvent


class PictureWindow(Protocol):
    """A window with one picture in it.

    Attributes
    ----------
    keys : list of Key
        Pressed since the list was last emptied.
    mouse : list of MouseEvent
        Since the list was last emptied; of moves in a row only the last one.
    typed : str
        Characters as the layout types them, since it was last emptied.
    closed : bool
        Whether the user has closed the window.
    """

    keys: list[Key]
    mouse: list[MouseEvent]
    typed: str
    closed: bool

    def show(self, picture: np.ndarray, title: str | None = None) -> None:
        """Show a (H, W, 3) uint8 BGR picture, as large as it is or as the screen allows, under a new title if given."""

    def wait(self, seconds: float) -> None:
        """Handle what the system delivers, for ``seconds`` or until there is a key, a mouse event or the window's end."""

    def close(self) -> None:
        """Take the window off the screen."""


def window_problem() -> str | None:
    """Why no window can be opened here, or None."""
    return _choose()[1]


def open_window(title: str, with_shift: Collection[str] = (), zooms: bool = False) -> PictureWindow:
    """Open a window: Qt's, or OpenCV's where Qt does not start.

    Parameters
    ----------
    title : str
    with_shift : collection of str
        Signs that mean something of their own with Shift; see :func:`core.window.keys.resolve`.
    zooms : bool
        The mouse wheel enlarges the picture, a drag moves it, and F fills the screen. Without it F11 fills the screen, and
        the wheel gives mouse events.

    Raises
    ------
    UserError
        When neither can open a window.
    """
    kind, problem = _choose()
    if kind is None:
        raise UserError(f"No window can be opened: {problem}.")
    return kind(title, with_shift, zooms)


def _choose():
    """The class of the window and None, or None and why there is no window."""
    from core.window.display import display_problem

    problem = display_problem()
    if problem is None:
        from core.window.qt_window import QtWindow

        return QtWindow, None
    from core.window.opencv_window import OpenCvWindow, works

    return (OpenCvWindow, None) if works() else (None, problem)
