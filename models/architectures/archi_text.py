"""The option ``archi`` of the deepfake autoencoders, such as ``liae-ud``, taken apart."""

import re
from dataclasses import dataclass

from core.errors import UsageError

# Slopes of the leaky ReLU: behind convolutions that change the size, and in residual blocks.
DOWNSCALE_SLOPE = 0.1
RESIDUAL_SLOPE = 0.2


@dataclass(frozen=True)
class ArchitectureText:
    """An architecture option such as ``liae-ud``, taken apart.

    Parameters
    ----------
    kind : 'df' or 'liae'
    likeness : bool
        Letter u: pixel normalisation of the encoder's vector.
    double : bool
        Letter d: the decoder works at half resolution and four convolutions interleave to the full one.
    deep : bool
        Letter t: deeper encoder and decoder.
    cosine : bool
        Letter c: activation x * cos(x) in place of leaky ReLU.
    """

    kind: str
    likeness: bool = False
    double: bool = False
    deep: bool = False
    cosine: bool = False

    @classmethod
    def parse(cls, text: str) -> "ArchitectureText":
        """Take ``df``, ``liae``, optionally ``-`` and letters of u, d, t, c in any order."""
        match = re.fullmatch(r"(df|liae)(?:-([udtc]+))?", text.strip().lower())
        if not match:
            raise UsageError(f"archi is {text!r}: expected df or liae, optionally followed by - and letters of u d t c")
        letters = match[2] or ""
        return cls(match[1], "u" in letters, "d" in letters, "t" in letters, "c" in letters)

    @property
    def lowest_cell(self) -> int:
        """Pixels of the picture per cell of the map behind the dense layers."""
        return 32 if self.double else 16

    @property
    def resolution_step(self) -> int:
        """The resolution has to be a multiple of this."""
        return 32 if self.double or self.deep else 16
