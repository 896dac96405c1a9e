"""The convolution itself, with gradients that are faster on processors without AVX-512.

oneDNN's convolution runs at the processor's full speed everywhere; its gradients do so with AVX-512 only. Elsewhere

- the gradient for the input falls to half of it on small maps with many channels: there it is a sum of matrix products,
  one per kernel position, which also need no copy of the kernel; to a quarter on large maps with few channels, and to a
  hundredth where an image is put out: there it is the convolution of the upstream gradient with the turned kernel;
- the gradient for the kernel falls to half of it on the smallest maps, on huge ones and where an image is put out: there
  it is matrix products too. oneDNN's is as fast between these.

docs/networks.md has what that saves of a training step.
"""

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from core.nn import devices

# Below this work (multiplications for one picture) and this width the products cost more than they save.
_LEAST_MULTIPLICATIONS = 3_000_000
_LEAST_CHANNELS = 32
# Convolutions to this many channels or fewer put out images or masks.
_MOST_IMAGE_CHANNELS = 16
# Maps from this many pixels on are large: see _input_gradient.
_LARGE_MAP = 64 * 64
# Maps from this many pixels on do not fit the cache: see _products_of_shifts, which then saves a third of the time.
_HUGE_MAP = 128 * 128
# Pixels of all maps whose products are added up there before the next ones are read.
_BLOCK_PIXELS = 32768
# Maps up to this many pixels are small: their columns of all kernel positions fit the processor's cache.
_SMALL_MAP = 16 * 16


def convolution(
    x: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor | None = None,
    strides: int = 1,
    padding: Any = "SAME",
    dilation: int = 1,
) -> tf.Tensor:
    """Convolve and add the bias.

    Parameters
    ----------
    x : tensor (N, H, W, in)
    kernel : tensor (k, k, in, out)
    bias : tensor (out,), optional
    strides : int
    padding : str or sequence
        A TensorFlow padding argument.
    dilation : int

    Returns
    -------
    tensor (N, H', W', out)
    """
    if strides == dilation == 1 and padding == "SAME" and _is_worth_products(x.shape, kernel.shape):
        y = _convolution_with_products(x, kernel)
    else:
        y = tf.nn.conv2d(x, kernel, strides, padding, dilations=dilation)
    return y if bias is None else tf.nn.bias_add(y, bias)


def _is_worth_products(shape, kernel_shape):
    size, _, channels, out_channels = kernel_shape
    height, width = shape[1:3]
    if size % 2 == 0 or size == 1 or height is None or width is None or channels < _LEAST_CHANNELS:
        return False
    if _puts_out_image(out_channels):
        worth = height * width >= _LARGE_MAP
    else:
        work = size * size * channels * out_channels * height * width
        worth = out_channels >= _LEAST_CHANNELS and work >= _LEAST_MULTIPLICATIONS
    return worth and not devices.uses_gpu() and devices.jax_device() is None and not _has_avx512()


def _puts_out_image(out_channels):
    return out_channels <= _MOST_IMAGE_CHANNELS


_ISAS_BELOW_AVX512 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2")


@functools.cache
def _has_avx512():
    """Whether oneDNN is known to compute with AVX-512: the processor has it, and ``ONEDNN_MAX_CPU_ISA`` does not forbid it."""
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _ISAS_BELOW_AVX512:
        return False
    try:
        return "avx512f" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


@tf.custom_gradient
def _convolution_with_products(x, kernel):
    """Convolution of stride 1 with an odd kernel and as many zeros around as keep the size."""

    def gradient(upstream):
        # One after the other, and the input's gradient last: else the sums' operands of many layers wait in memory.
        kernel_gradient = filter_gradient(x, upstream, kernel.shape[0])
        with tf.control_dependencies([kernel_gradient]):
            return _input_gradient(x, kernel, upstream), kernel_gradient

    return tf.nn.conv2d(x, kernel, 1, "SAME"), gradient


def _input_gradient(x, kernel, upstream):
    """Gradient for the convolution's input, (N, H, W, in)."""
    (height, width), (channels, out_channels) = x.shape[1:3], kernel.shape[2:]
    if height * width <= _SMALL_MAP:
        return _sum_of_products(kernel, upstream)
    if height * width >= _LARGE_MAP and out_channels <= channels:
        turned = tf.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
        return tf.nn.conv2d(upstream, turned, 1, "SAME")
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(x), filter=kernel, out_backprop=upstream, strides=[1, 1, 1, 1], padding="SAME"
    )


