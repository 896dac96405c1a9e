"""Every launcher, once, for real, in the order of the workflow, from a folder with a blank in its name.

Takes about ten minutes: ``pytest -m slow tests/core/test_every_launcher.py``. With ``DFL_LAUNCHER_TABLE=FILE`` a table
of what each launcher did is written to that file.
"""

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from launcher_house import FRAMES, STEPS, House, wait_until
from virtual_desktop import virtual_display

from core.files.imageio import read_bgr
from core.files.paths import list_images
from core.video.frames import probe
from models.saved.model_files import read_model_data
from samplelib.faces.aligned_face import read_metadata

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("Xvfb") and shutil.which("xdotool")),
        reason="needs Xvfb and xdotool (apt install xvfb xdotool)",
    ),
]

FACE = ("--face-type", "whole_face", "--image-size", 256, "--jpeg-quality", 90)
SWAP = ("--set", "resolution=64", "--set", "face_type=f", "--set", "ae_dims=32", "--set", "e_dims=16",
        "--set", "d_dims=16", "--set", "d_mask_dims=16", "--set", "batch_size=2")  # fmt: skip
SAEHD = ("--force-model-name", "one", *SWAP, "--set", "archi=df-ud", "--target-iter")
AMP = ("--force-model-name", "two", *SWAP, "--set", "inter_dims=32", "--target-iter")
QUICK = ("--force-model-name", "three", "--set", "batch_size=2", "--target-iter")
MERGE = ("--non-interactive", "--overwrite", "--mode", "overlay", "--mask-mode", "dst", "--color-transfer-mode", "rct")


@dataclass(frozen=True)
class Row:
    """One launcher: its flags, what a person does at its window, the exit code and a check of what it made."""

    key: str
    flags: tuple = ()
    check: Any = None
    window: Any = None
    code: int = 0
    display: bool = False
    before: Any = None


def images(folder):
    return [path for path in list_images(folder) if "_debug" not in path.name] if folder.is_dir() else []


def faces(folder, count=FRAMES):
    return lambda house, text: len(images(getattr(house, folder) / "aligned")) == count


def each_face(side, condition, count=FRAMES):
    """Check a condition on the metadata of ``count`` faces of a side."""

    def check(house, text):
        paths = images(getattr(house, side) / "aligned")
        return sum(bool(condition(read_metadata(path))) for path in paths) == count

    return check


def says(*words):
    return lambda house, text: all(word in text for word in words)


def mark_one_face(house):
    """Manual extractor: the pointer over the face, Enter, and the rest is left."""
    house.focus("Manual pass")
    house.xdotool("mousemove", 1, 1)
    house.xdotool("mousemove", 320, 240)
    time.sleep(2.0)
    house.press("Return", pause=2.0)
    if house.xdotool("search", "--name", "Manual pass"):
        house.press("q")


def leave_the_rest(house):
    house.focus("Manual pass")
    house.press("q")


def label_two_faces(house):
    """Mask editor: a square on the first two faces, then Ctrl+C in the console."""
    house.focus("XSeg|mask")
    for _ in range(2):
        for x, y in ((450, 250), (650, 250), (650, 450), (450, 450), (450, 250)):
            house.xdotool("mousemove", x, y)
            time.sleep(0.1)
            house.xdotool("click", 1)
            time.sleep(0.1)
        house.press("d", pause=1.0)
    house.interrupt()


def end_training(house):
    """Preview window: wait for the last iteration, then Enter, which saves and ends."""
    wait_until(lambda: "Reached target iteration" in house.text(), house.text, 500)
    house.focus("Training preview")
    house.press("p", "Return")


def merge_all(house):
    """Interactive merger: leave the help, run through, end."""
    house.focus("Merger")
    house.press("Tab", pause=1.0)
    house.press("greater")
    merged = house.destination / "merged"
    wait_until(lambda: len(images(merged)) == FRAMES, house.text)
    house.press("Escape", pause=1.0)


def close_the_sheet(house):
    house.focus("View:")
    house.press("q")


def trained(name, iterations):
    def check(house, text):
        return read_model_data(house.model / f"{name}_data.dat").iteration == iterations

    return check


def merged(house, text):
    """Frames with a face have changed, all are there, and so are their masks."""
    changed = 0
    for frame in images(house.destination):
        result = read_bgr(house.destination / "merged" / f"{frame.stem}.png")
        assert (house.destination / "merged_mask" / f"{frame.stem}.png").is_file()
        changed += bool((result != read_bgr(frame)).any())
    return changed == FRAMES


def frame_count(path):
    """Frames that really come out; the header of an AVI counts pauses too."""
    stream, count = cv2.VideoCapture(str(path)), 0
    while stream.read()[0]:
        count += 1
    return count


