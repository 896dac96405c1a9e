"""Walking through the faces: steps, labelled ones only, trash, files that are no faces."""

from pathlib import Path

import pytest
from labelled_faces import TRIANGLE, write_face

from core.errors import UserError
from xseglib.image_list import FaceInfo, ImageList, read_info


def make(pattern):
    """A list from a text: ``l`` labelled face, ``f`` face, ``x`` no face."""
    infos = {Path(f"{i}.jpg"): FaceInfo(letter != "x", letter == "l") for i, letter in enumerate(pattern)}
    images = ImageList(list(infos), infos.__getitem__)
    return images


def test_steps_pass_over_other_files_and_end_at_the_last():
    images = make("xfxflfffx")
    assert images.first() and images.index == 1
    assert images.step(1) and images.index == 3
    assert images.step(1, 5) and images.index == 7
    assert not images.step(1) and images.index == 7
    assert images.step(-1, 5) and images.index == 1
    assert not images.step(-1)


def test_labelled_only():
    images = make("flffllf")
    images.first()
    visited = []
    while images.step(1, labelled_only=True):
        visited.append(images.index)
    assert visited == [1, 4, 5] and images.index == 5
    visited = []
    while images.step(-1, labelled_only=True):
        visited.append(images.index)
    assert visited == [4, 1]


def test_nothing_to_show():
    images = make("xx")
    assert not images.first() and images.current is None
    assert not images.step(1) and images.around(5) == ([], [])
    assert not ImageList([]).first()


def test_position_and_count():
    images = make("xflxl")
    images.first()
    for path in images.files:
        images.info(path)
    assert images.position == (1, 3) and images.labelled_count == 2
    images.step(1)
    assert images.position == (2, 3)
    images.note(images.current, FaceInfo(True, False))
    assert images.labelled_count == 1


def test_around():
    images = make("ffxfff")
    images.first()
    images.step(1, 3)
    before, after = images.around(2)
    assert [path.stem for path in before] == ["3", "1"] and [path.stem for path in after] == ["5"]


def test_trash(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    paths = [write_face(folder / f"{i}.jpg", i, polygons=[TRIANGLE] if i == 1 else []) for i in range(3)]
    images = ImageList(paths)
    images.first()
    images.step(1)
    (tmp_path / "aligned_trash").mkdir()
    (tmp_path / "aligned_trash" / "1.jpg").write_bytes(b"older")
    assert images.labelled_count == 1
    assert images.trash_current() == tmp_path / "aligned_trash" / "1_1.jpg"
    images.note(paths[1], FaceInfo(True, True))
    assert images.labelled_count == 0 and images.current == paths[2]
    images.trash_current()
    assert images.current == paths[0]
    images.trash_current()
    assert images.current is None and not list(folder.iterdir())
    assert (tmp_path / "aligned_trash" / "1.jpg").read_bytes() == b"older"
    assert len(list((tmp_path / "aligned_trash").iterdir())) == 4


def test_trash_of_a_vanished_file(tmp_path):
    images = ImageList([write_face(tmp_path / "a.jpg")])
    images.first()
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(UserError, match=r"a\.jpg: cannot be moved"):
        images.trash_current()


def test_read_info(tmp_path):
    assert read_info(write_face(tmp_path / "a.jpg")) == FaceInfo(True, False)
    assert read_info(write_face(tmp_path / "b.jpg", polygons=[TRIANGLE])) == FaceInfo(True, True)
    (tmp_path / "c.jpg").write_bytes(b"x")
    assert not read_info(tmp_path / "c.jpg").is_face and "c.jpg" in read_info(tmp_path / "c.jpg").problem
    assert "no such file" in read_info(tmp_path / "d.jpg").problem
