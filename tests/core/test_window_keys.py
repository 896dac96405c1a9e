"""Keys of the windows: one form on every keyboard layout."""

import pytest

from core.window.keys import key_at_place, resolve
from core.window.opencv_window import key_of_code

WITH_SHIFT = frozenset(",./0;")


@pytest.mark.parametrize(
    ("typed", "shift", "place", "key"),
    [
        # US
        ("w", False, "w", ("w", False)), ("W", True, "w", ("w", True)), (">", True, ".", (".", True)),
        ("?", True, "/", ("/", True)), ("+", True, "=", ("=", True)), (")", True, "0", ("0", True)),
        ("(", True, "9", ("(", False)), (":", True, ";", (";", True)), (" ", False, " ", (" ", False)),
        # German, Italian, Spanish: Shift + . is a colon, / is on 7, - stands where / is on a US keyboard
        (":", True, ".", (".", True)), (";", True, ",", (",", True)), ("/", True, "7", ("/", False)),
        ("-", False, "/", ("-", False)), ("_", True, "/", ("/", True)), ("", False, "`", ("`", False)),
        ("ü", False, "[", ("[", False)), ("z", False, "y", ("z", False)), ("<", False, None, (",", True)),
        # French: digits need Shift, . and / do too
        ("&", False, "1", ("1", False)), ("1", True, "1", ("1", False)), ("é", False, "2", ("2", False)),
        (":", False, ".", (".", False)), ("/", True, ".", (".", True)), ("a", False, "q", ("a", False)),
        (",", False, "m", (",", False)),
        # Czech: letters with accents in the row of digits
        ("+", False, "1", ("=", True)), ("ě", False, "2", ("2", False)), ("2", True, "2", ("2", False)),
        (")", False, "]", ("]", False)), ("ů", False, ";", (";", False)),
        # Russian: letters by their place
        ("ц", False, "w", ("w", False)), ("Ц", True, "w", ("w", True)), ("ю", False, ".", (".", False)),
        ("Ю", True, ".", (".", True)), ("ё", False, "`", ("`", False)),
        # A script without capitals
        ("ض", False, "q", ("q", False)), ("ض", True, "q", ("q", True)),
    ],
)  # fmt: skip
def test_keys_by_sign_and_by_place(typed, shift, place, key):
    assert resolve(typed, shift, place, WITH_SHIFT) == key


@pytest.mark.parametrize(
    ("typed", "shift", "place"), [("?", True, "m"), ("!", True, "1"), ("§", False, None), ("", False, None)]
)
def test_signs_that_mean_nothing_are_no_key(typed, shift, place):
    assert resolve(typed, shift, place, WITH_SHIFT) is None


def test_places_of_all_systems():
    assert key_at_place(0x1E, 0, "win32") == "a" and key_at_place(0x1E + 8, 0, "linux") == "a"
    assert key_at_place(1, 0x02, "darwin") == "d" and key_at_place(1, 0x2F, "darwin") == "."
    assert key_at_place(60, 0, "linux") == "." and key_at_place(49, 0, "linux") == "`"
    assert key_at_place(0x4E, 0, "win32") is None  # the plus of the number pad


@pytest.mark.parametrize("state", [0, 0x10, 0x12, 0x14, 0x2000])
@pytest.mark.parametrize(
    ("code", "key"),
    [(ord("W"), ("w", True)), (ord("w"), ("w", False)), (ord("?"), ("/", True)), (ord("+"), ("=", True)),
     (9, ("\t", False)), (10, ("\r", False)), (13, ("\r", False)), (0xFF8D, ("\r", False)), (0xFFAB, ("=", True)),
     (0xFFAE, (".", False)), (0xFF53, ("right", False)), (0xFFE1, None), (0xFFBE, None)],
)  # fmt: skip
def test_codes_of_opencv(code, key, state):
    assert key_of_code(state << 16 | code) == key


def test_arrows_of_windows_and_codes_without_a_key():
    assert key_of_code(0x250000) == ("left", False) and key_of_code(0x270000) == ("right", False)
    assert key_of_code(0) is None
