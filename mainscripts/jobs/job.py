"""Jobs: a list of steps from a YAML file, run one after the other, each only when it has something new to do.

A step is up to date when its command is the same as when it last finished, the files that it reads are as this job left
them, what it writes is there, and no earlier step of the job ran again. What a job knows is kept in the workspace in
``.dfl_job_state.json``, written after every step.
"""

import difflib
import fnmatch
import glob
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import FormatError, UsageError, UserError
from core.files.paths import atomic_write, remove_if_present, why_no_file
from core.records.bounded_read import UnreadableFile
from core.records.file_value import describe, short
from core.records.json_file import LARGE_FILE, json_bytes, read_json
from core.records.yaml_file import read_yaml
from mainscripts.jobs.step_table import PlaceholderError, fill, folders, load_steps
from samplelib.packs.names import is_index

STATE_NAME = ".dfl_job_state.json"
RECORD_NAME = ".dfl_step_record.json"
RECORD_VARIABLE = "DFL_STEP_RECORD"
LONGEST_WORD = 4096
_LONGEST_COMMAND = 30_000  # what Windows takes, less the program
_LONGEST_NAME = 200
_MOST_WILDCARDS = 2
_JOB_KEYS = ("name", "workspace", "steps", "confirm-all")
_STATE_FORM = {
    "finished": {str: [[str]]},
    "left": {str: str},
    "hashes": {str: [(int, str)]},
    "begun?": {str: {"commands": [[str]], "reads": {str: str}, "done": int}},
}


