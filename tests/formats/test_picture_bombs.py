"""Small pictures that claim to be large take no memory in any step, and each is refused in one line that names it."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import picture_bombs as bombs
import pytest

from samplelib.faces import aligned_face
from samplelib.faces.aligned_face import SegPolygon

ROOT = Path(__file__).parents[2]
FACE = ROOT / "tests" / "golden" / "formats" / "aligned" / "00001_0.jpg"
MOST_ADDED_MIB = 300

_MEASURED = """
import resource, sys
sys.path.insert(0, sys.argv.pop(1))
import main
code = main.main(sys.argv[1:])
print("peak MiB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
sys.exit(code)
"""


def run_main(*arguments):
    """The real program; what it printed, its exit code, and the peak of its memory in MiB."""
    command = [sys.executable, "-c", _MEASURED, str(ROOT), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, cwd=ROOT)
    assert "Traceback" not in done.stderr and "debug-errors" not in done.stderr, done.stderr
    return done.stdout + done.stderr, done.returncode, int(re.search(r"peak MiB (\d+)", done.stdout)[1])


def bomb_files():
    """Name to bytes of pictures that claim too much, among them every kind under the name of a JPEG."""
    files = {f"claims_{suffix[1:]}.jpg": data for suffix, data in bombs.claiming(16000, 12000).items()}
    for length in (0x40000000, 0x7FFFFFF0, 0x7FFFFFFF, 0xFFFFFFFF):
        files[f"chunk_{length:x}.png"] = bombs.png(data_length=length)
        files[f"unknown_chunk_{length:x}.png"] = bombs.png(extra=bombs.png_chunk(b"zzZz", bytes(16), length))
    files["bilevel.png"] = bombs.png(20000, 20000, bits=1, rows=20000)
    files["progressive.jpg"] = bombs.jpeg(8, 8, (30000, 30000), progressive=True)
    files["tile.tif"] = bombs.tiff(64, 64, tile=(16384, 16384))
    files["big.tif"] = bombs.tiff(30000, 30000, big=True)
    return files


def masks():
    """Stored masks that claim too much."""
    return {
        "large": bombs.png(8192, 8192, bits=1, rows=8192),
        "large_jpeg": bombs.jpeg(8, 8, (65000, 65000)),
        "chunk": bombs.png(256, 256, data_length=0xFFFFFFFF),
        "ancillary": bombs.png(256, 256, extra=bombs.png_chunk(b"zzZz", bytes(16), 0x40000000)),
        "tiff": bombs.tiff(30000, 30000),
        "canvas": bombs.webp(64, 64, canvas=(16000, 16000)),
        "noise": b"\x89PNG\r\n\x1a\n" + bytes(100),
    }


def put_masked_faces(folder, good=2):
    """Faces with hostile masks, and ``good`` ones with the mask of a small square."""
    folder.mkdir()
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 255
    kinds = {**masks(), **{f"good_{number}": cv2.imencode(".png", mask)[1].tobytes() for number in range(good)}}
    metadata = aligned_face.read_metadata(FACE)
    for name, data in kinds.items():
        face = aligned_face.with_metadata(FACE.read_bytes(), metadata.replace(xseg_mask=data, polygons=()), name)
        (folder / f"{name}.jpg").write_bytes(face)
    return sorted(f"{name}.jpg" for name in masks())


def put_clean_faces(folder):
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(FACE.read_bytes())


def put_frames(folder):
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"0{number}.png"), np.full((64, 64, 3), 80 * number, np.uint8))


def lines_about(text, name):
    return [line for line in text.splitlines() if name in line]


STEPS = {
    "extract": ("extract", "--input-dir", "{folder}", "--output-dir", "{out}", "--detector", "embedded", "--yes"),
    "sort": ("sort", "--input-dir", "{folder}", "--by", "hist", "--yes"),
    "sort_brightness": ("sort", "--input-dir", "{folder}", "--by", "brightness", "--dry-run"),
    "pack": ("util", "--input-dir", "{folder}", "--pack-faceset", "--no-delete-originals", "--yes"),
    "debug_images": ("util", "--input-dir", "{folder}", "--add-landmarks-debug-images"),
    "resize": ("facesettool", "resize", "--input-dir", "{folder}", "--image-size", "128", "--no-merge", "--yes"),
    "video": ("videoed", "video-from-sequence", "--input-dir", "{folder}", "--output-file", "{out}.mp4", "--yes"),
    "denoise": ("videoed", "denoise-image-sequence", "--input-dir", "{folder}", "--factor", "7", "--yes"),
}


@pytest.mark.parametrize("step", STEPS)
def test_no_step_takes_memory_for_what_a_picture_claims(tmp_path, step):
    put = put_frames if step in ("denoise", "video", "extract") else put_clean_faces
    put(tmp_path / "clean")
    put(tmp_path / "hostile")
    for name, data in bomb_files().items():
        if step != "denoise" or name.endswith(".png"):
            (tmp_path / "hostile" / name).write_bytes(data)
    peaks = {}
    for kind in ("clean", "hostile"):
        arguments = [part.format(folder=tmp_path / kind, out=tmp_path / f"out_{kind}") for part in STEPS[step]]
        text, _, peaks[kind] = run_main(*arguments)
    assert peaks["hostile"] - peaks["clean"] < MOST_ADDED_MIB
    assert any(name in text for name in bomb_files()), text


def test_extraction_names_each_picture_once_with_its_size_and_the_limit(tmp_path):
    frames = tmp_path / "frames"
    frames.mkdir()
    for name, data in bomb_files().items():
        (frames / name).write_bytes(data)
    text, code, _ = run_main(*(part.format(folder=frames, out=tmp_path / "out") for part in STEPS["extract"]))
    assert code == 1
    warnings = [line for line in text.splitlines() if line.startswith("Warning")]
    single = [
        warning.partition(": is ")[0].removeprefix(f"Warning: {frames}/")
        for warning in warnings
        if str(frames) in warning
    ]
    together = [name for warning in warnings if "The others: " in warning
                for name in warning.partition("The others: ")[2].rstrip(".").split(", ")]  # fmt: skip
    assert sorted(single + together) == sorted(bomb_files())
    large = lines_about(text, "claims_png.jpg")[0]
    assert "16000x12000 pixels large, 184 megapixels; the limit is 64" in large and "DFL_MAX_MEGAPIXELS=184" in large


def test_a_picture_above_the_limit_is_read_when_the_user_raises_it(tmp_path, monkeypatch):
    frames = tmp_path / "frames"
    frames.mkdir()
    (frames / "a.png").write_bytes(bombs.png(9000, 9000, bits=1, rows=9000))
    step = [part.format(folder=frames, out=tmp_path / "out") for part in STEPS["sort_brightness"]]
    assert "the limit is 64" in run_main(*step)[0]
    monkeypatch.setenv("DFL_MAX_MEGAPIXELS", "80")
    assert "limit" not in run_main(*step)[0]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("util", "--export-faceset-mask"), 0),
        (("facesettool", "resize", "--image-size", "128", "--face-type", "h", "--no-merge", "--yes"), 1),
        (("xseg", "suggest", "--from-applied"), 1),
        (("xseg", "queue"), 1),
    ],
)
def test_faces_with_hostile_masks_are_named_and_the_others_go_on(tmp_path, arguments, code):
    names = put_masked_faces(tmp_path / "faces")
    put_clean_faces(tmp_path / "clean")
    command, *rest = arguments
    tool = rest[:1] if command in ("xseg", "facesettool") else []
    _, _, idle = run_main("util", "--input-dir", tmp_path / "clean", "--export-faceset-mask")
    text, found, peak = run_main(command, *tool, "--input-dir", tmp_path / "faces", *rest[len(tool) :])
    assert found == code, text
    for name in names:
        assert len([line for line in lines_about(text, name) if "its mask" in line]) == 1, text
    assert "8192x8192 pixels large, 64 megapixels; the limit is 16" in text and "xseg remove" in text
    assert not lines_about(text, "good_0.jpg: ")
    if command == "util":
        assert peak - idle < MOST_ADDED_MIB
        assert (tmp_path / "faces" / "good_1_mask.jpg").exists()


def test_steps_that_need_no_mask_work_on_faces_with_hostile_ones(tmp_path):
    names = put_masked_faces(tmp_path / "faces")
    assert run_main("sort", "--input-dir", tmp_path / "faces", "--by", "blur", "--yes")[1] == 0
    assert len(list((tmp_path / "faces").glob("*.jpg"))) == len(names) + 2
    assert (
        run_main("util", "--input-dir", tmp_path / "faces", "--pack-faceset", "--no-delete-originals", "--yes")[1] == 0
    )
    (tmp_path / "faces" / "faceset.pak").unlink()
    assert run_main("xseg", "remove", "--input-dir", tmp_path / "faces", "--yes")[1] == 0
    assert all(aligned_face.read_metadata(path).xseg_mask is None for path in (tmp_path / "faces").glob("*.jpg"))


def test_training_leaves_faces_with_hostile_masks_out(tmp_path, capsys):
    from facelib.face_type import FaceType
    from samplelib.faceset import load_faceset
    from samplelib.training.face_store import CacheBudget, swap_face_store

    names = put_masked_faces(tmp_path / "faces")
    store = swap_face_store(load_faceset(tmp_path / "faces"), FaceType.WHOLE_FACE, 64, CacheBudget(1 << 20))
    found = [store.get(index) is not None for index in range(len(store))]
    assert sorted(store.broken_names) == names and sum(found) == 2
    warnings = capsys.readouterr().err
    assert all(len(lines_about(warnings, name)) == 1 for name in names)


def test_a_face_picture_larger_than_any_face_is_left_out(tmp_path, capsys):
    from samplelib.faceset import load_faceset

    put_clean_faces(tmp_path / "faces")
    metadata = aligned_face.read_metadata(FACE).replace(polygons=(SegPolygon(True, np.zeros((3, 2))),))
    large = aligned_face.with_metadata(bombs.jpeg(8, 8, (5000, 5000)), metadata, "x")
    (tmp_path / "faces" / "large.jpg").write_bytes(large)
    assert len(load_faceset(tmp_path / "faces")) == 3
    assert "large.jpg: is 5000x5000 pixels large, 24 megapixels; the limit is 16" in capsys.readouterr().err
