"""Renaming many files of a folder at once so that a crash at any moment loses, doubles or overwrites none.

All renames are written to a journal first. Files then go to unused intermediate names, and from there to their final
ones; a run that finds a journal finishes it. Each file has one of its three names at any moment. The first names of all
files are recorded, so that any number of renamings can be undone.
"""

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import FormatError, UserError
from core.files.paths import atomic_write, remove_if_present
from core.files.trash import trash_folder_of
from core.records.json_file import LARGE_FILE, json_bytes, read_json
from core.records.name_record import RECORD_FORM, NameRecord, read_record, write_record

JOURNAL_NAME = ".renaming.json"

_AWAY, _BACK = "away", "back"
_VERSION = 1
_JOURNAL_FORM = {"version": object, "phase": str, "prefix": str, "renames": [[str]], "trash": [[str]],
                 "restored?": [[str]], "record?": (None, RECORD_FORM)}  # fmt: skip


@dataclass(frozen=True)
class RenamePlan:
    """What becomes of the files of a folder.

    Parameters
    ----------
    folder : Path
    renames : tuple of (str, str)
        Old and new names in the folder.
    trash : tuple of (str, str)
        Names in the folder, and names that these files get in the folder ``<folder>_trash`` beside it.
    restored : tuple of (str, str)
        Names in the trash folder, and names that these files get in the folder.
    """

    folder: Path
    renames: tuple[tuple[str, str], ...] = ()
    trash: tuple[tuple[str, str], ...] = ()
    restored: tuple[tuple[str, str], ...] = ()

    def __len__(self):
        return 2 * len(self.renames) + len(self.trash) + len(self.restored)

    @property
    def trash_folder(self) -> Path:
        return trash_folder_of(self.folder)


def numbered_plan(folder: Path, order: Sequence[Path], trash: Sequence[Path] = ()) -> RenamePlan:
    """Number the files of ``order`` from 00000 and move those of ``trash`` to the folder ``<folder>_trash`` beside it.

    Nothing that is in the trash folder already is overwritten.
    """
    renames = tuple((path.name, f"{number:05d}{path.suffix}") for number, path in enumerate(order))
    trash_folder = trash_folder_of(folder)
    taken = set(os.listdir(trash_folder)) if trash_folder.is_dir() else set()
    moves = []
    for path in trash:
        name, number = path.name, 0
        while name in taken:
            number += 1
            name = f"{path.stem}_{number}{path.suffix}"
        taken.add(name)
        moves.append((path.name, name))
    return RenamePlan(folder, renames, tuple(moves))


def undo_plan(folder: Path) -> RenamePlan:
    """Gives all files of a folder their first names again, also those that went to its trash folder and still are there.

    Names that other files have by now get a number.
    """
    record = read_record(folder)
    present = set(os.listdir(folder))
    trash_folder = trash_folder_of(folder)
    in_trash = set(os.listdir(trash_folder)) if record.trash and trash_folder.is_dir() else set()
    back = {name: first for name, first in record.names.items() if name in present}
    taken = {_comparable(name) for name in present - set(back)}
    renames = [(name, _free_name(first, taken)) for name, first in back.items()]
    restored = [(name, _free_name(first, taken)) for name, first in record.trash.items() if name in in_trash]
    return RenamePlan(folder, tuple(renames), (), tuple(restored))


def _free_name(wanted, taken):
    stem, suffix = os.path.splitext(wanted)
    name, number = wanted, 0
    while _comparable(name) in taken:
        number += 1
        name = f"{stem}_{number}{suffix}"
    taken.add(_comparable(name))
    return name


def _comparable(name):
    return name.casefold() if os.name == "nt" else name


def rename_files(
    plan: RenamePlan, advance: Callable[[int], None] | None = None, record: NameRecord | None = None
) -> None:
    """Carry out a plan; ``advance`` is told 1 for each of its ``len(plan)`` steps.

    The first names are recorded in the folder, or ``record`` is.

    Raises
    ------
    UserError
        Before anything is touched when a new name is taken by a file outside the plan or given twice, or when files
        of the plan are missing. Later when the disk refuses a rename; the next run then goes on from there.
    """
    finish_renaming(plan.folder)
    _check(plan)
    if record is None:
        present = os.listdir(plan.folder)
        record = read_record(plan.folder).after(plan.renames, plan.trash, plan.restored, present)
    prefix = _unused_prefix(plan.folder)
    _write_journal(plan, prefix, _AWAY, record)
    _carry_out(plan, prefix, _AWAY, record, advance)


