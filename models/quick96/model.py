"""Quick96: a small fixed ``df-ud`` autoencoder for a first look at a pair of facesets."""

from typing import Any

import numpy as np
import tensorflow as tf

from core.nn import losses
from core.nn.optimizers import RMSprop, recorded
from models.architectures.deepfake import DeepfakeAutoencoder
from models.quick96.data import UNWARPED_EVERY
from models.swap_model import SwapModel
from models.trainable_model import both_masks, both_sides, full_names

RESOLUTION = 96
LEARNING_RATE = 2e-4
KEEP_SHARE = 0.3
MASK_BLUR = RESOLUTION // 32


class Quick96(SwapModel):
    """Trains with warped faces; every third iteration shows the previous batch again, unwarped."""

    def __init__(
        self,
        options: dict,
        batch_size: int | None = None,
        training: bool = True,
        seed: int | None = None,
        iteration: int = 0,
    ):
        super().__init__(options, batch_size, training, seed)
        self.iteration = iteration
        self._previous_batch: dict | None = None

    def train_one_iteration(self, batch: dict) -> np.ndarray:
        """One step; see :class:`models.trainable_model.TrainableModel`.

        Where :meth:`reuses_previous_batch` says so, ``batch`` is not looked at.
        """
        if self._previous_batch is not None and self.reuses_previous_batch():
            batch = dict(self._previous_batch)
            batch["warped_src"], batch["warped_dst"] = batch["target_src"], batch["target_dst"]
        else:
            self._previous_batch = dict(batch)
        result = super().train_one_iteration(batch)
        self.iteration += 1
        return result

    def reuses_previous_batch(self) -> bool:
        """Whether the next iteration will not look at the batch that it is given."""
        return self.iteration % UNWARPED_EVERY == 0 and self._previous_batch is not None

    def go_on_at(self, iteration: int) -> None:
        """Count iterations from the given one on, as every third step differs."""
        self.iteration = iteration

    def resume(self, data: Any, iteration: int) -> None:
        """Make the batch of the iteration before again."""
        if iteration:
            self.resume_after(data.batch_before(iteration))

    def resume_after(self, batch: dict) -> None:
        """Take the batch of the iteration before, so that a resumed run goes on as an uninterrupted one."""
        self._previous_batch = dict(batch)

    def input_names(self) -> tuple[str, ...]:
        """Names of the arrays that a training step reads."""
        return tuple(f"{kind}_{side}" for side in ("src", "dst") for kind in ("warped", "target")) + (
            "target_srcm",
            "target_dstm",
        )

    def _build(self):
        self.resolution = RESOLUTION
        self.autoencoder = DeepfakeAutoencoder(RESOLUTION, "df-ud", ae_dims=128, e_dims=64, d_dims=64, d_mask_dims=16)
        self.networks = dict(self.autoencoder.networks)
        if self.training:
            self._trained = full_names(self.networks.values())
            self.optimizers["src_dst_opt"] = self._optimizer(
                self.networks.values(), RMSprop, learning_rate=LEARNING_RATE, keep_share=KEEP_SHARE
            )

    def _train(self, tensors):
        target, mask = both_sides(tensors, "target_"), both_masks(tensors, "m")
        soft = losses.gaussian_blur(mask, MASK_BLUR)
        warped = both_sides(tensors, "warped_")
        with recorded(self._trained) as tape:
            output = self.autoencoder.reconstruct(*tf.split(warped, 2))
            sample_losses = self._side_losses(target * soft, output.pictures * soft, mask, output.masks)
        finite = self._minimize("src_dst_opt", tape, sample_losses, self._trained)
        return self._checked(tf.reshape(sample_losses, (2, -1)), finite)
