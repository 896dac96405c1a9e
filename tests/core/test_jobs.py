"""A job runs each step once, again only when something changed, and can be stopped and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.errors import FormatError, UsageError
from mainscripts.jobs.job import STATE_NAME, JobState, load_jobs, overlap

ROOT = Path(__file__).resolve().parents[2]

SAMPLE = """
name: sample
workspace: space with blank
steps:
  - command: [videoed, extract-video, --input-file, "{W}/data_src.*", --output-dir, "{S}", --fps, 0, --output-ext, jpg]
    reads: ["{W}/data_src.*"]
    writes: ["{S}"]
  - command: [videoed, video-from-sequence, --input-dir, "{S}", --output-file, "{W}/result.mp4",
              --reference-file, "{W}/data_src.*", --lossless]
    reads: ["{S}", "{W}/data_src.*"]
    writes: ["{W}/result.mp4"]
"""


def write_clip(path, frames=12, color="blue"):
    from core.video.ffmpeg import ffmpeg_program

    source = f"color={color}:s=64x48:r=12:d={frames / 12}"
    command = [ffmpeg_program(), "-y", "-loglevel", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", path]
    subprocess.run(command, check=True)


@pytest.fixture
def job_file(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(SAMPLE)
    (tmp_path / "space with blank").mkdir()
    write_clip(tmp_path / "space with blank" / "data_src.mp4")
    return path


def run_job(job_file, *arguments):
    command = [sys.executable, str(ROOT / "main.py"), "run", str(job_file), *arguments]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120)


def test_steps_run_once_and_again_only_when_something_changed(job_file):
    workspace = job_file.parent / "space with blank"
    dry = run_job(job_file, "--dry-run")
    assert dry.returncode == 0 and dry.stdout.count("would run") == 2 and "12 frames" in dry.stdout
    assert not (workspace / "data_src").exists()

    first = run_job(job_file)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "up to date" not in first.stdout
    assert len(list((workspace / "data_src").glob("*.jpg"))) == 12

    again = run_job(job_file)
    assert again.stdout.count("up to date") == 2

    (workspace / "result.mp4").unlink()
    lost_result = run_job(job_file)
    assert lost_result.stdout.count("up to date") == 1 and (workspace / "result.mp4").is_file()

    (workspace / "data_src" / "00012.jpg").unlink()
    fewer_frames = run_job(job_file)
    assert fewer_frames.stdout.count("up to date") == 1

    write_clip(workspace / "data_src.mp4", frames=6, color="red")
    new_clip = run_job(job_file)
    assert "up to date" not in new_clip.stdout and new_clip.returncode == 0
    assert len(list((workspace / "data_src").glob("*.jpg"))) == 6


def test_a_failing_step_ends_the_job_with_its_code(job_file):
    (job_file.parent / "space with blank" / "data_src.mp4").write_text("no video")
    done = run_job(job_file)
    assert done.returncode == 1
    assert "step 1 of 2" in done.stderr and "Traceback" not in done.stderr


def test_events_and_log_of_a_job(job_file, tmp_path):
    events, log = tmp_path / "events.jsonl", tmp_path / "run.log"
    assert run_job(job_file, "--json-events", str(events), "--log-file", str(log)).returncode == 0
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert {"start", "job_step", "result", "message"} <= {line["event"] for line in lines}
    assert lines[-1] == {"time": lines[-1]["time"], "event": "result", "exit_code": 0}
    assert "step 2 of 2" in log.read_text()
    schema = json.loads((ROOT / "docs" / "events.schema.json").read_text())
    kinds = {option["properties"]["event"]["const"]: option for option in schema["oneOf"]}
    for line in lines:
        kind = kinds[line["event"]]
        assert set(kind["required"]) <= set(line) <= set(kind["properties"]), line


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("steps: [extract-srcc]", "Did you mean extract-src"),
        ("steps: []", "needs a list of 'steps'"),
        ("- 1", "expected a mapping"),
        ("steps: [{extract-src: 5}]", "must be a mapping of flags"),
        ("stepz: [extract-src]", "unknown keys: stepz"),
        ("a: [", "not a readable YAML file"),
        ("steps: [{extract-src: {no-such-flag: 1}}]", "unrecognized arguments: --no-such-flag"),
        ("jobs: [{steps: [doctor-x]}]", "no step is called"),
    ],
)
def test_mistakes_in_a_job_file_are_found_before_anything_runs(tmp_path, text, problem):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    done = run_job(path)
    assert done.returncode == 2 and problem in done.stderr and "Traceback" not in done.stderr


def test_flags_become_words(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("steps: [{train-saehd: {set: [a=1, b=2], no-preview: true, debug: false}}]\nconfirm-all: true")
    (job,) = load_jobs(path)
    assert job.steps[0].commands[0][-6:] == ("--set", "a=1", "--set", "b=2", "--no-preview", "--yes")
    assert job.workspace == tmp_path / "workspace"


def test_flags_go_to_every_command_of_a_step(tmp_path):
    from main import build_parser

    path = tmp_path / "job.yaml"
    path.write_text("steps: [{video-mp4: {encoder: libx265, bitrate: 9, output-file: other.mp4, input-dir: other}}]")
    (job,) = load_jobs(path)
    video, masks = (build_parser().parse_args(command) for command in job.steps[0].commands)
    assert [options.encoder for options in (video, masks)] == ["libx265"] * 2
    assert [options.bitrate for options in (video, masks)] == [9, 9]
    assert (video.output_file.name, masks.output_file.name) == ("other.mp4", "result_mask.mp4")
    assert (video.input_dir.name, masks.input_dir.name) == ("other", "merged_mask")
    assert (video.lossless, masks.lossless) == (False, True)


def test_damaged_state_is_named(tmp_path):
    (tmp_path / STATE_NAME).write_text("{")
    with pytest.raises(FormatError, match="delete it to run all steps again"):
        JobState.load(tmp_path)


def test_missing_job_file(tmp_path):
    with pytest.raises(UsageError, match="no such job file"):
        load_jobs(tmp_path / "none.yaml")


def test_overlapping_paths():
    assert overlap("/m/*_SAEHD_data.dat", "/m/*_SAEHD_*")
    assert overlap("/m/a", "/m/a")
    assert not overlap("/m/a", "/m/ab")


def test_sigterm_reaches_the_step_and_the_job_resumes(job_file):
    workspace = job_file.parent / "space with blank"
    write_clip(workspace / "data_src.mp4", frames=2000)
    process = subprocess.Popen([sys.executable, str(ROOT / "main.py"), "run", str(job_file)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    end = time.monotonic() + 120
    while not (workspace / "data_src").exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 130
    write_clip(workspace / "data_src.mp4", frames=12)
    assert run_job(job_file).returncode == 0
    assert len([name for name in os.listdir(workspace / "data_src") if name.endswith(".jpg")]) == 12


def test_a_stopped_step_goes_on_with_its_own_command(tmp_path, monkeypatch):
    """Finished commands of a step that was killed are not run again, and an extraction is told to go on."""
    from main import build_parser
    from mainscripts import run as job_runner

    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.png").write_bytes(b"1")
    job_file = tmp_path / "job.yaml"
    job_file.write_text(
        """
