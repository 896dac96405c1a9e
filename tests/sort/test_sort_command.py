"""The sort command on a faceset with everything that goes wrong in one: ties, foreign pictures, missing data."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from facelib.landmarks import MODEL_3D
from samplelib.faces.aligned_face import FaceMetadata, read_metadata, save_face
from samplelib.sorting.method_names import METHODS

ROOT = Path(__file__).parents[2]
SIZE = 72
FACES = 280


def _picture(number):
    """One of 90 different pictures, so that many faces tie; with texture, so that sharpness varies."""
    generator = np.random.default_rng(number % 90)
    image = generator.integers(0, 256, (SIZE // 4, SIZE // 4, 3), dtype=np.uint8)
    image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return cv2.GaussianBlur(image, (0, 0), 0.5 + (number % 9) / 4)


def _landmarks(yaw, pitch):
    """Landmarks of a turned head, in the middle of the picture."""
    across = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    down = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    points = (MODEL_3D - MODEL_3D.mean(axis=0)) @ (down @ across).T
    return points[:, :2] * 0.7 * SIZE / np.ptp(MODEL_3D[:, 1]) + SIZE / 2


def make_faceset(folder):
    """280 faces, two without source data, 14 plain pictures of all kinds, 3 unreadable files, notes; 300 in all."""
    folder.mkdir(parents=True)
    for number in range(FACES):
        landmarks = _landmarks(yaw=(number * 37 % 280 - 140) / 150, pitch=(number % 11 - 5) / 20)
        frame = f"{number // 3:05d}.png" if number % 5 else f"{number:05d}_x.png"
        metadata = FaceMetadata(
            face_type="whole_face",
            landmarks=landmarks,
            source_filename=None if number in (7, 8) else frame,
            source_rect=None if number in (7, 9) else [0, 0, 100 + number % 50, 120],
        )
        save_face(folder / f"{number:05d}_{number % 3}.jpg", _picture(number), metadata, 95)
    grey = cv2.cvtColor(_picture(3), cv2.COLOR_BGR2GRAY)
    alpha = np.dstack([_picture(4), grey])
    for number in range(7):
        for suffix, image in ((".png", _picture(number)), (".jpeg", _picture(number + 50))):
            cv2.imwrite(str(folder / f"foreign {number}{suffix}"), image)
    cv2.imwrite(str(folder / "grey.png"), grey)
    cv2.imwrite(str(folder / "alpha.png"), alpha)
    cv2.imwrite(str(folder / "deep.tif"), grey.astype(np.uint16) * 200)
    (folder / "broken.jpg").write_bytes(b"this is no picture")
    (folder / "cut.png").write_bytes((folder / "alpha.png").read_bytes()[:60])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("mine")


def _images(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".txt" and not path.name.startswith("."))


def _run(*arguments, answers="", check=True):
    result = subprocess.run(
        [sys.executable, "main.py", *map(str, arguments)], cwd=ROOT, input=answers, capture_output=True, text=True
    )
    assert not check or result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result


@pytest.fixture(scope="module")
def faceset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sort") / "aligned"
    make_faceset(folder)
    assert len(_images(folder)) == 300
    return folder


@pytest.fixture
def copy_of(faceset, tmp_path):
    import shutil

    folder = tmp_path / "data_src" / "aligned"
    shutil.copytree(faceset, folder)
    return folder


def _bytes(folder):
    """Of all files but the hidden record of the first names."""
    files = folder.iterdir() if folder.exists() else ()
    return sorted(path.read_bytes() for path in files if not path.name.startswith("."))


THROW_OUT_FOREIGN = ("blur", "motion-blur", "face-yaw", "face-pitch", "face-source-rect-size", "origname")


def test_every_method_of_the_menu_has_its_function():
    from samplelib.sorting.methods import FUNCTIONS

    assert list(FUNCTIONS) == [method.key for method in METHODS]


@pytest.mark.parametrize("key", [method.key for method in METHODS[:15]])
def test_every_method(copy_of, key, monkeypatch):
    """In one process; the command itself is run below."""
    import main

    before = _bytes(copy_of)
    count = len(_images(copy_of))
    code = main.main(["sort", "--input-dir", str(copy_of), "--by", key, "--target-count", "100", "--yes"])
    assert code == 0
    trash = copy_of.with_name("aligned_trash")
    assert sorted(before) == sorted(_bytes(copy_of) + _bytes(trash))
    kept = _images(copy_of)
    assert [name.split(".")[0] for name in kept] == [f"{number:05d}" for number in range(len(kept))]
    assert (copy_of / "notes.txt").read_text() == "mine"
    if key in THROW_OUT_FOREIGN:
        assert 260 <= len(kept) <= FACES + 5
        assert {"grey.png", "alpha.png", "deep.tif", "foreign 0.png"} <= set(_images(trash))
    elif key.startswith("final"):
        assert 64 <= len(kept) <= 128
        assert all(read_metadata(copy_of / name) for name in kept)
    else:
        assert len(kept) == count and not trash.exists()
        unreadable = [(copy_of / name).stat().st_size for name in kept[-3:]]
        assert min(unreadable) == 0 or key == "oneface"


def test_ties_keep_their_order(tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for name in ("9.png", "10.png", "100.png", "a.png"):
        cv2.imwrite(str(folder / name), np.full((64, 64, 3), 50 if name != "a.png" else 60, np.uint8))
    result = _run("sort", "--input-dir", folder, "--by", "brightness", "--dry-run")
    order = [line.split(" <- ")[1] for line in result.stdout.splitlines() if "<-" in line]
    assert order == ["a.png", "9.png", "10.png", "100.png"]
    assert _images(folder) == ["10.png", "100.png", "9.png", "a.png"]


def test_menu_asks_like_deepfacelab(copy_of):
    result = _run("sort", "--input-dir", copy_of, answers="13\n150\n")
    lines = result.stdout.splitlines()
    start = lines.index("Choose sorting method:")
    assert lines[start + 1] == "[0] blur" and lines[start + 15] == "[14] best faces faster"
    assert "[5] : " in result.stdout and "[2000] Target number of faces? : " in result.stdout
    assert 60 <= len(_images(copy_of)) <= 128
    assert "Trashing" in result.stdout and lines[-1] == "Done."


def test_trash_is_never_emptied(copy_of):
    trash = copy_of.with_name("aligned_trash")
    trash.mkdir()
    for name in ("keep.jpg", "grey.png"):
        (trash / name).write_bytes(b"older")
    _run("sort", "--input-dir", copy_of, "--by", "blur")
    assert (trash / "keep.jpg").read_bytes() == (trash / "grey.png").read_bytes() == b"older"
    assert (trash / "grey_1.png").exists()


def test_errors_name_the_cure(tmp_path):
    folder = tmp_path / "aligned"
    result = _run("sort", "--input-dir", folder, "--by", "blur", check=False)
    assert result.returncode == 1 and "no such folder" in result.stderr
    folder.mkdir()
    result = _run("sort", "--input-dir", folder, "--by", "blur", check=False)
    assert result.returncode == 3 and "no images" in result.stderr
    (folder / "faceset.pak").write_bytes(b"")
    result = _run("sort", "--input-dir", folder, "--by", "blur", check=False)
    assert result.returncode == 1 and "--unpack-faceset" in result.stderr
    (folder / "faceset.pak").unlink()
    cv2.imwrite(str(folder / "a.png"), np.zeros((64, 64, 3), np.uint8))
    cv2.imwrite(str(folder / "b.png"), np.zeros((64, 80, 3), np.uint8))
    result = _run("sort", "--input-dir", folder, "--by", "absdiff", "--similar", "--yes", check=False)
    assert result.returncode == 1 and "b.png" in result.stderr and "resize" in result.stderr
    assert _images(folder) == ["a.png", "b.png"]
    result = _run("sort", "--input-dir", folder, "--by", "final", "--target-count", "0", check=False)
    assert result.returncode == 2


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGINT])
def test_interrupted_in_the_middle_of_renaming_and_finished_by_the_next_run(copy_of, kill):
    before = _bytes(copy_of)
    slow = (
        "import os, sys, time\nfrom samplelib.faces import rename\nmove = rename._move\n"
        "def slow(a, b):\n    time.sleep(0.004)\n    move(a, b)\n"
        "rename._move = slow\nimport main\nsys.exit(main.main(sys.argv[1:]))"
    )
    arguments = ["sort", "--input-dir", str(copy_of), "--by", "brightness"]
    process = subprocess.Popen([sys.executable, "-c", slow, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(name.startswith("renaming") for name in os.listdir(copy_of)):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(kill)
    assert process.wait(30) == (-9 if kill == signal.SIGKILL else 130)
    assert any(name.startswith("renaming") for name in os.listdir(copy_of))
    result = _run(*arguments)
    assert "interrupted" in result.stdout
    assert _bytes(copy_of) == before
    kept = _images(copy_of)
    assert [name.split(".")[0] for name in kept] == [f"{number:05d}" for number in range(300)]
    assert "interrupted" not in _run(*arguments).stdout
    assert _images(copy_of) == kept


@pytest.mark.parametrize("arguments", [["duplicates"], ["identity"], ["identity", "--identity", "REFERENCE"]])
def test_methods_of_our_own_lose_nothing(copy_of, arguments, capsys):
    import main

    before, names = _bytes(copy_of), set(_images(copy_of))
    reference = str(copy_of / "00003_0.jpg")
    arguments = [reference if word == "REFERENCE" else word for word in arguments]
    assert main.main(["sort", "--input-dir", str(copy_of), "--by", *arguments]) == 0
    trash = copy_of.with_name("aligned_trash")
    assert sorted(before) == sorted(_bytes(copy_of) + _bytes(trash))
    if arguments == ["identity"]:
        assert "groups of faces" in capsys.readouterr().out
        assert all(name.split(".")[0].isdigit() for name in _images(copy_of))
    else:
        assert set(_images(copy_of)) | set(_images(trash)) == names
        assert 50 < len(_images(copy_of)) < 200 or arguments[-1] == reference


def test_flags_that_do_not_fit_are_refused(copy_of):
    for flags in (["--identity", "x.jpg", "--by", "blur"], ["--by", "identity", "--threshold", "-1"]):
        result = _run("sort", "--input-dir", copy_of, *flags, check=False)
        assert result.returncode == 2 and "--" in result.stderr
    assert len(_images(copy_of)) == 300


@pytest.mark.parametrize(
    ("flags", "answers", "similar"),
    [(("--similar",), "", True), (("--dissimilar",), "", False), ((), "y\n", True), ((), "n\n", False), ((), "", True)],
)
def test_pixel_difference_puts_the_most_similar_or_the_most_different_next(tmp_path, flags, answers, similar):
    """Six shades of grey: neighbours stay together, or the sort jumps from one end to the other."""
    for number, shade in enumerate((0, 120, 40, 240, 80, 200)):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((16, 16, 3), shade, np.uint8))
    result = _run(
        "sort",
        "--input-dir",
        tmp_path,
        "--by",
        "absdiff",
        *flags,
        answers=f"{answers or ('' if flags else chr(10))}y\n",
    )
    assert ("Sort by similar?" in result.stdout) == (not flags)
    shades = [int(cv2.imread(str(path))[0, 0, 0]) for path in sorted(tmp_path.glob("*.png"))]
    steps = np.abs(np.diff(shades))
    assert sorted(shades) == [0, 40, 80, 120, 200, 240]
    assert (steps.max() <= 80) if similar else (steps[0] == 240 and np.median(steps) >= 120), shades
