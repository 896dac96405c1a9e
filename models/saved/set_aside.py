"""Keeps files of a saved model that are about to be replaced, in a numbered folder beside it."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from core.errors import UserError
from models.saved.lock import LOCK_SUFFIX
from models.saved.model_files import STATE_SUFFIX, SUMMARY_SUFFIX
from models.saved.saved_models import entries_of_model

_KEPT_ENDINGS = (".npy", STATE_SUFFIX, SUMMARY_SUFFIX)


def files_of_generation(model_dir: Path, prefix: str) -> list[Path]:
    """Weights, optimizer states, state and summary of a model."""
    return [
        path
        for path in entries_of_model(model_dir, prefix)
        if path.name.endswith(_KEPT_ENDINGS) and not path.name.endswith(LOCK_SUFFIX) and path.is_file()
    ]


def new_folder(model_dir: Path, prefix: str) -> Path:
    """A new folder ``<prefix>_old_<N>``."""
    number = 1
    while (folder := Path(model_dir) / f"{prefix}_old_{number}").exists():
        number += 1
    folder.mkdir()
    return folder


def move_aside(model_dir: Path, prefix: str, paths: Iterable[Path]) -> Path:
    """Move files or folders into a new folder of the model."""
    return _kept(model_dir, prefix, paths, os.rename)


def copy_aside(model_dir: Path, prefix: str, paths: Iterable[Path]) -> Path:
    """Keep files in a new folder of the model, and leave them where they are.

    No disk space is taken where the file system has hard links: files of a model are always replaced, never changed.
    """
    return _kept(model_dir, prefix, paths, _linked)


def _kept(model_dir, prefix, paths, keep):
    folder = None
    try:
        folder = new_folder(model_dir, prefix)
        for path in paths:
            keep(path, folder / path.name)
    except OSError as error:
        raise UserError(
            f"{error.filename2 or error.filename or folder}: the old files of {prefix} cannot be set aside "
            f"({error.strerror or error}). Nothing was replaced."
        ) from None
    return folder


def _linked(path, place):
    try:
        os.link(path, place)
    except OSError:
        shutil.copy2(path, place)
