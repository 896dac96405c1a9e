"""Jobs: a list of steps from a YAML file, run one after the other, each only when it has something new to do.

A step is up to date when its command is the same as when it last finished, the files that it reads are as this job left
them, what it writes is there, and no earlier step of the job ran again. What a job knows is kept in the workspace in
``.dfl_job_state.json``, written after every step.
"""

import difflib
import fnmatch
import glob
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import FormatError, UsageError
from core.paths import atomic_write, why_no_file
from core.step_table import folders, load_steps

STATE_NAME = ".dfl_job_state.json"


@dataclass(frozen=True)
class JobStep:
    """One step, ready to run: a name, the argument lists of its ``main.py`` calls, and the paths it reads and writes."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """Steps of one workspace."""

    name: str
    workspace: Path
    steps: tuple[JobStep, ...]


@dataclass
class JobState:
    """What earlier runs of a job left: finished steps, the one begun, how watched paths looked, and hashes of files."""

    path: Path
    finished: dict = field(default_factory=dict)
    left: dict = field(default_factory=dict)
    hashes: dict = field(default_factory=dict)
    begun: dict = field(default_factory=dict)

    @classmethod
    def load(cls, workspace: Path) -> "JobState":
        path = workspace / STATE_NAME
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(path, content["finished"], content["left"], content["hashes"], content.get("begun", {}))
        except FileNotFoundError:
            return cls(path)
        except (OSError, ValueError, KeyError, TypeError):
            raise FormatError(path, "is damaged; delete it to run all steps again") from None

    def save(self):
        content = {"finished": self.finished, "left": self.left, "hashes": self.hashes, "begun": self.begun}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(self.path, json.dumps(content).encode())

    def fingerprint(self, pattern: str) -> str:
        """Hash over names and contents of the files that a path, folder (not deeper) or pattern stands for.

        Contents are hashed once; later only files whose size or time changed are read again.
        """
        total = hashlib.sha256()
        for path in watched_files(pattern):
            status = os.stat(path)
            known = self.hashes.get(path)
            if not known or known[:2] != [status.st_size, status.st_mtime_ns]:
                with open(path, "rb") as stream:
                    known = [status.st_size, status.st_mtime_ns, hashlib.file_digest(stream, "sha256").hexdigest()
                             if hasattr(hashlib, "file_digest") else _digest(stream)]  # fmt: skip
                self.hashes[path] = known
            total.update(f"{os.path.basename(path)}\0{known[2]}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()

    def is_up_to_date(self, job: Job, index: int, rerun: set[str]) -> bool:
        """Whether a step needs no run, given the paths that steps before it wrote again in this run."""
        step = job.steps[index]
        return (
            self.finished.get(_label(job, index)) == [list(command) for command in step.commands]
            and bool(step.writes)
            and all(watched_files(pattern) for pattern in step.writes)
            and not any(overlap(read, written) for read in step.reads for written in rerun)
            and all(self.left.get(pattern) == self.fingerprint(pattern) for pattern in step.reads)
        )

    def begin(self, job: Job, index: int) -> int | None:
        """Note that a step begins; how many of its commands an earlier run of it, which was stopped, has finished.

        None when the step was not begun before, or its commands or what it reads have changed since.
        """
        step, label = job.steps[index], _label(job, index)
        entry = {
            "commands": [list(command) for command in step.commands],
            "reads": {pattern: self.fingerprint(pattern) for pattern in step.reads},
        }
        earlier = self.begun.get(label)
        done = earlier["done"] if earlier is not None and {**earlier, "done": 0} == {**entry, "done": 0} else None
        self.begun = {label: entry | {"done": done or 0}}
        self.save()
        return done

    def note_command(self, job: Job, index: int):
        """Note that the next command of the step begun has finished."""
        self.begun[_label(job, index)]["done"] += 1
        self.save()

    def record(self, job: Job, index: int):
        """Note that a step has finished, and how everything that it touched looks now."""
        step = job.steps[index]
        self.begun = {}
        self.finished[_label(job, index)] = [list(command) for command in step.commands]
        touched = {pattern for other in job.steps for pattern in (*other.reads, *other.writes)
                   if any(overlap(pattern, written) for written in step.writes)}  # fmt: skip
        for pattern in touched | set(step.reads) | set(step.writes):
            self.left[pattern] = self.fingerprint(pattern)
        self.save()


def watched_files(pattern: str) -> list[str]:
    """Files that a path, a folder or a pattern with ``*`` stands for, sorted; hidden ones are left out."""
    if os.path.isdir(pattern):
        found = [entry.path for entry in os.scandir(pattern) if entry.name[0] != "." and why_no_file(entry) is None]
    else:
        found = [path for path in glob.glob(_escape(pattern)) if os.path.isfile(path)]
    return sorted(found)


def overlap(first: str, second: str) -> bool:
    """Whether two watched paths can mean the same file."""
    return first == second or fnmatch.fnmatch(first, second) or fnmatch.fnmatch(second, first)


def load_jobs(path: Path) -> list[Job]:
    """Read a job file; see ``docs/jobs.md``.

    Raises
    ------
    UsageError
        When the file has a mistake; the message says where.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such job file.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: not a readable YAML file ({error}).") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected a mapping with 'steps' or 'jobs' at the top.")
    rows = content.get("jobs", [content])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageError(f"{path}: 'jobs' must be a list of mappings.")
    table = load_steps()
    jobs = [_read_job(path, number, row, table) for number, row in enumerate(rows, 1)]
    if len({(job.workspace, job.name) for job in jobs}) < len(jobs):
        raise UsageError(f"{path}: two jobs of one workspace have the same name.")
    return jobs


