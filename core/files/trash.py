"""The trash folder beside a folder: where files go that the user may still want, never over one that is there."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files.paths import free_name, move_to_trash, replacing


def trash_folder_of(folder: Any) -> Path:
    """Where what is thrown out of a folder goes: ``<folder>_trash`` beside it."""
    return Path(folder).with_name(f"{Path(folder).name}_trash")


def set_aside(files: Sequence[Path]) -> Path | None:
    """Move files to the trash folders of their folders; returns one of these, None when there are no files.

    Raises
    ------
    UserError
        When one cannot be moved. The others are in one place or the other.
    """
    trash = None
    for file in map(Path, files):
        trash = trash_folder_of(file.parent)
        try:
            move_to_trash([file], trash)
        except OSError as error:
            raise UserError(f"{file}: cannot be moved to {trash} ({error.strerror or error}).") from None
    return trash


def keep_copy(file: Path) -> Path:
    """Keep the present content of a file, which is going to be replaced, in the trash folder.

    A file that is there already with the same content will do, so that a run that is repeated keeps one copy.

    Returns
    -------
    Path
        The copy.
    """
    file = Path(file)
    data = file.read_bytes()
    place = keep_bytes(data, trash_folder_of(file.parent) / file.name)
    shutil.copystat(file, place)
    return place


def keep_bytes(data: bytes, wanted: Path) -> Path:
    """Write ``data`` under a free name like ``wanted``, unless a file of that name or a numbered one has it already."""
    wanted, number = Path(wanted), 0
    place = wanted
    try:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        while place.exists():
            if place.is_file() and place.stat().st_size == len(data) and place.read_bytes() == data:
                return place
            number += 1
            place = wanted.with_name(f"{wanted.stem}_{number}{wanted.suffix}")
        with replacing(place) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise UserError(f"{place}: cannot be written ({error.strerror or error}).") from None
    return place


def rename_aside(file: Path) -> Path:
    """Give a single file a free name like ``<stem>_old_1<suffix>`` in its own folder; returns the new place."""
    file = Path(file)
    place = free_name(file.with_name(f"{file.stem}_old{file.suffix}"))
    try:
        os.rename(file, place)
    except OSError as error:
        raise UserError(f"{file}: cannot be renamed to {place.name} ({error.strerror or error}).") from None
    return place
