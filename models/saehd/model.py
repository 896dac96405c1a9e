"""SAEHD: the configurable autoencoder, its losses and its training step.

A step makes up to three updates on the same batch, each with the weights that the previous one left: the
autoencoder, the discriminator of codes ("true face"), the discriminator of pictures (GAN). All gradients of an
update are computed before any weight changes. Losses are one value per sample, and gradients those of their sum.
"""

import tensorflow as tf

from core.nn import losses
from core.nn.optimizers import recorded
from models.architectures.deepfake import DeepfakeAutoencoder
from models.architectures.discriminators import CodeDiscriminator, UNetPatchDiscriminator
from models.swap_model import SwapModel
from models.trainable_model import both_masks, both_sides, full_names

EYES_MOUTH_WEIGHT = 300
FACE_STYLE_WEIGHT = 10000
BACKGROUND_STYLE_WEIGHT = 10
TOTAL_VARIATION_WEIGHT = 1e-6
OUTSIDE_MASK_WEIGHT = 0.02

PRETRAIN_OVERRIDES = {
    "random_warp": False,
    "gan_power": 0.0,
    "lr_dropout": "n",
    "face_style_power": 0.0,
    "bg_style_power": 0.0,
    "true_face_power": 0.0,
}


class Saehd(SwapModel):
    """The model. Options as in the options table; while ``pretrain`` is on, ``PRETRAIN_OVERRIDES`` hold."""

    def __init__(self, options: dict, batch_size: int | None = None, training: bool = True, seed: int | None = None):
        options = dict(options)
        if options.get("pretrain"):
            options.update(PRETRAIN_OVERRIDES)
        super().__init__(options, batch_size, training, seed)

    def input_names(self) -> tuple[str, ...]:
        """Names of the arrays that a training step reads."""
        kinds = ["warped_{}", "target_{}", "target_{}m"] + ["target_{}m_em"] * self._eyes_mouth
        return tuple(kind.format(side) for kind in kinds for side in ("src", "dst"))

    def _build(self):
        options = self.options
        self.resolution = options["resolution"]
        self.autoencoder = DeepfakeAutoencoder(
            self.resolution,
            options["archi"],
            options["ae_dims"],
            options["e_dims"],
            options["d_dims"],
            options["d_mask_dims"],
        )
        self.networks = dict(self.autoencoder.networks)
        self._masked = options.get("masked_training", True)
        self._eyes_mouth = bool(options.get("eyes_mouth_prio", False))
        self._blur_out = bool(options.get("blur_out_mask", False))
        self._face_style = options.get("face_style_power", 0.0) / 100
        self._background_style = options.get("bg_style_power", 0.0) / 100
        self._background_from_prediction = bool(options.get("bg_style_from_prediction", False))
        self._gan_power = options.get("gan_power", 0.0)
        self._true_face_power = 0.0 if self.autoencoder.is_liae else options.get("true_face_power", 0.0)
        if self.training:
            self._build_training()

    def _build_training(self):
        arguments = self._swap_optimizer_arguments()
        autoencoder = list(self.networks.values())
        self._trained = full_names(autoencoder)
        if self.autoencoder.is_liae and not self.options.get("random_warp", True):
            self._trained = {name: value for name, value in self._trained.items() if not name.startswith("inter_AB/")}
        self.optimizers["src_dst_opt"] = self._optimizer(autoencoder, **arguments)
        if self._true_face_power:
            network = CodeDiscriminator(self.options["ae_dims"], self.autoencoder.code_resolution, name="dis")
            self.networks["code_discriminator"] = network
            self.optimizers["D_code_opt"] = self._optimizer([network], **arguments)
        if self._gan_power:
            network = UNetPatchDiscriminator(
                self.options["gan_patch_size"], 3, self.options["gan_dims"], self.resolution, name="D_src"
            )
            self.networks["GAN"] = network
            self.optimizers["GAN_opt"] = self._optimizer([network], **arguments)

    def _train(self, tensors):
        inputs = tf.split(both_sides(tensors, "warped_"), 2)
        target, mask = both_sides(tensors, "target_"), both_masks(tensors, "m")
        if self._blur_out:
            target = losses.blur_out_mask(target, mask, self.resolution)
        soft = losses.soft_mask(mask, self.resolution)
        eyes_mouth = both_masks(tensors, "m_em") if self._eyes_mouth else None
        visible = soft if self._masked else tf.ones_like(soft)

        with recorded(self._trained) as tape:
            output = self.autoencoder.reconstruct(*inputs)
            side_losses = self._side_losses(target * visible, output.pictures * visible, mask, output.masks)
            if self._eyes_mouth:
                side_losses += EYES_MOUTH_WEIGHT * losses.mean_absolute(
                    target * eyes_mouth, output.pictures * eyes_mouth
                )
            source_loss, destination_loss = tf.split(side_losses, 2)
            source_loss += self._style_losses(output, target, soft)
            total = source_loss + destination_loss + self._generator_losses(output, target, soft, visible)
        finite = [self._minimize("src_dst_opt", tape, total, self._trained)]

        if self._true_face_power:
            finite.append(self._train_code_discriminator(inputs))
        if self._gan_power:
            source_parts = (tf.split(each, 2)[0] for each in (target, visible))
            finite.append(self._train_picture_discriminator(inputs[0], *source_parts))
        return self._checked(tf.stack((source_loss, destination_loss)), *finite)

    def _style_losses(self, output, target, soft):
        """Terms that pull the swapped face to the destination's colours and surroundings. (N,) or 0"""
        total = 0.0
        destination, destination_mask = (tf.split(each, 2)[1] for each in (output.pictures, output.masks))
        if self._face_style:
            picture, mask = self.autoencoder.decode_source(tf.stop_gradient(output.swap_code))
            total += losses.style_loss(
                picture * tf.stop_gradient(mask),
                tf.stop_gradient(destination * destination_mask),
                self.resolution // 8,
                FACE_STYLE_WEIGHT * self._face_style,
            )
        if self._background_style:
            picture, mask = self.autoencoder.decode_source(output.swap_code)
            if self._background_from_prediction:
                blurred = losses.gaussian_blur(mask * destination_mask, max(1, self.resolution // 32))
                outside = 1 - tf.stop_gradient(tf.clip_by_value(blurred, 0, 1))
            else:
                outside = 1 - tf.split(soft, 2)[0]
            prediction, background = picture * outside, tf.split(target, 2)[1] * outside
            window = int(self.resolution / 11.6)
            distance = losses.dssim(prediction, background, filter_size=window)
            distance += losses.mean_square(prediction, background)
            total += BACKGROUND_STYLE_WEIGHT * self._background_style * distance
        return total

    def _generator_losses(self, output, target, soft, visible):
        """Terms that train the autoencoder but are not reported. (N,) or 0"""
        total = 0.0
        if self._true_face_power:
            logits = self.networks["code_discriminator"](output.source_code)
            total += self._true_face_power * losses.cross_entropy(1.0, logits)
        if self._gan_power:
            picture, target, soft, visible = (tf.split(each, 2)[0] for each in (output.pictures, target, soft, visible))
            verdicts = self.networks["GAN"](picture * visible)
            total += self._gan_power * sum(losses.cross_entropy(1.0, logits) for logits in verdicts)
            if self._masked:
                outside = 1 - soft
                total += TOTAL_VARIATION_WEIGHT * losses.total_variation(picture)
                total += OUTSIDE_MASK_WEIGHT * losses.mean_square(picture * outside, target * outside)
        return total

    def _train_code_discriminator(self, inputs):
        """Tell codes of destination faces (1) from codes of source faces (0)."""
        codes = self.autoencoder.source_code(tf.concat(inputs, axis=0))
        network = self.networks["code_discriminator"]
        trained = full_names([network])
        with recorded(trained) as tape:
            source, destination = tf.split(network(codes), 2)
            loss = (losses.cross_entropy(1.0, destination) + losses.cross_entropy(0.0, source)) / 2
        return self._minimize("D_code_opt", tape, loss, trained)

    def _train_picture_discriminator(self, warped, target, visible):
        """Tell real source faces (1) from reconstructed ones (0)."""
        picture, _ = self.autoencoder.decode_source(self.autoencoder.source_code(warped))
        network = self.networks["GAN"]
        trained = full_names([network])
        with recorded(trained) as tape:
            loss = 0.0
            for logits in network(tf.concat((target * visible, picture * visible), axis=0)):
                real, fake = tf.split(logits, 2)
                loss += (losses.cross_entropy(1.0, real) + losses.cross_entropy(0.0, fake)) / 2
        return self._minimize("GAN_opt", tape, loss, trained)
