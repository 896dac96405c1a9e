"""Every renaming can be undone, however many there were, whatever was renamed, and also after a kill."""

import io
import json
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "formats"))

from fault_injection import Killed, killed_after

import main
from core.console import interact
from core.errors import FormatError
from core.records.name_record import RECORD_NAME, NameRecord, read_record
from samplelib.faces import rename
from samplelib.faces.aligned_face import FaceMetadata, save_face
from samplelib.faces.rename import RenamePlan, finish_renaming, numbered_plan, rename_files, undo_plan


@pytest.fixture(autouse=True)
def nobody_at_the_console(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    yield
    interact.configure()


def frames(folder, count=12):
    """Frames of a film whose brightness is not in the order of their names."""
    folder.mkdir(parents=True)
    for number in range(count):
        picture = np.full((48, 64, 3), (number * 7) % count * 20, np.uint8)
        cv2.imwrite(str(folder / f"{number + 1:05d}.png"), picture)
    return folder


def faces(folder, count=8):
    folder.mkdir(parents=True)
    for number in range(count):
        random = np.random.default_rng(number)
        metadata = FaceMetadata("whole_face", random.uniform(5, 60, (68, 2)), f"{number // 2:05d}.png")
        save_face(
            folder / f"{number // 2:05d}_{number % 2}.jpg", random.integers(0, 256, (64, 64, 3), np.uint8), metadata
        )
    return folder


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def sort(folder, *arguments):
    return main.main(["sort", "--input-dir", str(folder), *map(str, arguments)])


@pytest.mark.parametrize("method", ["brightness", "hist", "blur", "hue", "identity", "duplicates"])
def test_frames_are_sorted_only_after_a_yes_and_come_back(tmp_path, method, capsys):
    folder = frames(tmp_path / "data_src")
    before = contents(folder)
    assert sort(folder, "--by", method) == 1
    shown = capsys.readouterr()
    assert "Only 0 of 12 pictures" in shown.out and "not sorted" in shown.err and contents(folder) == before
    assert sort(folder, "--by", method, "--yes") in (0, 1)
    assert contents(folder) != before
    assert sort(folder, "--undo") == 0
    assert contents(folder) == before and not (folder / RECORD_NAME).exists()
    assert not list(folder.with_name("data_src_trash").glob("*"))


def test_faces_are_sorted_without_that_question(tmp_path, capsys):
    folder = faces(tmp_path / "aligned")
    frames(tmp_path / "more", 8)
    for path in (tmp_path / "more").iterdir():
        path.rename(folder / path.name)
    assert sort(folder, "--by", "brightness") == 0
    assert "Sort them all the same?" not in capsys.readouterr().out


def test_a_chain_of_sorts_and_recovered_names_goes_back_to_the_first_names(tmp_path, capsys):
    folder = faces(tmp_path / "aligned")
    cv2.imwrite(str(folder / "holiday.png"), np.full((64, 64, 3), 90, np.uint8))
    before = contents(folder)
    for method in ("hue", "brightness", "blur"):
        assert sort(folder, "--by", method) == 0
    assert main.main(["util", "--input-dir", str(folder), "--recover-original-aligned-filename"]) == 0
    assert sort(folder, "--by", "hist") == 0
    assert (tmp_path / "aligned_trash" / "holiday.png").exists() or "holiday.png" not in contents(folder)
    capsys.readouterr()
    assert sort(folder, "--undo", "--dry-run") == 0
    assert "holiday.png <- " in capsys.readouterr().out and contents(folder) != before
    assert sort(folder, "--undo") == 0
    assert contents(folder) == before
    assert sort(folder, "--undo") == 3
    assert "nothing to undo" in capsys.readouterr().err


def test_recovered_names_alone_can_be_undone(tmp_path):
    folder = faces(tmp_path / "aligned")
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"mine {number}.jpg")
    before = contents(folder)
    assert main.main(["util", "--input-dir", str(folder), "--recover-original-aligned-filename"]) == 0
    assert contents(folder).keys() != before.keys()
    assert sort(folder, "--undo") == 0 and contents(folder) == before


