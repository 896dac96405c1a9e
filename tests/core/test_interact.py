"""Questions are worded as DeepFaceLab words them, and nobody is waited for without a terminal."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from core.console import interact

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
