"""The network that adds detail to faces: a U-Net whose result is four times as large as its input."""

import keras
import tensorflow as tf

from core.nn.layers import Conv2D, Dense
from core.nn.operations import average_pool, leaky_relu, resize_bilinear

SCALE = 4

_SLOPE = 0.1
_ENCODER = (64, 112, 192, 336, 512)
_DECODER = (96, 160, 288, 512, 512)


class FaceEnhancerNetwork(keras.Model):
    """Patch (N, H, W, 3) BGR −1…1 and two numbers (N, 1) to a patch (N, 4H, 4W, 3). H and W are multiples of 32.

    Every convolution is followed by a leaky ReLU, except the last one of each output.
    """

    def __init__(self, name: str = "FaceEnhancer"):
        super().__init__(name=name)
        self.conv1 = Conv2D(3, 64, 3)
        self.dense1 = Dense(1, 64, use_bias=False)
        self.dense2 = Dense(1, 64, use_bias=False)
        before = 64
        for level, channels in enumerate(_ENCODER):
            self._add_pair(f"e{level}_conv", before, channels)
            before = channels
        for number in range(4):
            setattr(self, f"center_conv{number}", Conv2D(before, before, 3))
        for level in reversed(range(len(_DECODER))):
            self._add_pair(f"d{level}_conv", before + _ENCODER[level], _DECODER[level])
            before = _DECODER[level]
        self._add_pair("out1x_conv", 96, 48, 3)
        self._add_pair("dec2x_conv", 96, 96)
        self._add_pair("out2x_conv", 96, 48, 3)
        self._add_pair("dec4x_conv", 96, 72)
        self._add_pair("out4x_conv", 72, 36, 3)

    def call(self, patch: tf.Tensor, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """The enlarged patch."""
        features = self._decode(*self._encode(patch, first, second))
        result = patch + self._detail("out1x_conv", features)
        for name in ("2x", "4x"):
            features = resize_bilinear(self._pair(f"dec{name}_conv", features), 2)
            result = resize_bilinear(result, 2) + self._detail(f"out{name}_conv", features)
        return result

    def _encode(self, patch, first, second):
        """Features at 1/32 of the size, and those of each level on the way."""
        shift = self.dense1(first) + self.dense2(second)
        x = leaky_relu(self.conv1(patch) + shift[:, None, None], _SLOPE)
        levels = []
        for level in range(len(_ENCODER)):
            x = self._pair(f"e{level}_conv", x)
            levels.append(x)
            x = average_pool(x)
        for number in range(4):
            x = leaky_relu(getattr(self, f"center_conv{number}")(x), _SLOPE)
        return x, levels

    def _decode(self, x, levels):
        for level in reversed(range(len(levels))):
            x = self._pair(f"d{level}_conv", tf.concat([resize_bilinear(x, 2), levels[level]], axis=-1))
        return x

    def _add_pair(self, name, in_channels, middle_channels, out_channels=None):
        setattr(self, f"{name}0", Conv2D(in_channels, middle_channels, 3))
        setattr(self, f"{name}1", Conv2D(middle_channels, out_channels or middle_channels, 3))

    def _pair(self, name, x):
        for number in (0, 1):
            x = leaky_relu(getattr(self, f"{name}{number}")(x), _SLOPE)
        return x

    def _detail(self, name, x):
        x = leaky_relu(getattr(self, f"{name}0")(x), _SLOPE)
        return tf.tanh(getattr(self, f"{name}1")(x))