def _sum_of_products(kernel, upstream):
    """Gradient for the input as one product for each kernel position, (N, H, W, in)."""
    size, _, channels, out_channels = kernel.shape
    height, width = upstream.shape[1:3]
    half = size // 2
    padded = tf.pad(upstream, ((0, 0), (half, half), (half, half), (0, 0)))
    products = []
    for row, column in np.ndindex(size, size):
        top, left = size - 1 - row, size - 1 - column
        moved = tf.reshape(padded[:, top : top + height, left : left + width], (-1, out_channels))
        with tf.control_dependencies(products[-1:]):
            products.append(tf.matmul(moved, kernel[row, column], transpose_b=True))
    return tf.reshape(tf.add_n(products), (-1, height, width, channels))


def filter_gradient(x: tf.Tensor, upstream: tf.Tensor, size: int) -> tf.Tensor:
    """Gradient of a size-keeping convolution of stride 1 for its kernel.

    Parameters
    ----------
    x : tensor (N, H, W, in)
        The convolution's input.
    upstream : tensor (N, H, W, out)
        Gradient for its output.
    size : int
        Rows and columns of the kernel, odd.

    Returns
    -------
    tensor (size, size, in, out)
    """
    height, width, channels = x.shape[1:]
    out_channels = upstream.shape[-1]
    offsets = list(np.ndindex(size, size))
    margin = ((0, 0), (size // 2, size // 2), (size // 2, size // 2), (0, 0))

    def window(padded, row, column):
        return padded[:, row : row + height, column : column + width]

    if height * width <= _SMALL_MAP:
        padded = tf.pad(x, margin)
        columns = tf.concat([window(padded, *offset) for offset in offsets], axis=-1)
        products = _product(columns, upstream)
    elif _puts_out_image(out_channels):
        padded = tf.pad(upstream, margin)
        columns = tf.concat([window(padded, size - 1 - row, size - 1 - column) for row, column in offsets], axis=-1)
        product = tf.reshape(_product(x, columns), (channels, size, size, out_channels))
        return tf.transpose(product, (1, 2, 0, 3))
    elif height * width >= _HUGE_MAP:
        products = _products_of_shifts(tf.pad(x, margin), tf.pad(upstream, margin), size)
    else:
        return tf.raw_ops.Conv2DBackpropFilter(
            input=x,
            filter_sizes=(size, size, channels, out_channels),
            out_backprop=upstream,
            strides=[1, 1, 1, 1],
            padding="SAME",
        )
    return tf.reshape(products, (size, size, channels, out_channels))


def _products_of_shifts(x, upstream, size):
    """One product for each kernel position of maps with a margin of zeros.

    A kernel position is a shift along the rows of all maps written one after the other: what it moves over the end of a
    row meets the margin of zeros there. So nothing is copied but the margins, and both parts of a block of pixels stay in
    the cache for all positions.
    """
    half, row_length = size // 2, x.shape[2]
    x, upstream = (tf.reshape(maps, (-1, maps.shape[-1])) for maps in (x, upstream))
    shifts = [row * row_length + column for row in range(-half, half + 1) for column in range(-half, half + 1)]
    pixels, first = x.shape[0], shifts[-1]
    if pixels is None:
        blocks = [(first, tf.shape(x)[0] - first)]
    else:
        starts = range(first, pixels - first, _BLOCK_PIXELS)
        blocks = [(start, min(start + _BLOCK_PIXELS, pixels - first)) for start in starts]
    products = []
    for start, end in blocks:
        part = upstream[start:end]
        for shift in shifts:
            with tf.control_dependencies(products[-1:]):
                products.append(tf.matmul(x[start + shift : end + shift], part, transpose_a=True))
    return tf.add_n([tf.stack(products[block : block + len(shifts)]) for block in range(0, len(products), len(shifts))])


def _product(a, b):
    """Sum over all pixels of every channel of ``a`` with every channel of ``b``."""
    return tf.matmul(tf.reshape(a, (-1, a.shape[-1])), tf.reshape(b, (-1, b.shape[-1])), transpose_a=True)
