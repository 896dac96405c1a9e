"""The real training program killed again and again: it always resumes, and in the end nothing is to be seen of it."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.networks.weight_files import read_weights
from core.nn.weights import ITERATIONS_KEY
from models.saved import transaction
from models.saved.model_files import read_model_data

MAIN = Path(__file__).parents[2] / "main.py"
OPTIONS = ("archi=df", "resolution=64", "ae_dims=32", "e_dims=16", "d_dims=16", "d_mask_dims=16", "batch_size=2")


def start(facesets, model_dir, target=0):
    """The program, saving every second iteration, in deterministic mode."""
    command = [sys.executable, str(MAIN), "train", "--model", "SAEHD", "--model-dir", str(model_dir)]
    command += ["--training-data-src-dir", str(facesets[0]), "--training-data-dst-dir", str(facesets[1])]
    command += [
        "--force-model-name",
        "t",
        "--cpu-only",
        "--no-preview",
        "--silent-start",
        "--yes",
        "--seed",
        "5",
        "--keep-priority",
    ]
    command += ["--save-every", "2", "--target-iter", str(target)]
    command += [word for option in OPTIONS for word in ("--set", option)] if not model_dir.exists() else []
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def saved_state(model_dir):
    """The state on disk, which has the iteration that the optimizer's file has."""
    transaction.wait_until_whole(model_dir, "t_SAEHD")
    state = read_model_data(model_dir / "t_SAEHD_data.dat")
    return state, int(read_weights(model_dir / "t_SAEHD_src_dst_opt.npy")[ITERATIONS_KEY])


def run_to(facesets, model_dir, target):
    process = start(facesets, model_dir, target)
    told = process.communicate(timeout=900)[0].decode()
    assert process.returncode == 0, told
    return read_model_data(model_dir / "t_SAEHD_data.dat").loss_history


@pytest.mark.slow
@pytest.mark.parametrize("kills", [40])
def test_a_run_killed_at_random_moments_ends_as_one_that_was_not(facesets, tmp_path, kills):
    choice, model_dir, reached = random.Random(3), tmp_path / "killed", 0
    for _ in range(kills):
        process = start(facesets, model_dir)
        path, end = model_dir / "t_SAEHD_data.dat", time.monotonic() + 600
        while not path.exists() or read_model_data(path).iteration < reached + 2:
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                pytest.fail(process.communicate()[0].decode())
            time.sleep(0.02)
        time.sleep(choice.uniform(0, 0.6))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        state, optimizer_iteration = saved_state(model_dir)
        assert state.iteration == optimizer_iteration == len(state.loss_history) >= reached + 2
        reached = state.iteration
    killed = run_to(facesets, model_dir, reached + 2)
    assert killed == run_to(facesets, tmp_path / "whole", reached + 2)