def _read_job(path, number, row, table):
    unknown = set(row) - {"name", "workspace", "steps", "confirm-all", "jobs"}
    if unknown:
        raise UsageError(f"{path}: job {number} has unknown keys: {', '.join(sorted(map(str, unknown)))}.")
    steps = row.get("steps")
    if not isinstance(steps, list) or not steps:
        raise UsageError(f"{path}: job {number} needs a list of 'steps'.")
    workspace = (path.parent / Path(str(row.get("workspace", "workspace"))).expanduser()).resolve()
    places = folders(workspace)
    extra = ("--yes",) if row.get("confirm-all") else ()
    read = tuple(_read_step(path, step, table, places, extra) for step in steps)
    return Job(str(row.get("name", f"job {number}")), workspace, read)


def _read_step(path, row, table, places, extra):
    if isinstance(row, str):
        row = {row: None}
    if isinstance(row, dict) and "command" in row:
        return _free_step(path, row, places, extra)
    if not isinstance(row, dict) or len(row) != 1:
        raise UsageError(f"{path}: a step is written as 'name' or 'name: {{flag: value}}', not {row!r}.")
    ((name, values),) = row.items()
    if name not in table:
        near = difflib.get_close_matches(str(name), table, 3)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(f"{path}: no step is called {name!r}.{hint}")
    step = table[name]
    flags = _flags(path, name, values or {})
    commands = tuple(
        tuple(step.arguments(places, number)) + (flags if number == 0 else ()) + extra
        for number in range(len(step.commands))
    )
    reads = tuple(text.format(**places) for text in step.reads)
    writes = tuple(text.format(**places) for text in step.writes)
    return JobStep(name, commands, reads, writes)


def _free_step(path, row, places, extra):
    words = row["command"]
    if not isinstance(words, list):
        raise UsageError(f"{path}: 'command' must be a list of words, not {words!r}.")

    def fill(texts):
        return tuple(str(text).format(**places) for text in texts)

    return JobStep(
        f"command {words[0]}", (fill(words) + extra,), fill(row.get("reads", ())), fill(row.get("writes", ()))
    )


def _flags(path, name, values):
    if not isinstance(values, dict):
        raise UsageError(f"{path}: options of {name!r} must be a mapping of flags, not {values!r}.")
    words = []
    for flag, value in values.items():
        for item in value if isinstance(value, list) else [value]:
            if item is True:
                words.append(f"--{flag}")
            elif item is not False and item is not None:
                words += [f"--{flag}", str(item)]
    return tuple(words)


def _label(job, index):
    return f"{job.name} / {index + 1} {job.steps[index].name}"


def _escape(pattern):
    return "".join(f"[{character}]" if character in "[?" else character for character in pattern)


def _digest(stream):
    digest = hashlib.sha256()
    for block in iter(lambda: stream.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()
