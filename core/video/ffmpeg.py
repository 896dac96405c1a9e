"""Finding the ffmpeg program and running it with progress bars, piped frames and readable errors."""

import errno
import functools
import os
import re
import shlex
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, cast

from core.console import interact
from core.errors import UserError

_ERROR_LINES = 4
_PATIENCE = 20
_DISK_FULL = ("No space left on device", "There is not enough space on the disk", "Disk quota exceeded")
_NOISE = re.compile(r"^\s*(Last message repeated|frame=|Conversion failed|Exiting normally|Error opening input files)")
_PREFIX = re.compile(r"\[[^\]]* @ (?:0x)?[0-9A-Fa-f]+\]\s*|\[(?:info|warning|error|fatal|panic)\]\s*")
_SERIOUS = re.compile(r"\[(?:error|fatal|panic)\]")


class FfmpegError(UserError):
    """ffmpeg ended with an error; ``lines`` holds the end of what it wrote to standard error."""

    def __init__(self, message: str, lines: Iterable[str] = ()):
        super().__init__(message)
        self.lines = tuple(lines)


@functools.cache
def ffmpeg_program() -> str:
    """Path of ffmpeg: ``$DFL_FFMPEG``, the system's if it runs, or the binary inside the ``imageio-ffmpeg`` package."""
    wanted = os.environ.get("DFL_FFMPEG")
    if wanted:
        return _wanted_program(wanted)
    found = shutil.which("ffmpeg")
    if found and trouble_of(found) is None:
        return found
    try:
        import imageio_ffmpeg

        return imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError, OSError):
        state = f"{found}: does not run ({trouble_of(found)})" if found else "ffmpeg was not found"
        raise UserError(f"{state}. Install it (or `pip install imageio-ffmpeg`) and try again.") from None


def _wanted_program(wanted):
    found = shutil.which(wanted)
    if not found:
        raise UserError(f"DFL_FFMPEG={wanted}: no such program. Set it to an ffmpeg binary, or unset it.")
    trouble = trouble_of(found)
    if trouble is not None:
        raise UserError(f"DFL_FFMPEG={wanted}: does not run ({trouble}). Set it to another ffmpeg binary, or unset it.")
    return found


