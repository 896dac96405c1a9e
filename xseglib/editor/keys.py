"""Which key of the editor was pressed, on any keyboard layout."""

import sys
from typing import Any

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QKeyEvent

from core.window.keys import key_at_place

_LOGICAL = {
    Qt.Key_A: "A", Qt.Key_D: "D", Qt.Key_X: "X", Qt.Key_Q: "Q", Qt.Key_W: "W", Qt.Key_Z: "Z", Qt.Key_G: "G",
    Qt.Key_1: "1", Qt.Key_2: "2", Qt.Key_3: "3", Qt.Key_4: "4", Qt.Key_5: "5",
    Qt.Key_QuoteLeft: "`", Qt.Key_AsciiTilde: "`",
    Qt.Key_Left: "A", Qt.Key_Right: "D", Qt.Key_Delete: "Delete",
}  # fmt: skip

_PLACES = set("adxqwzg12345`")
_ASCII = 0x7F


def key_name(event: QKeyEvent) -> str | None:
    """Name of the key by what it types, else by its place: ``"A"``, ``"`"``, ``"Delete"`` …; None for other keys.

    The place decides for letters of other scripts, and in the row of digits where a layout has other characters.
    """
    name = _LOGICAL.get(Qt.Key(event.key()))
    if name is not None:
        return name
    place = key_at_place(event.nativeScanCode(), event.nativeVirtualKey(), sys.platform)
    if place not in _PLACES or (place.isalpha() and event.key() <= _ASCII):
        return None
    return place.upper()


def held_modifiers(event: QKeyEvent, pressed: bool) -> frozenset:
    """Modifier keys that are down after this key event: a set of ``"shift"``, ``"ctrl"``, ``"alt"``, ``"meta"``."""
    held = set(modifier_names(event.modifiers()))
    own = {Qt.Key_Shift: "shift", Qt.Key_Control: "ctrl", Qt.Key_Alt: "alt", Qt.Key_Meta: "meta"}.get(
        Qt.Key(event.key())
    )
    if own is not None:
        (held.add if pressed else held.discard)(own)
    return frozenset(held)


def modifier_names(modifiers: Any) -> frozenset:
    """Qt's modifier flags as a set of names."""
    flags = {
        "shift": Qt.ShiftModifier,
        "ctrl": Qt.ControlModifier,
        "alt": Qt.AltModifier,
        "meta": Qt.MetaModifier,
    }
    return frozenset(name for name, flag in flags.items() if modifiers & flag)
