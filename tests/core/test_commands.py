"""Commands in messages run when they are pasted as they are."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from core.console import commands

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("place", [ROOT, ROOT / "tests", Path("/")])
def test_a_command_can_be_pasted_wherever_one_is(place, tmp_path, monkeypatch):
    monkeypatch.chdir(place)
    folder = tmp_path / "my faces & more"
    folder.mkdir()
    line = commands.command("util --unpack-faceset --input-dir", folder)
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and str(folder) in done.stderr and "Traceback" not in done.stderr
    assert shlex.split(line)[-1] == str(folder)


def test_the_installed_program_is_called_by_its_name(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/deepfacelab-tf2", "doctor"])
    assert commands.command("util --fetch-weights") == "deepfacelab-tf2 util --fetch-weights"


@pytest.mark.parametrize(("system", "script"), [("nt", "scripts\\setup.bat"), ("posix", "bash scripts/setup.sh")])
def test_the_setup_script_is_that_of_the_system(monkeypatch, system, script):
    monkeypatch.setattr(commands.os, "name", system)
    try:
        assert commands.setup_script() == script
    finally:
        monkeypatch.undo()
