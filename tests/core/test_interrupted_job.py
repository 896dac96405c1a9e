"""The demo as a job: killed again and again it gives what an uninterrupted run gives, and its events fit the schema.

Takes some minutes: ``pytest -m slow tests/core/test_interrupted_job.py``. ``DFL_KILLS`` is the number of kills (20).
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from event_schema import check_events
from launcher_house import copy_checkout

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 8
KILLS = int(os.environ.get("DFL_KILLS", 20))
RUN_SECONDS = 1200

JOB = """
name: demo
workspace: a workspace
steps:
  - extract-video-src: {fps: 0, output-ext: png}
  - extract-video-dst: {output-ext: png}
  - extract-src: {face-type: whole_face, max-faces-from-image: 1, image-size: 256, jpeg-quality: 90, no-output-debug: true}
  - extract-dst: {face-type: whole_face, image-size: 256, jpeg-quality: 90}
  - sort-src: {by: hist}
  - train-saehd-no-preview:
      force-model-name: demo
      seed: 5
      save-every: 2
      set: [resolution=64, face_type=f, archi=df-ud, ae_dims=32, e_dims=16, d_dims=16, d_mask_dims=16, batch_size=2,
            target_iter=6]
  - merge-saehd: {force-model-name: demo, non-interactive: true, mode: overlay, mask-mode: dst, color-transfer-mode: rct}
  - video-mp4: {bitrate: 8}
"""
STEP_COUNT = 8

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A copy of the program, so that all runs are of one state of it."""
    folder = tmp_path_factory.mktemp("the program")
    copy_checkout(folder)
    return folder / "main.py"


def make_job(folder, clips=None):
    """A job file with a workspace that holds only the two clips; returns the file."""
    workspace = folder / "a workspace"
    workspace.mkdir(parents=True)
    if clips is None:
        maker = ROOT / "scripts" / "make_demo_clips.py"
        subprocess.run([sys.executable, maker, workspace, "--frames", str(FRAMES)], check=True, timeout=240)
    else:
        for clip in clips:
            shutil.copy2(clip, workspace)
    (folder / "job.yaml").write_text(JOB)
    return folder / "job.yaml"


def start_job(program, job_file):
    """Start the job in a process group of its own; its events go to ``events.jsonl`` beside the job file."""
    command = [sys.executable, str(program), "run", str(job_file)]
    console = open(job_file.with_name("console.txt"), "ab")  # noqa: SIM115 - belongs to the process
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [*command, "--json-events", str(job_file.with_name("events.jsonl"))],
        stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment, start_new_session=True,
    )  # fmt: skip


def finish(process, job_file):
    """Wait for the end of a job that nobody kills."""
    try:
        code = process.wait(RUN_SECONDS)
    finally:
        kill(process)
    assert code == 0, job_file.with_name("console.txt").read_text(errors="replace")[-5000:]


def kill(process):
    """End the job and every program that it has started, without a chance to save."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(30)


def read_events(job_file):
    """The events so far; a line that a kill has cut off is left out."""
    path = job_file.with_name("events.jsonl")
    events = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            events.append(json.loads(line))
        except ValueError:
            continue
    return events


def job_states(job_file):
    """(step, state, time) of the job's own events."""
    return [
        (event["step"], event["state"], event["time"])
        for event in read_events(job_file)
        if event["event"] == "job_step"
    ]


@pytest.fixture(scope="module")
def uninterrupted(program, tmp_path_factory):
    job_file = make_job(tmp_path_factory.mktemp("uninterrupted"))
    finish(start_job(program, job_file), job_file)
    return job_file


def test_events_of_the_whole_run_fit_the_schema(uninterrupted):
    lines = uninterrupted.with_name("events.jsonl").read_text(encoding="utf-8").splitlines()
    counts = check_events(lines)
    assert counts["start"] == counts["result"] == STEP_COUNT + 2  # the job itself, and two videos in the last step
    assert counts["job_step"] == 2 * STEP_COUNT
    assert counts["iteration"] > 0 and counts["progress"] > 0 and counts["message"] > 0 and counts["error"] == 0


def test_killed_at_random_moments(program, uninterrupted, tmp_path):
    durations = {}
    for step, state, moment in job_states(uninterrupted):
        durations[step] = moment - durations.get(step, 0) if state == "done" else moment
    steps = list(durations)
    clips = sorted((uninterrupted.parent / "a workspace").glob("data_*.mp4"))
    chance = random.Random(1)
    killed_in, rounds, job_file = [], 0, None
    longer = dict.fromkeys(steps, 1.0)  # a step that was killed gets more time, however slow the machine is just now
    while len(killed_in) < KILLS:
        if job_file is None:
            rounds += 1
            job_file = make_job(tmp_path / f"round {rounds}", clips)
        done = finished_steps(job_file)
        current = next((step for step in steps if step not in done), steps[-1])
        process = start_job(program, job_file)
        try:
            process.wait(chance.uniform(0.0, 1.7 * durations[current] * longer[current]))
        except subprocess.TimeoutExpired:
            kill(process)
            longer[current] *= 1.5
            states = job_states(job_file)
            killed_in.append(states[-1][0] if states else "start")
            continue
        finish(process, job_file)
        compare(uninterrupted, job_file)
        job_file = None
    if job_file is not None:
        finish(start_job(program, job_file), job_file)
        compare(uninterrupted, job_file)
    print(f"{KILLS} kills in {rounds} rounds, in the steps: {', '.join(killed_in)}")


def finished_steps(job_file):
    return {step for step, state, _ in job_states(job_file) if state in ("done", "up to date")}


def compare(expected_job, job_file):
    """Everything that the two jobs made is the same, and no finished step ran again."""
    finished = set()
    for step, state, _ in job_states(job_file):
        assert not (state == "running" and step in finished), f"{step} ran again"
        if state in ("done", "up to date"):
            finished.add(step)
    assert len(finished) == STEP_COUNT
    expected, found = expected_job.parent / "a workspace", job_file.parent / "a workspace"
    for folder in ("data_src", "data_src/aligned", "data_dst", "data_dst/aligned", "data_dst/aligned_debug",
                   "data_dst/merged", "data_dst/merged_mask"):  # fmt: skip
        names = {path.name for path in (expected / folder).iterdir() if path.suffix in (".png", ".jpg")}
        assert {path.name for path in (found / folder).iterdir() if path.suffix in (".png", ".jpg")} == names, folder
        for name in names:
            assert (found / folder / name).read_bytes() == (expected / folder / name).read_bytes(), f"{folder}/{name}"
    weights = sorted((expected / "model").glob("*.npy"))
    assert len(weights) > 3
    for path in weights:
        assert (found / "model" / path.name).read_bytes() == path.read_bytes(), path.name
    for name in ("result.mp4", "result_mask.mp4"):
        # The files differ in the manifest (a signature and a time); the pictures do not.
        assert np.array_equal(decoded(found / name), decoded(expected / name)), name
    left = [path for path in found.rglob("*") if path.name.endswith(".tmp") or ".tmp." in path.name]
    assert not left, f"left behind: {left}"


def decoded(path):
    video, frames = cv2.VideoCapture(str(path)), []
    while True:
        good, frame = video.read()
        if not good:
            break
        frames.append(frame)
    assert len(frames) == FRAMES
    return np.stack(frames)
