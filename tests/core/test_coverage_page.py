"""docs/coverage.md names only tests, pages and launchers that exist, and has every row of the guide once."""

import argparse
import ast
import re
from functools import cache
from pathlib import Path

import main
from mainscripts.jobs.step_table import load_steps

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "coverage.md"
ROWS_OF_SECTION = {
    "S0": 56, "S1": 9, "S2": 9, "S3": 14, "S4": 33, "S4.1": 4, "S4.2": 30, "S5": 19, "S5.1": 3, "S5.2": 10, "S5.3": 64,
    "S6": 82, "S6.1": 4, "S7": 90, "S8": 9, "S9": 1,
}  # fmt: skip
ROW = re.compile(r"\| (S[\d.]+)-(\d\d) \| (.+?) \| (.+?) \| (.+) \|$")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
PAGE_LINK = re.compile(r"\[([\w/]+\.md)\]\(([\w/.]+\.md)\)")
LAUNCHER = re.compile(r"`(\d[\w.]*(?: \w+)?\) [^`]+)`")
MOST_WORDS = 12


def rows():
    """(section, number, feature, where, shown by) of each row, in order."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| S")]
    matches = [ROW.match(line) for line in lines]
    assert all(matches), [line for line, match in zip(lines, matches) if not match]
    return [(match[1], int(match[2]), *match.groups()[2:]) for match in matches]


@cache
def functions(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_row_is_there_once_and_in_order():
    numbers = [(section, number) for section, number, *_ in rows()]
    assert numbers == [
        (section, number) for section, count in ROWS_OF_SECTION.items() for number in range(1, count + 1)
    ]
    assert sum(ROWS_OF_SECTION.values()) == 437


def test_each_row_is_shown_by_something_or_says_that_it_is_not():
    for section, number, feature, _, shown in rows():
        name = f"{section}-{number:02d}"
        assert len(feature.split()) <= MOST_WORDS, name
        rest = PAGE_LINK.sub("", TEST.sub("", shown)).replace(",", "").strip()
        if rest:
            assert rest == shown and re.match(r"(not yet|no test: \S|out of scope)", rest), f"{name}: {rest}"


def test_named_tests_exist():
    named = {found for row in rows() for found in TEST.findall(row[4])}
    assert len(named) > 100
    missing = [
        f"{path}::{name}" for path, name in sorted(named) if not (ROOT / path).is_file() or name not in functions(path)
    ]
    assert not missing


def test_named_pages_exist():
    for label, target in PAGE_LINK.findall(PAGE.read_text(encoding="utf-8")):
        assert (PAGE.parent / target).resolve() == ROOT / label and (ROOT / label).is_file(), label


def test_every_launcher_is_named_and_every_named_one_exists():
    named = {name for row in rows() for name in LAUNCHER.findall(row[3])}
    windows = {step.windows for step in load_steps().values()}
    assert named == windows, named ^ windows
    for name in named:
        assert (ROOT / "scripts" / f"{name}.bat").is_file()


def flags_of(parser):
    """All flags of a parser and its commands."""
    found = set()
    for action in parser._actions:
        found.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                found |= flags_of(command)
    return found


def test_named_flags_exist():
    named = {flag for row in rows() for flag in re.findall(r"--[a-z][a-z-]*", row[3])}
    assert len(named) > 40 and named <= flags_of(main.build_parser()), named - flags_of(main.build_parser())
