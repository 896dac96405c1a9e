"""Damaged frames, videos, settings, records and stores: a value or one clear error, in time, within bounded memory.

The formats of DeepFaceLab are in ``test_mutations.py``. ``-m slow`` runs ten thousand of each kind.
"""

import json
import random
import shutil
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from test_mutations import mutate

from core.console.answers import Answers
from core.errors import UserError
from core.files.imageio import read_bgr
from core.video.frames import probe, read_frames
from facelib.registry import entries
from mainscripts.jobs.job import load_jobs
from merger.interactive.session import read_session
from merger.settings.config import MergeConfig
from merger.settings.settings_file import read_settings
from models.option_values import read_options_file
from models.training.recipe import read_recipe
from samplelib.extraction.journal import read_state
from samplelib.faces.film import read_film
from samplelib.faces.persons import read_cast
from samplelib.faceset import load_faceset
from samplelib.training import crop_file
from samplelib.training.crop_file import CropFile, CropLayout

sys.path.insert(0, str(Path(__file__).parents[1] / "video"))
import video_clips

QUICK, SLOW = 60, 10_000
MOST_SECONDS, MOST_MEMORY = 5, 512 << 20
ROOT = Path(__file__).parents[2]
FACE = ROOT / "tests/golden/formats/aligned/00001_0.jpg"
DAY = 24 * 3600 * 10**9


def picture():
    down, across = np.mgrid[:90, :120]
    smooth = np.stack([down * 2, across * 2, down + across], axis=-1) % 256
    return (smooth + np.random.default_rng(0).integers(0, 5, smooth.shape)).clip(0, 255).astype(np.uint8)


def encoded(suffix, depth=np.uint8):
    from core.files.imageio import encode_image

    image = picture() if depth == np.uint8 else picture().astype(np.uint16) * 257
    return encode_image(image, suffix)


def by_opencv(suffix, *parameters):
    return cv2.imencode(suffix, picture(), list(parameters))[1].tobytes()


TEXTS = {
    "options": "resolution: 128\narchi: liae-ud\nbatch_size: 8\nlr_dropout: y\nrandom_warp: false\n",
    "recipe": (ROOT / "docs/recipes/saehd_quick_start.yaml").read_text(encoding="utf-8"),
    "settings": "mode: seamless\nerode_mask_modifier: {0: 10, 40: -20}\nmask_mode: XSeg-prd\nrestore_power: 30\n",
    "job": "name: demo\nsteps:\n  - step: sort\n    flags: {input_dir: aligned, by: blur}\n",
    "answers": "Which GPU indexes to choose?: '0'\nBatch_size: 8\n",
    "cast": "persons:\n- name: Anna\n  pictures: [00001_0.jpg, 00002_0.jpg]\n- name: Ben\n  pictures: [00003_0.jpg]\n",
    "networks": (ROOT / "facelib/registry/networks.yaml").read_text(encoding="utf-8"),
    "report": json.dumps(
        {
            "options": {"face_type": "whole_face", "image_size": 512}, "frames": {"1.png": ["1_0.jpg"], "2.png": []},
            "unreadable_images": {}, "frame_sizes": {"1.png": [640, 360]}, "cuts": ["2.png"], "filled": {"1.png": {"1_0.jpg": "found"}},
        }
    ),
    "journal": "".join(
        json.dumps(line) + "\n"
        for line in ({"options": {"face_type": "head"}}, {"frame": "1.png", "faces": ["1_0.jpg"], "size": [2, 2], "begins_shot": True})
    ),
    "session": json.dumps({"version": 1, "position": 0, "frames": []}),
}  # fmt: skip


def use_video(path):
    probe(path)
    for number, _ in enumerate(read_frames(path)):
        if number == 5:
            break


def use_networks(path):
    for entry in entries._read(path, True):
        assert Path(entry.file).name == entry.file and entry.role


def use_report(path):
    read_state(path.parent)
    film = read_film(path.parent)
    assert film is None or all(isinstance(name, str) for name in film.names)


LAYOUT = CropLayout("faces_8", ((8, 8, 3),), lambda face: (face,), lambda face: face)


