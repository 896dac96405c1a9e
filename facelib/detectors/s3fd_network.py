"""The network of the detector S3FD, a VGG network with six detection levels.

References
----------
Zhang, Zhu, Lei, Shi, Wang, Li, S3FD: Single Shot Scale-invariant Face Detector, ICCV 2017.
"""

import keras
import tensorflow as tf

from core.nn.layers import Conv2D, L2Norm

# Subtracted from red, green, blue in this order, although the numbers are those of blue, green, red: the weights
# were trained that way.
_MEAN = (104.0, 117.0, 123.0)

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

    def call(self, x: tf.Tensor) -> tf.Tensor:
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
