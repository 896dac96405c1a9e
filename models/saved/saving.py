"""Saving while training goes on: the files of a snapshot are written by a thread of their own."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.base import NonFiniteWeights, SavedModel
from models.saved import transaction
from models.saved.emergency import EmergencySaves, forget_note


@dataclass(frozen=True)
class SaveOutcome:
    """How a save has ended.

    Parameters
    ----------
    iteration : int
    error : Exception or None
        Why the model folder does not hold it.
    place : Path or None
        The folder that took it instead.
    backup_error : Exception or None
        Why the backup was not made, of a save that worked.
    """

    iteration: int
    error: Exception | None = None
    place: Path | None = None
    backup_error: Exception | None = None

    @property
    def reason(self) -> str:
        """Why the save failed, in a few words."""
        return str(getattr(self.error, "reason", None) or self.error or type(self.error).__name__)


class BackgroundSaver:
    """Writes one generation of a model at a time; training pauses only while the snapshot is copied.

    Parameters
    ----------
    saved : SavedModel
    emergency : EmergencySaves, optional
        Where a generation goes that the model folder does not take.
    """

    def __init__(self, saved: SavedModel, emergency: EmergencySaves | None = None):
        self._saved, self._emergency = saved, emergency
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._outcome: SaveOutcome | None = None

    def save(self, after: Callable[[], object] | None = None) -> None:
        """Start writing the present generation; waits first for the one before.

        Parameters
        ----------
        after : callable, optional
            Called on the saving thread once the files are in place, for example to make a backup of them.

        Raises
        ------
        NonFiniteWeights
            When the save before was of a state that must not be saved.
        """
        self.wait()
        snapshot, iteration = self._saved.snapshot(), self._saved.iteration

        def write():
            try:
                self._outcome = self._written(snapshot, iteration, after)
            except BaseException as error:
                self._failure = error

        # Not a daemon: the program does not end before the files are in place.
        self._thread = threading.Thread(target=write, name="saving")
        self._thread.start()

    def take_outcome(self) -> SaveOutcome | None:
        """How the latest save has ended, told once; None while it runs."""
        self.check()
        if self._thread is not None:
            return None
        outcome, self._outcome = self._outcome, None
        return outcome

    def check(self) -> None:
        """Raise what forbids a finished save, without waiting for one that runs."""
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """Wait until the save has ended; raises what forbids it, but not that it could not be written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _written(self, snapshot, iteration, after):
        """Write a generation to the model folder or, when that fails, elsewhere."""
        folder, prefix = self._saved.model_dir, self._saved.prefix
        try:
            transaction.commit(folder, prefix, snapshot)
        except NonFiniteWeights:
            raise
        except Exception as error:
            return SaveOutcome(iteration, error, self._placed_elsewhere(snapshot, iteration))
        forget_note(folder, prefix)
        try:
            if after is not None:
                after()
        except Exception as error:
            return SaveOutcome(iteration, backup_error=error)
        return SaveOutcome(iteration)

    def _placed_elsewhere(self, snapshot, iteration):
        try:
            return None if self._emergency is None else self._emergency.save(iteration, snapshot)
        except Exception:  # why the model folder did not take it says more than this
            return None
