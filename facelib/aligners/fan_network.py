"""The landmark network FAN: four stacked hourglasses.

References
----------
Bulat, Tzimiropoulos, How far are we from solving the 2D & 3D Face Alignment problem?, ICCV 2017.
"""

from typing import Any

import keras
import tensorflow as tf

from core.nn.layers import BatchNorm2D, Conv2D
from core.nn.operations import average_pool, upsample
from facelib.aligners.fan_points import LANDMARKS

_CHANNELS = 256
_STACKS = 4
_DEPTH = 4


class ResidualBlock(keras.layers.Layer):
    """Three convolutions, each on the result of the one before, joined and added to the input; no biases."""

    def __init__(self, in_channels: int, out_channels: int, **arguments):
        super().__init__(**arguments)
        half, quarter = out_channels // 2, out_channels // 4
        self.bn1, self.conv1 = BatchNorm2D(in_channels), Conv2D(in_channels, half, 3, use_bias=False)
        self.bn2, self.conv2 = BatchNorm2D(half), Conv2D(half, quarter, 3, use_bias=False)
        self.bn3, self.conv3 = BatchNorm2D(quarter), Conv2D(quarter, quarter, 3, use_bias=False)
        self.down_bn1: Any = None
        self.down_conv1: Any = None
        if in_channels != out_channels:
            self.down_bn1 = BatchNorm2D(in_channels)
            self.down_conv1 = Conv2D(in_channels, out_channels, 1, use_bias=False)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, in) to (N, H, W, out)."""
        first = self.conv1(tf.nn.relu(self.bn1(x)))
        second = self.conv2(tf.nn.relu(self.bn2(first)))
        third = self.conv3(tf.nn.relu(self.bn3(second)))
        if self.down_conv1 is not None:
            x = self.down_conv1(tf.nn.relu(self.down_bn1(x)))
        return tf.concat([first, second, third], axis=-1) + x


class Hourglass(keras.layers.Layer):
    """Features of one scale plus those of an hourglass at half the size."""

    def __init__(self, depth: int, **arguments):
        super().__init__(**arguments)
        self.b1, self.b2 = ResidualBlock(_CHANNELS, _CHANNELS), ResidualBlock(_CHANNELS, _CHANNELS)
        self.b2_plus = Hourglass(depth - 1) if depth > 1 else ResidualBlock(_CHANNELS, _CHANNELS)
        self.b3 = ResidualBlock(_CHANNELS, _CHANNELS)
        self.built = True

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, 256) to the same shape."""
        lower = self.b3(self.b2_plus(self.b2(average_pool(x))))
        return self.b1(x) + upsample(lower)


class FanNetwork(keras.Model):
    """Face (N, 256, 256, 3) RGB 0…1 to heat maps (N, 64, 64, 68). The 2-D and the 3-D variant differ in weights only."""

    def __init__(self, name: str = "FAN"):
        super().__init__(name=name)
        self.conv1, self.bn1 = Conv2D(3, 64, 7, strides=2), BatchNorm2D(64)
        self.conv2, self.conv3 = ResidualBlock(64, 128), ResidualBlock(128, 128)
        self.conv4 = ResidualBlock(128, _CHANNELS)
        self.m = [Hourglass(_DEPTH) for _ in range(_STACKS)]
        self.top_m = [ResidualBlock(_CHANNELS, _CHANNELS) for _ in range(_STACKS)]
        self.conv_last = [Conv2D(_CHANNELS, _CHANNELS, 1) for _ in range(_STACKS)]
        self.bn_end = [BatchNorm2D(_CHANNELS) for _ in range(_STACKS)]
        self.l = [Conv2D(_CHANNELS, LANDMARKS, 1) for _ in range(_STACKS)]
        self.bl = [Conv2D(_CHANNELS, _CHANNELS, 1) for _ in range(_STACKS - 1)]
        self.al = [Conv2D(LANDMARKS, _CHANNELS, 1) for _ in range(_STACKS - 1)]

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Heat maps of the last stack."""
        x = average_pool(self.conv2(tf.nn.relu(self.bn1(self.conv1(x)))))
        x = self.conv4(self.conv3(x))
        for stack in range(_STACKS):
            features = self.top_m[stack](self.m[stack](x))
            features = tf.nn.relu(self.bn_end[stack](self.conv_last[stack](features)))
            heatmaps = self.l[stack](features)
            if stack < _STACKS - 1:
                x = x + self.bl[stack](features) + self.al[stack](heatmaps)
        return heatmaps
