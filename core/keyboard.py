"""Keys of OpenCV windows: one form for all backends, with Shift for letters also where OpenCV drops it."""

import ctypes
import ctypes.util
import sys
import time

ESCAPE, TAB, ENTER = "\x1b", "\t", "\r"

_SHIFTED = {"?": "/", "<": ",", ">": ".", "+": "=", "_": "-", "~": "`"}
_SHIFT_KEYS = (0xFFE1, 0xFFE2)
# Key symbols of X11 (keysymdef.h) that GTK reports for the number pad; Qt translates them itself.
_KEYPAD = {0xFF89: TAB, 0xFF8D: ENTER, **{0xFF80 + ord(character): character for character in " *+,-./0123456789="}}
_SHIFT_MASK, _LOCK_MASK = 1, 2
_SHIFT_SECONDS = 0.2
_IDLE_POLLS = 3


def translate_key(code: int) -> tuple[str, bool]:
    """Character and Shift of a key code: letters in lower case, shifted signs as the key they share.

    Codes of keys without a character (arrows, Shift, ``-1`` for no key) give ``("", False)``. Both Enter keys give
    ``ENTER``. GTK puts the state of Shift, Ctrl, Alt and the locks into the upper 16 bits; Shift is seen from the
    character alone, as other backends have no such bits.
    """
    symbol = code & 0xFFFF
    character = chr(symbol) if 0 < symbol < 256 else _KEYPAD.get(symbol, "")
    if "A" <= character <= "Z":
        return character.lower(), True
    if character in _SHIFTED:
        return _SHIFTED[character], True
    return (ENTER if character == "\n" else character), False


class KeyReader:
    """Reads keys of OpenCV's windows.

    OpenCV built with Qt, as its Linux packages are, reports letters always in lower case, and Shift as a key of its own
    without its release. A letter counts as shifted when Shift was pressed just before it, or is held down now. On a
    busy machine both may be read long after they were pressed: then Shift counts until no key has come while it was up.
    """

    def __init__(self):
        self._shift_at = float("-inf")
        self._shift_waits, self._idle_polls = False, 0
        self._modifiers = _x11_modifiers()

    def poll(self, milliseconds: int) -> tuple[str, bool] | None:
        """The last key pressed within the time as (character, shift), or None."""
        import cv2

        last = None
        # Asked before the wait: a letter pressed while Shift was down is then in the queue that is read now.
        is_up = self._shift_waits and not self._modifiers() & _SHIFT_MASK
        code = cv2.waitKeyEx(max(1, milliseconds))
        if code <= 0 and is_up:
            self._note_idle()
        while code > 0:
            last = self.take(code) or last
            code = cv2.pollKey()
        return last

    def take(self, code: int, now: float | None = None) -> tuple[str, bool] | None:
        """Translate a key code of OpenCV; None for keys without a character."""
        now = time.monotonic() if now is None else now
        if code & 0xFFFF in _SHIFT_KEYS:
            self._shift_at = now
            self._shift_waits, self._idle_polls = True, 0
            return None
        character, shift = translate_key(code)
        if not character:
            return None
        if "a" <= character <= "z" and not shift:
            shift = self._is_shifted(now)
        self._shift_at, self._shift_waits = float("-inf"), False
        return character, shift

    def _note_idle(self):
        """No key came while Shift was up; several times, because the window's queue may lag behind the X server."""
        self._idle_polls += 1
        if self._idle_polls >= _IDLE_POLLS:
            self._shift_waits = False

    def _is_shifted(self, now):
        if self._shift_waits or now - self._shift_at < _SHIFT_SECONDS:
            return True
        held = self._modifiers()
        return bool(held & _SHIFT_MASK) != bool(held & _LOCK_MASK)


def _x11_modifiers():
    """A function that gives the modifier keys held down in the X server, 0 where there is none."""
    if not sys.platform.startswith("linux"):
        return lambda: 0
    try:
        library = ctypes.CDLL(ctypes.util.find_library("X11") or "libX11.so.6")
        library.XOpenDisplay.restype = ctypes.c_void_p
        library.XDefaultRootWindow.argtypes = [ctypes.c_void_p]
        library.XDefaultRootWindow.restype = ctypes.c_ulong
        library.XQueryPointer.argtypes = [ctypes.c_void_p, ctypes.c_ulong, *[ctypes.c_void_p] * 7]
        display = library.XOpenDisplay(None)
    except (OSError, AttributeError):
        return lambda: 0
    if not display:
        return lambda: 0
    root = library.XDefaultRootWindow(display)

    def modifiers():
        windows = [ctypes.c_ulong(), ctypes.c_ulong()]
        places = [ctypes.c_int() for _ in range(4)]
        mask = ctypes.c_uint()
        library.XQueryPointer(display, root, *map(ctypes.byref, (*windows, *places, mask)))
        return mask.value

    return modifiers