def video(name):
    def check(house, text):
        result, mask = house.workspace / name, house.workspace / name.replace("result", "result_mask")
        return frame_count(result) == frame_count(mask) == FRAMES and len(probe(result).audio) == 1

    return check


def cleared(house, text):
    kept = {path.name for path in house.workspace.iterdir() if path.is_file()}
    return {"data_src.mp4", "data_dst.mp4", "notes.txt"} <= kept and not images(house.source) and house.model.is_dir()


def put_material(house):
    house.make_clips()
    house.source.mkdir(exist_ok=True)
    (house.source / "old.png").write_bytes(b"old")
    (house.workspace / "notes.txt").write_text("mine")


def add_empty_frame(house):
    cv2.imwrite(str(house.destination / "99999.png"), np.full((480, 640, 3), 90, np.uint8))


def remove_empty_frame(house, text):
    (house.destination / "99999.png").unlink()
    (house.destination / "aligned_debug" / "99999.jpg").unlink()
    return len(images(house.destination / "aligned")) == FRAMES


def delete_a_debug_picture(house):
    sorted((house.destination / "aligned_debug").iterdir())[1].unlink()


def cut_file(house):
    return (house.workspace / "data_src.mp4", "--from-time", "00:00:00.040", "--to-time", "00:00:00.200",
            "--audio-track-id", 0, "--bitrate", 4)  # fmt: skip


def has_mask(face):
    return face.xseg_mask is not None


