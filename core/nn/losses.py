"""Loss terms of the trainers, each one value per sample, in float32. Images are (N, H, W, C) in 0..1.

Filters are applied as two products with banded matrices, one per axis: on CPU and GPU alike that is faster than
a depthwise convolution, whose gradient is slow.
"""

import numpy as np
import tensorflow as tf

DSSIM_SIGMA = 1.5
DSSIM_K1, DSSIM_K2 = 0.01, 0.03
STYLE_EPSILON = 1e-5


def gaussian_blur(x: tf.Tensor, radius: float) -> tf.Tensor:
    """Blur with sigma = ``radius`` and zeros outside.

    The kernel has max(3, int(4 * radius)) taps, one more if that is even.

    Parameters
    ----------
    x : tensor (N, H, W, C)
    radius : float > 0

    Returns
    -------
    tensor (N, H, W, C)
    """
    size = max(3, int(4 * radius))
    size += 1 - size % 2
    offsets = np.arange(size) - size // 2
    taps = np.exp(-(offsets**2) / (2.0 * radius**2))
    planes = _filter_planes(_to_planes(x), taps / taps.sum(), padding=size // 2)
    return tf.transpose(planes, (0, 2, 3, 1))


def dssim_per_channel(a: tf.Tensor, b: tf.Tensor, max_value: float = 1.0, filter_size: int = 11) -> tf.Tensor:
    """Structural dissimilarity (1 - SSIM) / 2 of each sample and channel.

    The window is a Gaussian of sigma 1.5 cut to ``filter_size`` taps, applied without padding; an even window is
    centred between pixels.

    Parameters
    ----------
    a, b : tensor (N, H, W, C)
    max_value : float
        Value of white.
    filter_size : int

    Returns
    -------
    tensor (N, C)

    References
    ----------
    Wang, Bovik, Sheikh, Simoncelli, Image quality assessment: from error visibility to structural similarity, 2004.
    """
    filter_size = max(1, filter_size)
    offsets = np.arange(filter_size) - (filter_size - 1) / 2
    taps = np.exp(-(offsets**2) / (2 * DSSIM_SIGMA**2))
    a, b = _to_planes(a), _to_planes(b)
    maps = tf.concat((a, b, a * b, a * a + b * b), axis=0)
    mean_a, mean_b, mean_ab, mean_squares = tf.split(_filter_planes(maps, taps / taps.sum()), 4, axis=0)
    c1, c2 = (DSSIM_K1 * max_value) ** 2, (DSSIM_K2 * max_value) ** 2
    product = 2 * mean_a * mean_b
    squares = mean_a * mean_a + mean_b * mean_b
    luminance = (product + c1) / (squares + c1)
    contrast_structure = (2 * mean_ab - product + c2) / (mean_squares - squares + c2)
    return (1 - tf.reduce_mean(luminance * contrast_structure, axis=(2, 3))) / 2


def dssim(a: tf.Tensor, b: tf.Tensor, max_value: float = 1.0, filter_size: int = 11) -> tf.Tensor:
    """:func:`dssim_per_channel` averaged over the channels, (N,)."""
    return tf.reduce_mean(dssim_per_channel(a, b, max_value, filter_size), axis=-1)


def style_loss(target: tf.Tensor, style: tf.Tensor, blur_radius: float, weight: float) -> tf.Tensor:
    """Distance of the mean and of the deviation of every channel, after an optional blur, (N,).

    References
    ----------
    Huang and Belongie, Arbitrary Style Transfer in Real-time, 2017, equation 13.
    """
    if blur_radius > 0:
        target, style = gaussian_blur(target, blur_radius), gaussian_blur(style, blur_radius)
    target_mean, target_deviation = _mean_and_deviation(target)
    style_mean, style_deviation = _mean_and_deviation(style)
    distance = tf.square(target_mean - style_mean) + tf.square(target_deviation - style_deviation)
    return weight * tf.reduce_mean(distance, axis=-1)


def total_variation(x: tf.Tensor) -> tf.Tensor:
    """Sum of the squared differences of neighbouring rows and columns, (N,)."""
    rows = tf.reduce_sum(tf.square(x[:, 1:] - x[:, :-1]), axis=(1, 2, 3))
    columns = tf.reduce_sum(tf.square(x[:, :, 1:] - x[:, :, :-1]), axis=(1, 2, 3))
    return rows + columns


def mean_square(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Mean squared difference over height, width and channels, (N,)."""
    return tf.reduce_mean(tf.square(a - b), axis=(1, 2, 3))


def mean_absolute(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Mean absolute difference over height, width and channels, (N,)."""
    return tf.reduce_mean(tf.abs(a - b), axis=(1, 2, 3))


def cross_entropy(label: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Sigmoid cross-entropy averaged over all cells, (N,). ``label`` is a number or a tensor like ``logits``."""
    logits = tf.cast(logits, tf.float32)
    labels = tf.broadcast_to(tf.cast(label, tf.float32), tf.shape(logits))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), axis=(1, 2, 3))


def soft_mask(mask: tf.Tensor, resolution: int) -> tf.Tensor:
    """The mask inside of which the image losses count: blurred, halved range, 0..1.

    Parameters
    ----------
    mask : tensor (N, R, R, 1)
    resolution : int
    """
    return 2 * tf.clip_by_value(gaussian_blur(mask, max(1, resolution // 32)), 0, 0.5)


def blur_out_mask(image: tf.Tensor, mask: tf.Tensor, resolution: int) -> tf.Tensor:
    """Replace what lies outside of ``mask`` by a blur of itself that takes in nothing from inside."""
    sigma = resolution / 128
    outside = 1 - mask
    blurred = gaussian_blur(image * outside, sigma)
    share = 1 - gaussian_blur(mask, sigma)
    share = tf.where(share == 0, tf.ones_like(share), share)
    return image * mask + blurred / share * outside


def _mean_and_deviation(x):
    mean, variance = tf.nn.moments(x, (1, 2))
    return mean, tf.sqrt(variance + STYLE_EPSILON)


def _to_planes(x):
    return tf.transpose(tf.cast(x, tf.float32), (0, 3, 1, 2))


def _filter_planes(planes, taps, padding=0):
    """Filter rows and columns of (N, C, H, W) with the same one-dimensional ``taps``."""
    samples, channels, height, width = planes.shape
    across = tf.constant(_band_matrix(width, taps, padding).T)
    down = tf.constant(_band_matrix(height, taps, padding))
    rows = tf.matmul(tf.reshape(planes, (-1, width)), across)
    columns = tf.reshape(rows, (-1 if samples is None else samples, channels, height, across.shape[1]))
    return tf.matmul(down, columns)


def _band_matrix(size, taps, padding):
    """(size + 2 * padding - len(taps) + 1, size) matrix whose product with a column filters it."""
    outputs = size + 2 * padding - len(taps) + 1
    matrix = np.zeros((outputs, size), np.float32)
    for offset, tap in enumerate(taps):
        columns = np.arange(outputs) + offset - padding
        inside = (columns >= 0) & (columns < size)
        matrix[np.arange(outputs)[inside], columns[inside]] = tap
    return matrix
