"""Removing masks and labels and fetching labelled faces, through the command line."""

import os
import shutil

import numpy as np
import pytest
from labelled_faces import CUT, TRIANGLE, make_faceset, run_main, write_face

from core.errors import NothingToDo, UserError
from core.files.imageio import read_bgr
from samplelib.faces.aligned_face import read_metadata, write_metadata
from xseglib import fetching, removal


def pixels_of(folder):
    return {path.name: read_bgr(path) for path in sorted(folder.glob("*.jpg"))}


@pytest.fixture
def faces(tmp_path):
    return make_faceset(tmp_path / "aligned")


def test_remove_drops_masks_and_nothing_else(faces):
    before = pixels_of(faces)
    result = run_main("xseg", "remove", "--input-dir", faces, "--yes")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("!!! WARNING : APPLIED XSEG MASKS WILL BE REMOVED FROM THE FRAMES !!!") == 3
    assert "Files processed: 2\n" in result.stdout
    for number, path in enumerate(sorted(faces.iterdir())):
        metadata = read_metadata(path)
        assert metadata.xseg_mask is None
        assert metadata.polygons == ((TRIANGLE, CUT) if number % 2 == 0 else ())
        np.testing.assert_array_equal(before[path.name], read_bgr(path))


def test_remove_labels_drops_labels_and_nothing_else(faces):
    untouched = {path: path.stat().st_mtime_ns for path in faces.iterdir() if not read_metadata(path).polygons}
    result = run_main("xseg", "remove_labels", "--input-dir", faces, "--yes")
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("!!! WARNING : LABELED XSEG POLYGONS WILL BE REMOVED FROM THE FRAMES !!!") == 3
    assert "Files processed: 3\n" in result.stdout
    for number, path in enumerate(sorted(faces.iterdir())):
        metadata = read_metadata(path)
        assert metadata.polygons == ()
        assert (metadata.xseg_mask is not None) == (number % 3 == 0)
    assert all(path.stat().st_mtime_ns == time for path, time in untouched.items())


def test_nothing_is_removed_when_nobody_can_confirm(faces):
    before = {path: path.read_bytes() for path in faces.iterdir()}
    result = run_main("xseg", "remove_labels", "--input-dir", faces)
    assert result.returncode == 3 and "--yes" in result.stdout
    assert run_main("xseg", "remove_labels", "--input-dir", faces, stdin="n\n").returncode == 3
    assert {path: path.read_bytes() for path in faces.iterdir()} == before
    assert run_main("xseg", "remove_labels", "--input-dir", faces, stdin="y\n").returncode == 0


def test_fetch_copies_and_deletes_when_told(faces):
    labelled = {path.name: path.read_bytes() for path in faces.iterdir() if read_metadata(path).polygons}
    result = run_main("xseg", "fetch", "--input-dir", faces, stdin="n\n")
    assert "Copying faces containing XSeg polygons to aligned_xseg/ folder." in result.stdout
    assert "Files copied: 3" in result.stdout and "[n] Delete original files? ( y/n ) : " in result.stdout
    target = faces.parent / "aligned_xseg"
    assert {path.name: path.read_bytes() for path in target.iterdir()} == labelled
    assert len(list(faces.iterdir())) == 6

    result = run_main("xseg", "fetch", "--input-dir", faces)
    assert "Nobody to ask" in result.stdout and "--delete-originals" in result.stdout and result.returncode == 0
    assert len(list(faces.iterdir())) == 6, "without a terminal nothing is deleted"

    result = run_main("xseg", "fetch", "--input-dir", faces, stdin="y\n")
    assert "Files deleted: 3" in result.stdout and result.returncode == 0
    assert {path.name: path.read_bytes() for path in target.iterdir()} == labelled
    assert sorted(path.name for path in faces.iterdir()) == ["00001.jpg", "00003.jpg", "00005.jpg"]


@pytest.mark.parametrize(
    ("flags", "left"),
    [
        (["--no-delete-originals"], 6),
        (["--delete-original", "no"], 6),
        (["--delete-originals"], 3),
        (["--delete-original", "yes"], 3),
        (["--yes"], 3),
    ],
)
def test_fetch_flags(faces, flags, left):
    """The second spelling is that of the first releases. What ``--yes`` deletes is in the copies, compared byte by byte."""
    result = run_main("xseg", "fetch", "--input-dir", faces, *flags)
    assert result.returncode == 0, result.stderr
    assert len(list(faces.iterdir())) == left and len(list(faces.with_name("aligned_xseg").iterdir())) == 3


