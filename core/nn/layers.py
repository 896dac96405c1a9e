"""Layers that compute what DeepFaceLab's layers compute, channels last, with weights named as in its files.

A layer creates its weights in the constructor. The public attribute names of layers and weights, joined by
``/``, are the keys of the weight files (:mod:`core.nn.weights`), so renaming an attribute changes a file format.
"""

import contextlib
import math
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from core.nn import initializers
from core.nn.convolution import convolution

NORM_EPSILON = 1e-5

_recomputes_blocks = False


@contextlib.contextmanager
def recomputed_blocks(enabled: bool) -> Iterator[None]:
    """Make every :class:`Block` that is built inside trade time for memory (about a third more time)."""
    global _recomputes_blocks
    previous, _recomputes_blocks = _recomputes_blocks, enabled
    try:
        yield
    finally:
        _recomputes_blocks = previous


class Layer(keras.layers.Layer):
    """Base of all layers: weights are made in the constructor and nothing is left to build."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.built = True

    def weight_value(self, variable: keras.Variable) -> tf.Tensor:
        """The variable as a tensor in the layer's compute type."""
        return tf.cast(tf.convert_to_tensor(variable), self.compute_dtype)


class Block(Layer):
    """A few layers with one result, whose insides can be computed again for the gradient in place of being kept.

    Subclasses define ``compute(x)``.

    References
    ----------
    Chen, Xu, Zhang, Guestrin, Training Deep Nets with Sublinear Memory Cost, 2016.
    """

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self._recomputed = _recomputes_blocks

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """The block's result."""
        return tf.recompute_grad(self.compute)(x) if self._recomputed else self.compute(x)

    def compute(self, x: tf.Tensor) -> tf.Tensor:
        """The block's result, plainly."""
        raise NotImplementedError


class Conv2D(Layer):
    """Convolution that pads the same number of zeros on all four sides, whatever stride and size.

    Keras' ``same`` pads unevenly when the stride is 2, so the two are not interchangeable.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size : int
    strides : int
    padding : 'SAME', 'VALID' or int
        Zeros on each side. 'SAME' is ((kernel_size - 1) * dilation + 1) // 2.
    use_bias : bool
    dilation : int
    use_wscale : bool
        Multiply the kernel at run time by gain / sqrt(fan_in), gain 1 for 1x1 and sqrt(2) for larger kernels.
    kernel_initializer : keras.initializers.Initializer, optional
        Glorot uniform by default, N(0, 1) with ``use_wscale``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        strides: int = 1,
        padding: str | int = "SAME",
        use_bias: bool = True,
        dilation: int = 1,
        use_wscale: bool = False,
        kernel_initializer: Callable | None = None,
        **arguments,
    ):
        super().__init__(**arguments)
        self._strides = strides
        self._dilation = dilation
        self._padding = _padding_argument(padding, kernel_size, strides, dilation)
        self._scale = _wscale(kernel_size, in_channels) if use_wscale else None
        self.weight = self.add_weight(
            shape=(kernel_size, kernel_size, in_channels, out_channels),
            initializer=_kernel_initializer(kernel_initializer, use_wscale),
            name="weight",
        )
        self.bias = self.add_weight(shape=(out_channels,), initializer="zeros", name="bias") if use_bias else None

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, in) to (N, H', W', out)."""
        return convolution(
            x,
            self.scaled_kernel(),
            None if self.bias is None else self.weight_value(self.bias),
            self._strides,
            self._padding,
            self._dilation,
        )

    def scaled_kernel(self) -> tf.Tensor:
        """The kernel as it is applied."""
        kernel = self.weight_value(self.weight)
        return kernel if self._scale is None else kernel * self._scale


class Conv2DTranspose(Layer):
    """Transposed convolution with TensorFlow's 'SAME' (size * strides) or 'VALID' padding.

    The kernel has the shape (kernel_size, kernel_size, out_channels, in_channels).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        strides: int = 2,
        padding: str = "SAME",
        use_bias: bool = True,
        use_wscale: bool = False,
        kernel_initializer: Callable | None = None,
        **arguments,
    ):
        super().__init__(**arguments)
        self._out_channels = out_channels
        self._strides = strides
        self._padding = padding
        self._growth = max(kernel_size - strides, 0) if padding == "VALID" else 0
        self._scale = _wscale(kernel_size, in_channels) if use_wscale else None
        self.weight = self.add_weight(
            shape=(kernel_size, kernel_size, out_channels, in_channels),
            initializer=_kernel_initializer(kernel_initializer, use_wscale),
            name="weight",
        )
        self.bias = self.add_weight(shape=(out_channels,), initializer="zeros", name="bias") if use_bias else None

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, in) to (N, H', W', out)."""
        kernel = self.weight_value(self.weight)
        if self._scale is not None:
            kernel = kernel * self._scale
        height, width = (size * self._strides + self._growth for size in x.shape[1:3])
        shape = (tf.shape(x)[0], height, width, self._out_channels)
        y = tf.nn.conv2d_transpose(x, kernel, shape, self._strides, self._padding)
        return y if self.bias is None else tf.nn.bias_add(y, self.weight_value(self.bias))


