"""The demo deletes what a demo has left, and nothing of anybody else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the demo is a shell script")

STUB = """#!{python}
# Stands for the numbered scripts and the maker of clips: leaves a small file where the step would leave its own.
import os, subprocess, sys
from pathlib import Path
name, workspace = Path(sys.argv[1]).name, Path(os.environ["DFL_WORKSPACE"])
made = {{"2_": "data_src/00001.png", "3_": "data_dst/00001.png", "4_": "data_src/aligned/00001_0.jpg",
        "5_": "data_dst/aligned/00001_0.jpg", "6_": "model/demo_SAEHD_data.dat", "7_": "data_dst/merged/00001.png",
        "8_": "result.mp4"}}
if name == "demo_workspace.py" or name == "main.py":
    sys.exit(subprocess.run(["{python}", *sys.argv[1:]]).returncode)
if name == "make_demo_clips.py":
    for clip in ("data_src", "data_dst"):
        if not list(workspace.glob(clip + ".*")):
            (workspace / (clip + ".mp4")).write_text("sample clip")
if os.environ.get("STOP_AT") == name[:2]:
    sys.exit(9)
for begin, file in made.items():
    if name.startswith(begin):
        (workspace / file).parent.mkdir(parents=True, exist_ok=True)
        (workspace / file).write_text("made by the demo")
"""


@pytest.fixture
def checkout(tmp_path):
    """The real ``demo.sh`` and what clears for it, with stubs for all steps."""
    root = tmp_path / "program"
    shutil.copytree(ROOT / "core", root / "core", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mainscripts", "models", "facelib", "samplelib", "merger", "xseglib", "main.py"):
        os.symlink(ROOT / name, root / name)
    (root / "scripts").mkdir()
    for name in ("demo.sh", "demo_workspace.py", "env.sh"):
        shutil.copy(ROOT / "scripts" / name, root / "scripts")
    program = root / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(STUB.format(python=sys.executable))
    program.chmod(0o755)
    for script in (ROOT / "scripts").glob("[2-8]_*.sh"):
        (root / "scripts" / script.name).write_text(f'"{program}" "$0"\n')
    return root


def run_demo(checkout, workspace=None, **environment):
    environment = {**os.environ, "DFL_SKIP_SETUP": "1", "DFL_VENV": str(checkout / ".venv"), **environment}
    environment.pop("DFL_WORKSPACE", None)
    if workspace is not None:
        environment["DFL_DEMO_WORKSPACE"] = str(workspace)
    command = ["bash", str(checkout / "scripts" / "demo.sh")]
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )


def contents(workspace):
    return {
        str(path.relative_to(workspace)): path.read_text()
        for path in workspace.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def test_a_demo_after_a_demo_starts_anew(checkout):
    workspace = checkout / "workspace_demo"
    for _ in range(2):
        done = run_demo(checkout)
        assert done.returncode == 0, done.stdout + done.stderr
        found = contents(workspace)
        assert found["data_src.mp4"] == "sample clip" and found["data_src/aligned/00001_0.jpg"] == "made by the demo"
        assert not (workspace / "cleared_1").exists() and len(found) == 9


def test_own_clips_are_used_and_stay(checkout, tmp_path):
    workspace = tmp_path / "mine"
    workspace.mkdir()
    (workspace / "data_src.mov").write_text("my clip")
    (workspace / "notes.txt").write_text("notes")
    for _ in range(2):
        assert run_demo(checkout, workspace).returncode == 0
        found = contents(workspace)
        assert (
            found["data_src.mov"] == "my clip"
            and found["data_dst.mp4"] == "sample clip"
            and "data_src.mp4" not in found
        )
        assert found["notes.txt"] == "notes"


@pytest.mark.parametrize(
    "name", ["data_src/00001.png", "data_dst/aligned/x.jpg", "model/mine_SAEHD_data.dat", "model/"]
)
def test_it_stops_where_somebody_has_worked(checkout, tmp_path, name):
    workspace = tmp_path / "film"
    (workspace / name).parent.mkdir(parents=True)
    if name.endswith("/"):
        (workspace / name).mkdir()
    else:
        (workspace / name).write_text("mine")
    (workspace / "data_src.mp4").write_text("my clip")
    before = contents(workspace)
    done = run_demo(checkout, workspace)
    assert done.returncode == 1 and "which no demo has made" in done.stderr and "DFL_DEMO_WORKSPACE" in done.stderr
    assert contents(workspace) == before and not (workspace / "data_dst.mp4").exists()


def test_a_folder_that_is_a_link_is_not_followed(checkout, tmp_path):
    workspace, elsewhere = tmp_path / "film", tmp_path / "faces"
    workspace.mkdir()
    elsewhere.mkdir()
    (elsewhere / "00001.png").write_text("mine")
    (workspace / "data_src").symlink_to(elsewhere)
    assert run_demo(checkout, workspace).returncode == 1
    assert contents(elsewhere) == {"00001.png": "mine"}
    (workspace / "data_src").unlink()
    assert run_demo(checkout, workspace).returncode == 0
    shutil.rmtree(workspace / "data_src")
    (workspace / "data_src").symlink_to(elsewhere)
    assert run_demo(checkout, workspace).returncode == 0
    assert contents(elsewhere) == {"00001.png": "mine"}


@pytest.mark.parametrize("change", ["new model", "labelled face", "own folder", "interrupted demo", "damaged mark"])
def test_what_was_changed_after_a_demo_is_moved_aside(checkout, change):
    workspace = checkout / "workspace_demo"
    assert run_demo(checkout, STOP_AT="6_" if change == "interrupted demo" else "").returncode in (0, 9)
    name = {
        "new model": "model/mine_SAEHD_data.dat",
        "labelled face": "data_src/aligned/00001_0.jpg",
        "own folder": "data_dst/mattes/1.png",
        "interrupted demo": "data_dst/aligned/00001_0.jpg",
        "damaged mark": "data_src/aligned/00001_0.jpg",
    }[change]
    (workspace / name).parent.mkdir(exist_ok=True)
    (workspace / name).write_text("my work")
    if change == "damaged mark":
        (workspace / ".made_by_demo.json").write_text("{")
    for _ in range(2):
        assert run_demo(checkout).returncode == 0
        found = contents(workspace)
        kept = [text for place, text in found.items() if place in (name, f"cleared_1/{name}")]
        assert "my work" in kept and found["model/demo_SAEHD_data.dat"] == "made by the demo"


def test_sample_clips_replace_nothing(tmp_path):
    """Only the missing one is made; a sound file of that name is no clip and stays, too."""
    (tmp_path / "data_src.MOV").write_bytes(b"mine")
    (tmp_path / "data_dst.wav").write_bytes(b"my sound")
    maker = [sys.executable, str(ROOT / "scripts" / "make_demo_clips.py"), str(tmp_path), "--frames", "3"]
    subprocess.run(maker, check=True, timeout=120)
    assert sorted(os.listdir(tmp_path)) == ["data_dst.mp4", "data_dst.wav", "data_src.MOV"]
    assert (tmp_path / "data_src.MOV").read_bytes() == b"mine" and (
        tmp_path / "data_dst.wav"
    ).read_bytes() == b"my sound"
