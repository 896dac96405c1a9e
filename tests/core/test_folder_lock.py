"""A folder is changed by one program at a time; a second one is told which, and since when."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from core.errors import UserError
from core.locks import folder_lock
from core.locks.folder_lock import LOCK_NAME, FolderLock
from core.locks.lock_file import LockFile, is_free
from core.records.name_record import RECORD_NAME

ROOT = Path(__file__).resolve().parents[2]
FACES = ROOT / "tests" / "golden" / "formats" / "aligned"

# The real sort, which waits for a line when it has looked at the pictures.
SORT_THAT_WAITS = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from samplelib.sorting import methods as sorting
real = sorting.sort_pictures
def waiting(*arguments):
    result = real(*arguments)
    print("waits", flush=True)
    sys.stdin.readline()
    return result
sorting.sort_pictures = waiting
import main
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for path in FACES.glob("0000*.jpg"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.fixture
def first_sort(folder):
    command = [sys.executable, "-c", SORT_THAT_WAITS, str(ROOT), "sort", "--input-dir", str(folder), "--by", "blur"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while "waits" not in process.stdout.readline():
        assert process.poll() is None
    yield process
    process.kill()
    process.communicate()


def run_main(*arguments):
    command = [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)
    return done.returncode, done.stdout + done.stderr


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != RECORD_NAME)


def test_a_second_sort_is_told_who_holds_the_folder_and_changes_nothing(folder, first_sort):
    before = names(folder)
    code, text = run_main("sort", "--input-dir", folder, "--by", "hist")
    assert code == 1
    (line,) = [line for line in text.splitlines() if line.startswith("/!\\")]
    since = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    told = rf"/!\\ {folder}: process {first_sort.pid} \(sort\) has been working on this folder since {since}\. Wait"
    assert re.match(told, line), line
    assert names(folder) == before
    assert first_sort.communicate("go on\n", timeout=60)[0].endswith("Done.\n")
    assert names(folder) == [f"0000{number}.jpg" for number in range(len(before) - 1)]
    assert run_main("sort", "--input-dir", folder, "--by", "hist")[0] == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("util", "--pack-faceset", "--yes"),
        ("util", "--unpack-faceset", "--yes"),
        ("util", "--recover-original-aligned-filename"),
        ("util", "--save-faceset-metadata"),
        ("facesettool", "resize", "--image-size", "128", "--yes"),
        ("facesettool", "enhance", "--yes"),
        ("xseg", "apply", "--model-dir", "none"),
        ("xseg", "remove", "--yes"),
        ("xseg", "remove_labels", "--yes"),
        ("xseg", "fetch"),
        ("xseg", "suggest"),
        ("videoed", "denoise-image-sequence"),
    ],
    ids=" ".join,
)
def test_every_command_that_changes_a_folder_asks_for_it(folder, first_sort, arguments):
    words = 2 if arguments[0] in ("xseg", "facesettool", "videoed") else 1
    before = names(folder)
    code, text = run_main(*arguments[:words], "--input-dir", folder, *arguments[words:])
    assert code == 1 and f"process {first_sort.pid} (sort) has been working on this folder since" in text
    assert names(folder) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("extract", "--input-dir", "{out}", "--output-dir", "{folder}", "--detector", "embedded"),
        ("videoed", "extract-video", "--input-file", "{out}", "--output-dir", "{folder}"),
        ("merge", "--model", "SAEHD", "--model-dir", "{out}", "--input-dir", "{out}", "--output-dir", "{folder}",
         "--output-mask-dir", "{out}"),
        ("merge", "--model", "SAEHD", "--model-dir", "{out}", "--input-dir", "{out}", "--output-mask-dir", "{folder}",
         "--output-dir", "{out}"),
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
def test_every_command_that_fills_a_folder_asks_for_it(folder, first_sort, tmp_path, arguments):
    code, text = run_main(*(word.format(folder=folder, out=tmp_path / "other") for word in arguments))
    assert code == 1 and f"process {first_sort.pid} (sort) has been working on this folder since" in text
    assert not (tmp_path / "other").exists()


def test_a_workspace_is_not_cleared_while_something_works_in_it(tmp_path):
    faces = tmp_path / "data_src" / "aligned"
    faces.mkdir(parents=True)
    (faces / "a.jpg").write_bytes(b"x")
    with FolderLock(faces):
        code, text = run_main("workspace", "clear", "--workspace", tmp_path, "--yes")
        assert code == 1 and f"{faces}: process {os.getpid()} " in text and (faces / "a.jpg").exists()
    assert run_main("workspace", "clear", "--workspace", tmp_path, "--yes")[0] == 0
    assert not (faces / "a.jpg").exists()


def test_two_programs_do_not_write_one_video(tmp_path):
    holder = FolderLock(tmp_path, file="result.mp4")
    arguments = ("videoed", "video-from-sequence", "--input-dir", tmp_path, "--output-file", tmp_path / "result.mp4")
    with holder:
        assert names(tmp_path) == [".result.mp4.lock"]
        code, text = run_main(*arguments)
        assert code == 1 and f"result.mp4: process {os.getpid()} " in text and "on this file since" in text
    assert names(tmp_path) == []
    assert "has been working" not in run_main(*arguments)[1]


def test_the_lock_of_a_dead_process_is_taken_over_and_goes_in_the_end(folder, first_sort):
    first_sort.kill()
    first_sort.wait()
    assert LOCK_NAME in names(folder)
    assert run_main("sort", "--input-dir", folder, "--by", "hist")[0] == 0
    assert LOCK_NAME not in names(folder)


def test_reading_a_folder_needs_no_lock(folder, first_sort):
    assert run_main("xseg", "queue", "--input-dir", folder)[1].count("has been working") == 0


def test_the_same_process_may_enter_again_also_by_another_path(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    with FolderLock(tmp_path):
        with FolderLock(tmp_path / "link"):
            assert names(tmp_path) == [LOCK_NAME, "link"]
        assert names(tmp_path) == [LOCK_NAME, "link"]
        assert not is_free(tmp_path / LOCK_NAME)
    assert names(tmp_path) == ["link"] and not folder_lock._held


def test_a_missing_folder_is_made_and_goes_again_when_nothing_was_put_into_it(tmp_path):
    with FolderLock(tmp_path / "a" / "b", make=True):
        assert (tmp_path / "a" / "b").is_dir()
    assert names(tmp_path) == []
    with FolderLock(tmp_path / "a" / "b", make=True):
        (tmp_path / "a" / "b" / "x").write_bytes(b"x")
    assert names(tmp_path / "a" / "b") == ["x"]
    with FolderLock(tmp_path / "none"):
        assert not (tmp_path / "none").exists()
    (tmp_path / "file").write_bytes(b"x")
    for path in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with FolderLock(path, make=True):
            pass
    assert names(tmp_path) == ["a", "file"]


def test_a_full_disk_does_not_keep_the_lock_from_being_held_or_removed(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("core.locks.lock_file.os.write", full)
    with FolderLock(tmp_path):
        assert names(tmp_path) == [LOCK_NAME] and not is_free(tmp_path / LOCK_NAME)
    assert names(tmp_path) == []


def test_many_takers_one_holder(tmp_path):
    """Taking, giving up and removing the file again and again never gives two of them the lock at once."""
    inside, wrong = [], []

    def work():
        for _ in range(200):
            lock = LockFile(tmp_path / "x.lock")
            if lock.acquire():
                inside.append(1)
                wrong.extend([1] * (len(inside) - 1))
                inside.pop()
                lock.release()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and names(tmp_path) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": {}}', '{"pid": "' + "9" * 5000 + '"}', "\x00" * 50])
def test_a_lock_file_with_anything_in_it_is_no_obstacle(tmp_path, text):
    (tmp_path / LOCK_NAME).write_text(text)
    assert len(LockFile(tmp_path / LOCK_NAME).owner().pid) <= 200
    with FolderLock(tmp_path):
        assert LockFile(tmp_path / LOCK_NAME).owner().pid == str(os.getpid())


def test_a_holder_in_this_process_is_named_too(tmp_path):
    lock = LockFile(tmp_path / LOCK_NAME)
    assert lock.acquire()
    with pytest.raises(UserError, match=f"process {os.getpid()} "), FolderLock(tmp_path):
        pass
    lock.release()