class Dense(Layer):
    """x @ weight + bias, always in float32: codes lose too much in half precision.

    Parameters
    ----------
    in_channels, out_channels : int
    use_bias : bool
    maxout_channels : int
        Above 1: that many candidates per output, of which the largest counts (Goodfellow et al., 2013).
    use_wscale : bool
        Divide the kernel by sqrt(in_channels) at run time.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        use_bias: bool = True,
        maxout_channels: int = 0,
        use_wscale: bool = False,
        kernel_initializer: Callable | None = None,
        **arguments,
    ):
        arguments.setdefault("dtype", "float32")
        super().__init__(**arguments)
        self._out_channels = out_channels
        self._maxout_channels = max(1, maxout_channels)
        self._scale = 1 / math.sqrt(in_channels) if use_wscale else None
        self.weight = self.add_weight(
            shape=(in_channels, out_channels * self._maxout_channels),
            initializer=_kernel_initializer(kernel_initializer, use_wscale),
            name="weight",
        )
        self.bias = self.add_weight(shape=(out_channels,), initializer="zeros", name="bias") if use_bias else None

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, in) to (N, out)."""
        kernel = self.weight_value(self.weight)
        if self._scale is not None:
            kernel = kernel * self._scale
        y = tf.matmul(tf.cast(x, self.compute_dtype), kernel)
        if self._maxout_channels > 1:
            y = tf.reduce_max(tf.reshape(y, (-1, self._out_channels, self._maxout_channels)), axis=-1)
        return y if self.bias is None else y + self.weight_value(self.bias)


class BlurPool(Layer):
    """Anti-aliased shrinking by ``strides`` with a binomial filter (Zhang, 2019); output size ceil(n / strides)."""

    def __init__(self, filter_size: int = 3, strides: int = 2, **arguments):
        super().__init__(**arguments)
        row = np.array([math.comb(filter_size - 1, index) for index in range(filter_size)], np.float32)
        self._filter = np.outer(row, row) / row.sum() ** 2
        self._strides = strides
        before, after = (filter_size - 1) // 2, filter_size // 2
        self._padding = ((0, 0), (before, after), (before, after), (0, 0))

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) to (N, ceil(H / strides), ceil(W / strides), C)."""
        kernel = np.repeat(self._filter[:, :, None, None], x.shape[-1], axis=2)
        strides = (1, self._strides, self._strides, 1)
        return tf.nn.depthwise_conv2d(tf.pad(x, self._padding), tf.constant(kernel, x.dtype), strides, "VALID")


class FRNorm2D(Layer):
    """Filter response normalisation with a learned epsilon (Singh and Krishnan, 2020), computed in float32."""

    def __init__(self, channels: int, **arguments):
        super().__init__(**arguments)
        self.weight = self.add_weight(shape=(channels,), initializer="ones", name="weight")
        self.bias = self.add_weight(shape=(channels,), initializer="zeros", name="bias")
        self.eps = self.add_weight(
            shape=(1,), initializer=keras.initializers.Constant(1e-6), name="eps", autocast=False
        )

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) to the same shape."""
        wide = tf.cast(x, tf.float32)
        power = tf.reduce_mean(tf.square(wide), axis=(1, 2), keepdims=True)
        # In half precision Keras hands out weights in that, too.
        eps, weight = (tf.cast(tf.convert_to_tensor(each), tf.float32) for each in (self.eps, self.weight))
        scale = tf.math.rsqrt(power + tf.abs(eps))
        y = x * tf.cast(scale * weight, x.dtype)
        return y + self.weight_value(self.bias)


class TLU(Layer):
    """Thresholded linear unit, max(x, tau); the activation that belongs to :class:`FRNorm2D`."""

    def __init__(self, channels: int, **arguments):
        super().__init__(**arguments)
        self.tau = self.add_weight(shape=(channels,), initializer="zeros", name="tau")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) to the same shape."""
        return tf.maximum(x, self.weight_value(self.tau))


class BatchNorm2D(Layer):
    """Batch normalisation with fixed statistics: they come from a file and are never updated."""

    def __init__(self, channels: int, **arguments):
        super().__init__(**arguments)
        self.weight = self.add_weight(shape=(channels,), initializer="ones", name="weight")
        self.bias = self.add_weight(shape=(channels,), initializer="zeros", name="bias")
        self.running_mean = self.add_weight(
            shape=(channels,), initializer="zeros", name="running_mean", trainable=False
        )
        self.running_var = self.add_weight(shape=(channels,), initializer="zeros", name="running_var", trainable=False)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) to the same shape."""
        variance = self.weight_value(self.running_var)
        scale = self.weight_value(self.weight) * tf.math.rsqrt(variance + NORM_EPSILON)
        return x * scale + (self.weight_value(self.bias) - self.weight_value(self.running_mean) * scale)


class L2Norm(Layer):
    """Scale every pixel's channel vector to unit length, then by a learned weight (Liu et al., ParseNet, 2015)."""

    def __init__(self, channels: int, **arguments):
        super().__init__(**arguments)
        self.weight = self.add_weight(shape=(1, 1, 1, channels), initializer="ones", name="weight")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) to the same shape."""
        length = tf.sqrt(tf.reduce_sum(tf.square(x), axis=-1, keepdims=True)) + 1e-10
        return x / length * self.weight_value(self.weight)


def _padding_argument(padding, kernel_size, strides, dilation):
    """The padding rule as an argument for ``tf.nn.conv2d``."""
    if padding == "SAME":
        if strides == 1 and kernel_size % 2 == 1:
            return "SAME"
        padding = ((kernel_size - 1) * dilation + 1) // 2
    if padding in ("VALID", 0):
        return "VALID"
    return ((0, 0), (padding, padding), (padding, padding), (0, 0))


def _wscale(kernel_size, in_channels):
    gain = 1.0 if kernel_size == 1 else math.sqrt(2)
    return gain / math.sqrt(kernel_size * kernel_size * in_channels)


def _kernel_initializer(initializer, use_wscale):
    if initializer is not None:
        return initializer
    return initializers.standard_normal() if use_wscale else initializers.glorot_uniform()