PLAN = (
    Row("clear-workspace", ("--delete",), cleared, before=put_material),
    Row("cut-video", cut_file, lambda house, text: 3 <= probe(house.workspace / "data_src_cut.mp4").frame_count <= 5),
    Row("extract-video-src", ("--fps", 0, "--output-ext", "png"), lambda h, text: len(images(h.source)) == FRAMES),
    Row("extract-video-dst", ("--output-ext", "png"), lambda house, text: len(images(house.destination)) == FRAMES),
    Row("denoise-dst", ("--factor", 1), lambda house, text: len(images(house.destination)) == FRAMES),
    Row("extract-src-manual", (*FACE, "--max-faces-from-image", 1, "--no-output-debug", "--manual-window-size", 0),
        faces("source", 1), mark_one_face),
    Row("extract-src", (*FACE, "--max-faces-from-image", 1, "--no-output-debug", "--restart", "--yes"), faces("source")),
    Row("view-src", (), lambda house, text: wait_until(house.viewed.is_file, "the viewer was not started", 20)
        and house.viewed.read_text().strip() == str(house.source / "aligned")),
    Row("debug-images-src", (), lambda h, text: len(list((h.source / "aligned").glob("*_debug.jpg"))) == FRAMES),
    Row("sort-src", ("--by", "hist"), lambda house, text: (house.source / "aligned" / "00000.jpg").is_file(),
        before=lambda house: [path.unlink() for path in (house.source / "aligned").glob("*_debug.jpg")]),
    Row("recover-names-src", (), lambda house, text: (house.source / "aligned" / "00001_0.jpg").is_file()),
    Row("enhance-src", (), says("FaceEnhancer.npy", "is not on this computer", "--fetch-weights"), code=1),
    Row("resize-src", ("--image-size", 192, "--face-type", "same", "--merge"),
        lambda house, text: {read_bgr(path).shape for path in images(house.source / "aligned")} == {(192, 192, 3)}),
    Row("metadata-save-src", (), lambda house, text: (house.source / "aligned" / "meta.dat").is_file()),
    Row("metadata-restore-src", (), each_face("source", lambda face: face.source_filename)),
    Row("pack-src", ("--delete-originals",), lambda house, text: not images(house.source / "aligned")
        and (house.source / "aligned" / "faceset.pak").is_file()),
    Row("unpack-src", (), faces("source")),
    Row("extract-dst-manual", (*FACE, "--manual-window-size", 0), faces("destination", 1), mark_one_face),
    Row("extract-dst", (*FACE, "--restart", "--yes"), faces("destination")),
    Row("extract-dst-manual-fix", (*FACE, "--restart", "--yes", "--manual-window-size", 0), remove_empty_frame,
        leave_the_rest, before=add_empty_frame),
    Row("re-extract-dst", (*FACE, "--manual-window-size", 0), faces("destination"), mark_one_face,
        before=delete_a_debug_picture),
    Row("view-dst", (), lambda house, text: str(house.destination / "aligned") in text and "no display" in text),
    Row("view-dst-debug", ("--built-in",), says(" on 1 page."), close_the_sheet),
    Row("sort-dst", ("--by", "blur"), lambda house, text: (house.destination / "aligned" / "00000.jpg").is_file()),
    Row("recover-names-dst", (), lambda house, text: (house.destination / "aligned" / "00001_0.jpg").is_file()),
    Row("resize-dst", ("--image-size", 192, "--face-type", "same", "--merge"),
        lambda h, text: {read_bgr(path).shape for path in images(h.destination / "aligned")} == {(192, 192, 3)}),
    Row("pack-dst", ("--delete-originals",), lambda house, text: not images(house.destination / "aligned")
        and (house.destination / "aligned" / "faceset.pak").is_file()),
    Row("unpack-dst", (), faces("destination")),
    Row("xseg-generic-dst", (), each_face("destination", has_mask)),
    Row("xseg-generic-src", (), each_face("source", has_mask)),
    Row("xseg-edit-dst", (), each_face("destination", lambda face: face.polygons, 2), label_two_faces),
    Row("xseg-edit-src", (), each_face("source", lambda face: face.polygons, 2), label_two_faces),
    Row("xseg-fetch-dst", ("--no-delete-originals",), lambda h, text: len(images(h.destination / "aligned_xseg")) == 2),
    Row("xseg-fetch-src", ("--no-delete-originals",), lambda h, text: len(images(h.source / "aligned_xseg")) == 2),
    Row("xseg-remove-dst", ("--yes",), each_face("destination", has_mask, 0)),
    Row("xseg-remove-src", ("--yes",), each_face("source", has_mask, 0)),
    Row("train-xseg", ("--set", "face_type=wf", "--set", "batch_size=2", "--target-iter", 2), trained("XSeg", 2),
        end_training),
    Row("xseg-apply-dst", (), each_face("destination", has_mask)),
    Row("xseg-apply-src", (), each_face("source", has_mask)),
    Row("xseg-remove-labels-dst", ("--yes",), each_face("destination", lambda face: face.polygons, 0)),
    Row("xseg-remove-labels-src", ("--yes",), each_face("source", lambda face: face.polygons, 0)),
    Row("train-saehd", (*SAEHD, 2), trained("one_SAEHD", 2), end_training),
    Row("train-saehd-no-preview", (*SAEHD, 4), trained("one_SAEHD", 4)),
    Row("train-amp", (*AMP, 2), trained("two_AMP", 2), end_training),
    Row("train-amp-src-src", (*AMP, 3, "--no-preview"), trained("two_AMP", 3)),
    Row("train-quick96", (*QUICK, 2), trained("three_Quick96", 2), end_training),
    Row("train-quick96-no-preview", (*QUICK, 3), trained("three_Quick96", 3)),
    Row("export-saehd", ("--force-model-name", "one", "--no-quantize"),
        lambda house, text: (house.model / "one_SAEHD_model.dfm").stat().st_size > 100_000),
    Row("export-amp", ("--force-model-name", "two", "--no-quantize"),
        lambda house, text: (house.model / "two_AMP_model.dfm").stat().st_size > 100_000),
    Row("merge-saehd", ("--force-model-name", "one", "--interactive", "--no-use-session", "--workers", 2), merged,
        merge_all),
    Row("merge-amp", ("--force-model-name", "two", "--morph-factor", 1, *MERGE), merged),
    Row("merge-quick96", ("--force-model-name", "three", *MERGE), merged),
    Row("video-mp4", ("--bitrate", 4), video("result.mp4")),
    Row("video-mp4-lossless", (), video("result.mp4")),
    Row("video-mov-lossless", (), video("result.mov")),
    Row("video-avi", ("--bitrate", 4), video("result.avi")),
    Row("cpu-only", (), lambda house, text: (house.root / ".cpu_only").is_file()),
)  # fmt: skip


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with virtual_display("1280x1000x24") as display:
        house = House(tmp_path_factory.mktemp("every launcher"), display)
        yield house
        if os.environ.get("DFL_LAUNCHER_TABLE"):
            Path(os.environ["DFL_LAUNCHER_TABLE"]).write_text(house.table_text())


def test_the_plan_has_every_launcher_once():
    assert sorted(row.key for row in PLAN) == sorted(STEPS)


@pytest.mark.parametrize("row", PLAN, ids=lambda row: row.key)
def test_launcher(house, row):
    """In the order of the plan: each uses what the ones before it made."""
    if row.before:
        row.before(house)
    flags = row.flags(house) if callable(row.flags) else row.flags
    code, text = house.launch(row.key, flags, row.window, row.display)
    assert code == row.code, text[-4000:]
    assert "Traceback" not in text, text[-4000:]
    assert ("Done." in text) == (code == 0), text[-2000:]
    assert row.check(house, text), f"{row.key} did not make what it should\n{text[-4000:]}"
