"""Temporary files of a dead process are removed, those of a living one and files of the user never."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.files import temporary
from core.files.paths import atomic_write, replacing
from core.files.temporary import remove_dead, temporary_file, temporary_folder
from core.locks import process_identity
from core.locks.process_identity import ProcessIdentity, this_process

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
sys.path.insert(0, sys.argv[1])
from core.files.temporary import temporary_file, temporary_folder
with temporary_file(sys.argv[2] + "/faceset.pak") as file, temporary_folder(sys.argv[2], "unfinished") as folder:
    (folder / "00001.png").write_bytes(b"x")
    print("holds", flush=True)
    sys.stdin.read()
"""
DAY = 24 * 3600


@pytest.fixture
def holder(tmp_path):
    """A program with a temporary file and a temporary folder in ``tmp_path``."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(ROOT), str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"holds\n"
    yield process
    process.kill()
    process.wait()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def dead_identity(**changes):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return this_process()._replace(pid=ended.pid, **changes)


def age(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path, holder):
    held = names(tmp_path)
    assert len(held) == 2 and all(name.startswith(".") for name in held)
    age(tmp_path / held[0], 100 * DAY)
    assert remove_dead(tmp_path) == 0
    atomic_write(tmp_path / "other.bin", b"x")
    assert names(tmp_path) == sorted([*held, "other.bin"])
    holder.kill()
    holder.wait()
    assert remove_dead(tmp_path) == 2
    assert names(tmp_path) == ["other.bin"]


def test_the_first_write_into_a_folder_removes_the_dead_ones(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert len(names(tmp_path)) == 2
    with replacing(tmp_path / "new.bin") as place:
        assert names(tmp_path) == [place.name]
    assert names(tmp_path) == ["new.bin"]


def test_a_process_that_ended_but_was_not_waited_for_is_dead(tmp_path, holder):
    holder.kill()
    os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
    assert remove_dead(tmp_path) == 2


def test_another_process_of_the_same_number_is_not_taken_for_the_owner(tmp_path):
    me = this_process()
    if not me.start:
        pytest.skip("the system does not tell when a process started")
    later = me._replace(start=me.start + 1)
    for owner in (me, later):
        (tmp_path / f".a.bin.{owner}.abcdefgh.tmp.bin").write_bytes(b"x")
    assert me.is_alive and not later.is_alive
    assert remove_dead(tmp_path) == 1
    assert names(tmp_path) == [f".a.bin.{me}.abcdefgh.tmp.bin"]


@pytest.mark.parametrize("name", [".a.png.{owner}.abcdefgh.tmp.png", ".a.png.abcdefgh.tmp.png"])
def test_those_of_another_computer_stay_until_they_have_lain_for_a_day_and_nobody_holds_them(tmp_path, name):
    path = tmp_path / name.format(owner=dead_identity(place="01234567"))
    path.write_bytes(b"x")
    assert remove_dead(tmp_path) == 0
    age(path, 2 * DAY)
    with open(path, "rb") as stream:
        assert temporary.try_lock(stream)
        assert remove_dead(tmp_path) == 0
    assert remove_dead(tmp_path) == 1


def test_files_of_the_user_are_never_taken_for_temporary_ones(tmp_path):
    owner = dead_identity()
    kept = [
        "result.mp4", ".result.mp4", ".hidden", ".tmp", ".notes.20240101.tmp", ".backup.abcdefgh.tmp", "x.tmp",
        ".a.mp4.hwut_kdn.tmp.png", ".result.mp4.hwut_kdn.tmp.mp4.mine.txt", f"a.bin.{owner}.abcdefgh.tmp.bin",
        f".a.bin.{owner}.abcdefgh.tmp.bin.txt.txt", f".a.bin.{owner}.abc.tmp.bin", f".a.bin.{owner}.tmp.bin",
        "m_SAEHD_data.dat.tmp", ".a.png.0123456789-1-1.abcdefgh.tmp.x.png",
    ]  # fmt: skip
    for name in kept:
        (tmp_path / name).write_bytes(b"x")
        age(tmp_path / name, 100 * DAY)
    (tmp_path / "elsewhere.txt").write_text("mine")
    link = tmp_path / f".a.bin.{owner}.abcdefgh.tmp.bin"
    link.symlink_to(tmp_path / "elsewhere.txt")
    assert remove_dead(tmp_path) == 0
    assert names(tmp_path) == sorted([*kept, "elsewhere.txt", link.name])


def test_a_missing_or_unreadable_folder_is_no_error(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for folder in (tmp_path / "none", tmp_path / "file", "", tmp_path / ("x" * 300)):
        assert remove_dead(folder) == 0
        temporary.remove_dead_once(folder)


@pytest.mark.parametrize(
    "name", ["a", ".renaming.json", "ü" * 120 + ".jpg", "x" * 250 + ".png", "a." + "b" * 200, "a\nb.png"]
)
def test_any_name_can_be_replaced(tmp_path, name):
    atomic_write(tmp_path / name, b"old")
    with replacing(tmp_path / name) as place:
        assert place.suffix in (Path(name).suffix, ".tmp")
        assert temporary._OURS.match(place.name)
        place.write_bytes(b"new")
    assert (tmp_path / name).read_bytes() == b"new" and names(tmp_path) == [name]


def test_a_name_that_is_not_utf8_can_be_replaced(tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    atomic_write(tmp_path / name, b"new")
    assert names(tmp_path) == [name]


def test_identities_can_be_written_and_read():
    me = this_process()
    assert process_identity.parse(str(me)) == me and me.is_local and me.is_alive
    for text in ("", "x", "0123456-1-1", "0123456789-1-1", "01234567-g-1", "01234567-1-1-1"):
        assert process_identity.parse(text) is None
    assert not ProcessIdentity("01234567", 1, 0).is_local


def test_errors_and_interrupts_leave_nothing(tmp_path):
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), temporary_file(tmp_path / "a.bin"):
            raise error
        with pytest.raises(error), temporary_folder(tmp_path, "unfinished") as folder:
            (folder / "x").write_bytes(b"x")
            raise error
    assert names(tmp_path) == []
