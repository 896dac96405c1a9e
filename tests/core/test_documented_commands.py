"""Every command of a fenced ``bash`` block in README, CONTRIBUTING and docs runs as it is written, in a tiny workspace."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import pytest

import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^( *)```bash\n(.*?)^\1```", re.DOTALL | re.MULTILINE)
FRAMES = 6

# Commands that need minutes or a whole checkout, by their beginning: by hand, with ``-m slow``.
IN_A_CHECKOUT = (
    "bash scripts/demo.sh",
    "bash scripts/setup.sh",
    "DFL_ANSWERS=~/film.yaml bash scripts/4_data_src_faceset_extract.sh",
    ".venv/bin/",
)
# The one command that no test runs: it is what runs the tests.
THE_SUITE = "bash scripts/test.sh"
NOT_RUN = (*IN_A_CHECKOUT, THE_SUITE)
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
    return not command.startswith(NOT_RUN)


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


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the program's files with this environment, and a home with an answers file."""
    root = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    (root / ".venv").symlink_to(sys.prefix)
    (root / "film.yaml").write_text('"*": ""\n')
    clips = [sys.executable, str(ROOT / "scripts" / "make_demo_clips.py"), "workspace", "--frames", str(FRAMES)]
    subprocess.run(clips, cwd=root, check=True, capture_output=True)
    for command in tutorial("extract-video"):
        run(root, command)
    return root


def serves(command, folder, environment):
    """Whether a command that never ends by itself answers at its address."""
    with subprocess.Popen(shlex.split(command), cwd=folder, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            for _ in range(600):
                assert server.poll() is None, command
                try:
                    with urllib.request.urlopen("http://127.0.0.1:8000", timeout=10) as page:
                        return page.status == 200
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.2)
            return False
        finally:
            server.terminate()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")
@pytest.mark.parametrize(
    "command", [c for page in PAGES for c in commands_of(page) if c.startswith(IN_A_CHECKOUT)], ids=lambda c: c[:60]
)
def test_commands_that_need_a_checkout_run(checkout, command):
    environment = {**os.environ, "HOME": str(checkout), "DFL_DEMO_ITERATIONS": "2"}
    for name in ("DFL_VENV", "DFL_WORKSPACE", "DFL_SKIP_SETUP", "DFL_ANSWERS"):
        environment.pop(name, None)
    if command.endswith("mkdocs serve"):
        assert serves(command, checkout, environment)
        return
    if "test_every_launcher" in command:
        command += " --collect-only"  # ten minutes of windows; it is run by hand itself
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=checkout,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=3600,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"


class Shown:
    """Stands for ``IPython.display``: keeps what the notebook shows."""

    def __init__(self):
        self.things = []

    def display(self, thing):
        self.things.append(thing)

    def __getattr__(self, name):
        return lambda *words, **options: (name, *words)


def test_no_step_of_the_notebook_waits_for_an_answer():
    """Jupyter gives commands a terminal at which nobody types."""
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    steps = [line for cell in cells for line in cell["source"] if line.startswith("!bash scripts/")]
    assert len(steps) == 7 and all(line.rstrip().endswith("< /dev/null") for line in steps)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="for Linux machines")
def test_every_cell_of_the_notebook_runs(checkout, monkeypatch):
    """As Jupyter would, but for its page: a line with ``!`` goes to the shell."""
    monkeypatch.setenv("DFL_DEMO_ITERATIONS", "2")
    for name in ("DFL_VENV", "DFL_WORKSPACE", "DFL_CUDA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(checkout / "docs")
    shown = Shown()
    monkeypatch.setitem(sys.modules, "IPython", shown)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    names = {"shell": lambda line: subprocess.run(["bash", "-c", line], check=True, stdin=subprocess.DEVNULL)}
    for cell in json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            source = re.sub(
                r"^( *)!(.*)$", lambda found: f"{found[1]}shell({found[2]!r})", "".join(cell["source"]), flags=re.M
            )
            exec(compile(source, cell["id"], "exec"), names)
    assert [thing[0] for thing in shown.things] == ["IFrame", "Image", "Video"]
    assert Path(shown.things[-1][1]).stat().st_size > 10000


def test_what_runs_apart_is_still_in_the_pages():
    everything = [command for page in PAGES for command in commands_of(page)]
    assert all(any(command.startswith(beginning) for command in everything) for beginning in NOT_RUN)
    for command in everything:
        for script in re.findall(r"scripts/[\w.]+", command):
            assert (ROOT / script).is_file(), command