def test_fetching_again_keeps_labels_that_were_drawn_in_the_copy(faces):
    run_main("xseg", "fetch", "--input-dir", faces, "--no-delete-originals")
    copy = faces.with_name("aligned_xseg") / "00000.jpg"
    write_metadata(copy, read_metadata(copy).replace(polygons=(CUT,)))
    labelled = copy.read_bytes()
    result = run_main("xseg", "fetch", "--input-dir", faces, "--delete-originals")
    assert result.returncode == 0 and len(list(copy.parent.iterdir())) == 3
    assert read_metadata(copy).polygons == (TRIANGLE, CUT)
    assert (faces.with_name("aligned_xseg_trash") / "00000.jpg").read_bytes() == labelled


def test_an_original_that_changed_after_it_was_copied_is_kept(faces):
    copies, _ = fetching.fetch_labelled(faces)
    changed = next(iter(copies))
    data = bytearray(changed.read_bytes())
    data[-3] ^= 1
    changed.write_bytes(data)
    with pytest.raises(UserError, match="differs"):
        fetching.delete_fetched(copies)
    assert len(list(faces.iterdir())) == 6


@pytest.mark.parametrize(("tool", "count"), [("remove", 2), ("remove_labels", 3)])
def test_what_is_removed_can_be_put_back(faces, tool, count):
    before = {path.name: read_metadata(path) for path in faces.iterdir()}
    for _ in range(2):
        result = run_main("xseg", tool, "--input-dir", faces, "--yes")
        assert result.returncode == 0, result.stderr
    kept = list(faces.with_name("aligned_trash").rglob("meta.dat"))
    assert len(kept) == 1
    assert {path.name: read_metadata(path) for path in faces.iterdir()} != before
    shutil.copy(kept[0], faces)
    result = run_main("util", "--input-dir", faces, "--restore-faceset-metadata")
    assert f"Restored: {count}" in result.stdout and result.returncode == 0
    assert {path.name: read_metadata(path) for path in faces.glob("*.jpg")} == before


def test_fetch_never_replaces_another_face(tmp_path):
    first = tmp_path / "aligned"
    first.mkdir()
    write_face(first / "a.jpg", size=96, polygons=[TRIANGLE])
    fetching.fetch_labelled(first)
    other = write_face(first / "a.jpg", size=128, polygons=[TRIANGLE])
    copies, _ = fetching.fetch_labelled(first)
    assert copies == {other: tmp_path / "aligned_xseg" / "a_1.jpg"}
    assert read_bgr(tmp_path / "aligned_xseg" / "a.jpg").shape[0] == 96


def test_bad_files_are_named_and_the_rest_is_done(faces):
    (faces / "broken.jpg").write_bytes(b"no picture")
    (faces / "plain.png").write_bytes(b"")
    os.chmod(faces / "00003.jpg", 0o444)
    result = run_main("xseg", "remove", "--input-dir", faces, "--yes")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "Files processed: 1\n" in result.stdout
    assert f"{faces / 'broken.jpg'}: is not a JPEG file" in result.stderr
    assert f"{faces / '00003.jpg'}: is read-only" in result.stderr
    assert f"{faces / 'plain.png'} is not a DFLIMG" in result.stderr
    assert read_metadata(faces / "00003.jpg").xseg_mask is not None


@pytest.mark.parametrize("tool", ["remove", "remove_labels", "fetch"])
def test_missing_empty_and_packed_folders(tmp_path, tool):
    missing = run_main("xseg", tool, "--input-dir", tmp_path / "none", "--yes")
    assert missing.returncode == 1 and "no such folder" in missing.stderr
    (tmp_path / "empty").mkdir()
    assert run_main("xseg", tool, "--input-dir", tmp_path / "empty", "--yes").returncode == 3
    (tmp_path / "empty" / "faceset.pak").write_bytes(b"x")
    packed = run_main("xseg", tool, "--input-dir", tmp_path / "empty", "--yes")
    assert packed.returncode == 1 and "Unpack it first" in packed.stderr


def test_errors_are_of_the_kinds_that_callers_expect(tmp_path):
    with pytest.raises(UserError):
        removal.remove_labels(tmp_path / "none")
    with pytest.raises(NothingToDo):
        removal.remove_labels(tmp_path)


def test_labels_stay_when_the_faces_are_sorted(faces):
    def content():
        return sorted(
            (read_bgr(path).tobytes(), [(p.include, p.points.tolist()) for p in read_metadata(path).polygons])
            for path in faces.glob("*.jpg")
        )

    before = content()
    result = run_main("sort", "--input-dir", faces, "--by", "brightness", "--yes")
    assert result.returncode == 0, result.stderr
    assert content() == before and sum(bool(labels) for _, labels in before) == 3