def test_pictures_that_came_or_went_since(tmp_path):
    folder = frames(tmp_path / "data_src", 6)
    before = contents(folder)
    sort(folder, "--by", "brightness", "--yes")
    gone = folder / "00002.png"
    lost = next(name for name, data in before.items() if data == gone.read_bytes())
    gone.unlink()
    (folder / "new.png").write_bytes(b"new")
    (folder / "00001.png.txt").write_bytes(b"notes")
    first = "00006.png"
    assert first in before and first != lost and not (folder / first).exists()
    (folder / first).write_bytes(b"mine, under the first name of another")
    assert sort(folder, "--undo") == 0
    stem = first.removesuffix(".png")
    expected = {name: data for name, data in before.items() if name not in (lost, first)}
    expected |= {first: b"mine, under the first name of another", f"{stem}_1.png": before[first]}
    assert contents(folder) == expected | {"new.png": b"new", "00001.png.txt": b"notes"}


def test_an_emptied_trash_is_no_obstacle(tmp_path):
    folder = frames(tmp_path / "data_src", 6)
    sort(folder, "--by", "blur", "--yes")
    trash = tmp_path / "data_src_trash"
    assert contents(folder) == {} and len(contents(trash)) == 6
    for path in sorted(trash.iterdir())[:4]:
        path.unlink()
    assert sort(folder, "--undo") == 0
    assert sorted(contents(folder)) == ["00005.png", "00006.png"]


def test_killed_at_any_moment(tmp_path):
    """Sorting twice and undoing, killed at each change on disk; the next call finishes and the names come back."""

    def make(folder):
        folder.mkdir()
        for name in "abcde":
            (folder / f"{name}.jpg").write_text(name)
        rename_files(numbered_plan(folder, [folder / f"{name}.jpg" for name in "cab"], [folder / "d.jpg"]))

    def work(folder):
        again = [folder / name for name in ("00002.jpg", "e.jpg", "00000.jpg")]
        rename_files(numbered_plan(folder, again, [folder / "00001.jpg"]))
        rename_files(undo_plan(folder), record=NameRecord())

    moments = 0
    for limit in range(1000):
        folder = tmp_path / f"{limit}"
        make(folder)
        with killed_after(limit) as disk:
            try:
                work(folder)
            except Killed:
                pass
        everything = list(contents(folder).values()) + list(contents(folder.with_name(f"{limit}_trash")).values())
        assert sorted(set(everything)) == [b"a", b"b", b"c", b"d", b"e"]
        finish_renaming(folder)
        rename_files(undo_plan(folder), record=NameRecord())
        assert {name: data.decode() for name, data in contents(folder).items()} == {f"{n}.jpg": n for n in "abcde"}
        assert not (folder / RECORD_NAME).exists() and not (folder / rename.JOURNAL_NAME).exists()
        moments += 1
        if not disk.dead:
            break
    assert moments > 40


def test_a_journal_of_an_older_version_is_finished(tmp_path):
    (tmp_path / "a.jpg").write_text("a")
    journal = {"version": 1, "phase": "away", "prefix": "renaming0_", "renames": [["a.jpg", "b.jpg"]], "trash": []}
    (tmp_path / rename.JOURNAL_NAME).write_text(json.dumps(journal))
    assert finish_renaming(tmp_path) and contents(tmp_path) == {"b.jpg": b"a"}


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version": 2, "names": {}, "trash": {}}', '{"version": 1, "names": {"a": "../b"}, "trash": {}}',
                '{"version": 1, "names": {"a": 3}, "trash": {}}', "[" * 100_000]
)  # fmt: skip
def test_a_damaged_record_is_named_and_nothing_renamed(tmp_path, content):
    (tmp_path / "a.jpg").write_text("a")
    (tmp_path / RECORD_NAME).write_text(content)
    for use in (undo_plan, lambda folder: rename_files(RenamePlan(folder, (("a.jpg", "b.jpg"),)))):
        with pytest.raises(FormatError, match="no usable record of the names before sorting"):
            use(tmp_path)
    assert os.listdir(tmp_path) == sorted(os.listdir(tmp_path)) and (tmp_path / "a.jpg").exists()


def test_new_faces_in_place_of_sorted_ones_have_no_first_names(tmp_path):
    from samplelib.extraction.output_folder import clean

    folder = faces(tmp_path / "aligned")
    sort(folder, "--by", "hue")
    assert read_record(folder)
    clean(folder, list(folder.glob("*.jpg")))
    assert not read_record(folder)


def test_undo_stands_alone(tmp_path):
    folder = frames(tmp_path / "data_src", 2)
    assert sort(folder, "--undo", "--by", "hue") == 2
    assert sort(tmp_path / "missing", "--undo") == 1
