"""Keys of a window in one form on every keyboard layout: by what they type, and by their place on a US keyboard."""

from collections.abc import Collection
from typing import NamedTuple

ESCAPE, TAB, ENTER = "\x1b", "\t", "\r"
LEFT, RIGHT, PAGE_UP, PAGE_DOWN, HOME, END = "left", "right", "page up", "page down", "home", "end"
DELETE, BACKSPACE, UNDO = "delete", "backspace", "undo"

# Rows of a US keyboard as scan codes of set 1 number them from left to right. X11 reports the same codes plus 8.
_ROWS = {0x02: "1234567890-=", 0x10: "qwertyuiop[]", 0x1E: "asdfghjkl;'`", 0x2B: "\\zxcvbnm,./", 0x39: " "}
_SET_1 = {first + index: character for first, row in _ROWS.items() for index, character in enumerate(row)}
_X11_OFFSET = 8
# macOS numbers its keys by the places of an ANSI keyboard.
_MACOS = dict(
    zip(
        (*range(0x00, 0x0A), *range(0x0B, 0x24), *range(0x25, 0x30), 0x31, 0x32),
        "asdfghzxcv" + "bqweryt123465=97-80]ou[ip" + "lj'k;\\,/nm." + " `",
    )
)

_BASE_SIGNS = set("`1234567890-=[]\\;',./ ")
# Signs that the windows name as such. `<` and `>` are on a key of their own on European keyboards.
_NAMED_SIGNS = {"+": ("=", True), "<": (",", True), ">": (".", True), "(": ("(", False), "*": ("*", False)}


class Key(NamedTuple):
    """A key that was pressed.

    Attributes
    ----------
    character : str
        What the key types without Shift on a US keyboard, letters in lower case; ``ESCAPE``, ``TAB``, ``ENTER``, or the
        name of a key that types nothing (``LEFT`` …).
    shift : bool
    """

    character: str
    shift: bool = False


def key_at_place(scan_code: int, virtual_key: int, platform: str) -> str | None:
    """What the key at this place types on a US keyboard, or None.

    Parameters
    ----------
    scan_code, virtual_key : int
        As Qt's key events report them (``nativeScanCode``, ``nativeVirtualKey``).
    platform : str
        ``sys.platform``.
    """
    if platform == "darwin":
        return _MACOS.get(virtual_key)
    return _SET_1.get(scan_code if platform == "win32" else scan_code - _X11_OFFSET)


def resolve(typed: str, shift: bool, place: str | None, with_shift: Collection[str] = ()) -> Key | None:
    """Which key is meant.

    A Latin letter counts as what it is. So does a sign, wherever a layout has it. Any other character counts by the place
    of its key: letters of other scripts, accented letters, dead keys, and the signs that a layout has in the row of digits.
    With Shift the place comes first for the signs that mean something of their own with it, since the sign typed is then
    another one on most layouts (``Shift + .`` types ``:`` in half of Europe).

    Parameters
    ----------
    typed : str
        The text of the key event; empty for dead keys.
    shift : bool
        Whether Shift is held.
    place : str or None
        See :func:`key_at_place`.
    with_shift : collection of str
        Signs that have a meaning of their own with Shift.

    Returns
    -------
    Key or None
        None when nothing of the kind is meant.
    """
    if len(typed) == 1 and typed.isascii() and typed.isalpha():
        return Key(typed.lower(), typed.isupper())
    if typed.isalpha() or not typed:
        shifted = typed.isupper() if typed.lower() != typed.upper() else shift
        return None if place is None else Key(place, shifted)
    place = None if place is None or place.isalpha() else place
    sign = Key(typed, False) if typed in _BASE_SIGNS else Key(*_NAMED_SIGNS[typed]) if typed in _NAMED_SIGNS else None
    if shift:
        return Key(place, True) if place is not None and place in with_shift else sign
    return sign or (None if place is None else Key(place, False))
