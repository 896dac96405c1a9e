"""Gives face pictures back the names that extraction gave them: frame stem, underscore, number."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.console import interact
from core.pickles.safe_pickle import printable
from samplelib.faces.faceset import loose_faces
from samplelib.faces.rename import RenamePlan, finish_renaming, rename_files

_LONGEST_STEM = 240  # bytes; names have 255 on all usual disks


@dataclass(frozen=True)
class Renaming:
    """One file of a folder and the name that it gets."""

    path: Path
    new_name: str


def recover_original_names(folder: Any) -> int:
    """Rename every face picture of a folder after the frame that it comes from.

    The number of the face within its frame is not stored, so faces of one frame are numbered in the order of their
    present names. Names of files that are no face pictures are never taken. ``sort --undo`` brings the names back.

    Returns
    -------
    int
        Number of face pictures that have their original name now.
    """
    finish_renaming(Path(folder))
    faces = [(path, metadata.source_filename) for path, _, metadata in loose_faces(folder)]
    plan = plan_original_names(faces, {entry.name for entry in os.scandir(folder)})
    apply_renamings(plan)
    return len(plan)


def plan_original_names(faces: list[tuple[Path, str | None]], present: set[str]) -> list[Renaming]:
    """Original names for ``faces`` (path, frame name), given all names ``present`` in the folder.

    Faces without a usable frame name keep theirs. Frames that differ only in their extension are numbered together.
    """
    renamed = [(path, _stem(source)) for path, source in faces if _stem(source)]
    for path, source in faces:
        if source and not _stem(source):
            interact.warning(
                f"{path}: the name of its frame, {printable(source)!r}, cannot be a file's; it keeps its own."
            )
    taken = {name.casefold() for name in present - {path.name for path, _ in renamed}}
    numbers: dict[str, int] = {}
    plan: list = []
    for path, stem in renamed:
        key = stem.casefold()
        number = numbers.get(key, 0)
        while (name := f"{stem}_{number}{path.suffix}").casefold() in taken:
            number += 1
        numbers[key] = number + 1
        plan.append(Renaming(path, name))
    return plan


def apply_renamings(plan: list[Renaming]) -> None:
    """Rename files of one folder, also when names swap; see :func:`samplelib.faces.rename.rename_files`.

    Raises
    ------
    UserError
        When a new name is taken; nothing is renamed then.
    """
    plan = [item for item in plan if item.path.name != item.new_name]
    if plan:
        rename_files(RenamePlan(plan[0].path.parent, tuple((item.path.name, item.new_name) for item in plan)))


def _stem(source):
    if not source:
        return None
    name = re.split(r"[/\\]", source)[-1]
    stem = os.path.splitext(name)[0]
    usable = stem not in ("", ".", "..") and not re.search(r'[\0-\x1f<>:"|?*]', stem) and _fits(stem)
    return stem if usable else None


def _fits(stem):
    """Whether the stem, a number and a suffix make a name that a disk can hold."""
    try:
        return len(os.fsencode(stem)) <= _LONGEST_STEM
    except UnicodeEncodeError:
        return False