workspace: .
steps:
  - command: [extract, --input-dir, "{W}/frames", --output-dir, "{W}/faces", --detector, embedded]
    reads: ["{W}/frames"]
    writes: ["{W}/faces"]
"""
    )
    called = []

    def killed(command, _options):
        called.append(command)
        raise KeyboardInterrupt

    def finished(command, _options):
        called.append(command)
        (tmp_path / "faces").mkdir(exist_ok=True)
        (tmp_path / "faces" / "1_0.jpg").write_bytes(b"face")
        return 0

    options = build_parser().parse_args(["run", str(job_file)])
    monkeypatch.setattr(job_runner, "_call", killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            job_runner.run(options)
    (tmp_path / "frames" / "1.png").write_bytes(b"another")
    with pytest.raises(KeyboardInterrupt):
        job_runner.run(options)
    monkeypatch.setattr(job_runner, "_call", finished)
    monkeypatch.setattr(JobState, "record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        job_runner.run(options)
    assert ["--continue" in command for command in called] == [False, True, False, True]
    monkeypatch.undo()
    monkeypatch.setattr(job_runner, "_call", finished)
    assert job_runner.run(options) == 0 and len(called) == 4
    assert job_runner.run(options) == 0 and len(called) == 4


def leave_killed(job_file):
    """Leave the record of a job that was killed in its first step."""
    (job,) = load_jobs(job_file)
    state = JobState.load(job.workspace)
    state.begin(job, 0)


def test_a_step_that_had_done_all_when_it_was_killed_is_done(tmp_path):
    """Unpacking finds no pack any more; only after an interruption does that mean that it has come to its end."""
    aligned = tmp_path / "workspace" / "data_src" / "aligned"
    aligned.mkdir(parents=True)
    (aligned / "1.jpg").write_bytes(b"picture")
    job_file = tmp_path / "job.yaml"
    job_file.write_text("steps:\n  - unpack-src\n")
    for _ in range(2):
        assert run_job(job_file).returncode == 3
    (tmp_path / "workspace" / STATE_NAME).unlink()
    leave_killed(job_file)
    (aligned / "2.jpg").write_bytes(b"what it read has changed, because it writes there")
    done = run_job(job_file)
    assert done.returncode == 0 and "had done all its work when it was interrupted" in done.stdout
    assert "up to date" in run_job(job_file).stdout


def test_clearing_the_workspace_is_done_once(tmp_path):
    """Going on with a job must not throw away what its earlier steps have made."""
    frames = tmp_path / "workspace" / "data_src"
    frames.mkdir(parents=True)
    (frames / "old.png").write_bytes(b"old")
    job_file = tmp_path / "job.yaml"
    job_file.write_text("confirm-all: true\nsteps:\n  - clear-workspace\n  - command: [util]\n    reads: ['{S}']\n")
    assert run_job(job_file).returncode == 0
    assert not (frames / "old.png").exists()
    assert (tmp_path / "workspace" / "cleared_1" / "data_src" / "old.png").read_bytes() == b"old"
    (frames / "new.png").write_bytes(b"new")
    assert "clear-workspace: up to date" in run_job(job_file).stdout
    assert (frames / "new.png").exists()