@functools.cache
def trouble_of(program: str) -> str | None:
    """Why a program of ffmpeg does not even tell its version, such as a missing library; None when it does."""
    try:
        done = subprocess.run([program, "-version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        return getattr(error, "strerror", None) or "it does not answer"
    if done.returncode == 0 and done.stdout.startswith(b"ff"):
        return None
    lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"exit code {done.returncode}"


def broken_system_programs() -> list[tuple[str, str]]:
    """Path and trouble of each of the system's ``ffmpeg`` and ``ffprobe`` that is there but does not run."""
    found = [path for name in ("ffmpeg", "ffprobe") if (path := shutil.which(name))]
    return [(path, trouble) for path in found if (trouble := trouble_of(path)) is not None]


@functools.cache
def ffmpeg_version() -> tuple[int, int]:
    """Major and minor version of ffmpeg; builds from git without a number count as newest."""
    output = subprocess.run([ffmpeg_program(), "-version"], capture_output=True, text=True, errors="replace").stdout
    match = re.match(r"ffmpeg version n?(\d+)\.(\d+)", output)
    return (int(match[1]), int(match[2])) if match else (99, 0)


def every_frame_once() -> list[str]:
    """Output arguments with which ffmpeg neither repeats nor drops a frame, whatever the time stamps say."""
    return ["-fps_mode", "passthrough"] if ffmpeg_version() >= (5, 1) else ["-vsync", "passthrough"]


def with_paths(arguments: list[str], paths: dict[str, object]) -> list[str]:
    """Arguments in which the keys of ``paths`` stand for files; ffmpeg-python itself takes only names in UTF-8."""
    return [str(paths.get(argument, argument)) for argument in arguments]


class Job:
    """A run of ffmpeg, with a progress bar from its own reports and optionally with frames piped in.

    Parameters
    ----------
    arguments : list of str
        Everything after the program name. Existing output files are replaced (``-y``).
    with_input : bool
        Whether :meth:`write` will be used (ffmpeg reads ``pipe:``).
    total : int, optional
        Number of video frames that will come out, for the progress bar.
    description : str, optional
        Caption of the progress bar; no bar without it.
    folder : Path, optional
        Working folder of ffmpeg, against which relative names in ``arguments`` count.
    """

    def __init__(
        self,
        arguments: list,
        with_input: bool = False,
        total: int | None = None,
        description: str | None = None,
        folder: Path | None = None,
    ):
        self.command = [ffmpeg_program(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+warning", "-y"]
        self.command += ["-progress", "pipe:1", *arguments]
        self.frames = 0
        self._process = start(self.command, with_input, folder)
        self._lines = LineCollector(self._process.stderr)
        self._follower = threading.Thread(target=self._follow, args=(total, description), daemon=True)
        self._follower.start()

    def write(self, data: Any) -> None:
        """Pipe bytes to ffmpeg. When it has closed its input because of an error, that error is raised."""
        try:
            cast(IO, self._process.stdin).write(data)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EINVAL):
                raise
            self.finish()
            raise failure(self.command, 0, ["it stopped reading", *self._lines.texts]) from None

    def finish(self) -> list[str]:
        """Close the input, wait for the end and return the error lines; raises :class:`FfmpegError` on failure."""
        if self._process.stdin and not self._process.stdin.closed:
            try:
                self._process.stdin.close()
            except OSError:
                pass
        self._process.wait()
        self._join()
        if self._process.returncode != 0:
            raise failure(self.command, self._process.returncode, self._lines.errors or self._lines.texts)
        return list(self._lines.errors)

    def stop(self) -> None:
        """End the program if it still runs."""
        stop(self._process)
        self._join()

    def _join(self):
        self._follower.join(timeout=10)
        self._lines.join(timeout=10)

    def _follow(self, total, description):
        stream = self._process.stdout
        if description is None:
            self._read_progress(stream, None)
        else:
            with interact.progress(total, description) as bar:
                self._read_progress(stream, bar)
        stream.close()

    def _read_progress(self, stream, bar):
        for line in stream:
            key, _, value = line.decode(errors="replace").strip().partition("=")
            if key == "frame" and value.strip().isdigit():
                if bar is not None:
                    bar.update(int(value) - self.frames)
                self.frames = int(value)


def run(
    arguments: list, total: int | None = None, description: str | None = None, folder: Path | None = None
) -> list[str]:
    """Run ffmpeg to its end and return the errors that it went on after; see :class:`Job`. Ctrl+C ends it too."""
    job = Job(arguments, total=total, description=description, folder=folder)
    try:
        return job.finish()
    except BaseException:
        job.stop()
        raise


def start(command: list, with_input: bool = False, folder: Path | None = None) -> subprocess.Popen:
    """Start a program with piped standard output and error, and an empty or piped standard input."""
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
        )
    except OSError as error:
        raise UserError(f"{command[0]}: cannot be started ({error.strerror or error}).") from None


def stop(process: subprocess.Popen) -> None:
    """End a running process and wait until it is gone."""
    if process.stdin and not process.stdin.closed:
        try:
            process.stdin.close()
        except OSError:
            pass
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def failure(command: list, code: int, lines: Iterable[str]) -> FfmpegError:
    """The error for a run of ffmpeg that ended with ``code`` after writing ``lines`` to standard error."""
    lines = [line for line in lines if not _NOISE.match(line)]
    if any(text in line for line in lines for text in _DISK_FULL):
        return FfmpegError("The disk is full. Free some space and run the step again.", lines)
    lines = list(dict.fromkeys(lines))
    reason = " / ".join(lines if len(lines) <= _ERROR_LINES else [lines[0], *lines[1 - _ERROR_LINES :]]) or "no message"
    return FfmpegError(f"ffmpeg failed with exit code {code}: {reason}. Command line: {shlex.join(command)}", lines)


class LineCollector(threading.Thread):
    """Reads standard error in the background; keeps the last lines in ``texts``, and those of errors in ``errors``."""

    def __init__(self, stream: Any, keep: int = 30):
        super().__init__(daemon=True)
        self.texts: deque[str] = deque(maxlen=keep)
        self.errors: deque[str] = deque(maxlen=keep)
        self._stream = stream
        self.start()

    def run(self) -> None:
        for line in self._stream:
            text = line.decode(errors="replace").strip()
            plain = clean(text)
            if plain:
                self.texts.append(plain)
                if _SERIOUS.search(text):
                    self.errors.append(plain)
        self._stream.close()


def clean(line: str) -> str:
    """A line of ffmpeg without addresses of its parts and without its level."""
    return _PREFIX.sub("", line).strip()
