"""Numbered backups of a saved model: 01 is the newest, 24 the oldest."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.files.imageio import write_image
from models.base import SavedModel
from models.saved.model_files import STATE_SUFFIX, SUMMARY_SUFFIX
from models.saved.restore import BACKUPS_ENDING, UNFINISHED
from models.saved.transaction import flush, flush_folder

SLOTS = 24
SECONDS_PER_HOUR = 3600.0


class BackupClock:
    """Says when the next automatic backup is due.

    Parameters
    ----------
    hours : int
        Hours between backups; 0 = never.
    now : float
        Present time in seconds.
    """

    def __init__(self, hours: int, now: float):
        self._interval = hours * SECONDS_PER_HOUR
        self._last = now

    def is_due(self, now: float) -> bool:
        """Whether the interval has passed; if so the clock goes on by whole intervals."""
        if not self._interval or now - self._last < self._interval:
            return False
        self._last += self._interval * int((now - self._last) / self._interval)
        return True


def backup_folder(saved: SavedModel) -> Path:
    """Where the backups of a model lie."""
    return saved.model_dir / f"{saved.prefix}{BACKUPS_ENDING}"


def make_backup(saved: SavedModel, pages: Sequence[tuple[str, np.ndarray]] = ()) -> Path:
    """Move every backup one slot on (the oldest goes) and copy the saved files and preview pages into slot 01.

    Parameters
    ----------
    saved : SavedModel
        Its files on disk are copied.
    pages : list of (str, numpy.ndarray)
        Preview pages, uint8 BGR.

    Returns
    -------
    Path
        The new backup.

    Raises
    ------
    OSError, UserError
        When it cannot be written; the older backups are all there then.
    """
    root = backup_folder(saved)
    root.mkdir(parents=True, exist_ok=True)
    incoming = root / UNFINISHED
    shutil.rmtree(incoming, ignore_errors=True)
    try:
        incoming.mkdir()
        for name in _file_names(saved):
            source = saved.model_dir / name
            if source.exists():
                shutil.copy2(source, incoming / name)
                flush(incoming / name)
        for page, picture in pages:
            write_image(incoming / f"preview_{page}.jpg", picture)
        flush_folder(incoming)
        _rotate(root)
        os.rename(incoming, root / "01")
        flush_folder(root)
    except BaseException:
        # On a full disk the unfinished backup would take the room that the next save needs.
        shutil.rmtree(incoming, ignore_errors=True)
        raise
    return root / "01"


def _file_names(saved):
    stems = [*saved.network.networks, *saved.network.optimizers]
    return [saved.weight_name(stem) for stem in stems] + [saved.prefix + SUMMARY_SUFFIX, saved.prefix + STATE_SUFFIX]


def _rotate(root):
    """Make slot 01 free: move all backups before the first free slot on, or, when none is free, drop the oldest."""
    slots = [root / f"{slot:02d}" for slot in range(1, SLOTS + 1)]
    free = next((index for index, slot in enumerate(slots) if not slot.exists()), None)
    if free is None:
        shutil.rmtree(slots[-1])
        free = SLOTS - 1
    for index in range(free, 0, -1):
        os.rename(slots[index - 1], slots[index])
