"""The numbered ``.sh`` launchers, run for real with a stand-in for Python: environment, folders, flags and exit codes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mainscripts.jobs.step_table import load_steps

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
STEPS = load_steps()
TRAIN = "6_train_SAEHD.sh"
VIDEO = "8_merged_to_mp4.sh"
ODD_NAMES = ("with blank", "a & b", "a! $HOME `x`", "(c) d)", "a'b\"c", "ünï 顔", "50% \\n", "[a-z]*?", "-n")
pytestmark = pytest.mark.skipif(sys.platform == "win32" or not shutil.which("bash"), reason="needs bash")

PYTHON = f"""#!{sys.executable}
# Stands for Python: notes each call as JSON, makes a folder with a copy of itself as environment.
import json, os, shutil, sys
words = sys.argv[1:]
with open(os.environ["STAND_IN_LOG"], "a+") as log:
    log.seek(0)
    steps = sum('main.py"' in line for line in log)
    log.write(json.dumps([os.environ.get("CUDA_VISIBLE_DEVICES", "all"), *words]) + "\\n")
if words[:2] == ["-m", "venv"]:
    code = int(os.environ.get("STAND_IN_VENV", 0))
    if not code:
        os.makedirs(words[2] + "/bin", exist_ok=True)
        shutil.copy(__file__, words[2] + "/bin/python")
elif words[:2] == ["-m", "pip"]:
    code = int(os.environ.get("STAND_IN_PIP", 0))
elif words[:1] == ["-c"]:
    in_environment = __file__.endswith("/bin/python")
    code = int(("STAND_IN_BROKEN" if in_environment else "STAND_IN_UNFIT") in os.environ)
elif words[:1] == ["--version"]:
    code = print("Python 3.11.0") or 0
else:
    codes = os.environ.get("STAND_IN_CODES", "").split()
    code = int(codes[steps]) if steps < len(codes) else 0
if code and words[:1] == ["-m"]:
    print(words[1], "says: no", file=sys.stderr)
