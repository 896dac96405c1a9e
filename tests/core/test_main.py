"""The command line as a whole: help is fast and complete, and errors become exit codes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import main

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments, **options):
    command = [sys.executable, str(ROOT / "main.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, **options)


@pytest.mark.parametrize("command", [(), *((name,) for name in main.COMMANDS)])
def test_help_answers_without_heavy_imports(command):
    code = (
        "import sys, main\n"
        f"try: main.main([*{command!r}, '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'tensorflow', 'cv2', 'numpy', 'PyQt5', 'scipy'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "usage: main.py" in done.stdout


def test_help_takes_less_than_half_a_second():
    """Processor time: what other programs do on the machine does not count."""

    def seconds():
        start = os.times()
        assert run("--help").returncode == 0
        end = os.times()
        return end.children_user + end.children_system - start.children_user - start.children_system

    assert min(seconds() for _ in range(5)) < 0.5


def test_no_command_prints_help():
    done = run()
    assert done.returncode == 0 and "STEP" in done.stdout and "Done." not in done.stdout


def test_wrong_flag_is_a_usage_error():
    assert run("extract", "--no-such-flag").returncode == 2


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("extract", "--output-dir", "o", "--input-dir", "i"), "whole_face"),
        (("facesettool", "resize", "--input-dir", "i"), "wf"),
    ],
)
@pytest.mark.parametrize("name", ["wf", "whole_face"])
def test_both_names_of_a_face_type_are_understood(command, expected, name):
    options = main.build_parser().parse_args([*command, "--face-type", name])
    assert options.face_type == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ("extract", "--input-dir", "{none}", "--output-dir", "{out}", "--detector", "s3fd"),
        ("sort", "--input-dir", "{none}", "--by", "blur"),
        ("util", "--input-dir", "{none}", "--pack-faceset"),
        ("videoed", "extract-video", "--input-file", "{none}/a.mp4", "--output-dir", "{out}"),
        ("xseg", "fetch", "--input-dir", "{none}"),
        ("facesettool", "resize", "--input-dir", "{none}"),
        ("merge", "--input-dir", "{none}", "--output-dir", "{out}", "--output-mask-dir", "{out}", "--aligned-dir",
         "{none}", "--model-dir", "{none}", "--model", "SAEHD"),
        ("exportdfm", "--model-dir", "{none}", "--model", "SAEHD"),
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_missing_input_is_one_line_and_a_failure(tmp_path, arguments):
    filled = [text.format(none=tmp_path / "none", out=tmp_path / "out") for text in arguments]
    done = run(*filled)
    assert done.returncode in (1, 3), done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "Done." not in done.stdout
    assert str(tmp_path / "none") in done.stderr


def test_the_plot_backend_of_a_notebook_does_not_stop_keras():
    """Keras imports matplotlib, which refuses a backend that only the notebook's own environment has."""
    code = "import os, core; print(os.environ.get('MPLBACKEND'))"
    for backend, left in (("module://matplotlib_inline.backend_inline", "None"), ("agg", "agg")):
        environment = {**os.environ, "MPLBACKEND": backend}
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.stdout.strip() == left
