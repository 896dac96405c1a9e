"""The autoencoders of SAEHD and Quick96: ``df`` (one inter, two decoders) and ``liae`` (two inters, one decoder).

An encoder turns a face into a vector, an inter turns the vector into a small map (the code), a decoder turns the
code into a picture and its mask. Source and destination share the encoder; what else they share is the difference
between ``df`` and ``liae``. Layout and names follow DeepFaceLab's DeepFakeArchi, so its weights load as they are.

References
----------
Perov et al., DeepFaceLab: Integrated, flexible and extensible face-swapping framework, 2020, section 3.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from core.errors import UsageError
from core.nn.convolution import convolution
from core.nn.layers import Block, Conv2D, Dense, Layer
from core.nn.operations import depth_to_space, flatten, leaky_relu, pixel_norm, unflatten
from models.architectures.archi_text import DOWNSCALE_SLOPE, RESIDUAL_SLOPE, ArchitectureText
from models.architectures.weight_shapes import decoder_options, encoder_options, inter_options


class Downscale(Block):
    """Convolution of stride 2, then activation."""

    def __init__(self, in_channels: int, out_channels: int, activation: Callable, kernel_size: int = 5, **arguments):
        super().__init__(**arguments)
        self._activation = activation
        self.conv1 = Conv2D(in_channels, out_channels, kernel_size, strides=2)

    def compute(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, in) to (N, ceil(H / 2), ceil(W / 2), out)."""
        return self._activation(self.conv1(x), DOWNSCALE_SLOPE)


class DownscaleBlock(Layer):
    """A chain of :class:`Downscale`, doubling the channels up to eight times the first."""

    def __init__(self, in_channels: int, channels: int, count: int, activation: Callable, **arguments):
        super().__init__(**arguments)
        widths = [in_channels] + [channels * min(2**index, 8) for index in range(count)]
        self.downs = [Downscale(before, after, activation) for before, after in zip(widths, widths[1:])]

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, R, R, in) to (N, R / 2^count, R / 2^count, channels * 2^(count - 1))."""
        for down in self.downs:
            x = down(x)
        return x


class Upscale(Block):
    """Convolution to four times the channels, activation, then depth to space: double the size.

    References
    ----------
    Shi et al., Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN, 2016.
    """

    def __init__(self, in_channels: int, out_channels: int, activation: Callable, **arguments):
        super().__init__(**arguments)
        self._activation = activation
        self.conv1 = Conv2D(in_channels, out_channels * 4, 3)

    def compute(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, in) to (N, 2H, 2W, out)."""
        return depth_to_space(self._activation(self.conv1(x), DOWNSCALE_SLOPE), 2)


