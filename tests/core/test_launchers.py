"""The numbered launchers equal what the table of steps gives, and each command is one that the program knows."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import main
from mainscripts.jobs.step_table import folders, load_steps, shell_name

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
STEPS = load_steps()


def test_launchers_are_what_the_table_gives():
    done = subprocess.run([sys.executable, SCRIPTS / "make_launchers.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"Run scripts/make_launchers.py; these differ:\n{done.stdout}"


def test_every_numbered_file_is_in_the_table():
    expected = {f"{step.shell}.sh" for step in STEPS.values()} | {f"{step.windows}.bat" for step in STEPS.values()}
    assert {path.name for path in SCRIPTS.iterdir() if path.name[0].isdigit()} == expected


@pytest.mark.parametrize(
    ("windows", "shell"),
    [
        ("5.XSeg) data_dst mask - edit", "5.XSeg_data_dst_mask_edit"),
        ("5) data_dst faceset extract + manual fix", "5_data_dst_faceset_extract_manual_fix"),
        ("6) train AMP SRC-SRC", "6_train_AMP_SRC-SRC"),
        ("5) data_dst faceset MANUAL RE-EXTRACT DELETED ALIGNED_DEBUG",
         "5_data_dst_faceset_MANUAL_RE-EXTRACT_DELETED_ALIGNED_DEBUG"),
        ("3.optional) denoise data_dst images", "3.optional_denoise_data_dst_images"),
    ],
)  # fmt: skip
def test_shell_names(windows, shell):
    assert shell_name(windows) == shell


@pytest.mark.parametrize("key", STEPS)
def test_every_command_parses(key, tmp_path):
    parser = main.build_parser()
    for number, command in enumerate(STEPS[key].commands):
        places = {**folders(tmp_path), "FILE": "clip.mp4"}
        options = parser.parse_args(STEPS[key].arguments(places, number))
        assert callable(options.run), command


@pytest.mark.parametrize("key", STEPS)
def test_batch_and_shell_call_the_same_commands(key):
    step = STEPS[key]
    shell = [line[4:] for line in (SCRIPTS / f"{step.shell}.sh").read_text().splitlines() if line.startswith("dfl ")]
    batch = [
        line.split('main.py" ', 1)[1]
        for line in (SCRIPTS / f"{step.windows}.bat").read_text().splitlines()
        if 'main.py" ' in line
    ]
    assert len(shell) == len(batch) == len(step.commands)
    for shell_line, batch_line in zip(shell, batch):
        words = [word for word in shlex.split(batch_line.replace("\\", "/")) if word != "%*"]
        unified = [re.sub(r"%(\w+)%", r"$\1", word) for word in words]
        assert unified == [word for word in shlex.split(shell_line) if word != "$@"]


def test_shell_launchers_are_valid_and_executable():
    for step in STEPS.values():
        path = SCRIPTS / f"{step.shell}.sh"
        assert path.stat().st_mode & 0o100
        assert subprocess.run(["bash", "-n", path]).returncode == 0
