"""What can be attached to a training: called on the trainer's thread, between iterations."""

from collections.abc import Sequence
from typing import Any


class Hook:
    """Base class; every method may be left out."""

    def after_iteration(self, trainer: Any, losses: Sequence[float], seconds: float) -> None:
        """Called after each iteration with its losses and duration."""

    def before_save(self, trainer: Any) -> None:
        """Called before the files of a generation are collected."""

    def after_save(self, trainer: Any) -> None:
        """Called when saving has begun."""

    def close(self) -> None:
        """Called once at the end."""
