"""Where a generation of a model goes when its own folder does not take it."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from core.errors import UsageError, UserError
from core.files.paths import atomic_write, remove_if_present
from models.saved import transaction
from models.saved.restore import EMERGENCY_MARK

NOTE_ENDING = "_saved_elsewhere.txt"
_LONGEST_NOTE = 4096


class EmergencySaves:
    """Folders ``<prefix>_emergency_<iteration>``, beside the model or in a folder that the user has named.

    A run keeps to the folder that it has begun, and replaces what it has put there before; it never writes to that of
    another run.

    Parameters
    ----------
    model_dir : Path
    prefix : str
        Of the model's files.
    fallback_dir : Path, optional
        Named by the user, most often on another disk.
    """

    def __init__(self, model_dir: Path, prefix: str, fallback_dir: Path | None = None):
        self._beside, self._prefix, self._elsewhere = Path(model_dir), prefix, fallback_dir
        self._begun: dict[Path, Path] = {}

    def save(self, iteration: int, files: Mapping[str, transaction.Content], beside_first: bool = False) -> Path:
        """Write a generation to the first folder that takes it; returns the folder.

        Raises
        ------
        OSError, NotWritten
            When no folder takes it; that of the last one.
        """
        parents = [parent for parent in (self._elsewhere, self._beside) if parent is not None]
        problem = None
        for parent in reversed(parents) if beside_first else parents:
            try:
                folder = self._folder(parent, iteration)
                transaction.commit(folder, self._prefix, files)
            except (OSError, transaction.NotWritten) as error:
                self._drop_empty(parent)
                problem = error
                continue
            self._begun[parent] = folder
            if parent != self._beside:
                note(self._beside, self._prefix, folder)
            return folder
        assert problem is not None, "there is always a folder to try: the model's own"
        raise problem

    def _folder(self, parent, iteration):
        if parent in self._begun and self._begun[parent].is_dir():
            return self._begun[parent]
        name, number = f"{self._prefix}{EMERGENCY_MARK}{iteration}", 1
        parent.mkdir(parents=True, exist_ok=True)
        while (folder := parent / (name if number == 1 else f"{name}_{number}")).exists():
            number += 1
        folder.mkdir()
        self._begun[parent] = folder
        return folder

    def _drop_empty(self, parent):
        with suppress(OSError):
            if parent in self._begun:
                os.rmdir(self._begun[parent])
                del self._begun[parent]


def check_fallback(folder: Path) -> None:
    """Raise UsageError when a folder for emergency saves cannot be written, which is better known before training."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(folder / ".writable", b"")
        remove_if_present(folder / ".writable")
    except (OSError, UserError) as error:
        raise UsageError(f"--fallback-save-dir {folder}: this folder cannot be used ({error}).") from None


def note(model_dir: Path, prefix: str, place: Path) -> None:
    """Leave word beside the model of where its newest state is, if that can be written."""
    with suppress(OSError):
        (Path(model_dir) / f"{prefix}{NOTE_ENDING}").write_text(f"{place}\n", encoding="utf-8")


def noted_parents(model_dir: Path, prefix: str) -> list[Path]:
    """The folder in which a noted emergency save lies."""
    try:
        with open(Path(model_dir) / f"{prefix}{NOTE_ENDING}", encoding="utf-8") as stream:
            text = stream.read(_LONGEST_NOTE).strip()
    except (OSError, UnicodeDecodeError):
        return []
    return [Path(text).parent] if text and text.isprintable() else []


def forget_note(model_dir: Path, prefix: str) -> None:
    """Remove the word again once the model folder holds the newest state."""
    with suppress(OSError):
        remove_if_present(Path(model_dir) / f"{prefix}{NOTE_ENDING}")


def parents_to_search(model_dir: Path, prefix: str, others: Iterable[Path | None]) -> list[Path]:
    """Folders in which emergency saves of a model may lie, besides its own."""
    return [*noted_parents(model_dir, prefix), *(folder for folder in others if folder is not None)]
