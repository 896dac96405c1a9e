"""Random generators named by numbers, so that any part of a random sequence can be made on its own."""

import hashlib
import secrets
import struct
from typing import Any, cast

import numpy as np
from numpy.random.bit_generator import ISeedSequence


class _Names(ISeedSequence):
    """Numbers as a seed; numpy's own sequence would ask the system for randomness first, which takes longer than the rest."""

    def __init__(self, names: tuple[int, ...]):
        self._packed = struct.pack(f"<{len(names)}q", *map(int, names))

    def generate_state(self, n_words, dtype=np.uint32):
        digest = hashlib.blake2b(self._packed, digest_size=n_words * np.dtype(dtype).itemsize).digest()
        return np.frombuffer(digest, dtype)


def generator(*names: int) -> np.random.Generator:
    """A generator that depends on nothing but ``names`` (whole numbers from 0 to 2**63 - 1); made in a few microseconds."""
    return np.random.Generator(np.random.Philox(cast(Any, _Names(names))))


def new_seed() -> int:
    """A seed from the operating system."""
    return secrets.randbits(48)
