"""TensorBoard logs of a training: losses, duration, waiting time, learning rate, held-out scores, preview pages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.files.imageio import encode_image
from models.preview.pages import to_uint8
from models.training.callbacks import Hook
from models.training.holdout import HoldoutScores
from models.training.side_work import SideWork


class TensorBoardLog(Hook):
    """Writes event files; the ``tensorboard`` package is needed to look at them, not to write them.

    Parameters
    ----------
    folder : Path
        Each model gets a folder of its name inside.
    trainer : models.training.trainer.Trainer
    """

    def __init__(self, folder: Path, trainer: Any):
        import tensorflow as tf

        self._tf = tf
        self._work = SideWork("TensorBoard", (tf.errors.OpError,))
        # None when there is no room even for a first file.
        self._writer = self._work.run(tf.summary.create_file_writer, str(folder / trainer.saved.prefix))
        self._waited = 0.0
        self._pages_of = None

    def after_iteration(self, trainer: Any, losses: Sequence[float], seconds: float) -> None:
        if self._writer is not None:
            self._work.run(self._log_iteration, trainer, losses, seconds)

    def after_save(self, trainer: Any) -> None:
        if self._writer is not None:
            self._work.run(self._log_save, trainer)

    def close(self) -> None:
        if self._writer is not None:
            self._work.run(self._writer.close)

    def _log_iteration(self, trainer, losses, seconds):
        step = trainer.saved.iteration
        names = ("src", "dst") if len(losses) == 2 else ("loss",)
        waited = trainer.data.loader.waited_seconds
        with self._writer.as_default(step=step):
            for name, value in zip(names, losses):
                self._scalar(f"loss/{name}", value)
            self._scalar("time/iteration", seconds)
            self._scalar("time/waiting for samples", max(0.0, waited - self._waited))
            self._scalar("learning rate", current_rate(trainer.saved.network))
        self._waited = waited
        state = trainer.previewer.state
        if state is not None and state is not self._pages_of:
            self._pages_of = state
            self._pages("preview", state.pages, step)

    def _log_save(self, trainer):
        with self._writer.as_default(step=trainer.saved.iteration):
            for hook in trainer.settings.hooks:
                if isinstance(hook, HoldoutScores) and hook.latest:
                    names = ("dssim src", "dssim dst", "psnr src", "psnr dst")
                    for name, value in zip(names, hook.latest[1:]):
                        self._scalar(f"held out/{name}", value)
        if trainer.previewer.sample is not None:
            pages = [(name, picture[..., :3]) for name, picture in trainer.previewer.fixed_pages()]
            self._pages("fixed preview", pages, trainer.saved.iteration)
        self._writer.flush()

    def _scalar(self, tag, value):
        self._write(tag, self._tf.constant(float(value), self._tf.float32), "scalars")

    def _pages(self, group, pages, step):
        with self._writer.as_default(step=step):
            for name, picture in pages:
                height, width = picture.shape[:2]
                png = encode_image(to_uint8(picture) if picture.dtype != np.uint8 else picture, ".png")
                self._write(f"{group}/{name}", self._tf.constant([str(width), str(height), png]), "images")

    def _write(self, tag, tensor, plugin):
        metadata = self._tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = plugin
        self._tf.summary.write(tag, tensor, metadata=metadata)


def current_rate(network: Any) -> float:
    """Learning rate of the main optimizer at its next step."""
    optimizer = next(iter(network.optimizers.values()))
    rate = float(optimizer.learning_rate)
    if optimizer.cosine_period:
        rate *= (np.cos(2 * np.pi * int(optimizer.iterations.numpy()) / optimizer.cosine_period) + 1) / 2
    return rate
