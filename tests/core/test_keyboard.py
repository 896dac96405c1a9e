"""Keys of OpenCV windows as all backends deliver them."""

import pytest

from core.keyboard import KeyReader, translate_key


@pytest.mark.parametrize(
    "code, key",
    [(ord("W"), ("w", True)), (ord("w"), ("w", False)), (ord("?"), ("/", True)), (ord("+"), ("=", True)),
     (ord(":"), (":", False)), (9, ("\t", False)), (0xFFE1, ("", False)), (0, ("", False)), (-1, ("", False)),
     (10, ("\r", False)), (13, ("\r", False))],
)  # fmt: skip
def test_one_form_for_letters_and_signs(code, key):
    assert translate_key(code) == key


def test_shift_before_a_letter_counts_where_only_lower_case_arrives():
    reader = KeyReader()
    reader._modifiers = lambda: 0
    assert reader.take(0xFFE1, 1.0) is None
    assert reader.take(ord("w"), 1.05) == ("w", True)
    assert reader.take(ord("w"), 1.10) == ("w", False)


def polled(monkeypatch, events):
    """What a reader makes of the codes that successive waits deliver, Shift being up: empty waits give None."""
    import cv2

    reader, left = KeyReader(), [list(event) for event in events]
    reader._modifiers = lambda: 0
    monkeypatch.setattr("core.keyboard._SHIFT_SECONDS", 0.0)
    monkeypatch.setattr(cv2, "waitKeyEx", lambda milliseconds: left[0].pop(0) if left[0] else -1)
    monkeypatch.setattr(cv2, "pollKey", lambda: left[0].pop(0) if left[0] else -1)
    keys = []
    while left:
        keys.append(reader.poll(1))
        left.pop(0)
    return keys


def test_shift_is_remembered_while_a_busy_machine_lags_and_forgotten_when_it_was_pressed_alone(monkeypatch):
    shift, w = 0xFFE1, ord("w")
    assert polled(monkeypatch, [[shift, w]]) == [("w", True)]
    assert polled(monkeypatch, [[shift], [], [w], [w]]) == [None, None, ("w", True), ("w", False)]
    assert polled(monkeypatch, [[shift], [], [], [], [w]]) == [None, None, None, None, ("w", False)]


def test_shift_that_is_held_counts_and_caps_lock_too():
    reader = KeyReader()
    for held, shift in ((0, False), (1, True), (2, True), (3, False)):
        reader._modifiers = lambda held=held: held
        assert reader.take(ord("w"), 5.0) == ("w", shift)


@pytest.mark.parametrize("state", [0, 0x10, 0x12, 0x14, 0x2000])
def test_modifier_bits_of_gtk_are_dropped(state):
    reader = KeyReader()
    reader._modifiers = lambda: 0
    assert reader.take(state << 16 | ord("w"), 5.0) == ("w", False)
    assert reader.take((state | 1) << 16 | ord("S"), 5.0) == ("s", True)
    assert reader.take((state | 1) << 16 | ord("?"), 5.0) == ("/", True)
    assert reader.take((state | 1) << 16 | 0xFFE1, 5.0) is None
    assert reader.take(state << 16 | ord("w"), 5.1) == ("w", True)


@pytest.mark.parametrize("code", [0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF54, 0xFFE3, 0xFFBE, 0x250000, 0x280000, 0xF702])
def test_arrows_and_other_keys_whose_codes_end_like_letters_are_none(code):
    reader = KeyReader()
    for state in (0, 1, 0x10):
        assert reader.take(state << 16 | code, 5.0) is None


@pytest.mark.parametrize(
    "code, character", [(0xFFAB, "="), (0xFFAD, "-"), (0xFFAF, "/"), (0xFFAE, "."), (0xFFB3, "3"), (0xFF8D, "\r")]
)
def test_number_pad_of_gtk(code, character):
    assert KeyReader().take(0x100000 | code, 5.0)[0] == character
