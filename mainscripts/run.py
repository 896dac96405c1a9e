"""The ``run`` command: the whole workflow, or any part of it, from one job file."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from core import events, interact
from core.errors import UsageError
from core.paths import absolute_path, remove_torn
from core.process import stop_signals

MAIN = Path(__file__).resolve().parents[1] / "main.py"


def add_parser(subparsers):
    """Add ``run`` to the command line."""
    parser = subparsers.add_parser("run", help="run the steps of a job file, each only when it has something new to do")
    parser.add_argument("job_file", type=absolute_path, metavar="JOB.yaml", help="see docs/jobs.md")
    parser.add_argument("--dry-run", action="store_true", help="only say what would run, on how many frames")
    parser.set_defaults(run=run)


def run(options):
    """Run all jobs in order; the first step that fails ends the run with its exit code."""
    from core.jobs import JobState, load_jobs

    jobs = load_jobs(options.job_file)
    for job in jobs:
        for step in job.steps:
            for command in step.commands:
                _check_command(options.job_file, step, command)
    for job in jobs:
        state = JobState.load(job.workspace)
        rerun = set()
        for index, step in enumerate(job.steps):
            where = f"{job.name}: step {index + 1} of {len(job.steps)}, {step.name}"
            if state.is_up_to_date(job, index, rerun):
                interact.info(f"{where}: up to date.")
                events.emit("job_step", job=job.name, step=step.name, state="up to date")
                continue
            rerun.update(step.writes)
            if options.dry_run:
                interact.info(f"{where}: would run.{_forecast(step)}")
                continue
            interact.info(f"{where}")
            for pattern in step.writes:
                remove_torn(pattern)
            done = state.begin(job, index)
            events.emit("job_step", job=job.name, step=step.name, state="running")
            for number, command in enumerate(step.commands[done or 0 :]):
                code = _call(_resumed(command) if number == 0 and done is not None else command, options)
                if code != 0:
                    events.emit("job_step", job=job.name, step=step.name, state="failed", exit_code=code)
                    interact.error(f"{where}: ended with exit code {code}. Run the job again to go on from here.")
                    return code
                state.note_command(job, index)
            state.record(job, index)
            events.emit("job_step", job=job.name, step=step.name, state="done")
        if options.dry_run:
            _tell_free_disk(job.workspace)
    return 0


def _check_command(job_file, step, command):
    """Find a mistyped flag before hours of work, not after."""
    import contextlib
    import io

    from main import build_parser

    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(complaint):
            build_parser().parse_args(command)
    except SystemExit:
        problem = complaint.getvalue().strip().splitlines()[-1:] or ["unknown problem"]
        raise UsageError(f"{job_file}: step {step.name}: {problem[0]}") from None


def _resumed(command):
    """A command that was stopped, so that it goes on: an extraction has to be told that its faces are its own."""
    if command[0] == "extract" and not {"--continue", "--restart"} & set(command):
        return [*command, "--continue"]
    return command


def _call(command, options):
    """Run one ``main.py`` command without a terminal; signals to stop reach it too, so that it can save."""
    words = [sys.executable, str(MAIN), *command]
    if options.json_events:
        words += ["--json-events", str(options.json_events)]
    if options.answers:
        words += ["--answers", str(options.answers)]
    if options.log_file:
        words += ["--log-file", str(options.log_file)]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    stopped = []

    def stop(number, _frame):
        stopped.append(number)
        # A second signal would end it without saving.
        if process.poll() is None and not _reaches_children(number):
            process.send_signal(number)

    before = {number: signal.signal(number, stop) for number in stop_signals()}
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if stopped:
        raise KeyboardInterrupt
    return code if code >= 0 else 1


def _reaches_children(number):
    """Whether a signal comes from the terminal, which sends it to all programs of the command line."""
    if os.name == "nt":
        return number != signal.SIGTERM
    if number != signal.SIGINT:
        return number == signal.SIGHUP
    try:
        with open("/dev/tty") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _forecast(step):
    """Frames that a step will work on, and the disk that it will take, as far as that can be known now."""
    from core.errors import UserError
    from core.paths import IMAGE_EXTENSIONS, resolve_input_file

    for pattern in step.reads:
        if os.path.isdir(pattern):
            images = [name for name in os.listdir(pattern) if name.lower().endswith(IMAGE_EXTENSIONS)]
            return f" {len(images)} images in {pattern}."
        if not pattern.endswith(".*"):
            continue
        from core.video import probe

        try:
            video = probe(resolve_input_file(pattern))
        except UserError as error:
            return f" {error}"
        gigabytes = (video.expected_frames or 0) * video.width * video.height * 3 * 0.55 / 1e9
        return f" About {video.expected_frames or 'an unknown number of'} frames; as PNG about {gigabytes:.1f} GB."
    return ""


def _tell_free_disk(workspace):
    folder = workspace
    while not folder.exists():
        folder = folder.parent
    interact.info(f"{shutil.disk_usage(folder).free / 1e9:.1f} GB are free for {workspace}.")
