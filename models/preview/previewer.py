"""Preview pages of a running training: made on the trainer's thread, shown by a window, written to files."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np

from core.files.imageio import write_image
from models.base import SavedModel
from models.preview import pages as preview
from models.training.callbacks import Hook
from models.training.holdout import EXTRA_KEY as HOLDOUT_KEY
from models.training.side_work import SideWork

HISTORY_QUALITY = 95
NOTEBOOK_STEP = 100
_SAMPLE_NAMES = ("warped_{}", "target_{}", "target_{}m", "target_{}m_em")
_HISTORY_ROW = 0


@dataclass(frozen=True)
class PreviewState:
    """What a viewer needs to draw: pages, loss history, iteration and held-out scores of one moment."""

    pages: preview.Pages
    history: list
    iteration: int
    made_at: float
    held_out: list = field(default_factory=list)


class Previewer(Hook):
    """Makes pages from batches and hands them on.

    Parameters
    ----------
    saved : SavedModel
        Built.
    data : object
        ``preview_batch(number, count)`` and, for XSeg, faces of both sides; see :mod:`models.training.training_data`.
    has_window : bool
        A window shows :attr:`state`; otherwise each preview is written to ``<model>_preview.jpg``.
    keeps_open : bool
        Whether somebody looks on after the target is reached.
    notebook : bool
        Write all pages to ``<model>_preview_<page>.jpg`` and history pictures every 100 iterations.
    """

    def __init__(
        self, saved: SavedModel, data: Any, has_window: bool = False, keeps_open: bool = False, notebook: bool = False
    ):
        self.saved, self.data = saved, data
        self.has_window, self.keeps_open, self.notebook = has_window, keeps_open or has_window, notebook
        self.state: PreviewState | None = None
        self.sample: dict[str, np.ndarray] | None = None
        self._history_work, self._picture_work = SideWork("History pictures"), SideWork("Preview pictures")
        self._random = np.random.default_rng()
        self._lock = threading.Lock()

    @property
    def rows(self) -> int:
        return preview.row_count(self.saved.effective["batch_size"], self.saved.network.resolution)

    def pages(self, batch: dict[str, np.ndarray], row: int | None = None) -> preview.Pages:
        """Pages of a batch; ``row`` chooses AMP's sample, at random if left out."""
        batch = {name: array[: self.rows] for name, array in batch.items()}
        count = len(next(iter(batch.values())))
        row = int(self._random.integers(count)) if row is None else row
        return self.saved.kind.preview_pages(self.saved.network, batch, self.saved.effective, row)

    def show(self, batch: dict[str, np.ndarray] | None) -> None:
        """Make pages of a batch with the present weights, for the window or as a file."""
        if batch is None:
            return
        batch = {**batch, **self.data.preview_faces(self.rows)}
        data = self.saved.data
        state = PreviewState(
            self.pages(batch), list(data.loss_history), self.saved.iteration, time.time(), self._held_out()
        )
        with self._lock:
            self.state = state
        if not self.has_window:
            self._write_file(state)
        if self.notebook:
            self._write_notebook_pages(state)

    def load_sample(self) -> None:
        """Take the stored preview sample if it fits, else draw one."""
        sample = _stored_sample(self.saved) if self.saved.kind.stores_preview_sample else None
        self.set_sample(sample if sample is not None else self.draw_sample(0))

    def draw_sample(self, number: int) -> dict[str, np.ndarray]:
        """The ``number``-th draw of a preview sample."""
        return self.data.preview_batch(number, self.rows)

    def set_sample(self, sample: dict[str, np.ndarray]) -> None:
        """Use ``sample`` for history pictures from now on, and store it with the model."""
        self.sample = sample
        self.saved.data.sample_for_preview = _sample_to_store(sample) if self.saved.kind.stores_preview_sample else None

    def history_step(self) -> int:
        """Iterations between history pictures."""
        if self.notebook:
            return NOTEBOOK_STEP
        if self.saved.kind.history_follows_resolution:
            return 10 * max(1, self.saved.network.resolution // 64)
        return 10

    def write_history(self, iteration: int) -> None:
        """Write the pages of the fixed sample before an iteration whose turn it is; a failure is only told."""
        if self.saved.effective.get("write_preview_history") and iteration % self.history_step() == 0:
            self._history_work.run(self._write_history, iteration)

    def _write_history(self, iteration):
        root = self.saved.model_dir / f"{self.saved.prefix}_history"
        history, held_out = list(self.saved.data.loss_history), self._held_out()
        for name, picture in self.fixed_pages():
            folder = root / name
            folder.mkdir(parents=True, exist_ok=True)
            drawn = preview.with_loss_graph(picture, history, iteration, held_out)
            write_image(folder / f"{iteration:07d}.jpg", drawn, HISTORY_QUALITY)
            if not self.notebook:
                write_image(folder / "_last.jpg", drawn, HISTORY_QUALITY)

    def fixed_pages(self) -> preview.Pages:
        """Pages of the fixed sample with the present weights."""
        return self.pages(cast(dict, self.sample), _HISTORY_ROW)

    def pages_for_backup(self) -> list[tuple[str, np.ndarray]]:
        """Pages of the fixed sample with loss graph, uint8."""
        history = self.saved.data.loss_history
        return [
            (name, preview.with_loss_graph(picture, history, self.saved.iteration, self._held_out()))
            for name, picture in self.fixed_pages()
        ]

    def after_iteration(self, trainer: Any, losses: Sequence[float], seconds: float) -> None:
        """Hook: in a notebook a new preview every 100 iterations."""
        if self.notebook and self.saved.iteration % NOTEBOOK_STEP == 0:
            self.show(trainer.last_batch)

    def _held_out(self):
        """Iteration and scores of each save, as far as a file from elsewhere holds such rows."""
        stored = self.saved.data.extra.get(HOLDOUT_KEY)
        rows = list(stored) if isinstance(stored, list | tuple) else []
        return [row for row in rows if isinstance(row, list | tuple) and len(row) >= 3 and _are_numbers(row)]

    def _write_file(self, state):
        picture = preview.window_picture(state.pages, 0, state.history, state.iteration, held_out=state.held_out)
        self._write(self.saved.model_dir / f"{self.saved.prefix}_preview.jpg", picture)

    def _write_notebook_pages(self, state):
        for name, picture in state.pages:
            drawn = preview.with_loss_graph(picture, state.history, state.iteration, state.held_out)
            self._write(self.saved.model_dir / f"{self.saved.prefix}_preview_{name}.jpg", drawn)

    def _write(self, path: Path, picture):
        self._picture_work.run(write_image, path, picture)


def _are_numbers(row):
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in row)