@dataclass(frozen=True)
class JobStep:
    """One step, ready to run: a name, the argument lists of its ``main.py`` calls, and the paths it reads and writes.

    A step that is done ``once`` is not done again, whatever happens to the files.
    """

    name: str
    commands: tuple[tuple[str, ...], ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    once: bool = False

    @property
    def works_in_place(self) -> bool:
        """Whether it changes what it reads, so that it may find nothing left to do when it is repeated."""
        return any(overlap(read, written) for read in self.reads for written in self.writes)


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
        """Read the state of a workspace.

        Raises
        ------
        FormatError
            When it is damaged. Nothing runs then: a step that was done may have been followed by work by hand.
        """
        path = workspace / STATE_NAME
        try:
            content = read_json(path, _STATE_FORM, LARGE_FILE)
        except FileNotFoundError:
            return cls(path)
        except FormatError as error:
            if isinstance(error, UnreadableFile):
                raise
            raise FormatError(path, f"is damaged; delete it to run all steps again ({error.problem})") from None
        return cls(path, content["finished"], content["left"], content["hashes"], content.get("begun", {}))

    def save(self) -> None:
        content = {"finished": self.finished, "left": self.left, "hashes": self.hashes, "begun": self.begun}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{self.path.parent}: cannot be made ({error.strerror or error}).") from None
        atomic_write(self.path, json_bytes(content))

    def fingerprint(self, pattern: str) -> str:
        """Hash over names and contents of the files that a path, folder (not deeper) or pattern stands for.

        Contents are hashed once; later only files whose size or time changed are read again.
        """
        total = hashlib.sha256()
        for path in watched_files(pattern):
            try:
                digest = self._content(path)
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from None
            total.update(os.fsencode(os.path.basename(path)) + f"\0{digest}\n".encode())
        return total.hexdigest()

    def _content(self, path):
        status = os.stat(path)
        known = self.hashes.get(path)
        if not known or len(known) != 3 or known[:2] != [status.st_size, status.st_mtime_ns]:
            with open(path, "rb") as stream:
                known = [status.st_size, status.st_mtime_ns, hashlib.file_digest(stream, "sha256").hexdigest()
                         if hasattr(hashlib, "file_digest") else _digest(stream)]  # fmt: skip
            self.hashes[path] = known
        return known[2]

    def is_up_to_date(self, job: Job, index: int, rerun: set[str]) -> bool:
        """Whether a step needs no run, given the paths that steps before it wrote again in this run."""
        step = job.steps[index]
        same_commands = self.finished.get(_label(job, index)) == [list(command) for command in step.commands]
        if step.once:
            return same_commands
        return (
            same_commands
            and bool(step.writes)
            and all(watched_files(pattern) for pattern in step.writes)
            and not any(overlap(read, written) for read in step.reads for written in rerun)
            and all(self.left.get(pattern) == self.fingerprint(pattern) for pattern in step.reads)
        )

    def was_interrupted(self, job: Job, index: int) -> bool:
        """Whether an earlier run began the step with these commands, and did not come to its end."""
        earlier = self.begun.get(_label(job, index))
        commands = [list(command) for command in job.steps[index].commands]
        return earlier is not None and earlier["commands"] == commands and not earlier.get("nothing_to_do")

    def prepare_record(self, job: Job, index: int) -> Path:
        """File for what a step notes itself; what is in it counts only for the step that was begun last, and stopped."""
        path = self.path.with_name(RECORD_NAME)
        begun = self.begun.get(_label(job, index))
        if begun is None or begun.get("commands") != [list(command) for command in job.steps[index].commands]:
            remove_if_present(path)
        return path

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
        done = None
        if earlier is not None and all(earlier.get(key) == value for key, value in entry.items()):
            done = min(max(earlier["done"], 0), len(step.commands))
        self.begun = {label: entry | {"done": done or 0}}
        self.save()
        return done

    def note_command(self, job: Job, index: int) -> None:
        """Note that the next command of the step begun has finished, and how what it reads (and may write) looks now."""
        entry = self.begun[_label(job, index)]
        entry["done"] += 1
        entry["reads"] = {pattern: self.fingerprint(pattern) for pattern in job.steps[index].reads}
        self.save()

    def note_nothing_to_do(self, job: Job, index: int) -> None:
        """Note that the step begun was not interrupted, but has found nothing to do."""
        self.begun[_label(job, index)]["nothing_to_do"] = True
        self.save()

    def record(self, job: Job, index: int) -> Any:
        """Note that a step has finished, and how everything that it touched looks now."""
        step = job.steps[index]
        self.begun = {}
        self.finished[_label(job, index)] = [list(command) for command in step.commands]
        touched = {pattern for other in job.steps for pattern in (*other.reads, *other.writes)
                   if any(overlap(pattern, written) for written in step.writes)}  # fmt: skip
        for pattern in touched | set(step.reads) | set(step.writes):
            self.left[pattern] = self.fingerprint(pattern)
        self.save()


def step_record() -> Path | None:
    """File in which a step that runs in a job may note that its work is done, before it ends; None without a job."""
    path = os.environ.get(RECORD_VARIABLE)
    return Path(path) if path else None


def watched_files(pattern: str) -> list[str]:
    """Files that a path, a folder or a pattern with ``*`` stands for, sorted; hidden ones and indexes are left out."""
    if os.path.isdir(pattern):
        try:
            found = [entry.path for entry in os.scandir(pattern) if entry.name[0] != "." and why_no_file(entry) is None]
        except OSError as error:
            raise UserError(f"{pattern}: cannot be listed ({error.strerror or error}).") from None
    else:
        found = [path for path in glob.glob(_escape(pattern)) if os.path.isfile(path)]
    return sorted(path for path in found if not is_index(path))


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
    try:
        return _read_jobs(read_yaml(path, "job file"))
    except FormatError as error:
        raise UsageError(f"{str(error).rstrip('.')}.") from None


def _read_jobs(root):
    content = root.mapping(expected="a mapping with 'steps' or 'jobs' at the top")
    rows = [root]
    if "jobs" in content:
        root.mapping(("jobs",))
        rows = content["jobs"].sequence("a list of jobs")
    table = load_steps()
    jobs, known = [], set()
    for number, row in enumerate(rows, 1):
        job = _read_job(row.called(f"job {number}" if "jobs" in content else ""), number, table)
        if (job.workspace, job.name) in known:
            raise row.error("two jobs of one workspace have the same name")
        known.add((job.workspace, job.name))
        jobs.append(job)
    return jobs


def _read_job(row, number, table):
    values = row.mapping(_JOB_KEYS, "a mapping with 'steps'")
    steps = values.get("steps")
    if steps is None or not isinstance(steps.data, list) or not steps.data:
        raise (steps or row).error(f"job {number} needs a list of 'steps'")
    workspace = values["workspace"].text(LONGEST_WORD) if "workspace" in values else "workspace"
    folder = Path(os.path.realpath(row.file.parent / os.path.expanduser(workspace)))
    confirms = "confirm-all" in values and values["confirm-all"].data is not None and values["confirm-all"].truth()
    name = values["name"].text(_LONGEST_NAME) if "name" in values else f"job {number}"
    places, extra = folders(folder), ("--yes",) if confirms else ()
    before = f"{row.place}, " if row.place else ""
    read = tuple(
        _read_step(step.called(f"{before}step {count}"), table, places, extra)
        for count, step in enumerate(steps.sequence(), 1)
    )
    return Job(name, folder, read)


def _read_step(row, table, places, extra):
    if row.is_mapping() and "command" in row.data:
        return _free_step(row, places, extra)
    if row.is_mapping() and len(row.data) == 1:
        ((name, values),) = row.mapping().items()
    elif isinstance(row.data, str):
        name, values = row.data, None
    else:
        raise row.unexpected("'name' or 'name: {flag: value}'")
    if name not in table:
        near = difflib.get_close_matches(str(name)[:_LONGEST_NAME], table, 3)
        hint = f". Did you mean {' or '.join(near)}?" if near else ""
        raise row.error(f"no step is called {short(name, quoted=True)}{hint}")
    row, step = row.called(f"{row.place}, {name}"), table[name]
    flags = _flags(row, values)
    try:
        commands = tuple((*step.arguments(places, number, flags), *extra) for number in range(len(step.commands)))
    except PlaceholderError as error:
        raise row.error(str(error)) from None
    reads, writes = (tuple(_filled(row, text, places) for text in texts) for texts in (step.reads, step.writes))
    return JobStep(name, tuple(_bounded(row, words) for words in commands), reads, writes, step.once)


def _free_step(row, places, extra):
    values = row.mapping(("command", "reads", "writes"))
    words = values["command"]
    if not isinstance(words.data, list) or not words.data:
        raise words.error(f"'command' must be a list of words, not {describe(words.data)}")
    command = tuple(_filled(word, word.text(LONGEST_WORD), places) for word in words.sequence())
    name = f"command {short(command[0])}"
    reads, writes = (
        tuple(_watched(item, places) for item in values[key].sequence("a list of paths")) if key in values else ()
        for key in ("reads", "writes")
    )
    return JobStep(name, (_bounded(row, command + extra),), reads, writes)


def _watched(value, places):
    """A path or pattern that a job watches. Patterns that could stand for a whole disk, or for paths over and over, are
    refused."""
    pattern = _filled(value, value.text(LONGEST_WORD), places)
    parts = Path(pattern).parts
    if "*" in pattern and (".." in parts or sum("*" in part for part in parts) > _MOST_WILDCARDS):
        raise value.error(f"{short(pattern)}: * may be in {_MOST_WILDCARDS} parts of a path, and not together with ..")
    return pattern


def _filled(value, text, places):
    try:
        return fill(text, places)
    except PlaceholderError as error:
        raise value.error(str(error)) from None


def _bounded(row, words):
    """The words of one command, none too long for the system to start a program with them."""
    longest = max(words, key=len)
    if len(longest) > LONGEST_WORD:
        raise row.error(f"a word of {len(longest)} characters; at most {LONGEST_WORD} are allowed: {short(longest)}")
    if sum(map(len, words)) + len(words) > _LONGEST_COMMAND:
        raise row.error(f"a command of more than {_LONGEST_COMMAND} characters")
    return words


def _flags(row, values):
    if values is None or values.data is None:
        return ()
    if not values.is_mapping():
        raise values.error(f"{row.place}: options must be a mapping of flags, not {describe(values.data)}")
    words = []
    for flag, value in values.called(row.place).mapping().items():
        for item in value.sequence() if isinstance(value.data, list) else [value]:
            if item.data is True:
                words.append(f"--{flag}")
            elif item.data is not False and item.data is not None:
                words += [f"--{flag}", item.text(LONGEST_WORD, "a text, a number, true or false")]
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
