"""Tensor functions without weights that the networks share: shape changes, resizing, normalisation, sampling.

Images are channels last, (N, H, W, C).
"""

from collections.abc import Sequence

import tensorflow as tf

PIXEL_NORM_EPSILON = 1e-6


def flatten(x: tf.Tensor) -> tf.Tensor:
    """(N, H, W, C) to (N, C*H*W), in the order C, H, W that stored dense kernels expect."""
    height, width, channels = x.shape[1:]
    return tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (-1, height * width * channels))


def unflatten(x: tf.Tensor, height: int, width: int, channels: int) -> tf.Tensor:
    """(N, C*H*W) in the order C, H, W to (N, H, W, C); the inverse of :func:`flatten`."""
    return tf.transpose(tf.reshape(x, (-1, channels, height, width)), (0, 2, 3, 1))


def pixel_norm(x: tf.Tensor, axis: int | Sequence[int] = -1) -> tf.Tensor:
    """Divide by the root mean square along ``axis``, computed in float32.

    References
    ----------
    Karras et al., Progressive Growing of GANs, 2018, section 4.2.
    """
    wide = tf.cast(x, tf.float32)
    scale = tf.math.rsqrt(tf.reduce_mean(tf.square(wide), axis=axis, keepdims=True) + PIXEL_NORM_EPSILON)
    return tf.cast(wide * scale, x.dtype)


def depth_to_space(x: tf.Tensor, block_size: int) -> tf.Tensor:
    """Channel (by * block + bx) * C + c becomes pixel (y * block + by, x * block + bx) of channel c."""
    return tf.nn.depth_to_space(x, block_size)


def space_to_depth(x: tf.Tensor, block_size: int) -> tf.Tensor:
    """The inverse of :func:`depth_to_space`."""
    return tf.nn.space_to_depth(x, block_size)


def leaky_relu(x: tf.Tensor, slope: float) -> tf.Tensor:
    """max(x, slope * x) for 0 < slope < 1.

    The gradient is taken from the result, whose sign is that of ``x``. So ``x`` need not be kept, and TensorFlow
    can compute the activation inside the convolution before it.
    """

    @tf.custom_gradient
    def activate(x):
        y = tf.nn.leaky_relu(x, slope)

        def gradient(upstream):
            return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=y, alpha=slope)

        return y, gradient

    return activate(x)


def gelu(x: tf.Tensor) -> tf.Tensor:
    """Gaussian error linear unit, tanh approximation (Hendrycks and Gimpel, 2016)."""
    return tf.nn.gelu(x, approximate=True)


def upsample(x: tf.Tensor, size: int = 2) -> tf.Tensor:
    """Repeat every pixel ``size`` x ``size`` times."""
    return tf.repeat(tf.repeat(x, size, axis=1), size, axis=2)


def resize_bilinear(x: tf.Tensor, size: int) -> tf.Tensor:
    """Resize by the factor ``size``, or by 1 / -size when negative.

    Uses TensorFlow 1's default grid, source = index * in / out, without half-pixel centres.
    ``tf.image.resize`` and Keras' UpSampling2D sample other positions.
    """
    height, width = x.shape[1:3]
    target = (height * size, width * size) if size > 0 else (height // -size, width // -size)
    resized = tf.raw_ops.ResizeBilinear(images=x, size=target, align_corners=False, half_pixel_centers=False)
    return tf.cast(resized, x.dtype)


def average_pool(x: tf.Tensor, kernel_size: int = 2, strides: int = 2) -> tf.Tensor:
    """Average pooling without padding."""
    return tf.nn.avg_pool2d(x, kernel_size, strides, "VALID")
