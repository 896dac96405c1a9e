"""Every command of a fenced ``bash`` block in README, CONTRIBUTING and docs runs as it is written, in a tiny workspace."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^( *)```bash\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
FRAMES = 6

# Commands that this test does not run, by their beginning, and why.
NOT_RUN = {
    "bash scripts/demo.sh": "minutes; its steps stand in the tutorial, which is run",
    "bash scripts/test.sh": "is what runs this test",
    "bash scripts/setup.sh": "installs packages; tests/core/test_setup.py runs it with stand-ins",
    ".venv/bin/": "the tools of whoever works on the program; scripts/test.sh runs them",
    "DFL_ANSWERS=~/film.yaml bash scripts/4_data_src_faceset_extract.sh": "sets up first; tests/core/test_answers.py covers answers",
}
# What makes hours of work small. Everything else stays as the page has it.
SMALLER = {
    r"target_iter=\d+": "target_iter=2",
    r"resolution=128": "resolution=64",
    r"--model SAEHD$": "--model SAEHD --no-preview --set target_iter=3 --force-model-name tutorial",
}
NEEDS = {
    "tutorial": ("clips",),
    "pretraining": ("photos", "clips", "faces"),
    "faces": ("clips", "frames"),
    "training": ("clips", "faces", "model"),
}


def commands_of(page):
    """The commands of a page, without comments, in order."""
    for _, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            command = re.sub(r"\s+# .*$", "", line).strip()
            if command and not command.startswith("#"):
                yield command


def is_run(command):
    return not any(command.startswith(beginning) for beginning in NOT_RUN)


RUN = {page.stem: commands for page in PAGES if (commands := [c for c in commands_of(page) if is_run(c)])}


def words_of(command, smaller=True):
    if smaller:
        for pattern, replacement in SMALLER.items():
            if not ("--no-preview" in replacement and ("train" not in command or "target_iter" in command)):
                command = re.sub(pattern, replacement, command)
    program, script, *words = shlex.split(command)
    assert program == "python", command
    return [sys.executable, str(ROOT / script), *words]


def run(folder, command, smaller=True):
    done = subprocess.run(
        words_of(command, smaller), cwd=folder, capture_output=True, text=True, timeout=600, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


def tutorial(*beginnings):
    return [c for c in commands_of(ROOT / "docs" / "tutorial.md") if any(b in c for b in beginnings)]


@pytest.fixture
def place(tmp_path, request):
    """A folder with what the page's commands expect to find."""
    needs = NEEDS.get(request.param, ())
    (tmp_path / "workspace").mkdir()
    if needs:
        clips = [sys.executable, str(ROOT / "scripts" / "make_demo_clips.py"), "workspace", "--frames", str(FRAMES)]
        subprocess.run(clips, cwd=tmp_path, check=True, capture_output=True)
    if {"frames", "faces", "photos"} & set(needs):
        for command in tutorial("extract-video"):
            run(tmp_path, command)
    if "photos" in needs:
        (tmp_path / "photos").mkdir()
        for number, path in enumerate(sorted((tmp_path / "workspace" / "data_dst").glob("*.png"))[:3]):
            cv2.imwrite(str(tmp_path / "photos" / f"somebody {number}.jpg"), cv2.imread(str(path)))
    if "faces" in needs:
        for command in tutorial("main.py extract"):
            run(tmp_path, command)
    if "model" in needs:
        [train] = tutorial("main.py train")
        run(tmp_path, train.replace("--set face_type", "--backup-every 0.0000001 --set face_type"))
    return tmp_path


@pytest.mark.parametrize(("place", "page"), [(page, page) for page in RUN], indirect=["place"], ids=RUN)
def test_the_commands_of_a_page_run(place, page):
    for command in RUN[page]:
        run(place, command)


@pytest.mark.parametrize("command", [c for commands in RUN.values() for c in commands if "main.py" in c])
def test_the_command_line_takes_every_flag_as_it_is_written(command):
    main.build_parser().parse_args(words_of(command, smaller=False)[2:])


def test_what_is_not_run_is_still_in_the_pages():
    everything = [command for page in PAGES for command in commands_of(page)]
    assert all(any(command.startswith(beginning) for command in everything) for beginning in NOT_RUN)
    for command in everything:
        for script in re.findall(r"scripts/[\w.]+", command):
            assert (ROOT / script).is_file(), command
