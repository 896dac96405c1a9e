"""Denoising replaces all pictures of a folder or none, once, whenever it is killed."""

import hashlib
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest
import video_clips as clips

from core.files import picture_swap
from core.files.imageio import encode_image, read_image, read_picture_header, write_image
from core.files.paths import list_images

COUNT = 6
PROGRAM = """
import os, sys
import main
calls, limit = 0, int(sys.argv.pop(1))
def counted(function):
    def call(*arguments, **options):
        global calls
        if calls == limit:
            os._exit(9)
        calls += 1
        return function(*arguments, **options)
    return call
for name in ("replace", "rename", "unlink", "rmdir"):
    setattr(os, name, counted(getattr(os, name)))
code = main.main(sys.argv[1:])
print("CALLS", calls)
sys.exit(code)
"""


def fill(folder, count=COUNT, suffix=".png", size=(64, 128)):
    folder.mkdir(parents=True)
    random = np.random.default_rng(3)
    for number in range(count):
        noise = random.normal(128, 30, (*size, 3)).clip(0, 255).astype(np.uint8)
        write_image(folder / f"{number + 1:05d}{suffix}", noise, 95)
    return folder


def state(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in list_images(folder)}


def denoise(folder, *flags):
    return clips.call_main("videoed", "denoise-image-sequence", "--input-dir", folder, "--factor", "7", *flags)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_picture_of_another_size_is_refused_before_anything_is_written(tmp_path, suffix):
    folder = fill(tmp_path / "f", suffix=suffix)
    write_image(folder / f"00004{suffix}", np.zeros((48, 80, 3), np.uint8))
    before = state(folder)
    done = denoise(folder)
    assert done.returncode == 2 and "128x64: 5 (00001" in done.stderr and "80x48: 1 (00004" in done.stderr
    assert state(folder) == before and sorted(os.listdir(folder)) == sorted(before)


def test_a_picture_that_is_none_is_refused(tmp_path):
    folder = fill(tmp_path / "f")
    (folder / "00003.png").write_bytes(b"no picture")
    before = state(folder)
    done = denoise(folder)
    assert done.returncode == 1 and "00003.png" in done.stderr and state(folder) == before


def test_killed_at_every_step_and_run_again_it_gives_what_one_run_gives(tmp_path):
    original = fill(tmp_path / "original")
    before = state(original)

    def run(folder, limit):
        words = ["videoed", "denoise-image-sequence", "--input-dir", str(folder), "--factor", "7"]
        command = [sys.executable, "-c", PROGRAM, str(limit), *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=clips.ROOT, timeout=120)

    whole = shutil.copytree(original, tmp_path / "whole")
    done = run(whole, -1)
    assert done.returncode == 0, done.stderr
    right, calls = state(whole), int(done.stdout.rsplit("CALLS", 1)[1])
    assert not set(right.values()) & set(before.values()) and calls > 2 * COUNT
    finished = 0
    for limit in range(calls):
        folder = shutil.copytree(original, tmp_path / f"killed {limit}")
        assert run(folder, limit).returncode == 9
        mixed = state(folder)
        assert all(mixed[name] in (before[name], right[name]) for name in before)
        if mixed == right and not picture_swap.results_folder(folder, "denoised").exists():
            continue  # It had only to end.
        again = denoise(folder)
        assert again.returncode == 0, again.stderr
        finished += "was interrupted" in again.stdout
        assert state(folder) == right, limit
        assert sorted(os.listdir(folder)) == sorted(right), limit
    assert finished >= COUNT


def test_pictures_that_were_changed_since_the_kill_are_kept(tmp_path):
    folder = fill(tmp_path / "f")
    place = picture_swap.results_folder(folder, "denoised")
    made = tmp_path / "f" / ".unfinished.1.x"
    made.mkdir()
    pictures = list_images(folder)
    for picture in pictures:
        write_image(made / picture.name, np.zeros((64, 128, 3), np.uint8))
    picture_swap.commit({picture: made / picture.name for picture in pictures}, folder, "denoised", {"factor": 7})
    assert place.is_dir()
    write_image(pictures[0], np.full((64, 128, 3), 9, np.uint8))
    pictures[1].unlink()
    done = denoise(folder)
    assert done.returncode == 0 and "2 images were changed since" in done.stderr, done.stderr
    assert (read_image(pictures[0]) == 9).all() and not pictures[1].exists() and not read_image(pictures[2]).any()
    assert not place.exists()


@pytest.mark.parametrize("record", ["", "{}", "[" * 9999, '{"stamps": {"../mine.png": [3, 4]}, "note": {}}'])
def test_a_record_that_cannot_be_used_changes_nothing(tmp_path, record):
    folder = fill(tmp_path / "f")
    before = state(folder)
    place = picture_swap.results_folder(folder, "denoised")
    place.mkdir()
    (place / ".sources.json").write_text(record)
    assert picture_swap.finish(folder, "denoised") is None
    assert state(folder) == before and not place.exists()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".bmp", ".webp", ".jp2"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sizes_are_read_from_headers(tmp_path, suffix, channels):
    if channels == 4 and suffix in (".jpg", ".jp2"):
        pytest.skip("no transparency in this kind")
    image = np.zeros((37, 53, channels), np.uint8)
    path = tmp_path / f"p{suffix}"
    path.write_bytes(encode_image(image, suffix))
    assert read_picture_header(path)[1:3] == (53, 37)


def test_the_size_of_a_jpeg_with_a_thumbnail_is_its_own(tmp_path):
    thumbnail = encode_image(np.zeros((8, 16, 3), np.uint8), ".jpg")
    data = encode_image(np.zeros((40, 60, 3), np.uint8), ".jpg", 90)
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    (tmp_path / "p.jpg").write_bytes(data[:2] + segment + data[2:])
    assert read_picture_header(tmp_path / "p.jpg")[1:3] == (60, 40)
    progressive = cv2.imencode(".jpg", np.zeros((41, 61, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]
    (tmp_path / "q.jpg").write_bytes(progressive.tobytes())
    assert read_picture_header(tmp_path / "q.jpg")[1:3] == (61, 41)
