"""S3FD, the face detector of DeepFaceLab: a VGG network with six detection levels.

References
----------
Zhang, Zhu, Lei, Shi, Wang, Li, S3FD: Single Shot Scale-invariant Face Detector, ICCV 2017.
"""

from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf

from core.nn.layers import Conv2D, L2Norm
from core.nn.weight_files import read_weights
from core.nn.weights import dict_to_network
from facelib.detectors.boxes import boxes_in_frame, decode_maps, select_faces

SMALLEST_FACE = 40

# Subtracted from red, green, blue in this order, although the numbers are those of blue, green, red: the weights
# were trained that way.
_MEAN = (104.0, 117.0, 123.0)
_LONGEST_SIDE, _SHORTEST_SIDE = 640, 64
_LARGE_FRAME = 1280
_PIXELS_AT_ONCE = 8 * 640 * 640

# Level → (input channels, output channels, number of convolutions).
_STAGES = ((3, 64, 2), (64, 128, 2), (128, 256, 3), (256, 512, 3), (512, 512, 3))
_HEADS = (
    ("conv3_3_norm", 256),
    ("conv4_3_norm", 512),
    ("conv5_3_norm", 512),
    ("fc7", 1024),
    ("conv6_2", 512),
    ("conv7_2", 256),
)


class S3fdNetwork(keras.Model):
    """Picture (N, H, W, 3) RGB 0…255 to twelve maps: for each of six levels the probabilities (background, face)
    and the box offsets of every cell."""

    def __init__(self, name: str = "S3FD"):
        super().__init__(name=name)
        for stage, (in_channels, out_channels, count) in enumerate(_STAGES, start=1):
            for number in range(1, count + 1):
                setattr(self, f"conv{stage}_{number}", Conv2D(in_channels, out_channels, 3))
                in_channels = out_channels
        self.fc6 = Conv2D(512, 1024, 3, padding=3)
        self.fc7 = Conv2D(1024, 1024, 1)
        self.conv6_1 = Conv2D(1024, 256, 1)
        self.conv6_2 = Conv2D(256, 512, 3, strides=2)
        self.conv7_1 = Conv2D(512, 128, 1)
        self.conv7_2 = Conv2D(128, 256, 3, strides=2)
        self.conv3_3_norm, self.conv4_3_norm, self.conv5_3_norm = L2Norm(256), L2Norm(512), L2Norm(512)
        for level, (tap, channels) in enumerate(_HEADS):
            setattr(self, f"{tap}_mbox_conf", Conv2D(channels, 4 if level == 0 else 2, 3))
            setattr(self, f"{tap}_mbox_loc", Conv2D(channels, 4, 3))

    def call(self, x):
        """Maps (N, h, w, 2) and (N, h, w, 4) in turn, finest level first."""
        taps = self._taps(x - tf.constant(_MEAN, x.dtype))
        maps = []
        for level, ((tap, _), features) in enumerate(zip(_HEADS, taps)):
            confidence = getattr(self, f"{tap}_mbox_conf")(features)
            if level == 0:
                background = tf.reduce_max(confidence[..., :3], axis=-1, keepdims=True)
                confidence = tf.concat([background, confidence[..., 3:]], axis=-1)
            maps += [tf.nn.softmax(confidence), getattr(self, f"{tap}_mbox_loc")(features)]
        return maps

    def _taps(self, x):
        """The feature maps that the heads look at."""
        taps = []
        for stage, (_, _, count) in enumerate(_STAGES, start=1):
            for number in range(1, count + 1):
                x = tf.nn.relu(getattr(self, f"conv{stage}_{number}")(x))
            if stage >= 3:
                taps.append(getattr(self, f"conv{stage}_3_norm")(x))
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = tf.nn.relu(self.fc7(tf.nn.relu(self.fc6(x))))
        taps.append(x)
        x = tf.nn.relu(self.conv6_2(tf.nn.relu(self.conv6_1(x))))
        taps.append(x)
        x = tf.nn.relu(self.conv7_2(tf.nn.relu(self.conv7_1(x))))
        return [*taps, x]


class S3fdDetector:
    """Finds upright faces.

    Parameters
    ----------
    weights_path : Path
        ``S3FD.npy``.
    smallest_face : int
        Boxes with a side under this many frame pixels are left out.
    device : str, optional
        TensorFlow's name of the device to run on, for example ``"GPU:1"``.
    """

    def __init__(self, weights_path: Path, smallest_face: int = SMALLEST_FACE, device: str | None = None):
        self.smallest_face = smallest_face
        self._device = device
        with tf.device(device):
            self._network = S3fdNetwork()
            dict_to_network(self._network, read_weights(weights_path), weights_path)
        signature = [tf.TensorSpec((None, None, None, 3), tf.float32)]
        self._run = tf.function(self._network.call, input_signature=signature)

    def detect(self, images: list[np.ndarray]) -> list[list[tuple[int, int, int, int]]]:
        """Boxes (left, top, right, bottom) of the faces of each (H, W, 3) uint8 BGR picture, largest first.

        Pictures of one size go through the network together. Boxes may reach beyond the picture.
        """
        results: list[Any] = [None] * len(images)
        for shape in dict.fromkeys(image.shape for image in images):
            same = [index for index, image in enumerate(images) if image.shape == shape]
            width, height, scale = network_size(shape)
            count = max(1, _PIXELS_AT_ONCE // (width * height))
            for start in range(0, len(same), count):
                part = same[start : start + count]
                batch = np.stack([_prepare(images[index], (width, height)) for index in part])
                for index, boxes in zip(part, self._detect_batch(batch)):
                    results[index] = boxes_in_frame(boxes, scale, self.smallest_face)
        return results

    def _detect_batch(self, batch):
        """Boxes in network pixels of each picture of (N, h, w, 3) float32 RGB."""
        with tf.device(self._device):
            maps = [values.numpy() for values in self._run(tf.constant(batch))]
        return [
            select_faces(
                decode_maps([values[n, :, :, 1] for values in maps[::2]], [values[n] for values in maps[1::2]])
            )
            for n in range(len(batch))
        ]


def network_size(shape: tuple) -> tuple[int, int, float]:
    """Width and height of the picture that the network sees of an (H, W, …) frame, and frame pixels per pixel of it."""
    height, width = shape[:2]
    longest = max(width, height)
    target = max(_SHORTEST_SIDE, _LONGEST_SIDE if longest >= _LARGE_FRAME else longest / 2)
    scale = longest / target
    return max(1, int(width / scale)), max(1, int(height / scale)), scale


def _prepare(image, size):
    return cv2.resize(image[:, :, ::-1], size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