def finish_renaming(folder: Path, advance: Callable[[int], None] | None = None) -> bool:
    """Finish what an interrupted :func:`rename_files` left; True when there was something to finish."""
    journal = Path(folder) / JOURNAL_NAME
    try:
        plan, prefix, phase, record = _read_journal(journal)
    except FileNotFoundError:
        return False
    _carry_out(plan, prefix, phase, record, advance)
    return True


def _carry_out(plan, prefix, phase, record, advance):
    advance = advance or (lambda count: None)
    folder = plan.folder
    if phase == _AWAY:
        for name, new in plan.trash:
            _move(folder / name, plan.trash_folder / new)
            advance(1)
        for number, (old, _) in enumerate(plan.renames):
            _move(folder / old, folder / _intermediate(prefix, number, old))
            advance(1)
        _flush_folder(folder)
        _write_journal(plan, prefix, _BACK, record)
    for number, (old, new) in enumerate(plan.renames):
        _move(folder / _intermediate(prefix, number, old), folder / new)
        advance(1)
    for name, new in plan.restored:
        _move(plan.trash_folder / name, folder / new)
        advance(1)
    _flush_folder(folder)
    if record is not None:
        write_record(folder, record)
    remove_if_present(folder / JOURNAL_NAME)


def _move(source, target):
    """Rename, also to a folder on another disk. Where there is no source an earlier run did it (or the user removed it)."""
    try:
        if not source.exists():
            return
        if target.exists():
            raise UserError(f"{target}: stands in the way of {source.name}; move it elsewhere and run this again.")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            partial = target.with_name(f".{target.name}.part")
            shutil.copy2(source, partial)
            os.replace(partial, target)
            os.unlink(source)
    except OSError as error:
        raise UserError(
            f"{source}: cannot be moved to {target} ({error.strerror}). "
            "No file is lost; solve this and run the same command again to finish."
        ) from None


def _check(plan):
    existing = set(os.listdir(plan.folder))
    sources = [name for name, _ in (*plan.renames, *plan.trash)]
    targets = [name for _, name in (*plan.renames, *plan.restored)]
    missing = sorted(set(sources) - existing)
    if missing:
        raise UserError(f"{plan.folder / missing[0]}: is gone. Something else works on this folder; try again.")
    if len(set(sources)) != len(sources) or len(set(targets)) != len(targets):
        raise UserError(f"{plan.folder}: two files would get the same name; nothing was renamed.")
    taken = sorted(set(targets) & (existing - set(sources)))
    if taken:
        raise UserError(
            f"{plan.folder / taken[0]}: stands in the way of a new name, so nothing was renamed; move it elsewhere."
        )


def _unused_prefix(folder):
    names = os.listdir(folder)
    number = 0
    while any(name.startswith(f"renaming{number}_") for name in names):
        number += 1
    return f"renaming{number}_"


def _intermediate(prefix, number, old):
    return f"{prefix}{number:05d}{os.path.splitext(old)[1]}"


def _write_journal(plan, prefix, phase, record):
    content = {
        "about": "Files of this folder are being renamed. The next sort of the folder finishes it.",
        "version": _VERSION,
        "phase": phase,
        "prefix": prefix,
        "renames": plan.renames,
        "trash": plan.trash,
        "restored": plan.restored,
        "record": None if record is None else record.as_dict(),
    }
    atomic_write(plan.folder / JOURNAL_NAME, json_bytes(content, indent=0))
    _flush_folder(plan.folder)


def _read_journal(journal):
    """Plan, prefix, phase and record; refuses a journal that would touch files outside its folder and its trash."""
    try:
        content = read_json(journal, _JOURNAL_FORM, LARGE_FILE)
        prefix, phase = content["prefix"], content["phase"]
        renames, trash, restored = (
            tuple((old, new) for old, new in content.get(key, ())) for key in ("renames", "trash", "restored")
        )
        record = content.get("record")
        record = None if record is None else NameRecord.from_dict(record)
        names = [prefix, *(name for pair in (*renames, *trash, *restored) for name in pair)]
        if content["version"] != _VERSION or phase not in (_AWAY, _BACK):
            raise ValueError("it is of an unknown version")
        if any(os.path.basename(name) != name or name in ("", ".", "..") or "\0" in name for name in names):
            raise ValueError("a name in it is a path")
    except (FormatError, ValueError) as error:
        problem = getattr(error, "problem", error)
        raise FormatError(
            journal, f"is no usable record of a renaming ({problem}); look at it, then delete it"
        ) from None
    return RenamePlan(journal.parent, renames, trash, restored), prefix, phase, record


def _flush_folder(folder):
    """Make renames survive a power cut, where the system allows it."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