def use_crops(path):
    """The index is damaged: what it gives back is either the very crop or nothing."""
    folder, faces = path.parent, load_faceset(path.parent / "aligned")
    crops = CropFile(folder, LAYOUT, len(faces), time.time_ns() + DAY)
    try:
        for number, sample in enumerate(faces):
            face = crops.get(sample)
            assert face is None or (face == number + 1).all()
            crops.put(sample, np.full((8, 8, 3), number + 1, np.uint8))
            assert (crops.get(sample) == number + 1).all()
    finally:
        crops.close()


def index_of_crops(folder):
    (folder / "aligned").mkdir()
    for number in range(3):
        shutil.copy(FACE, folder / "aligned" / f"{number}.jpg")
    crops = CropFile(folder, LAYOUT, 3, time.time_ns() + DAY)
    for number, sample in enumerate(load_faceset(folder / "aligned")):
        crops.put(sample, np.full((8, 8, 3), number + 1, np.uint8))
    crops.close()
    return (folder / f"{LAYOUT.name}.index").read_bytes()


KINDS = {
    "png": ("a.png", lambda folder: encoded(".png"), read_bgr),
    "png of 16 bits": ("a.png", lambda folder: encoded(".png", np.uint16), read_bgr),
    "png by OpenCV": ("a.png", lambda folder: by_opencv(".png"), read_bgr),
    "jpeg": ("a.jpg", lambda folder: by_opencv(".jpg"), read_bgr),
    "progressive jpeg": ("a.jpg", lambda folder: by_opencv(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1), read_bgr),
    "tiff": ("a.tif", lambda folder: by_opencv(".tif"), read_bgr),
    "webp": ("a.webp", lambda folder: by_opencv(".webp"), read_bgr),
    "bmp": ("a.bmp", lambda folder: by_opencv(".bmp"), read_bgr),
    "mp4": ("a.mp4", lambda folder: video_clips.make_clip(folder / "a.mp4", 8).read_bytes(), use_video),
    "mkv": ("a.mkv", lambda folder: video_clips.make_clip(folder / "a.mkv", 8).read_bytes(), use_video),
    "options": ("a.yaml", None, lambda path: read_options_file("SAEHD", path)),
    "recipe": ("a.yaml", None, lambda path: read_recipe("SAEHD", path)),
    "settings": ("a.yaml", None, read_settings),
    "job": ("a.yaml", None, load_jobs),
    "answers": ("a.yaml", None, Answers.load),
    "cast": ("a.yaml", None, read_cast),
    "networks": ("a.yaml", None, use_networks),
    "report": ("extract_report.json", None, use_report),
    "journal": ("extract_journal.jsonl", None, use_report),
    "session": ("a.json", None, lambda path: read_session(path, MergeConfig())),
    "index of crops": (f"{LAYOUT.name}{crop_file.INDEX_SUFFIX}", index_of_crops, use_crops),
}


def memory():
    with open("/proc/self/statm", encoding="ascii") as stream:
        return int(stream.read().split()[1]) * 4096


def run(kind, count, folder, capfd):
    name, make, use = KINDS[kind]
    original = TEXTS[kind].encode() if make is None else make(folder)
    path, before, refused = folder / name, None, 0
    for seed in range(count):
        path.write_bytes(mutate(original, random.Random(seed)))
        start = time.process_time()
        try:
            use(path)
        except UserError as error:
            refused += 1
            assert "\n" not in str(error) and str(folder) in str(error), (seed, str(error))
        except Exception as error:
            raise AssertionError(f"seed {seed} of {kind}: {type(error).__name__}: {error}") from error
        assert time.process_time() - start < MOST_SECONDS, (kind, seed)
        if seed % 500 == 20:
            capfd.readouterr()
            before = memory() if before is None else before
            assert memory() - before < MOST_MEMORY, (kind, seed)
    return refused


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its memory from /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path, capfd, kind):
    run(kind, QUICK, tmp_path, capfd)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads its memory from /proc")
@pytest.mark.parametrize("kind", KINDS)
def test_many_damaged_files(tmp_path, capfd, kind):
    run(kind, SLOW, tmp_path, capfd)
