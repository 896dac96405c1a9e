"""The names that the files of a folder had before they were renamed for the first time."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import FormatError
from core.files.paths import atomic_write, remove_if_present
from core.records.json_file import LARGE_FILE, json_bytes, read_json

RECORD_NAME = ".names_before_sorting.json"
RECORD_FORM = {"names": {str: str}, "trash": {str: str}}
"""The form of a record in JSON; see :func:`core.records.json_file.fits`."""
_VERSION = 1


@dataclass(frozen=True)
class NameRecord:
    """First names of renamed files.

    Parameters
    ----------
    names : dict of str to str
        First name by present name, of files in the folder.
    trash : dict of str to str
        First name by present name, of files that went to the trash folder beside it.
    """

    names: dict[str, str] = field(default_factory=dict)
    trash: dict[str, str] = field(default_factory=dict)

    def after(
        self,
        renames: Iterable[tuple[str, str]],
        trash: Iterable[tuple[str, str]],
        restored: Iterable[tuple[str, str]],
        present: Iterable[str],
    ) -> "NameRecord":
        """The record when files are renamed once more.

        Parameters
        ----------
        renames, trash, restored : iterable of (str, str)
            Old and new names in the folder; names in the folder and in the trash; names in the trash and in the folder.
        present : iterable of str
            Names in the folder before that. What is noted about others is forgotten.
        """
        present = set(present)
        names = {name: first for name, first in self.names.items() if name in present}
        before, in_trash = dict(names), dict(self.trash)
        moved = [(old, new, before.get(old, old)) for old, new in renames]
        for old, new in trash:
            in_trash[new] = before.get(old, old)
            names.pop(old, None)
        for old, _, _ in moved:
            names.pop(old, None)
        moved += [(old, new, in_trash.pop(old, new)) for old, new in restored]
        names.update({new: first for _, new, first in moved})
        return NameRecord({name: first for name, first in names.items() if name != first}, in_trash)

    def __bool__(self):
        return bool(self.names or self.trash)

    def as_dict(self) -> dict:
        """As it is stored."""
        return {"names": self.names, "trash": self.trash}

    @classmethod
    def from_dict(cls, content: Mapping) -> "NameRecord":
        """The opposite of :meth:`as_dict`, for what has the form :data:`RECORD_FORM`; ValueError for paths."""
        parts = [dict(content[key]) for key in ("names", "trash")]
        for name in (text for part in parts for pair in part.items() for text in pair):
            if os.path.basename(name) != name or name in ("", ".", "..") or "\0" in name:
                raise ValueError("a name in it is a path")
        return cls(*parts)


def read_record(folder: Path) -> NameRecord:
    """The record of a folder; an empty one when nothing was renamed.

    Raises
    ------
    FormatError
        When it cannot be read.
    """
    path = Path(folder) / RECORD_NAME
    try:
        content = read_json(path, {**RECORD_FORM, "version": object}, LARGE_FILE)
        if content["version"] != _VERSION:
            raise ValueError("it is of an unknown version")
        return NameRecord.from_dict(content)
    except FileNotFoundError:
        return NameRecord()
    except (FormatError, ValueError) as error:
        problem = getattr(error, "problem", error)
        raise FormatError(
            path, f"is no usable record of the names before sorting ({problem}); look at it, then delete it"
        ) from None


def write_record(folder: Path, record: NameRecord) -> None:
    """Write the record of a folder in one step; an empty one leaves no file."""
    path = Path(folder) / RECORD_NAME
    if not record:
        remove_if_present(path)
        return
    about = "Names of these files before they were sorted. main.py sort --undo brings them back."
    atomic_write(path, json_bytes({"about": about, "version": _VERSION, **record.as_dict()}))


def forget_record(folder: Path) -> None:
    """Forget the names of a folder whose files have been made anew."""
    remove_if_present(Path(folder) / RECORD_NAME)
