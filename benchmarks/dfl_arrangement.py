"""DeepFaceLab's arrangement of a training step on this project's networks, to compare speed on one machine.

DeepFaceLab itself needs TensorFlow 1's interface and cannot run beside this project. What it computes is known, and
how: zeros are padded before each convolution, source and destination pass the shared networks one after the other,
activations keep their input, the four output convolutions are apart, filters are depthwise convolutions, the update
of each weight is a chain of single operations. Patched in here, that gives the same numbers (``tests/networks``
compares them) in DeepFaceLab's way; oneDNN stays on, as it was on for the numbers in ``train_step.py``.
"""

import numpy as np
import tensorflow as tf

import core.nn.layers
import models.architectures.deepfake
from core.nn import losses
from models.architectures.deepfake import Decoder, DeepfakeAutoencoder, Reconstruction
from models.swap_model import SwapModel


def apply() -> None:
    """Rearrange SAEHD and Quick96 in this process. Build models with ``fuse_update`` off."""
    for (owner, name), replacement in zip(_ORIGINALS, _replacements(), strict=True):
        setattr(owner, name, replacement)


def undo() -> None:
    """Back to the project's own arrangement."""
    for (owner, name), original in _ORIGINALS.items():
        setattr(owner, name, original)


def _replacements():
    return (
        _padded_convolution,
        tf.nn.leaky_relu,
        _separate_outputs,
        _reconstruct_apart,
        _losses_apart,
        _depthwise_dssim,
        _depthwise_blur,
    )


_ORIGINALS = {
    (owner, name): getattr(owner, name)
    for owner, name in (
        (core.nn.layers, "convolution"),
        (models.architectures.deepfake, "leaky_relu"),
        (Decoder, "_interleaved_output"),
        (DeepfakeAutoencoder, "reconstruct"),
        (SwapModel, "_side_losses"),
        (losses, "dssim_per_channel"),
        (losses, "gaussian_blur"),
    )
}


def _padded_convolution(x, kernel, bias=None, strides=1, padding="SAME", dilation=1):
    if padding == "SAME":
        margin = ((kernel.shape[0] - 1) * dilation + 1) // 2
        padding = ((0, 0), (margin, margin), (margin, margin), (0, 0))
    if padding != "VALID":
        x = tf.pad(x, padding)
    y = tf.nn.conv2d(x, kernel, strides, "VALID", dilations=dilation)
    return y if bias is None else y + tf.reshape(bias, (1, 1, 1, -1))


def _separate_outputs(self, x):
    outputs = [layer(x) for layer in (self.out_conv, self.out_conv1, self.out_conv2, self.out_conv3)]
    return tf.nn.depth_to_space(tf.concat(outputs, axis=-1), 2)


def _reconstruct_apart(self, source, destination):
    vectors = [self.networks["encoder"](faces) for faces in (source, destination)]
    if self.is_liae:
        source_shared, destination_shared = (self.networks["inter_AB"](vector) for vector in vectors)
        source_code = tf.concat((source_shared, source_shared), axis=-1)
        destination_code = tf.concat((self.networks["inter_B"](vectors[1]), destination_shared), axis=-1)
        swap_code = tf.concat((destination_shared, destination_shared), axis=-1)
        decoders = [self.networks["decoder"]] * 2
    else:
        source_code, destination_code = (self.networks["inter"](vector) for vector in vectors)
        swap_code = destination_code
        decoders = [self.networks["decoder_src"], self.networks["decoder_dst"]]
    outputs = [decoder(code) for decoder, code in zip(decoders, (source_code, destination_code), strict=True)]
    pictures, masks = (tf.concat(pair, axis=0) for pair in zip(*outputs, strict=True))
    return Reconstruction(pictures, masks, source_code, destination_code, swap_code)


def _losses_apart(self, *tensors):
    return tf.concat(
        [_ORIGINALS[SwapModel, "_side_losses"](self, *side) for side in zip(*(tf.split(each, 2) for each in tensors))],
        axis=0,
    )


def _depthwise(x, taps, padding):
    kernel = np.outer(taps, taps)[:, :, None, None].astype(np.float32)
    x = tf.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    return tf.nn.depthwise_conv2d(x, tf.constant(np.repeat(kernel, x.shape[-1], axis=2)), (1, 1, 1, 1), "VALID")


def _depthwise_blur(x, radius):
    size = max(3, int(4 * radius))
    size += 1 - size % 2
    taps = np.exp(-((np.arange(size) - size // 2) ** 2) / (2.0 * radius**2))
    return _depthwise(x, taps / taps.sum(), size // 2)


def _depthwise_dssim(a, b, max_value=1.0, filter_size=11):
    filter_size = max(1, filter_size)
    taps = np.exp(-((np.arange(filter_size) - (filter_size - 1) / 2) ** 2) / (2 * losses.DSSIM_SIGMA**2))
    taps /= taps.sum()
    mean_a, mean_b, mean_ab, mean_squares = (_depthwise(each, taps, 0) for each in (a, b, a * b, a * a + b * b))
    c1, c2 = (losses.DSSIM_K1 * max_value) ** 2, (losses.DSSIM_K2 * max_value) ** 2
    product, squares = 2 * mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    luminance = (product + c1) / (squares + c1)
    contrast_structure = (2 * mean_ab - product + c2) / (mean_squares - squares + c2)
    return (1 - tf.reduce_mean(luminance * contrast_structure, axis=(1, 2))) / 2
