"""What a question for a number takes as an answer."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from core.records.yaml_file import LARGEST_NUMBER


@dataclass(frozen=True)
class NumberAnswer:
    """Reads a number and brings it into a range.

    Parameters
    ----------
    kind : type
        int or float.
    low, high : int or float, optional
        None: no limit.
    allowed : collection of int, optional
        Other numbers are none.
    """

    kind: type
    low: float | None = None
    high: float | None = None
    allowed: Collection[int] | None = None

    def __call__(self, text: str) -> float:
        """The number within the range; a ValueError for a text that is none."""
        value = self.number(text)
        if self.low is not None:
            value = max(self.low, value)
        if self.high is not None:
            value = min(self.high, value)
        return value

    def number(self, text: str) -> float:
        """The number as it was typed; a ValueError for a text that is none."""
        value = self.kind(text)
        if not math.isfinite(value) or abs(value) >= LARGEST_NUMBER and self.kind is int:
            raise ValueError
        if self.allowed is not None and value not in self.allowed:
            raise ValueError
        return value

    @property
    def range(self) -> str:
        """In words, empty without a limit."""
        if self.low is not None and self.high is not None:
            return f"{self.low} to {self.high}"
        return (
            f"{self.low} or more" if self.low is not None else f"{self.high} or less" if self.high is not None else ""
        )
