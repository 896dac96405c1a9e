"""Flags that take a number: every one has its range, and a value outside of it is refused in one line."""

import argparse
import math
import re
from dataclasses import dataclass

from core.errors import UsageError

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", re.IGNORECASE)


@dataclass(frozen=True)
class NumberType:
    """An ``argparse`` type: a number from ``low`` to ``high`` (both allowed; None: no limit).

    Parameters
    ----------
    flag : str
        With its dashes; named in the error.
    low, high : int or float, optional
    whole : bool
        Whether the value is an int; otherwise a float.

    Raises
    ------
    UsageError
        For anything else, ``nan`` and ``inf`` among it.
    """

    flag: str
    low: float | None = None
    high: float | None = None
    whole: bool = True

    def __call__(self, text):
        value = self._parsed(text.strip())
        if value is None or not self._in_range(value):
            raise UsageError(f"{self.flag} is {text}: give {self.expected}.")
        return value

    @property
    def expected(self) -> str:
        """The range in words."""
        kind = "a whole number" if self.whole else "a number"
        if self.low is None:
            return kind
        return f"{kind} from {self.low} to {self.high}" if self.high is not None else f"{kind}, {self.low} or more"

    def _parsed(self, text):
        if not (_WHOLE if self.whole else _DECIMAL).fullmatch(text):
            return None
        value = int(text) if self.whole else float(text)
        return value if math.isfinite(value) else None

    def _in_range(self, value):
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def add_whole_number(parser: argparse.ArgumentParser, flag: str, low: int, high: int | None = None, **options) -> None:
    """Add a flag for a whole number from ``low`` to ``high``; ``options`` as of ``add_argument``."""
    parser.add_argument(flag, type=NumberType(flag, low, high), metavar=options.pop("metavar", "N"), **options)


def add_number(parser: argparse.ArgumentParser, flag: str, low: float, high: float | None = None, **options) -> None:
    """Add a flag for a decimal number from ``low`` to ``high``; ``options`` as of ``add_argument``."""
    parser.add_argument(flag, type=NumberType(flag, low, high, False), metavar=options.pop("metavar", "X"), **options)
