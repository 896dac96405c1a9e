"""Initial values of weights, all drawn from one seed so that a run can be repeated."""

import contextlib

import keras
import numpy as np

CONVOLUTION_AWARE_EPSILON = 0.05

_seeds = np.random.default_rng()


@contextlib.contextmanager
def seeded(seed: int | None):
    """Draw every initial value inside of the block from ``seed``; None draws from the system."""
    global _seeds
    previous, _seeds = _seeds, np.random.default_rng(seed)
    try:
        yield
    finally:
        _seeds = previous


def _next_seed():
    return int(_seeds.integers(2**31 - 1))


def glorot_uniform():
    """U(-L, L) with L = sqrt(6 / (fan_in + fan_out)); the default of every kernel."""
    return keras.initializers.GlorotUniform(seed=_next_seed())


def he_normal():
    """Truncated normal with variance 2 / fan_in."""
    return keras.initializers.HeNormal(seed=_next_seed())


def standard_normal():
    """N(0, 1), for kernels that are scaled at run time."""
    return keras.initializers.RandomNormal(0.0, 1.0, seed=_next_seed())


class ConvolutionAware(keras.initializers.Initializer):
    """Kernels whose filters are orthogonal in the Fourier domain.

    No network uses it by default; it is offered for experiments.

    References
    ----------
    Aghajanyan, Convolution Aware Initialization, 2017.
    """

    def __init__(self, seed: int | None = None):
        self.seed = _next_seed() if seed is None else seed

    def __call__(self, shape, dtype=None):
        """A kernel of ``shape`` (rows, columns, in, out)."""
        rng = np.random.default_rng(self.seed)
        rows, columns, inputs, outputs = shape
        half = columns // 2 + 1
        spectrum_size = rows * half
        if spectrum_size == 1:
            spectrum = rng.normal(0, CONVOLUTION_AWARE_EPSILON, (outputs, inputs, 1))
        else:
            spectrum = _orthogonal_rows(rng, outputs, inputs, spectrum_size)
        kernel = np.fft.irfft2(spectrum.reshape(outputs, inputs, rows, half), (rows, columns))
        kernel = kernel + rng.normal(0, CONVOLUTION_AWARE_EPSILON, kernel.shape)
        kernel *= np.sqrt(2 / (inputs * rows * columns) / np.var(kernel))
        return keras.ops.convert_to_tensor(kernel.transpose(2, 3, 1, 0), dtype=dtype)

    def get_config(self):
        """Arguments of the constructor."""
        return {"seed": self.seed}


def _orthogonal_rows(rng, outputs, inputs, size):
    """``inputs`` rows of length ``size`` for each output, orthogonal within groups of ``size``."""
    groups = inputs // size + 1
    matrices = rng.normal(size=(outputs, groups, size, size))
    diagonal_free = matrices.swapaxes(-1, -2) * (1 - np.eye(size))
    left, _, _ = np.linalg.svd(matrices + diagonal_free)
    return left.swapaxes(-1, -2).reshape(outputs, groups * size, size)[:, :inputs]
