"""FAN, the landmark network of DeepFaceLab: four stacked hourglasses.

References
----------
Bulat, Tzimiropoulos, How far are we from solving the 2D & 3D Face Alignment problem?, ICCV 2017.
"""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from core.nn.layers import BatchNorm2D, Conv2D
from core.nn.operations import average_pool, upsample
from core.nn.weight_files import read_weights
from core.nn.weights import dict_to_network
from facelib.aligners.fan_points import CROP_SIZE, HEATMAP_SIZE, SAMPLE_SHIFTS, FanCrop, peaks

LANDMARKS = 68
BATCH_SIZE = 10

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
        self.down_bn1 = self.down_conv1 = None
        if in_channels != out_channels:
            self.down_bn1 = BatchNorm2D(in_channels)
            self.down_conv1 = Conv2D(in_channels, out_channels, 1, use_bias=False)
        self.built = True

    def call(self, x):
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

    def call(self, x):
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

    def call(self, x):
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


class FanAligner:
    """Finds the 68 landmarks of faces whose boxes are known.

    Parameters
    ----------
    weights_path : Path
        ``2DFAN.npy``, or ``3DFAN.npy`` for landmarks that follow the head's shape behind the visible outline.
    device : str, optional
        TensorFlow's name of the device to run on, for example ``"GPU:1"``.
    """

    def __init__(self, weights_path: Path, device: str | None = None):
        self._device = device
        with tf.device(device):
            self._network = FanNetwork()
            dict_to_network(self._network, read_weights(weights_path), weights_path)
        signature = [tf.TensorSpec((None, CROP_SIZE, CROP_SIZE, 3), tf.float32)]
        self._run = tf.function(self._network.call, input_signature=signature)

    def align(self, images: list[np.ndarray], boxes: list[list[tuple]]) -> list[list[np.ndarray | None]]:
        """Landmarks, (68, 2) float64 in picture pixels, for each box of each (H, W, 3) uint8 BGR picture.

        None for a box outside its picture.
        """
        return self._align(images, boxes, SAMPLE_SHIFTS[:1])

    def align_accurately(self, images: list[np.ndarray], boxes: list[list[tuple]]) -> list[list[np.ndarray | None]]:
        """As :meth:`align`, but the mean of five looks at each face, a pixel aside; for faces already aligned."""
        return self._align(images, boxes, SAMPLE_SHIFTS)

    def _align(self, images, boxes, shifts):
        crops, cuts, owners = [], [], []
        results = [[None] * len(rects) for rects in boxes]
        for picture, (image, rects) in enumerate(zip(images, boxes)):
            for face, rect in enumerate(rects):
                samples = [FanCrop.around(rect).shifted(shift) for shift in shifts]
                parts = [crop.cut(image) for crop in samples]
                if all(part is not None for part in parts):
                    crops += samples
                    cuts += parts
                    owners.append((picture, face))
        points = self._points(crops, cuts).reshape(len(owners), len(shifts), LANDMARKS, 2).mean(axis=1)
        for (picture, face), landmarks in zip(owners, points):
            results[picture][face] = landmarks
        return results

    def _points(self, crops, cuts):
        """(n, 68, 2) points in picture pixels of n crops, cut out as uint8 BGR."""
        points = []
        for start in range(0, len(cuts), BATCH_SIZE):
            part = slice(start, start + BATCH_SIZE)
            batch = np.stack(cuts[part])[..., ::-1].astype(np.float32) / 255
            with tf.device(self._device):
                heatmaps = self._run(tf.constant(batch)).numpy()
            for crop, maps in zip(crops[part], heatmaps.transpose(0, 3, 1, 2)):
                points.append(crop.to_picture(peaks(maps), HEATMAP_SIZE))
        return np.array(points, np.float64).reshape(-1, LANDMARKS, 2)
