"""Tensor functions without weights that the networks share: shape changes, resizing, normalisation, sampling.

Images are channels last, (N, H, W, C).
"""

import numpy as np
import tensorflow as tf

PIXEL_NORM_EPSILON = 1e-6


def flatten(x):
    """(N, H, W, C) to (N, C*H*W), in the order C, H, W that stored dense kernels expect."""
    height, width, channels = x.shape[1:]
    return tf.reshape(tf.transpose(x, (0, 3, 1, 2)), (-1, height * width * channels))


def unflatten(x, height: int, width: int, channels: int):
    """(N, C*H*W) in the order C, H, W to (N, H, W, C); the inverse of :func:`flatten`."""
    return tf.transpose(tf.reshape(x, (-1, channels, height, width)), (0, 2, 3, 1))


def pixel_norm(x, axis=-1):
    """Divide by the root mean square along ``axis``, computed in float32.

    References
    ----------
    Karras et al., Progressive Growing of GANs, 2018, section 4.2.
    """
    wide = tf.cast(x, tf.float32)
    scale = tf.math.rsqrt(tf.reduce_mean(tf.square(wide), axis=axis, keepdims=True) + PIXEL_NORM_EPSILON)
    return tf.cast(wide * scale, x.dtype)


def depth_to_space(x, block_size: int):
    """Channel (by * block + bx) * C + c becomes pixel (y * block + by, x * block + bx) of channel c."""
    return tf.nn.depth_to_space(x, block_size)


def space_to_depth(x, block_size: int):
    """The inverse of :func:`depth_to_space`."""
    return tf.nn.space_to_depth(x, block_size)


def leaky_relu(x, slope: float):
    """max(x, slope * x) for 0 < slope < 1.

    The gradient is taken from the result, whose sign is that of ``x``. So ``x`` need not be kept, and TensorFlow
    can compute the activation inside of the convolution before it.
    """

    @tf.custom_gradient
    def activate(x):
        y = tf.nn.leaky_relu(x, slope)

        def gradient(upstream):
            return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=y, alpha=slope)

        return y, gradient

    return activate(x)


def gelu(x):
    """Gaussian error linear unit, tanh approximation (Hendrycks and Gimpel, 2016)."""
    return tf.nn.gelu(x, approximate=True)


def upsample(x, size: int = 2):
    """Repeat every pixel ``size`` x ``size`` times."""
    return tf.repeat(tf.repeat(x, size, axis=1), size, axis=2)


def resize_bilinear(x, size: int):
    """Resize by the factor ``size``, or by 1 / -size when negative.

    Uses TensorFlow 1's default grid, source = index * in / out, without half-pixel centres.
    ``tf.image.resize`` and Keras' UpSampling2D sample other positions.
    """
    height, width = x.shape[1:3]
    target = (height * size, width * size) if size > 0 else (height // -size, width // -size)
    resized = tf.raw_ops.ResizeBilinear(images=x, size=target, align_corners=False, half_pixel_centers=False)
    return tf.cast(resized, x.dtype)


def shrink_nearest(x, factor: int):
    """Every ``factor``-th row and column, starting from 0."""
    return x[:, ::factor, ::factor]


def max_pool(x, kernel_size: int = 2, strides: int = 2):
    """Maximum pooling with TensorFlow's 'SAME' padding."""
    return tf.nn.max_pool2d(x, kernel_size, strides, "SAME")


def average_pool(x, kernel_size: int = 2, strides: int = 2):
    """Average pooling without padding."""
    return tf.nn.avg_pool2d(x, kernel_size, strides, "VALID")


def bilinear_sampler(image, x, y, extend_edge: bool = False):
    """Sample ``image`` (N, H, W, C) at pixel coordinates ``x``, ``y`` (N, H', W').

    Outside, and exactly on the last row and column, the result is zero, as in DeepFaceLab; with ``extend_edge``
    the border pixels are repeated there instead.
    """
    height, width = image.shape[1:3]
    if extend_edge:
        x, y = tf.clip_by_value(x, 0, width - 1), tf.clip_by_value(y, 0, height - 1)
    x0, y0 = tf.floor(x), tf.floor(y)
    if extend_edge:
        x0, y0 = tf.minimum(x0, width - 2), tf.minimum(y0, height - 2)
    left, right = (tf.clip_by_value(column, 0, width - 1) for column in (x0, x0 + 1))
    top, bottom = (tf.clip_by_value(row, 0, height - 1) for row in (y0, y0 + 1))

    def pixels(row, column):
        indices = tf.cast(tf.stack((row, column), axis=-1), tf.int32)
        return tf.gather_nd(image, indices, batch_dims=1)

    return (
        pixels(top, left) * ((right - x) * (bottom - y))[..., None]
        + pixels(bottom, left) * ((right - x) * (y - top))[..., None]
        + pixels(top, right) * ((x - left) * (bottom - y))[..., None]
        + pixels(bottom, right) * ((x - left) * (y - top))[..., None]
    )


def rgb_to_lab(rgb):
    """sRGB (..., 3) in 0..1 to CIE L*a*b* under D65: L 0..100, a and b about -100..100."""
    rgb = tf.convert_to_tensor(rgb)
    linear = tf.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    to_xyz = np.array(
        [[0.412453, 0.212671, 0.019334], [0.357580, 0.715160, 0.119193], [0.180423, 0.072169, 0.950227]], np.float32
    )
    white = np.array([0.950456, 1.0, 1.088754], np.float32)
    ratio = tf.tensordot(linear, to_xyz / white, axes=1)
    epsilon = 6 / 29
    f = tf.where(
        ratio > epsilon**3,
        tf.maximum(ratio, epsilon**3) ** (1 / 3),
        ratio / (3 * epsilon**2) + 4 / 29,
    )
    return tf.stack(
        (116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])),
        axis=-1,
    )
