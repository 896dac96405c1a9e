"""Initial values of weights, all drawn from one seed so that a run can be repeated."""

import contextlib
from collections.abc import Callable, Iterator

import keras
import numpy as np

_seeds = np.random.default_rng()


@contextlib.contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Draw every initial value inside the block from ``seed``; None draws from the system."""
    global _seeds
    previous, _seeds = _seeds, np.random.default_rng(seed)
    try:
        yield
    finally:
        _seeds = previous


def _next_seed():
    return int(_seeds.integers(2**31 - 1))


def glorot_uniform() -> Callable:
    """U(-L, L) with L = sqrt(6 / (fan_in + fan_out)); the default of every kernel."""
    return keras.initializers.GlorotUniform(seed=_next_seed())


def he_normal() -> Callable:
    """Truncated normal with variance 2 / fan_in."""
    return keras.initializers.HeNormal(seed=_next_seed())


def standard_normal() -> Callable:
    """N(0, 1), for kernels that are scaled at run time."""
    return keras.initializers.RandomNormal(0.0, 1.0, seed=_next_seed())
