"""The ``view`` step opens a folder with the right program, and only names it where nothing can be shown."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

MAIN = Path(__file__).resolve().parents[2] / "main.py"
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in viewers are shell scripts")


def run_view(folder, **variables):
    environment = {key: value for key, value in os.environ.items() if key not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment |= {"DFL_VIEWER": "", **variables}
    command = [sys.executable, str(MAIN), "view", "--input-dir", str(folder)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def aligned(tmp_path):
    folder = tmp_path / "data src" / "aligned"
    folder.mkdir(parents=True)
    return folder


def make_viewer(path, notes):
    path.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > "{notes}.part"\nmv "{notes}.part" "{notes}"\n')
    path.chmod(0o755)
    return path


def wait_for(notes):
    end = time.monotonic() + 20
    while time.monotonic() < end and not notes.exists():
        time.sleep(0.02)
    return notes.read_text()


def test_the_chosen_viewer_gets_the_folder(tmp_path, aligned):
    viewer = make_viewer(tmp_path / "my-viewer", tmp_path / "notes")
    done = run_view(aligned, DFL_VIEWER=f"{viewer} --low")
    assert done.returncode == 0 and str(aligned) in done.stdout
    assert wait_for(tmp_path / "notes") == f"--low|{aligned}|"


def test_a_viewer_whose_path_has_a_space(tmp_path, aligned):
    viewer = make_viewer(tmp_path / "my viewer", tmp_path / "notes")
    assert run_view(aligned, DFL_VIEWER=str(viewer)).returncode == 0
    assert wait_for(tmp_path / "notes") == f"{aligned}|"


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS always has a display")
def test_the_systems_opener_is_used_when_there_is_a_display(tmp_path, aligned):
    make_viewer(tmp_path / "xdg-open", tmp_path / "notes")
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    assert run_view(aligned, PATH=path, DISPLAY=":99").returncode == 0
    assert wait_for(tmp_path / "notes") == f"{aligned}|"
    done = run_view(aligned, PATH=path)
    assert done.returncode == 0 and str(aligned) in done.stdout and "no display" in done.stdout


def test_what_cannot_be_shown_is_said(tmp_path, aligned):
    done = run_view(aligned / "missing")
    assert done.returncode == 1 and "no such folder" in done.stderr
    done = run_view(aligned, DFL_VIEWER="/no/such/viewer")
    assert done.returncode == 1 and "Check DFL_VIEWER" in done.stderr