def _sample_to_store(sample):
    """The layout of ``data.dat``: per generator a list of float32 arrays (N, H, W, C)."""
    sides = []
    for side in ("src", "dst"):
        names = [name.format(side) for name in _SAMPLE_NAMES]
        sides.append([sample[name].astype(np.float32) / np.float32(255.0) for name in names if name in sample])
    return sides


def _stored_sample(saved):
    """The preview sample of ``data.dat`` as a batch, or None when there is none or it does not fit."""
    stored = saved.data.sample_for_preview
    resolution = saved.network.resolution
    if not stored or len(stored) != 2:
        return None
    batch = {}
    for side, arrays in zip(("src", "dst"), stored):
        for name, array in zip(_SAMPLE_NAMES, arrays):
            array = _channels_last(np.asarray(array))
            channels = 3 if name in _SAMPLE_NAMES[:2] else 1
            if array is None or array.shape[1:] != (resolution, resolution, channels) or not len(array):
                return None
            batch[name.format(side)] = np.clip(array * 255.0 + 0.5, 0, 255).astype(np.uint8)
    needed = [name.format(side) for name in _SAMPLE_NAMES[:3] for side in ("src", "dst")]
    return batch if all(name in batch for name in needed) else None


def _channels_last(array):
    """(N, H, W, C) of an array that may be (N, C, H, W), as DeepFaceLab stores it on a graphics card."""
    if array.ndim != 4:
        return None
    if array.shape[3] in (1, 3):
        return array
    return array.transpose(0, 2, 3, 1) if array.shape[1] in (1, 3) else None
