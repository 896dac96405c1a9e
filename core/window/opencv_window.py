"""A picture window made of OpenCV's, for systems on which Qt does not start. Plainer: no zoom, no places of keys."""

import sys
import time
from collections.abc import Collection

import cv2
import numpy as np

from core.window import keys
from core.window.display import has_display
from core.window.mouse import LEFT_DOWN, MOVE, RIGHT_DOWN, WHEEL_DOWN, WHEEL_UP, MouseEvent

_PROBE_TITLE = "Looking for a display"
_SHIFTED = {"?": "/", "<": ",", ">": ".", "+": "=", "_": "-", "~": "`"}
# Key symbols of X11 (keysymdef.h) that GTK reports for the number pad; Qt translates them itself.
_KEYPAD = {0xFF89: keys.TAB, 0xFF8D: keys.ENTER, **{0xFF80 + ord(sign): sign for sign in " *+,-./0123456789="}}
_SPECIAL = {
    0xFF51: keys.LEFT, 0x250000: keys.LEFT, 0xFF53: keys.RIGHT, 0x270000: keys.RIGHT, 0xFF55: keys.PAGE_UP,
    0x210000: keys.PAGE_UP, 0xFF56: keys.PAGE_DOWN, 0x220000: keys.PAGE_DOWN, 0xFF50: keys.HOME, 0x240000: keys.HOME,
    0xFF57: keys.END, 0x230000: keys.END, 0xFFFF: keys.DELETE, 0x2E0000: keys.DELETE,
    0x08: keys.BACKSPACE, 0x1A: keys.UNDO, 0xFF08: keys.BACKSPACE,
}  # fmt: skip


def works() -> bool:
    """Whether OpenCV can open a window here."""
    if sys.platform.startswith("linux") and not has_display():
        return False
    try:
        cv2.namedWindow(_PROBE_TITLE, cv2.WINDOW_AUTOSIZE)
        cv2.destroyWindow(_PROBE_TITLE)
        cv2.waitKey(1)  # windows disappear only when events are handled
        return True
    except cv2.error:
        return False


def key_of_code(code: int) -> keys.Key | None:
    """The key behind a code of OpenCV, or None for keys that mean nothing here.

    GTK puts the state of Shift, Ctrl, Alt and the locks into the upper 16 bits; Shift is seen from the character alone, as
    other backends have no such bits.
    """
    special = _SPECIAL.get(code) or _SPECIAL.get(code & 0xFFFF)
    if special:
        return keys.Key(special)
    symbol = code & 0xFFFF
    character = chr(symbol) if 0 < symbol < 256 else _KEYPAD.get(symbol, "")
    if "A" <= character <= "Z":
        return keys.Key(character.lower(), True)
    if character in _SHIFTED:
        return keys.Key(_SHIFTED[character], True)
    return keys.Key(keys.ENTER if character == "\n" else character) if character else None


class OpenCvWindow:
    """See :class:`core.window.picture_window.PictureWindow`."""

    def __init__(self, title: str, with_shift: Collection[str] = (), zooms: bool = False):
        self.keys: list[keys.Key] = []
        self.mouse: list[MouseEvent] = []
        self.typed = ""
        self.closed = False
        self._name, self._was_seen, self._wheel_counts = title, False, not zooms
        cv2.namedWindow(title, cv2.WINDOW_AUTOSIZE | cv2.WINDOW_GUI_NORMAL)
        cv2.setMouseCallback(title, self._on_mouse)

    def show(self, picture: np.ndarray, title: str | None = None) -> None:
        """Show a (H, W, 3) uint8 BGR picture."""
        if self.closed:
            return
        cv2.imshow(self._name, picture)
        if title is not None:
            cv2.setWindowTitle(self._name, title)

    def wait(self, seconds: float) -> None:
        """Handle what the system delivers, for ``seconds`` or until there is a key, a mouse event or the window's end."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            code = cv2.waitKeyEx(max(1, min(20, int(left * 1000))))
            while code > 0:
                key = key_of_code(code)
                if key is not None:
                    self.keys.append(key)
                if 32 <= code & 0xFFFF < 127:
                    self.typed += chr(code & 0xFFFF)
                code = cv2.pollKey()
            self.closed = self.closed or self._was_closed()
            if self.keys or self.mouse or self.closed or left <= 0:
                return

    def close(self) -> None:
        """Take the window off the screen."""
        try:
            cv2.destroyWindow(self._name)
        except cv2.error:
            return  # the user was faster
        cv2.waitKey(1)

    def _was_closed(self):
        """Whether the user has closed the window; one that a slow display has not shown yet is not closed."""
        try:
            is_visible = cv2.getWindowProperty(self._name, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            is_visible = False
        self._was_seen = self._was_seen or is_visible
        return self._was_seen and not is_visible

    def _on_mouse(self, event, x, y, flags, _):
        if event == cv2.EVENT_MOUSEMOVE:
            if self.mouse and self.mouse[-1].kind == MOVE:
                self.mouse.pop()
            kind = MOVE
        elif event == cv2.EVENT_MOUSEWHEEL and self._wheel_counts:
            kind = WHEEL_UP if flags > 0 else WHEEL_DOWN
        else:
            pressed = (cv2.EVENT_LBUTTONDOWN, cv2.EVENT_LBUTTONDBLCLK), (cv2.EVENT_RBUTTONDOWN, cv2.EVENT_RBUTTONDBLCLK)
            kind = LEFT_DOWN if event in pressed[0] else RIGHT_DOWN if event in pressed[1] else None
        if kind is not None:
            self.mouse.append(MouseEvent(kind, x, y))
