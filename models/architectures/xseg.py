"""XSeg: a U-Net with a dense bottleneck that says which pixels belong to the face.

References
----------
Ronneberger, Fischer, Brox, U-Net, 2015. Singh and Krishnan, Filter Response Normalization Layer, 2020.
Zhang, Making Convolutional Networks Shift-Invariant Again, 2019.
"""

import keras
import tensorflow as tf

from core.nn.layers import TLU, Block, BlurPool, Conv2D, Conv2DTranspose, Dense, FRNorm2D
from core.nn.operations import flatten, unflatten
from models.architectures.weight_shapes import xseg_options
from models.architectures.xseg_levels import BOTTLENECK, LEVELS, LOWEST_RESOLUTION


class ConvolutionBlock(Block):
    """Convolution (or its transpose, doubling the size), filter response norm, thresholded linear unit."""

    def __init__(self, in_channels: int, out_channels: int, transpose: bool = False, **arguments):
        super().__init__(**arguments)
        kind = Conv2DTranspose if transpose else Conv2D
        self.conv = kind(in_channels, out_channels, 3)
        self.frn = FRNorm2D(out_channels)
        self.tlu = TLU(out_channels)

    def compute(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, in) to (N, H, W, out), or to (N, 2H, 2W, out)."""
        return self.tlu(self.frn(self.conv(x)))


class XSegNetwork(keras.Model):
    """Face (N, 256, 256, 3) to its mask.

    Parameters
    ----------
    in_channels, base_channels, out_channels : int
    """

    options_of_weights = staticmethod(xseg_options)

    def __init__(self, in_channels: int = 3, base_channels: int = 32, out_channels: int = 1, name: str = "XSeg"):
        super().__init__(name=name)
        widths = [base_channels * factor for factor, _, _ in LEVELS]
        before = in_channels
        for level, (width, (_, count, _)) in enumerate(zip(widths, LEVELS)):
            for index in range(1, count + 1):
                setattr(self, f"conv{level}{index}", ConvolutionBlock(before, width))
                before = width
        code = LOWEST_RESOLUTION * LOWEST_RESOLUTION * before
        self.dense1 = Dense(code, BOTTLENECK)
        self.dense2 = Dense(BOTTLENECK, code)
        for level in reversed(range(len(LEVELS))):
            width, count = widths[level], LEVELS[level][1]
            up_width = min(width, 4 * base_channels)
            setattr(self, f"up{level}", ConvolutionBlock(before, up_width, transpose=True))
            before = up_width + width
            for index in reversed(range(1, count + 1)):
                setattr(self, f"uconv{level}{index}", ConvolutionBlock(before, width))
                before = width
        self.out_conv = Conv2D(before, out_channels, 3)
        self._blurs = [BlurPool(size) for _, _, size in LEVELS]
        self._lowest_shape = (LOWEST_RESOLUTION, LOWEST_RESOLUTION, widths[-1])
        self.built = True

    def call(self, x: tf.Tensor, without_skips: bool = False) -> tf.Tensor:
        """Logits and their sigmoid, (N, 256, 256, 1), float32.

        ``without_skips`` replaces the shortcuts by zeros, so that everything has to pass the bottleneck
        (pretraining).
        """
        skips = []
        for level, (_, count, _) in enumerate(LEVELS):
            for index in range(1, count + 1):
                x = getattr(self, f"conv{level}{index}")(x)
            skips.append(tf.zeros_like(x) if without_skips else x)
            x = self._blurs[level](x)
        x = tf.cast(unflatten(self.dense2(self.dense1(flatten(x))), *self._lowest_shape), x.dtype)
        for level in reversed(range(len(LEVELS))):
            x = tf.concat((getattr(self, f"up{level}")(x), skips[level]), axis=-1)
            for index in reversed(range(1, LEVELS[level][1] + 1)):
                x = getattr(self, f"uconv{level}{index}")(x)
        logits = tf.cast(self.out_conv(x), tf.float32)
        return logits, tf.nn.sigmoid(logits)
