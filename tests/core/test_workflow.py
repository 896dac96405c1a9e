"""The whole workflow through the numbered launchers, in order, in a folder with a blank in its name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.files.imageio import read_bgr
from core.files.paths import list_images
from core.video.frames import probe
from mainscripts.jobs.step_table import load_steps
from models.saved.model_files import read_model_data

ROOT = Path(__file__).resolve().parents[2]
STEPS = load_steps()
FRAMES = 10
SMALL_MODEL = [
    "--force-model-name", "test", "--no-preview", "--set", "resolution=64", "--set", "face_type=f", "--set", "ae_dims=32",
    "--set", "e_dims=16", "--set", "d_dims=16", "--set", "d_mask_dims=16", "--set", "batch_size=2",
]  # fmt: skip


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a folder") / "work space"
    maker = ROOT / "scripts" / "make_demo_clips.py"
    subprocess.run([sys.executable, maker, folder, "--frames", str(FRAMES)], check=True, timeout=120)
    return folder


def launch(workspace, key, *flags):
    """Run a launcher as a user would, from another folder, without a terminal."""
    environment = {**os.environ, "DFL_WORKSPACE": str(workspace), "DFL_VENV": sys.prefix, "DFL_SKIP_SETUP": "1"}
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / f"{STEPS[key].shell}.sh"), *flags],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=workspace, env=environment, timeout=550,
    )  # fmt: skip
    assert done.returncode == 0, f"{key}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "Traceback" not in done.stderr
    return done.stdout


def test_two_clips_become_a_swapped_video(workspace):
    launch(workspace, "extract-video-src", "--fps", "0", "--output-ext", "png")
    launch(workspace, "extract-video-dst", "--output-ext", "png")
    assert len(list_images(workspace / "data_dst")) == FRAMES

    found = launch(workspace, "extract-src", "--face-type", "whole_face", "--max-faces-from-image", "1",
                   "--image-size", "256", "--jpeg-quality", "90", "--no-output-debug")  # fmt: skip
    assert f"Faces detected:      {FRAMES}" in found
    launch(workspace, "extract-dst", "--face-type", "whole_face", "--image-size", "256", "--jpeg-quality", "90")
    assert len(list_images(workspace / "data_dst" / "aligned")) == FRAMES
    assert len(list_images(workspace / "data_dst" / "aligned_debug")) == FRAMES

    launch(workspace, "train-saehd", *SMALL_MODEL, "--set", "archi=df-ud", "--set", "target_iter=3")
    data = read_model_data(workspace / "model" / "test_SAEHD_data.dat")
    assert data.iteration == 3 and len(data.loss_history) == 3

    launch(workspace, "merge-saehd", "--force-model-name", "test", "--non-interactive", "--mode", "overlay",
           "--mask-mode", "dst", "--color-transfer-mode", "rct")  # fmt: skip
    changed = []
    for frame in list_images(workspace / "data_dst"):
        merged = read_bgr(workspace / "data_dst" / "merged" / f"{frame.stem}.png")
        mask = read_bgr(workspace / "data_dst" / "merged_mask" / f"{frame.stem}.png")
        original = read_bgr(frame)
        assert (merged[mask.max(axis=2) == 0] == original[mask.max(axis=2) == 0]).all()
        changed.append((merged != original).any())
    assert all(changed) and len(changed) == FRAMES

    launch(workspace, "video-mp4", "--bitrate", "8")
    source, result = probe(workspace / "data_dst.mp4"), probe(workspace / "result.mp4")
    assert (result.frame_count, result.fps, result.width, result.height) == (FRAMES, source.fps, 640, 480)
    assert len(result.audio) == 1
    assert (workspace / "result_mask.mp4").is_file()
