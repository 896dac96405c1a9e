"""Every flag that takes a number refuses what is no number of its range, in one line that names the range."""

import argparse

import pytest

import main
from core.console.number_flags import NumberType
from core.errors import UsageError
from main import build_parser

ELSEWHERE = ("train",)  # its flags are options of models, which have a table of their own
NO_NUMBERS = ("nan", "inf", "-inf", "infinity", "1e999", "", " ", "x", "0x10", "1_0", "٣", "--", "1.5.2", "9" * 400)


def commands(parser, words=()):
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield words, parser
    for group in groups:
        for name, child in group.choices.items():
            yield from commands(child, (*words, name))


def number_flags():
    for words, parser in commands(build_parser()):
        if words[0] not in ELSEWHERE:
            yield from ((words, action) for action in parser._actions if _takes_a_number(action))


def _takes_a_number(action):
    return isinstance(action.type, NumberType) or action.type in (int, float)


FLAGS = list(number_flags())
NAMES = [f"{' '.join(words)} {action.option_strings[0]}" for words, action in FLAGS]


def test_there_are_flags_of_each_kind():
    assert {words[0] for words, _ in FLAGS} >= {"extract", "sort", "xseg", "merge", "videoed", "facesettool"}
    assert {action.type.whole for _, action in FLAGS} == {True, False}
    assert len(FLAGS) >= 20


@pytest.mark.parametrize("words, action", FLAGS, ids=NAMES)
def test_every_number_has_a_range(words, action):
    assert isinstance(action.type, NumberType), "use core.console.number_flags"
    assert action.type.low is not None and action.type.flag in action.option_strings
    if action.default is not None:
        assert action.type(str(action.default)) == action.default


@pytest.mark.parametrize("words, action", FLAGS, ids=NAMES)
def test_everything_else_is_refused(words, action, capsys):
    low, high, whole = action.type.low, action.type.high, action.type.whole
    below, above = low - 1, [] if high is None else [high + 1, high * 1000]
    wrong = [*NO_NUMBERS, below, -(10**12), *above, *([low + 0.5] if whole else [])]
    for text in map(str, wrong):
        with pytest.raises(UsageError, match=action.option_strings[0]):
            action.type(text)
    assert action.type(str(low)) == low
    assert high is None or action.type(str(high)) == high
    assert main.main([*words, f"{action.option_strings[0]}={below}"]) == 2
    told = capsys.readouterr().err
    assert told.strip().splitlines() == [told.strip()] and f"is {below}: give" in told and str(low) in told


@pytest.mark.parametrize("text, value", [("7", 7), (" +7 ", 7), ("-0", 0)])
def test_whole_numbers(text, value):
    assert NumberType("--n", 0)(text) == value


@pytest.mark.parametrize("text, value", [("0.5", 0.5), (".5", 0.5), ("1e-2", 0.01), ("1", 1.0)])
def test_decimal_numbers(text, value):
    assert NumberType("--x", 0, 1, False)(text) == value


def test_a_job_finds_a_number_out_of_range_before_it_runs(tmp_path, capsys):
    job = tmp_path / "job.yaml"
    job.write_text("steps: [extract-src: {image-size: 0}]\n")
    assert main.main(["run", str(job)]) == 2
    told = capsys.readouterr().err
    assert "step 1, extract-src" in told and "from 256 to 2048" in told
