"""Random generators named by numbers, so that any part of a random sequence can be made on its own."""

import secrets

import numpy as np


def generator(*names: int) -> np.random.Generator:
    """A generator that depends on nothing but ``names`` (whole numbers, not negative)."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(names)))


def new_seed() -> int:
    """A seed from the operating system."""
    return secrets.randbits(48)
