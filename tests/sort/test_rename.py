"""Renaming a folder survives interruptions at every step and touches nothing that it should not."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import FormatError, UserError
from samplelib.faces.rename import JOURNAL_NAME, finish_renaming, numbered_plan, rename_files


def _folder(tmp_path, names):
    folder = tmp_path / "my.aligned"
    folder.mkdir()
    for name in names:
        (folder / name).write_text(name)
    return folder


def _content(folder):
    """Names and texts without the hidden record of the first names."""
    files = folder.iterdir() if folder.exists() else ()
    return {path.name: path.read_text() for path in files if not path.name.startswith(".")}


def test_numbers_and_trash(tmp_path):
    folder = _folder(tmp_path, ["00001.jpg", "00000.jpg", "x_0.PNG", "bad.jpg", "note.txt"])
    order = [folder / name for name in ("x_0.PNG", "00001.jpg", "00000.jpg")]
    plan = numbered_plan(folder, order, [folder / "bad.jpg"])
    done = []
    rename_files(plan, done.append)
    assert sum(done) == len(plan) == 7
    assert _content(folder) == {
        "00000.PNG": "x_0.PNG", "00001.jpg": "00001.jpg", "00002.jpg": "00000.jpg", "note.txt": "note.txt",
    }  # fmt: skip
    assert _content(tmp_path / "my.aligned_trash") == {"bad.jpg": "bad.jpg"}


def test_older_trash_stays(tmp_path):
    folder = _folder(tmp_path, ["a.jpg", "a_1.jpg"])
    trash = tmp_path / "my.aligned_trash"
    trash.mkdir()
    (trash / "a.jpg").write_text("older")
    rename_files(numbered_plan(folder, [], [folder / "a.jpg", folder / "a_1.jpg"]))
    assert sorted(_content(trash).values()) == ["a.jpg", "a_1.jpg", "older"]
    assert _content(trash)["a.jpg"] == "older"


@pytest.mark.parametrize("steps", range(12))
def test_finishes_after_an_interruption_at_any_step(tmp_path, monkeypatch, steps):
    names = [f"{number:05d}.jpg" for number in range(5)] + ["reject.jpg"]
    folder = _folder(tmp_path, names)
    plan = numbered_plan(folder, [folder / name for name in reversed(names[:5])], [folder / "reject.jpg"])
    count = 0

    def interrupt(_):
        nonlocal count
        count += 1
        if count > steps:
            raise KeyboardInterrupt

    if steps < len(plan):
        with pytest.raises(KeyboardInterrupt):
            rename_files(plan, interrupt)
        everything = [*_content(folder).values(), *_content(tmp_path / "my.aligned_trash").values()]
        assert set(names) <= set(everything)
        assert finish_renaming(folder)
    else:
        rename_files(plan, interrupt)
    assert not finish_renaming(folder)
    assert _content(folder) == {f"{n:05d}.jpg": f"{4 - n:05d}.jpg" for n in range(5)}
    assert _content(tmp_path / "my.aligned_trash") == {"reject.jpg": "reject.jpg"}


def test_finishes_after_a_kill(tmp_path):
    names = [f"{number:05d}.jpg" for number in range(40)]
    folder = _folder(tmp_path, names)
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom samplelib.faces.rename import *\n"
        "folder = Path(sys.argv[1])\norder = sorted(folder.iterdir())[::-1]\nleft = 55\n"
        "def advance(count):\n    global left\n    left -= 1\n    if not left: os.kill(os.getpid(), 9)\n"
        "rename_files(numbered_plan(folder, order), advance)\n"
    )
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code, str(folder)], cwd=root, check=False)
    assert result.returncode == -9
    assert finish_renaming(folder)
    assert _content(folder) == {f"{n:05d}.jpg": f"{39 - n:05d}.jpg" for n in range(40)}


def test_refuses_before_touching_anything(tmp_path):
    folder = _folder(tmp_path, ["a.jpg", "b.jpg", "00000.jpg"])
    before = _content(folder)
    with pytest.raises(UserError, match="stands in the way"):
        rename_files(numbered_plan(folder, [folder / "a.jpg"]))
    with pytest.raises(UserError, match="is gone"):
        rename_files(numbered_plan(folder, [folder / "missing.jpg"]))
    with pytest.raises(UserError, match="same name"):
        rename_files(numbered_plan(folder, [folder / "a.jpg", folder / "a.jpg"]))
    assert _content(folder) == before


def test_a_failing_disk_is_reported_and_finished_later(tmp_path, monkeypatch):
    folder = _folder(tmp_path, ["a.jpg", "b.jpg"])
    plan = numbered_plan(folder, [folder / "b.jpg", folder / "a.jpg"])
    real = os.rename

    def fail(source, target):
        if str(target).endswith("00001.jpg"):
            raise PermissionError(13, "Permission denied")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fail)
        with pytest.raises(UserError, match="No file is lost"):
            rename_files(plan)
    assert finish_renaming(folder)
    assert _content(folder) == {"00000.jpg": "b.jpg", "00001.jpg": "a.jpg"}


def test_moves_to_a_trash_folder_on_another_disk(tmp_path, monkeypatch):
    folder = _folder(tmp_path, ["a.jpg"])
    real = os.rename

    def other_disk(source, target):
        if "trash" in str(target):
            raise OSError(18, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(os, "rename", other_disk)
    rename_files(numbered_plan(folder, [], [folder / "a.jpg"]))
    assert _content(folder) == {} and _content(tmp_path / "my.aligned_trash") == {"a.jpg": "a.jpg"}


@pytest.mark.parametrize("change", [{"renames": [["../x", "y"]]}, {"phase": "up"}, {"trash": 3}, {"prefix": "/etc/"}])
def test_refuses_a_forged_journal(tmp_path, change):
    folder = _folder(tmp_path, ["a.jpg"])
    journal = {"version": 1, "phase": "away", "prefix": "renaming0_", "renames": [], "trash": []}
    (folder / JOURNAL_NAME).write_text(json.dumps({**journal, **change}))
    with pytest.raises(FormatError, match="no usable record"):
        finish_renaming(folder)
    (folder / JOURNAL_NAME).write_text("{")
    with pytest.raises(FormatError, match="no usable record"):
        finish_renaming(folder)
