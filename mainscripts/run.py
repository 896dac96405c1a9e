"""The ``run`` command: the whole workflow, or any part of it, from one job file."""

import argparse
import functools
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from core.console import events, interact
from core.console.process import stop_signals
from core.errors import NothingToDo, UsageError, UserError
from core.files.paths import absolute_path, remove_if_present
from core.files.temporary import remove_dead

MAIN = Path(__file__).resolve().parents[1] / "main.py"
_LONGEST_COMPLAINT = 400
_RUNNING = "DFL_RUNNING_JOBS"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``run`` to the command line."""
    parser = subparsers.add_parser("run", help="run the steps of a job file, each only when it has something new to do")
    parser.add_argument("job_file", type=absolute_path, metavar="JOB.yaml", help="see docs/jobs.md")
    parser.add_argument("--dry-run", action="store_true", help="only say what would run, on how many frames")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int | None:
    """Run all jobs in order; the first step that fails ends the run with its exit code."""
    from mainscripts.jobs.inputs import JobInputs
    from mainscripts.jobs.job import RECORD_VARIABLE, JobState, load_jobs

    job_file = os.path.realpath(options.job_file)
    if job_file in _running_jobs():
        raise UsageError(f"{options.job_file}: this job is a step of itself.")
    jobs = load_jobs(options.job_file)
    parsed = {
        id(step): [_check_command(options.job_file, number, step, command) for command in step.commands]
        for job in jobs
        for number, step in enumerate(job.steps, 1)
    }
    inputs, missing = JobInputs(), 0
    for job in jobs:
        state = JobState.load(job.workspace)
        rerun: set = set()
        for index, step in enumerate(job.steps):
            where = f"{job.name}: step {index + 1} of {len(job.steps)}, {step.name}"
            if options.dry_run:
                missing += _tell_missing(where, inputs.missing(step.commands, parsed[id(step)], step.writes))
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
                for folder in (pattern, os.path.dirname(pattern)):
                    remove_dead(folder)
            record = state.prepare_record(job, index)
            interrupted = state.was_interrupted(job, index)
            done = state.begin(job, index)
            events.emit("job_step", job=job.name, step=step.name, state="running")
            for number, command in enumerate(step.commands[done or 0 :]):
                with _variable(RECORD_VARIABLE, str(record)):
                    code = _call(_resumed(command) if number == 0 and done is not None else command, options)
                if code == NothingToDo.exit_code and interrupted and step.works_in_place:
                    interact.info(f"{where}: had done all its work when it was interrupted.")
                    code = 0
                if code == NothingToDo.exit_code:
                    state.note_nothing_to_do(job, index)
                if code != 0:
                    events.emit("job_step", job=job.name, step=step.name, state="failed", exit_code=code)
                    interact.error(f"{where}: ended with exit code {code}. Run the job again to go on from here.")
                    return code
                state.note_command(job, index)
            state.record(job, index)
            remove_if_present(record)
            events.emit("job_step", job=job.name, step=step.name, state="done")
        if options.dry_run:
            _tell_free_disk(job.workspace)
    if missing:
        raise UserError(
            f"{options.job_file}: {missing} {'thing is' if missing == 1 else 'things are'} missing, see above."
        )
    return 0


def _tell_missing(where, lines):
    for line in lines:
        interact.error(f"{where}: {line}")
    return len(lines)


def _check_command(job_file, number, step, command):
    """Find a mistyped flag before hours of work, not after; the parsed arguments."""
    import contextlib
    import io

    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), contextlib.redirect_stdout(complaint):
            parsed = _parser().parse_args(command)
        if hasattr(parsed, "run"):
            return parsed
        problem = "the command needs the name of a step after it"
    except SystemExit:
        problem = (complaint.getvalue().strip().splitlines() or ["unknown problem"])[-1][:_LONGEST_COMPLAINT]
    except UserError as error:
        problem = str(error)[:_LONGEST_COMPLAINT]
    raise UsageError(f"{job_file}: step {number}, {step.name}: {problem}")


@functools.cache
def _parser():
    """The command line of the program; made once for all steps of a job."""
    from main import build_parser

    return build_parser()


@contextmanager
def _variable(name, value):
    """Set a variable of the environment, which programs that are started get."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


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
    running = os.pathsep.join([*_running_jobs(), os.path.realpath(options.job_file)])
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, env={**os.environ, _RUNNING: running})
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


def _running_jobs():
    """Files of the jobs that have this one as a step."""
    return [path for path in os.environ.get(_RUNNING, "").split(os.pathsep) if path]


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
    from core.files.paths import IMAGE_EXTENSIONS, resolve_input_file

    for pattern in step.reads:
        if os.path.isdir(pattern):
            try:
                images = [name for name in os.listdir(pattern) if name.lower().endswith(IMAGE_EXTENSIONS)]
            except OSError as error:
                return f" {pattern} cannot be listed ({error.strerror or error})."
            return f" {len(images)} images in {pattern}."
        if not pattern.endswith(".*"):
            continue
        from core.video.frames import probe

        try:
            video = probe(resolve_input_file(pattern))
        except UserError as error:
            return f" {error}"
        gigabytes = (video.expected_frames or 0) * video.width * video.height * 3 * 0.55 / 1e9
        return f" About {video.expected_frames or 'an unknown number of'} frames; as PNG about {gigabytes:.1f} GB."
    return ""


def _tell_free_disk(workspace):
    folder = workspace
    while not os.path.exists(folder):
        folder = folder.parent
    interact.info(f"{shutil.disk_usage(folder).free / 1e9:.1f} GB are free for {workspace}.")
