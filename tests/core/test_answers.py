"""A file answers the questions, by name or in order, and a mistake in it is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.console import interact
from core.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def answers(tmp_path):
    """Use a file of this content; no file again at the end."""

    def use(text, assume_yes=False):
        path = tmp_path / "answers.yaml"
        path.write_text(text)
        interact.configure(assume_yes=assume_yes, answers=path)

    yield use
    interact.configure()


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """Standard input at its end."""
    monkeypatch.setattr("sys.stdin", open("/dev/null" if Path("/dev/null").exists() else "NUL"))  # noqa: SIM115


def test_answers_by_name_in_any_order(answers, capsys):
    answers("Jpeg quality: 80\nenter fps : 12\nWrite preview history: no\nFrom time: 00:00:01.500\nFace type: WF\n")
    assert interact.ask_int("Enter FPS", 0, help_text="x") == 12
    assert interact.ask_int("Jpeg quality", 90, 1, 100) == 80
    assert interact.ask_bool("Write preview history", True) is False
    assert interact.ask_text("From time", "00:00:00.000") == "00:00:01.500"
    assert interact.ask_text("Face type", "f", ["f", "wf"]) == "wf"
    assert interact.ask_int("Image size", 512, 256, 2048) == 512  # not in the file
    shown = capsys.readouterr().out
    assert "[0] Enter FPS ( ?:help ) : 12\n12\n" in shown and "[90] Jpeg quality ( 1-100 ) : 80\n80\n" in shown
    assert interact.unused_answers() == []


def test_answers_in_order(answers):
    answers("- 12\n-\n- y\n- jpg\n- 99999\n- left over\n")
    assert interact.ask_int("Enter FPS", 0) == 12
    assert interact.ask_int("Image size", 512, 256, 2048) == 512
    assert interact.ask_bool("Debug?", False) is True
    assert interact.ask_text("Format", "png", ["png", "jpg"]) == "jpg"
    assert interact.ask_int("Image size", 512, 256, 2048) == 2048  # clamped
    assert interact.unused_answers() == ["left over"]


def test_names_in_a_list_are_not_taken_in_order(answers):
    answers("- 1\n- {Second: 5}\n- 3\n")
    assert [interact.ask_int(label, 0) for label in ("First", "Second", "Third", "Second")] == [1, 5, 3, 5]


def test_a_list_of_answers_is_one_for_each_time(answers):
    answers("Size: [4, 6]\n")
    assert [interact.ask_int("Size", 1) for _ in range(3)] == [4, 6, 1]


def test_a_question_without_a_label_is_called_by_a_line_above_it(answers):
    answers("Choose sorting method: 0\n")
    interact.info("Loading.")
    interact.info("Choose sorting method:\n[0] blur")
    interact.info("[5] histogram")
    assert interact.ask_int("", 5) == 0
    interact.info("Choose mode:")
    assert interact.ask_int("", 5) == 5


def test_patterns_answer_confirmations(answers):
    answers("'Delete * images*': yes\n")
    assert interact.confirm("Delete 12 images of an earlier run in [aligned]?", "--yes") is True
    assert interact.confirm("Replace result.mp4 ?", "--yes") is False


def test_with_yes_the_file_comes_first(answers):
    answers("Size: 7\n'Replace *': n\n", assume_yes=True)
    assert interact.ask_int("Size", 1) == 7 and interact.ask_int("Other", 2) == 2
    assert interact.confirm("Replace a ?") is False and interact.confirm("Delete b ?") is True


def test_the_timed_question_is_answered_by_name_only(answers):
    answers("- 3\n")
    assert interact.ask_timed("Press enter in 2 seconds to override model settings.", 2) is False
    assert interact.ask_int("Size", 1) == 3
    answers("Press enter in * to override model settings: y\n")
    assert interact.ask_timed("Press enter in 2 seconds to override model settings.", 2) is True


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("Size: abc", "answers.yaml: 'abc' is not a whole number, for the question '\\[1\\] Size :'"),
        ("Size: {a: 1}", "answers.yaml: .* is not an answer"),
        ("- [1, 2]", "answers.yaml: .* is not an answer"),
        ("Size: [", "answers.yaml: not a readable answers file"),
    ],
)
def test_mistakes_are_named(answers, content, complaint):
    with pytest.raises(UsageError, match=complaint):
        answers(content)
        interact.ask_int("Size", 1)


def test_a_question_that_comes_again_and_again_is_an_error(answers):
    answers("Model: r\n")
    with pytest.raises(UsageError, match="was asked 100 times"):
        for _ in range(200):
            interact.ask_text("Model", "0")


def run(*arguments, environment=None):
    command = [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, env=environment
    )


def test_main_takes_the_file_by_flag_and_by_environment(tmp_path):
    import os

    full = tmp_path / "data_src" / "1.png"
    file = tmp_path / "answers.yaml"
    clear = ("workspace", "clear", "--workspace", tmp_path)
    for environment, flags in ((None, ("--answers", file)), ({**os.environ, "DFL_ANSWERS": str(file)}, ())):
        full.parent.mkdir(exist_ok=True)
        full.write_bytes(b"x")
        file.write_text("Delete these frames, faces and models?: n\nEnter FPS: 3\n")
        refused = run(*clear, *flags, environment=environment)
        assert refused.returncode == 1 and full.is_file()
        file.write_text("Delete these frames, faces and models?: y\nEnter FPS: 3\n")
        done = run(*clear, *flags, environment=environment)
        assert done.returncode == 0 and not full.exists(), done.stderr
        assert "answers.yaml: not used in this step: 'Enter FPS'." in done.stdout
    missing = run(*clear, "--answers", tmp_path / "none.yaml")
    assert missing.returncode == 2 and "none.yaml: no such answers file" in missing.stderr
