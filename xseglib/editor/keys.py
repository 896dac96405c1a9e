"""Which key of the editor was pressed, on any keyboard layout."""

import sys

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QKeyEvent

_LOGICAL = {
    Qt.Key_A: "A", Qt.Key_D: "D", Qt.Key_X: "X", Qt.Key_Q: "Q", Qt.Key_W: "W", Qt.Key_Z: "Z", Qt.Key_G: "G",
    Qt.Key_1: "1", Qt.Key_2: "2", Qt.Key_3: "3", Qt.Key_4: "4", Qt.Key_5: "5",
    Qt.Key_QuoteLeft: "`", Qt.Key_AsciiTilde: "`",
    Qt.Key_Left: "A", Qt.Key_Right: "D", Qt.Key_Delete: "Delete",
}  # fmt: skip

# Places of the keys on the keyboard. Windows reports scan codes of set 1, X11 the same plus 8, macOS its own.
_SET_1 = {
    0x1E: "A", 0x20: "D", 0x2D: "X", 0x10: "Q", 0x11: "W", 0x2C: "Z", 0x22: "G",
    0x02: "1", 0x03: "2", 0x04: "3", 0x05: "4", 0x06: "5", 0x29: "`",
}  # fmt: skip
_MACOS = {
    0x00: "A", 0x02: "D", 0x07: "X", 0x0C: "Q", 0x0D: "W", 0x06: "Z", 0x05: "G",
    0x12: "1", 0x13: "2", 0x14: "3", 0x15: "4", 0x17: "5", 0x32: "`",
}  # fmt: skip

_ASCII = 0x7F


def key_name(event: QKeyEvent) -> str | None:
    """Name of the key by what it types, else by its place: ``"A"``, ``"`"``, ``"Delete"`` …; None for other keys.

    The place decides for letters of other scripts, and in the row of digits where a layout has other characters.
    """
    name = _LOGICAL.get(event.key())
    if name is not None:
        return name
    name = name_of_place(event.nativeScanCode(), event.nativeVirtualKey(), sys.platform)
    if name is None or (name.isalpha() and event.key() <= _ASCII):
        return None
    return name


def name_of_place(scan_code: int, virtual_key: int, platform: str) -> str | None:
    """Name of the key at a place of the keyboard, as a US layout has it."""
    if platform == "darwin":
        return _MACOS.get(virtual_key) if scan_code else None
    return _SET_1.get(scan_code if platform == "win32" else scan_code - 8)


def held_modifiers(event: QKeyEvent, pressed: bool) -> frozenset:
    """Modifier keys that are down after this key event: a set of ``"shift"``, ``"ctrl"``, ``"alt"``, ``"meta"``."""
    held = set(modifier_names(event.modifiers()))
    own = {Qt.Key_Shift: "shift", Qt.Key_Control: "ctrl", Qt.Key_Alt: "alt", Qt.Key_Meta: "meta"}.get(event.key())
    if own is not None:
        (held.add if pressed else held.discard)(own)
    return frozenset(held)


def modifier_names(modifiers) -> frozenset:
    """Qt's modifier flags as a set of names."""
    flags = {
        "shift": Qt.ShiftModifier,
        "ctrl": Qt.ControlModifier,
        "alt": Qt.AltModifier,
        "meta": Qt.MetaModifier,
    }
    return frozenset(name for name, flag in flags.items() if modifiers & flag)
