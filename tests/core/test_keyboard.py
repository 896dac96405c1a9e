"""Keys of OpenCV windows as all backends deliver them."""

import pytest

from core.keyboard import KeyReader, translate_key


@pytest.mark.parametrize(
    "code, key",
    [(ord("W"), ("w", True)), (ord("w"), ("w", False)), (ord("?"), ("/", True)), (ord("+"), ("=", True)),
     (ord(":"), (":", False)), (9, ("\t", False)), (0xFFE1, ("", False)), (0, ("", False))],
)  # fmt: skip
def test_one_form_for_letters_and_signs(code, key):
    assert translate_key(code) == key


def test_shift_before_a_letter_counts_where_only_lower_case_arrives():
    reader = KeyReader()
    reader._modifiers = lambda: 0
    assert reader.take(0xFFE1, 1.0) is None
    assert reader.take(ord("w"), 1.05) == ("w", True)
    assert reader.take(ord("w"), 1.10) == ("w", False)
    assert reader.take(0xFFE2, 2.0) is None
    assert reader.take(ord("w"), 3.0) == ("w", False)


def test_shift_that_is_held_counts_and_caps_lock_too():
    reader = KeyReader()
    for held, shift in ((0, False), (1, True), (2, True), (3, False)):
        reader._modifiers = lambda held=held: held
        assert reader.take(ord("w"), 5.0) == ("w", shift)


def test_modifier_bits_of_gtk_are_dropped():
    assert KeyReader().take(0x100000 | ord("w"), 5.0) == ("w", False)
