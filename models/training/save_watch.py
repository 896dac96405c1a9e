"""Watches the saves of a training: a failed one is tried again, told on every line, and never the silent end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.console import interact
from core.errors import UserError
from models.saved.saving import BackgroundSaver, SaveOutcome

SECONDS_PER_HOUR = 3600.0
LONGEST_PAUSE = 900.0


@dataclass(frozen=True)
class SaveRules:
    """How hard a training tries to save.

    Parameters
    ----------
    retry_seconds : float
        Pause before a failed save is tried again; doubled each time, up to a quarter of an hour.
    give_up_hours : float
        Training ends when nothing could be written anywhere for so long.
    last_attempts : int
        Further tries when training ends.
    last_pause : float
        Seconds between these.
    """

    retry_seconds: float = 60.0
    give_up_hours: float = 12.0
    last_attempts: int = 5
    last_pause: float = 3.0


class NotSaved(UserError):
    """Training ends, and the model folder does not hold its last state."""


class SaveWatch:
    """Starts saves and looks after them; used on the trainer's thread.

    Parameters
    ----------
    saver : BackgroundSaver
    folder : Path
        Of the model, for messages.
    rules : SaveRules
    saved_iteration : int
        What the model folder holds at the start.

    Attributes
    ----------
    saved_iteration : int
        Of the last save that worked.
    warning : str
        What every console line tells while saves fail, else empty.
    """

    def __init__(self, saver: BackgroundSaver, folder: Path, rules: SaveRules, saved_iteration: int = 0):
        self._saver, self._folder, self._rules = saver, folder, rules
        self.saved_iteration = saved_iteration
        self._failed: SaveOutcome | None = None
        self._began = self._retry_at = 0.0
        self._pause = rules.retry_seconds
        self._after: Callable[[], object] | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the latest save that has ended did not reach the model folder."""
        return self._failed is not None

    @property
    def emergency_place(self) -> Path | None:
        """Folder that holds the latest state while saves fail, or None."""
        return self._failed.place if self._failed is not None else None

    @property
    def warning(self) -> str:
        if self._failed is None:
            return ""
        if self._failed.place is not None:
            return f"[saved only to {self._failed.place}: {self._failed.reason}]"
        return f"[NOT SAVED since iteration {self.saved_iteration}: {self._failed.reason}]"

    def start(self, after: Callable[[], object] | None = None) -> None:
        """Save in the background; ``after`` follows once the files are in the model folder, be it by a later try."""
        self.settle()
        self._after = after or self._after
        self._saver.save(self._after)

    def look(self) -> bool:
        """Take note of a save that has ended, and try again when it is time; False when that has gone on for too long."""
        self._note(self._saver.take_outcome())
        now = time.monotonic()
        if self._failed is None or now < self._retry_at:
            return True
        if self._failed.place is None and now - self._began > self._rules.give_up_hours * SECONDS_PER_HOUR:
            interact.warning(f"Nothing could be written for {self._rules.give_up_hours:g} hours. Training ends.")
            return False
        self._pause = min(LONGEST_PAUSE, self._pause * 2)
        self._retry_at = now + self._pause
        self._saver.save(self._after)
        return True

    def settle(self) -> bool:
        """Wait for a save that runs; whether the model folder holds what was saved last."""
        self._saver.wait()
        self._note(self._saver.take_outcome())
        return self._failed is None

    def finish(self) -> None:
        """At the end of training: if the last state is not in the model folder, try hard to put it there.

        Raises
        ------
        NotSaved
            When it is not there in the end; the message says where it is, if anywhere.
        """
        self.settle()
        attempt = 0
        while self._failed is not None:
            attempt += 1
            if attempt > self._rules.last_attempts and not self._somebody_wants_another_try():
                raise NotSaved(self._last_words())
            time.sleep(self._rules.last_pause)
            interact.info(f"Trying again to save ({attempt}): {self._failed.reason}.")
            self._saver.save(self._after)
            self.settle()

    def _somebody_wants_another_try(self):
        if self._failed.place is not None or not interact.has_terminal():
            return False
        return interact.ask_bool(
            "Nothing was saved. Make room; y tries again, n gives the last state up. Try again?", False
        )

    def _note(self, outcome):
        if outcome is None:
            return
        if outcome.error is None:
            if self._failed is not None:
                interact.info(f"\nSaving works again: iteration {outcome.iteration} is in {self._folder}.")
            self._failed, self._after, self._pause = None, None, self._rules.retry_seconds
            self.saved_iteration = outcome.iteration
            if outcome.backup_error is not None:
                interact.warning(f"The backup was not made: {outcome.backup_error}")
            return
        now = time.monotonic()
        if self._failed is None or self._failed.place is not None:
            self._began = now
        if self._failed is None:
            self._retry_at = now + self._pause
        is_known = self._failed is not None and (self._failed.reason, self._failed.place) == (
            outcome.reason,
            outcome.place,
        )
        self._failed = outcome
        if is_known:
            return  # every console line says so
        told = f"Saving iteration {outcome.iteration} failed: {outcome.error}"
        if outcome.place is not None:
            interact.warning(f"{told} It was saved to {outcome.place} instead. Saving here is tried again.")
        else:
            interact.warning(f"{told} It was not saved anywhere. Saving is tried again.")

    def _last_words(self):
        reason, place = self._failed.reason, self._failed.place
        if place is not None:
            return (
                f"{self._folder}: the model could not be saved here ({reason}). Its state of iteration "
                f"{self._failed.iteration} is in {place}. Take it back when there is room: train --restore-backup {place}"
            )
        return (
            f"{self._folder}: the state of iteration {self._failed.iteration} could not be written anywhere ({reason}), so "
            f"it is lost; {self._last_save()}. Make room, or give --fallback-save-dir a folder on another disk."
        )

    def _last_save(self):
        if not self.saved_iteration:
            return "nothing was saved before"
        return f"the last save is of iteration {self.saved_iteration}"
