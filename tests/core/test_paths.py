"""Natural order, atomic writes, wildcard inputs and trash folders."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NothingToDo, UserError
from core.files.paths import (
    atomic_write,
    free_name,
    list_images,
    move_to_trash,
    natural_key,
    replacing,
    resolve_input_file,
)


def test_frames_past_99999_sort_by_number(tmp_path):
    for name in ("100000.png", "99999.png", "00001.png", "notes.txt", "x.PNG"):
        (tmp_path / name).touch()
    assert [path.name for path in list_images(tmp_path)] == ["00001.png", "99999.png", "100000.png", "x.PNG"]


@given(st.lists(st.integers(0, 99999), unique=True))
def test_equal_width_numbers_sort_as_text(numbers):
    names = [f"{number:05d}.png" for number in numbers]
    assert sorted(names, key=natural_key) == sorted(names)


@given(st.lists(st.text(max_size=12)))
def test_natural_key_orders_any_text(names):
    backwards = names[::-1]
    assert sorted(backwards, key=natural_key) == sorted(names, key=natural_key)


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        list_images(tmp_path / "none")
    with pytest.raises(NothingToDo, match="no images"):
        list_images(tmp_path, required=True)


def test_failed_write_keeps_the_old_file(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_atomic_write_replaces_and_keeps_permissions(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    target.chmod(0o640)
    atomic_write(target, [b"ne", b"w"])
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_atomic_write_into_a_missing_folder_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="cannot be written"):
        atomic_write(tmp_path / "none" / "a.bin", b"x")


def test_wildcard_prefers_videos(tmp_path):
    (tmp_path / "data_src.txt").touch()
    (tmp_path / "Data_Src.mp4").touch()
    assert resolve_input_file(tmp_path / "data_src.*").name == "Data_Src.mp4"
    with pytest.raises(UserError, match="any extension"):
        resolve_input_file(tmp_path / "data_dst.*")


def test_trash_never_overwrites(tmp_path):
    trash = tmp_path / "trash"
    trash.mkdir()
    (trash / "a.jpg").write_bytes(b"first")
    (tmp_path / "a.jpg").write_bytes(b"second")
    (place,) = move_to_trash([tmp_path / "a.jpg"], trash)
    assert place.name == "a_1.jpg" and place.read_bytes() == b"second"
    assert (trash / "a.jpg").read_bytes() == b"first"
    assert free_name(trash / "a.jpg").name == "a_2.jpg"
