"""Work beside training, such as writing pictures, whose failure is told and ends nothing."""

from collections.abc import Callable
from typing import Any

from core.console import interact
from core.errors import UserError


class SideWork:
    """Runs functions that may fail for want of room or rights; each kind of failure is told once until it works again.

    Parameters
    ----------
    what : str
        Begins the message, for example ``"History pictures"``.
    failures : tuple of type
        Further errors that are told and end nothing.
    """

    def __init__(self, what: str, failures: tuple[type[Exception], ...] = ()):
        self._what = what
        self._failures: tuple[type[Exception], ...] = (OSError, UserError, *failures)
        self._told: str | None = None

    def run(self, function: Callable, *arguments) -> Any:
        """What the function returns, or None when it has failed."""
        try:
            result = function(*arguments)
        except self._failures as error:
            reason = _reason(error)
            if reason != self._told:
                self._told = reason
                text = " ".join(str(error).split()).rstrip(".")
                interact.warning(f"{self._what}: {text}. Training goes on without.")
            return None
        self._told = None
        return result


def _reason(error):
    """Names the failure without the file, which is another one each time."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return (isinstance(cause, OSError) and cause.strerror) or str(error)
