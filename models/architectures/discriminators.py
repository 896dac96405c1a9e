"""Networks that judge: of codes (true face) and of pictures (GAN)."""

from functools import lru_cache
from itertools import product

import keras
import tensorflow as tf

from core.errors import UsageError
from core.nn.layers import Conv2D, Conv2DTranspose
from core.nn.operations import leaky_relu
from models.architectures.weight_shapes import code_discriminator_options, patch_discriminator_options

LONGEST_CHAIN = 9
MOST_CHANNELS = 512


class CodeDiscriminator(keras.Model):
    """Says of every cell of a shrunken code map which side the face came from.

    Parameters
    ----------
    in_channels : int
    code_resolution : int
        Side of the code map.
    channels : int
        Of the first layer.
    """

    options_of_weights = staticmethod(code_discriminator_options)

    def __init__(self, in_channels: int, code_resolution: int, channels: int = 256, name: str = "dis"):
        super().__init__(name=name)
        widths = [in_channels] + [channels * min(2**index, 8) for index in range(1 + code_resolution // 8)]
        self.convs = [
            Conv2D(before, after, 4 if index == 0 else 3, strides=2)
            for index, (before, after) in enumerate(zip(widths, widths[1:]))
        ]
        self.out_conv = Conv2D(widths[-1], 1, 1)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, r, r, C) to logits (N, r', r', 1), float32."""
        for conv in self.convs:
            x = leaky_relu(conv(x), 0.1)
        return tf.cast(self.out_conv(x), tf.float32)


class UNetPatchDiscriminator(keras.Model):
    """A U-Net that judges the picture twice: coarsely in the middle and pixel by pixel at the end.

    Parameters
    ----------
    patch_size : int
        Wanted receptive field in the middle; see :func:`strides_for_patch_size`.
    in_channels : int
    base_channels : int
    resolution : int, optional
        Side of the pictures, checked against the total stride.

    References
    ----------
    Schonfeld, Schiele, Khoreva, A U-Net Based Discriminator for Generative Adversarial Networks, 2020.
    """

    options_of_weights = staticmethod(patch_discriminator_options)

    def __init__(
        self,
        patch_size: int,
        in_channels: int = 3,
        base_channels: int = 16,
        resolution: int | None = None,
        name: str = "D_src",
    ):
        super().__init__(name=name)
        strides = strides_for_patch_size(patch_size)
        count = len(strides)
        widths = [base_channels] + [min(base_channels * 2 ** (index + 1), MOST_CHANNELS) for index in range(count)]
        self.convs = [Conv2D(widths[index], widths[index + 1], 3, strides=strides[index]) for index in range(count)]
        self.upconvs = [
            Conv2DTranspose(widths[index + 1] * (1 if index == count - 1 else 2), widths[index], 3, strides[index])
            for index in reversed(range(count))
        ]
        self.in_conv = Conv2D(in_channels, base_channels, 1)
        self.out_conv = Conv2D(base_channels * 2, 1, 1)
        self.center_out = Conv2D(widths[-1], 1, 1)
        self.center_conv = Conv2D(widths[-1], widths[-1], 1)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, R, R, in) to the logits of the middle (N, r, r, 1) and of every pixel (N, R, R, 1), float32."""
        x = leaky_relu(self.in_conv(x), 0.2)
        skips = []
        for conv in self.convs:
            skips.append(x)
            x = leaky_relu(conv(x), 0.2)
        center = self.center_out(x)
        x = leaky_relu(self.center_conv(x), 0.2)
        for upconv, skip in zip(self.upconvs, reversed(skips)):
            x = leaky_relu(upconv(x), 0.2)[:, : skip.shape[1], : skip.shape[2]]
            x = tf.concat((skip, x), axis=-1)
        return tf.cast(center, tf.float32), tf.cast(self.out_conv(x), tf.float32)


def strides_for_patch_size(patch_size: int) -> tuple[int, ...]:
    """Strides of the 3x3 convolutions whose receptive field comes closest to ``patch_size``.

    On a tie the smaller field counts. Of the chains with the same field the shortest is taken, then the one with
    the largest sum of strides, then the one that shrinks latest.
    """
    if patch_size < 1:
        raise UsageError(f"gan_patch_size is {patch_size}: use 3 to 640")
    chains = _chains_by_receptive_field()
    field = min(chains, key=lambda size: (abs(size - patch_size), size))
    return chains[field]


@lru_cache
def _chains_by_receptive_field():
    best = {}
    for length in range(1, LONGEST_CHAIN + 1):
        for rest in product((1, 2), repeat=length - 1):
            strides = (2, *rest)
            bits = sum((stride == 2) << index for index, stride in enumerate(rest))
            rank = (-length, sum(strides), bits)
            field = _receptive_field(strides)
            if field not in best or rank > best[field][0]:
                best[field] = (rank, strides)
    return {field: strides for field, (_, strides) in best.items()}


def _receptive_field(strides):
    field, step = 3, 1
    for stride in strides[:-1]:
        step *= stride
        field += 2 * step
    return field