sys.exit(code)
"""


class House:
    """A copy of the scripts, and a PATH whose only Pythons are stand-ins."""

    def __init__(self, folder, name="toolkit"):
        self.folder, self.root = folder, folder / name
        (self.root / "scripts").mkdir(parents=True)
        for path in SCRIPTS.glob("*.sh"):
            shutil.copy(path, self.root / "scripts")
        (self.root / "requirements.txt").write_text("one>=1\n")
        tools = folder / "tools"
        tools.mkdir(exist_ok=True)
        names = ("python3", "python3.10", "python3.11", "python3.12", "python3.13", "python")
        for program in names:
            self.write(tools / program, PYTHON)
        self.write(tools / "dpkg-query", '#!/bin/sh\necho "install ok installed"\n')
        self.log = folder / "calls.txt"

    def write(self, path, content):
        path.write_text(content)
        path.chmod(0o755)

    def run(self, script, *arguments, cwd=None, **variables):
        self.log.write_text("")
        known = {name: value for name, value in os.environ.items() if not name.startswith("DFL_")}
        tools = {"PATH": f"{self.folder / 'tools'}:{os.environ['PATH']}", "STAND_IN_LOG": str(self.log)}
        done = subprocess.run(
            ["bash", script if cwd else str(self.root / "scripts" / script), *arguments],
            env={**known, "DFL_UV": "no", **tools, **variables}, cwd=cwd, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        calls = [json.loads(line) for line in self.log.read_text().splitlines()]
        calls = [call for call in calls if call[-2:] != ["doctor", "--cards"] and call[-1:] != ["--if-empty"]]
        done.cards = [cards for cards, *words in calls if words and words[0].endswith("main.py")]
        done.steps = [words[1:] for _, *words in calls if words and words[0].endswith("main.py")]
        done.modules = [words[1:] for _, *words in calls if words[:1] == ["-m"]]
        return done


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


@pytest.mark.parametrize("key", STEPS)
def test_every_launcher_hands_on_flags_and_exit_code(house, key):
    step = STEPS[key]
    given = ("a clip.mp4",) if "{FILE}" in step.commands[0] else ("--name", "a  b")
    done = house.run(f"{step.shell}.sh", *given, STAND_IN_CODES="7", DFL_SKIP_SETUP="1", DFL_VENV=str(made(house)))
    assert done.returncode == 7 and len(done.steps) == 1 and done.steps[0][-1] == given[-1]
    done = house.run(f"{step.shell}.sh", *given, DFL_SKIP_SETUP="1", DFL_VENV=str(made(house)))
    assert done.returncode == 0 and len(done.steps) == len(step.commands)


def made(house):
    """An environment as setup.sh makes it."""
    python = house.folder / "made" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    house.write(python, PYTHON)
    return python.parents[1]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_folders_of_any_name(tmp_path, name):
    house = House(tmp_path, name)
    done = house.run(VIDEO, "--name", "x  y & *")
    assert done.returncode == 0, done.stderr
    assert done.modules[0] == ["venv", f"{house.root}/.venv"]
    assert done.modules[1][-2:] == ["-r", f"{house.root}/requirements.txt"]
    first, second = done.steps
    assert first[first.index("--input-dir") + 1] == f"{house.root}/workspace/data_dst/merged"
    assert second[second.index("--output-file") + 1] == f"{house.root}/workspace/result_mask.mp4"
    assert all("x  y & *" in step for step in done.steps)
    assert house.run(VIDEO).modules == []


def test_a_cdpath_of_the_user_leads_nowhere(house, tmp_path):
    (tmp_path / "other" / "scripts").mkdir(parents=True)
    variables = {"CDPATH": f".:{tmp_path}/other", "DFL_SKIP_SETUP": "1", "DFL_VENV": str(made(house))}
    done = house.run(f"scripts/{TRAIN}", cwd=house.root, **variables)
    assert done.returncode == 0, done.stderr
    assert f"{house.root}/workspace/model" in done.steps[0]
    assert house.run("scripts/setup.sh", cwd=house.root, CDPATH=".").modules[0] == ["venv", f"{house.root}/.venv"]


@pytest.mark.parametrize("codes", [(3, 0), (0, 4), (0, 0)])
def test_of_two_commands_the_first_that_fails_decides(house, codes):
    variables = {"DFL_SKIP_SETUP": "1", "DFL_VENV": str(made(house))}
    done = house.run(VIDEO, STAND_IN_CODES=" ".join(map(str, codes)), **variables)
    assert done.returncode == (codes[0] or codes[1]) and len(done.steps) == (1 if codes[0] else 2)


def test_both_commands_of_a_launcher_get_its_flags(house):
    done = house.run(VIDEO, "--encoder", "libx265", "--output-file", "other name.mp4")
    assert all(step[step.index("--encoder") + 1] == "libx265" for step in done.steps)
    first, second = ([step[at + 1] for at, word in enumerate(step) if word == "--output-file"] for step in done.steps)
    assert first[-1] == "other name.mp4" and second[-1].endswith("/result_mask.mp4")


@pytest.mark.parametrize("script", [TRAIN, "4.1_data_src_view_aligned_result.sh", "setup.sh", "demo.sh"])
def test_a_missing_python_stops_with_its_message(house, script):
    done = house.run(script, STAND_IN_UNFIT="1")
    assert done.returncode == 1 and done.steps == [] and done.modules == []
    assert "No Python 3.10, 3.11, 3.12 or 3.13" in done.stderr
    done = house.run(script, DFL_PYTHON="/no such/python")
    assert done.returncode == 1 and "DFL_PYTHON=/no such/python is not a working Python" in done.stderr


@pytest.mark.parametrize("script", [TRAIN, "setup.sh", "demo.sh"])
@pytest.mark.parametrize("module", ["venv", "pip"])
def test_an_environment_that_cannot_be_made_stops_with_its_message(house, script, module):
    done = house.run(script, **{f"STAND_IN_{module.upper()}": "2"})
    assert done.returncode == 1 and done.steps == []
    assert f"{module} says: no" in done.stderr and "Making the environment failed" in done.stderr
    if script == TRAIN:
        assert house.run(script).returncode == 0


def test_an_environment_without_pip_is_made_anew(house):
    assert house.run("setup.sh").returncode == 0
    (house.root / ".venv" / ".installed-run").unlink()
    done = house.run(TRAIN, STAND_IN_BROKEN="1")
    assert done.returncode == 0 and [words[0] for words in done.modules] == ["venv", "pip"]
    (house.root / ".venv" / ".installed-run").unlink()
    assert [words[0] for words in house.run(TRAIN).modules] == ["pip"]


def test_a_video_is_named_or_it_says_so(house):
    done = house.run("3_cut_video.sh")
    assert done.returncode == 2 and "Usage:" in done.stderr and done.modules == []
