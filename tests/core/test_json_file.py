"""JSON files are read within limits, have the form that is asked for, and never end in a traceback."""

import json
import os

import pytest
from hostile_json import HOSTILE
from hypothesis import HealthCheck, given, settings, strategies

from core.errors import FormatError
from core.records.json_file import fits, json_bytes, parse_json_line, read_json


@pytest.mark.parametrize("name", HOSTILE)
def test_each_fault_is_one_line(tmp_path, name):
    path = tmp_path / "state.json"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(FormatError, match=r"state\.json: ") as failure:
        read_json(path, {"a": int})
    assert "\n" not in str(failure.value) and len(str(failure.value)) < 300


@pytest.mark.parametrize("content", ["NaN", "[Infinity]", '{"a": -Infinity}', "1e999", "9" * 41, "-" + "9" * 41])
def test_numbers_are_finite_and_short_whatever_the_form(tmp_path, content):
    (tmp_path / "state.json").write_text(content)
    with pytest.raises(FormatError, match="is no valid JSON"):
        read_json(tmp_path / "state.json")


def test_what_is_no_file_or_too_long(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")
    with pytest.raises(FormatError, match="is no file"):
        read_json(tmp_path)
    (tmp_path / "long.json").write_bytes(b" " * 101)
    with pytest.raises(FormatError, match="longer than 100 bytes"):
        read_json(tmp_path / "long.json", most_bytes=100)
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(FormatError, match="is no file"):
        read_json(tmp_path / "pipe.json")


@pytest.mark.parametrize(
    ("value", "form", "is_right"),
    [
        (1, int, True), (True, int, False), (1.0, int, False), (1, float, True), (True, bool, True), ("a", str, True),
        (None, None, True), (0, None, False), (None, (int, None), True), ([1, 2], [int], True), ([1, "a"], [int], False),
        ([], [int], True), ({}, [int], False), ({"a": 1, "b": 2}, {str: int}, True), ({"a": "x"}, {str: int}, False),
        ({"a": 1}, {"a": int, "b?": str}, True), ({"a": 1, "b": 1}, {"a": int, "b?": str}, False), ({}, {"a": int}, False),
        ({"a": 1, "other": []}, {"a": int}, True), ([["x"], []], [[str]], True), (5, object, True), (True, object, True),
    ],
)  # fmt: skip
def test_forms(value, form, is_right):
    assert fits(value, form) is is_right


VALUES = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.integers(-(10**30), 10**30)
    | strategies.floats(allow_nan=False, allow_infinity=False) | strategies.text(strategies.characters(), max_size=6),
    lambda inner: strategies.lists(inner, max_size=4)
    | strategies.dictionaries(strategies.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(VALUES)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_is_written_is_read_again(tmp_path, value):
    path = tmp_path / "any.json"
    path.write_bytes(json_bytes(value, indent=1))
    assert read_json(path) == value
    assert parse_json_line(json_bytes(value), object) == value


def test_names_that_are_no_utf_8_are_kept(tmp_path):
    name = os.fsdecode(b"\xffface.jpg")
    (tmp_path / "n.json").write_bytes(json_bytes({"names": [name, "é"]}))
    assert read_json(tmp_path / "n.json") == {"names": [name, "é"]}
    assert json_bytes({"names": ["é"]}) == '{"names": ["é"]}'.encode()


def test_lines_of_a_journal():
    assert parse_json_line(b'{"a": 1}', {"a": int}) == {"a": 1}
    for line in (b"", b"{", b'{"a": "x"}', b"\xff", b"[" * 9000, json.dumps([1]).encode()):
        assert parse_json_line(line, {"a": int}) is None
