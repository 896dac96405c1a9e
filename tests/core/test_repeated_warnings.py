"""Warnings that say the same of many files, and lines that are printed while a status line stands."""

import sys

import pytest

from core.console import interact
from core.console.repeated_warnings import LISTED, NAMED


@pytest.fixture(autouse=True)
def nothing_told_before():
    interact.tell_repeated_warnings()
    yield
    interact.tell_repeated_warnings()


def test_a_hundred_equal_warnings_become_one_with_a_count_and_names(capsys):
    for number in range(100):
        interact.warning(f"/some folder/{number:05d}.jpg: is cut off after {number} bytes. It is skipped.")
    interact.warning("Something else.")
    told = capsys.readouterr().err.splitlines()
    assert len(told) == NAMED + 1 and told[0].startswith("Warning: /some folder/00000.jpg: is cut off")
    interact.tell_repeated_warnings()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "Warning: 100 files in all: is cut off after 0 bytes. It is skipped. The others: 00010.jpg, "
    )
    assert line.endswith(f"{NAMED + LISTED - 1:05d}.jpg and {100 - NAMED - LISTED} more.")
    interact.tell_repeated_warnings()
    assert capsys.readouterr().err == ""


def test_warnings_of_different_kinds_and_of_no_file_are_all_told(capsys):
    texts = [f"a/{n}.png: problem {'abcdefgh'[n]}" for n in range(6)]
    texts += [f"Iteration {n}: a loss is not finite." for n in range(6)]
    for text in texts:
        interact.warning(text)
    assert capsys.readouterr().err.splitlines() == [f"Warning: {text}" for text in texts]
    interact.tell_repeated_warnings()
    assert capsys.readouterr().err == ""


def test_a_file_that_begins_a_sentence_is_a_file_too(capsys):
    for number in range(12):
        interact.warning(f"{number} b.jpg is not a DFLIMG. Skipped.")
    interact.tell_repeated_warnings()
    assert capsys.readouterr().err.splitlines()[-1] == (
        "Warning: 12 files in all: is not a DFLIMG. Skipped. The others: 10 b.jpg, 11 b.jpg."
    )


def test_a_warning_never_shares_the_line_of_a_status(capfd, monkeypatch):
    monkeypatch.setattr(sys, "stderr", sys.stdout)
    interact.status("Saving....", 12)
    interact.warning("there is no room")
    interact.status("[time][#000001]", 12)
    interact.info("\nReached target iteration.")
    assert capfd.readouterr().out.split("\n") == [
        "\rSaving....  ", "Warning: there is no room", "\r[time][#000001]", "Reached target iteration.", "",
    ]  # fmt: skip
    interact.status("[time][#000002]", 12)
    interact.info("\r[time][#000003]")
    assert capfd.readouterr().out == "\r[time][#000002]\r[time][#000003]\n"