class ResidualBlock(Block):
    """Two convolutions around a shortcut (He et al., 2016)."""

    def __init__(self, channels: int, activation: Callable, **arguments):
        super().__init__(**arguments)
        self._activation = activation
        self.conv1 = Conv2D(channels, channels, 3)
        self.conv2 = Conv2D(channels, channels, 3)

    def compute(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) to the same shape."""
        y = self.conv2(self._activation(self.conv1(x), RESIDUAL_SLOPE))
        return self._activation(x + y, RESIDUAL_SLOPE)


class Encoder(keras.Model):
    """Face (N, R, R, 3) to a vector, (N, 8 * e_dims * (R // 16)^2), with letter t (R // 32)^2."""

    options_of_weights = staticmethod(encoder_options)

    def __init__(self, e_dims: int, archi: ArchitectureText, name: str = "encoder"):
        super().__init__(name=name)
        activation = activation_of(archi)
        self._deep = archi.deep
        self._likeness = archi.likeness
        if archi.deep:
            self.down1 = Downscale(3, e_dims, activation)
            self.res1 = ResidualBlock(e_dims, activation)
            self.down2 = Downscale(e_dims, e_dims * 2, activation)
            self.down3 = Downscale(e_dims * 2, e_dims * 4, activation)
            self.down4 = Downscale(e_dims * 4, e_dims * 8, activation)
            self.down5 = Downscale(e_dims * 8, e_dims * 8, activation)
            self.res5 = ResidualBlock(e_dims * 8, activation)
        else:
            self.down1 = DownscaleBlock(3, e_dims, 4, activation)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, R, R, 3) to (N, vector) in float32."""
        if self._deep:
            x = self.res1(self.down1(x))
            x = self.down5(self.down4(self.down3(self.down2(x))))
            x = self.res5(x)
        else:
            x = self.down1(x)
        vector = tf.cast(flatten(x), tf.float32)
        return pixel_norm(vector) if self._likeness else vector


class Inter(keras.Model):
    """Vector to code: two dense layers, then without letter t one upscale."""

    def __init__(
        self,
        in_channels: int,
        ae_dims: int,
        out_channels: int,
        lowest_resolution: int,
        archi: ArchitectureText,
        name: str = "inter",
    ):
        super().__init__(name=name)
        self._map_shape = (lowest_resolution, lowest_resolution, out_channels)
        self._cell = archi.lowest_cell
        self._code_multiple = out_channels // ae_dims
        self.dense1 = Dense(in_channels, ae_dims)
        self.dense2 = Dense(ae_dims, lowest_resolution * lowest_resolution * out_channels)
        self._upscales = not archi.deep
        if self._upscales:
            self.upscale1 = Upscale(out_channels, out_channels, activation_of(archi))
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, vector) to (N, r, r, out_channels)."""
        x = unflatten(self.dense2(self.dense1(x)), *self._map_shape)
        return self.upscale1(x) if self._upscales else x

    def options_of_weights(self, shapes: dict) -> Any:
        """See :mod:`models.architectures.weight_shapes`."""
        return inter_options(shapes, self._cell, self._code_multiple)


class Decoder(keras.Model):
    """Code to picture and mask. The two branches share nothing but the code.

    Parameters
    ----------
    in_channels, d_dims, d_mask_dims : int
    archi : ArchitectureText
    mask_output_first : bool
        Order of the weights in files: AMP stores the mask's output before the picture's.
    """

    options_of_weights = staticmethod(decoder_options)

    def __init__(
        self,
        in_channels: int,
        d_dims: int,
        d_mask_dims: int,
        archi: Any,
        name: str = "decoder",
        mask_output_first: bool = False,
    ):
        super().__init__(name=name)
        activation = activation_of(archi)
        self._double, self._deep = archi.double, archi.deep
        widths = [in_channels] + [d_dims * factor for factor in ((8, 8, 4, 2) if archi.deep else (8, 4, 2))]
        mask_factors = ((8, 8, 4, 2) if archi.deep else (8, 4, 2)) + ((1,) if archi.double else ())
        mask_widths = [in_channels] + [d_mask_dims * factor for factor in mask_factors]
        self._stages = len(widths) - 1
        self._mask_stages = len(mask_widths) - 1
        for index in range(self._stages):
            setattr(self, f"upscale{index}", Upscale(widths[index], widths[index + 1], activation))
        for index in range(self._stages):
            setattr(self, f"res{index}", ResidualBlock(widths[index + 1], activation))
        for index in range(self._mask_stages if mask_output_first else self._stages):
            setattr(self, f"upscalem{index}", Upscale(mask_widths[index], mask_widths[index + 1], activation))
        if mask_output_first:
            self.out_convm = Conv2D(mask_widths[-1], 1, 1)
        self.out_conv = Conv2D(widths[-1], 3, 1)
        if archi.double:
            self.out_conv1 = Conv2D(widths[-1], 3, 3)
            self.out_conv2 = Conv2D(widths[-1], 3, 3)
            self.out_conv3 = Conv2D(widths[-1], 3, 3)
        if not mask_output_first:
            for index in range(self._stages, self._mask_stages):
                setattr(self, f"upscalem{index}", Upscale(mask_widths[index], mask_widths[index + 1], activation))
            self.out_convm = Conv2D(mask_widths[-1], 1, 1)
        self.built = True

    def call(self, code: tf.Tensor) -> tf.Tensor:
        """Code (N, r, r, C) to picture (N, R, R, 3) and mask (N, R, R, 1), float32 in 0..1."""
        return self.picture(code), self.mask(code)

    def picture(self, code: tf.Tensor) -> tf.Tensor:
        """The picture alone."""
        x = tf.cast(code, self.compute_dtype)
        for index in range(self._stages):
            x = getattr(self, f"upscale{index}")(x)
            x = getattr(self, f"res{index}")(x)
        x = self._interleaved_output(x) if self._double else self.out_conv(x)
        return tf.nn.sigmoid(tf.cast(x, tf.float32))

    def mask(self, code: tf.Tensor) -> tf.Tensor:
        """The mask alone."""
        x = tf.cast(code, self.compute_dtype)
        for index in range(self._mask_stages):
            x = getattr(self, f"upscalem{index}")(x)
        return tf.nn.sigmoid(tf.cast(self.out_convm(x), tf.float32))

    def _interleaved_output(self, x):
        """Four output convolutions computed as one with 12 channels: the 1x1 kernel sits in the middle of a 3x3."""
        outputs = (self.out_conv, self.out_conv1, self.out_conv2, self.out_conv3)
        kernels = [output.weight_value(output.weight) for output in outputs]
        kernels[0] = tf.pad(kernels[0], ((1, 1), (1, 1), (0, 0), (0, 0)))
        biases = [output.weight_value(output.bias) for output in outputs]
        return depth_to_space(convolution(x, tf.concat(kernels, axis=-1), tf.concat(biases, axis=0)), 2)


@dataclass
class Reconstruction:
    """Outputs for a batch of source faces followed by a batch of destination faces.

    Parameters
    ----------
    pictures : tensor (2N, R, R, 3)
        Source to source, then destination to destination.
    masks : tensor (2N, R, R, 1)
    source_code, destination_code : tensor (N, r, r, C)
        What the decoder was fed.
    swap_code : tensor (N, r, r, C)
        What the decoder is fed to show the source face in the destination's pose.
    """

    pictures: tf.Tensor
    masks: tf.Tensor
    source_code: tf.Tensor
    destination_code: tf.Tensor
    swap_code: tf.Tensor


class DeepfakeAutoencoder:
    """The networks of one model and how they are wired.

    Parameters
    ----------
    resolution : int
        Multiple of 16, or of 32 with letter d or t.
    archi : str
    ae_dims, e_dims, d_dims, d_mask_dims : int
    """

    def __init__(self, resolution: int, archi: str, ae_dims: int, e_dims: int, d_dims: int, d_mask_dims: int):
        text = ArchitectureText.parse(archi)
        if resolution % text.resolution_step:
            raise UsageError(f"resolution is {resolution}: with archi {archi} use a multiple of {text.resolution_step}")
        self.resolution = resolution
        self.is_liae = text.kind == "liae"
        cells = resolution // (32 if text.deep else 16)
        lowest = resolution // text.lowest_cell
        vector = 8 * e_dims * cells * cells
        self.code_resolution = lowest if text.deep else lowest * 2
        encoder = Encoder(e_dims, text)
        if self.is_liae:
            inters = [Inter(vector, ae_dims, ae_dims * 2, lowest, text, name) for name in ("inter_AB", "inter_B")]
            decoders = [Decoder(ae_dims * 4, d_dims, d_mask_dims, text, "decoder")]
        else:
            inters = [Inter(vector, ae_dims, ae_dims, lowest, text, "inter")]
            decoders = [Decoder(ae_dims, d_dims, d_mask_dims, text, f"decoder_{side}") for side in ("src", "dst")]
        networks: list[keras.Model] = [encoder, *inters, *decoders]
        self.networks = {network.name: network for network in networks}

    def reconstruct(self, source: str, destination: tf.Tensor) -> Reconstruction:
        """Run both batches (N, R, R, 3) through the shared parts in one go."""
        count = tf.shape(source)[0]
        vectors = self.networks["encoder"](tf.concat((source, destination), axis=0))
        if self.is_liae:
            shared = self.networks["inter_AB"](vectors)
            source_shared, destination_shared = shared[:count], shared[count:]
            own = self.networks["inter_B"](vectors[count:])
            source_code = tf.concat((source_shared, source_shared), axis=-1)
            destination_code = tf.concat((own, destination_shared), axis=-1)
            swap_code = tf.concat((destination_shared, destination_shared), axis=-1)
            pictures, masks = self.networks["decoder"](tf.concat((source_code, destination_code), axis=0))
        else:
            codes = self.networks["inter"](vectors)
            source_code, destination_code = codes[:count], codes[count:]
            swap_code = destination_code
            outputs = (self.networks["decoder_src"](source_code), self.networks["decoder_dst"](destination_code))
            pictures, masks = (tf.concat(pair, axis=0) for pair in zip(*outputs))
        return Reconstruction(pictures, masks, source_code, destination_code, swap_code)

    def source_code(self, faces: tf.Tensor) -> tf.Tensor:
        """Code of faces (N, R, R, 3) seen as source faces."""
        vectors = self.networks["encoder"](faces)
        if not self.is_liae:
            return self.networks["inter"](vectors)
        shared = self.networks["inter_AB"](vectors)
        return tf.concat((shared, shared), axis=-1)

    def decode_source(self, code: tf.Tensor) -> tf.Tensor:
        """Picture and mask with the source's identity."""
        return self.networks["decoder" if self.is_liae else "decoder_src"](code)

    def swap(self, faces: tf.Tensor) -> Any:
        """Destination faces to (source face in their pose, its mask, the mask of the destination face)."""
        vectors = self.networks["encoder"](faces)
        if self.is_liae:
            shared = self.networks["inter_AB"](vectors)
            swap_code = tf.concat((shared, shared), axis=-1)
            destination_code = tf.concat((self.networks["inter_B"](vectors), shared), axis=-1)
            destination_decoder = self.networks["decoder"]
        else:
            swap_code = destination_code = self.networks["inter"](vectors)
            destination_decoder = self.networks["decoder_dst"]
        picture, mask = self.decode_source(swap_code)
        return picture, mask, destination_decoder.mask(destination_code)


def activation_of(archi: ArchitectureText) -> Any:
    """Function (x, slope) of the architecture: leaky ReLU, or x * cos(x), which has no slope."""
    return _cosine if archi.cosine else leaky_relu


def _cosine(x, slope):
    del slope
    return x * tf.cos(x)
