"""AMP: a swap whose strength can be chosen afterwards.

One update of the autoencoder and, with GAN power, one of the discriminator, per step. Only the encoder and the
decoder are trained; both inters keep their random start for ever, and existing models depend on that.
"""

import numpy as np
import tensorflow as tf

from core.nn import losses
from core.nn.optimizers import recorded
from models.architectures.amp import AmpAutoencoder
from models.architectures.discriminators import UNetPatchDiscriminator
from models.trainable_model import (
    TrainableModel,
    both_masks,
    both_sides,
    full_names,
    to_unit_range,
    two_window_dssim,
)

EYES_MOUTH_WEIGHT = 300
OUTSIDE_DESTINATION_WEIGHT = 0.1
OUTSIDE_SOURCE_WEIGHT = 0.02
TOTAL_VARIATION_WEIGHT = 1e-6


class Amp(TrainableModel):
    """The model. Options as in the options table."""

    def train_one_iteration(self, batch: dict) -> np.ndarray:
        """One step; see :class:`models.trainable_model.TrainableModel`."""
        batch = dict(batch)
        batch["channel_masks"] = self.draw_channel_masks(len(batch["warped_src"]))
        return super().train_one_iteration(batch)

    def draw_channel_masks(self, count: int) -> np.ndarray:
        """Which channels of the source code come from inter_src: (count, inter_dims) float32 of 0 and 1.

        Every row has exactly int(inter_dims * morph_factor) ones. The draw depends on the seed and on the
        iteration alone, so that a resumed run goes on as an uninterrupted one.
        """
        iteration = int(self.optimizers["src_dst_opt"].iterations) if self.training else 0
        rng = np.random.default_rng((self._channel_seed, iteration))
        channels = self.autoencoder.inter_dims
        row = (np.arange(channels) < int(channels * self.options["morph_factor"])).astype(np.float32)
        return rng.permuted(np.tile(row, (count, 1)), axis=1)

    def predict(self, faces: np.ndarray, morph: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Morph faces.

        Parameters
        ----------
        faces : np.ndarray (N, R, R, 3)
            Destination faces, BGR, 0..1.
        morph : float
            0 keeps the destination's identity, 1 shows the source's.

        Returns
        -------
        face : np.ndarray (N, R, R, 3)
        mask_prd : np.ndarray (N, R, R, 1)
            The mask of that face.
        mask_dst : np.ndarray (N, R, R, 1)
            The mask of the destination face.
        """
        swapped, mask_prd, mask_dst = self._predicted(np.asarray(faces, np.float32), np.float32(morph))
        return swapped, mask_prd, mask_dst

    def input_names(self) -> tuple[str, ...]:
        """Names of the arrays that a training step reads."""
        kinds = ("warped_{}", "target_{}", "target_{}m", "target_{}m_em")
        return tuple(kind.format(side) for kind in kinds for side in ("src", "dst")) + ("channel_masks",)

    def _build(self):
        options = self.options
        self.resolution = options["resolution"]
        dimensions = ("ae_dims", "inter_dims", "e_dims", "d_dims", "d_mask_dims")
        self.autoencoder = AmpAutoencoder(self.resolution, *(options[name] for name in dimensions))
        self.networks = dict(self.autoencoder.networks)
        self._channel_seed = self._next_seed()
        self._blur_out = bool(options.get("blur_out_mask", False))
        self._gan_power = options.get("gan_power", 0.0)
        if self.training:
            arguments = self._swap_optimizer_arguments()
            trained = [self.networks["encoder"], self.networks["decoder"]]
            self._trained = full_names(trained)
            self.optimizers["src_dst_opt"] = self._optimizer(trained, **arguments)
            if self._gan_power:
                self.networks["GAN"] = UNetPatchDiscriminator(
                    options["gan_patch_size"], 3, options["gan_dims"], name="GAN"
                )
                self.optimizers["GAN_opt"] = self._optimizer([self.networks["GAN"]], **arguments)

    def _train(self, tensors):
        warped = tf.split(both_sides(tensors, "warped_"), 2)
        target, mask = both_sides(tensors, "target_"), both_masks(tensors, "m")
        eyes_mouth = both_masks(tensors, "m_em")
        soft = losses.soft_mask(mask, self.resolution)
        if self._blur_out:
            target = losses.blur_out_mask(target, mask, self.resolution)
        with recorded(self._trained) as tape:
            pictures, masks = self.autoencoder.reconstruct(*warped, tensors["channel_masks"])
            side_losses = (
                two_window_dssim(target * soft, pictures * soft, self.resolution)
                + 10 * losses.mean_square(target * soft, pictures * soft)
                + EYES_MOUTH_WEIGHT * losses.mean_absolute(target * eyes_mouth, pictures * eyes_mouth)
                + 10 * losses.mean_square(mask, masks)
            )
            source_loss, destination_loss = tf.split(side_losses, 2)
            total = source_loss + destination_loss + self._generator_losses(pictures, target, soft)
        finite = [self._minimize("src_dst_opt", tape, total, self._trained)]
        if self._gan_power:
            finite.append(self._train_discriminator(warped, target, soft, tensors["channel_masks"]))
        return self._checked(tf.stack((source_loss, destination_loss)), *finite)

    def _generator_losses(self, pictures, target, soft):
        """Terms that train the autoencoder but are not reported. (N,)"""
        outside_pictures, outside_targets = pictures * (1 - soft), target * (1 - soft)
        outside_distance = losses.mean_square(outside_pictures, outside_targets)
        outside_source, outside_destination = tf.split(outside_distance, 2)
        total = OUTSIDE_DESTINATION_WEIGHT * outside_destination
        total += TOTAL_VARIATION_WEIGHT * losses.total_variation(tf.split(outside_pictures, 2)[1])
        if self._gan_power:
            for logits in self.networks["GAN"](pictures * soft):
                source, destination = tf.split(losses.cross_entropy(1.0, logits), 2)
                total += self._gan_power * (source + destination)
            total += TOTAL_VARIATION_WEIGHT * losses.total_variation(tf.split(pictures, 2)[0])
            total += OUTSIDE_SOURCE_WEIGHT * outside_source
        return total

    def _train_discriminator(self, warped, target, soft, channel_masks):
        """Tell real faces of both sides (1) from reconstructed ones (0)."""
        pictures, _ = self.autoencoder.reconstruct(*warped, channel_masks)
        network = self.networks["GAN"]
        trained = full_names([network])
        with recorded(trained) as tape:
            loss = 0.0
            for logits in network(tf.concat((target * soft, pictures * soft), axis=0)):
                real, fake = tf.split(logits, 2)
                each = losses.cross_entropy(1.0, real) + losses.cross_entropy(0.0, fake)
                loss += sum(tf.split(each, 2)) / 8
        return self._minimize("GAN_opt", tape, loss, trained)

    def _predict(self, faces, morph):
        return self.autoencoder.swap(faces, morph)

    def _preview(self, tensors):
        source, destination = to_unit_range(tensors["target_src"]), to_unit_range(tensors["target_dst"])
        pictures, masks = self.autoencoder.reconstruct(source, destination, tensors["channel_masks"])
        swapped, swapped_mask, _ = self.autoencoder.swap(destination, tensors["morph"])
        (source_picture, destination_picture), (source_mask, destination_mask) = (
            tf.split(each, 2) for each in (pictures, masks)
        )
        return {
            "P_ss": source_picture,
            "Q_ss": source_mask,
            "P_dd": destination_picture,
            "Q_dd": destination_mask,
            "P_sd": swapped,
            "Q_sd": swapped_mask,
        }

    def preview_tensors(self, batch: dict, morph: float = 1.0) -> dict[str, np.ndarray]:
        """Pictures and masks for the targets of a batch, float32 in 0..1; ``P_sd`` at the given morph value."""
        batch = dict(batch)
        batch["channel_masks"] = self.draw_channel_masks(len(batch["target_src"]))
        batch["morph"] = np.float32(morph)
        return super().preview_tensors(batch)

    def preview_names(self) -> tuple[str, ...]:
        """Names of the arrays that a preview reads."""
        return ("target_src", "target_dst", "channel_masks", "morph")
