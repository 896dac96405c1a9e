"""Questions are worded as DeepFaceLab words them, and nobody is waited for without a terminal."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from core.console import interact
from core.console.counted import counted
from core.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def answers(monkeypatch):
    """Feed lines to the questions."""

    def feed(*lines):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    interact.configure(assume_yes=False)
    feed()
    return feed


@pytest.mark.parametrize(
    ("ask", "prompt"),
    [
        (lambda: interact.ask_int("Enter FPS", 0, help_text="x"), "[0] Enter FPS ( ?:help ) : "),
        (
            lambda: interact.ask_int("Image size", 512, 256, 2048, help_text="x"),
            "[512] Image size ( 256-2048 ?:help ) : ",
        ),
        (lambda: interact.ask_int("Denoise factor?", 7, 1, 20), "[7] Denoise factor? ( 1-20 ) : "),
        (
            lambda: interact.ask_number("GAN power", 0.0, range_text="0.0 .. 5.0", help_text="x"),
            "[0.0] GAN power ( 0.0 .. 5.0 ?:help ) : ",
        ),
        (
            lambda: interact.ask_bool("Write preview history", False, help_text="x"),
            "[n] Write preview history ( y/n ?:help ) : ",
        ),
        (
            lambda: interact.ask_text("Face type", "wf", ["f", "wf", "head"], help_text="x"),
            "[wf] Face type ( f/wf/head ?:help ) : ",
        ),
        (lambda: interact.ask_int("", 5), "[5] : "),
        (lambda: interact.ask_text("Enter new name of the model"), "Enter new name of the model : "),
    ],
)
def test_prompt_text(answers, capsys, ask, prompt):
    ask()
    assert capsys.readouterr().out.startswith(prompt)


def test_answers_are_clamped_and_echoed(answers, capsys):
    answers("99999")
    assert interact.ask_int("Image size", 512, 256, 2048) == 2048
    assert capsys.readouterr().out.endswith("2048\n")


def test_wrong_answer_without_terminal_takes_default_and_says_so(answers, capsys):
    answers("abc")
    assert interact.ask_int("Image size", 512, 256, 2048) == 512
    assert "'abc' is not a whole number" in capsys.readouterr().out


def test_help_is_printed_then_asked_again(answers, capsys):
    answers("?", "7")
    assert interact.ask_int("Factor", 1, help_text="Stronger with larger numbers.") == 7
    assert "Stronger with larger numbers." in capsys.readouterr().out


def test_choice_is_lower_cased(answers):
    answers("JPG")
    assert interact.ask_text("Format", "png", ["png", "jpg"]) == "jpg"


def test_confirm_is_no_at_end_of_input_and_yes_with_the_flag(answers):
    assert interact.confirm("Delete?", "--yes") is False
    interact.configure(assume_yes=True)
    try:
        assert interact.confirm("Delete?") is True
    finally:
        interact.configure(assume_yes=False)


def test_open_pipe_that_says_nothing_is_not_waited_for():
    code = "from core.console import interact\nprint('got', interact.ask_int('Size', 5), interact.ask_timed('now?', 10**6))"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    )
    try:
        assert process.wait(120) == 0, "it waits"
    finally:
        process.kill()
        process.stdin.close()
        text = process.stdout.read()
        process.stdout.close()
    assert "got 5 False" in text


def test_lines_of_a_pipe_answer_one_question_each():
    code = "from core.console import interact\nprint('got', interact.ask_int('a', 1), interact.ask_text('b', 'x'), interact.ask_bool('c', True))"
    done = subprocess.run(
        [sys.executable, "-c", code], input="4\nhello\nn\n", capture_output=True, cwd=ROOT, text=True, timeout=120
    )
    assert "got 4 hello False" in done.stdout


@pytest.fixture
def typed(answers, monkeypatch):
    """Feed lines to the questions as if somebody typed them."""
    monkeypatch.setattr(interact, "_is_terminal", lambda stream: stream is sys.stdin)
    return answers


@pytest.mark.parametrize(
    ("lines", "ask", "taken", "said"),
    [
        (("99999", "300"), lambda: interact.ask_int("Size", 512, 256, 2048), 300, "'99999' is out of range, which is 256 to 2048."),
        (("-1", "0.5"), lambda: interact.ask_number("Power", 1.0, 0.0, 5.0), 0.5, "'-1' is out of range, which is 0.0 to 5.0."),
        (("0", "3"), lambda: interact.ask_int("Target", 2000, low=1), 3, "'0' is out of range, which is 1 or more."),
        (("9", "x", "1"), lambda: interact.ask_int("", 0, allowed=range(3)), 1, "'9' is not one of 0, 1, 2."),
        (("nan", "2"), lambda: interact.ask_number("Power", 1.0), 2.0, "'nan' is not a number."),
        (("maybe", "n"), lambda: interact.ask_bool("Go on?", True), False, "'maybe' is not y or n."),
        (("gif", "jpg"), lambda: interact.ask_text("Format", "png", ["png", "jpg"]), "jpg", "'gif' is not one of png/jpg."),
        (
            ("b", "a"),
            lambda: interact.ask_text("Name", "x", problem=lambda text: "b is taken." if text == "b" else None),
            "a",
            "b is taken.",
        ),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_is_asked_again_at_a_terminal(typed, capsys, lines, ask, taken, said):
    typed(*lines)
    assert ask() == taken
    assert said in capsys.readouterr().out.replace(" : ", "\n").splitlines()


def test_a_number_out_of_range_from_a_pipe_is_said(answers, capsys):
    answers("99999")
    assert interact.ask_int("Image size", 512, 256, 2048) == 2048
    assert "'99999' is out of range, which is 256 to 2048; taking 2048." in capsys.readouterr().out
    answers("b")
    with pytest.raises(UsageError, match="b is taken"):
        interact.ask_text("Name", "x", problem=lambda text: "b is taken.")


def test_a_number_out_of_range_in_an_answers_file_is_said(answers, tmp_path, capsys):
    path = tmp_path / "answers.yaml"
    path.write_text("Image size: 99999\n")
    interact.configure(answers=path)
    try:
        assert interact.ask_int("Image size", 512, 256, 2048) == 2048
    finally:
        interact.configure()
    assert "'99999' is out of range, which is 256 to 2048; taking 2048." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ask", "help_text"),
    [
        (lambda: interact.ask_bool("Go on?", True), "Answer with y or n. Enter takes y."),
        (lambda: interact.ask_int("Factor", 7, 1, 20), "Answer with a whole number, 1 to 20. Enter takes 7."),
        (lambda: interact.ask_text("Format", "png", ["png", "jpg"]), "Answer with one of png/jpg. Enter takes png."),
        (lambda: interact.ask_text("Name"), "Answer with a text."),
    ],
)
def test_a_question_mark_shows_help_at_every_question(answers, capsys, ask, help_text):
    answers("?")
    ask()
    assert help_text in capsys.readouterr().out


@pytest.mark.parametrize(("count", "text"), [(0, "0 faces"), (1, "1 face"), (2, "2 faces")])
def test_one_thing_is_no_plural(count, text):
    assert counted(count, "face") == text
