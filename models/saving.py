"""Saving while training goes on: the files of a snapshot are written by a thread of their own."""

import threading
from collections.abc import Callable

from models import transaction
from models.base import SavedModel


class BackgroundSaver:
    """Writes one generation of a model at a time; training pauses only while the snapshot is copied.

    Parameters
    ----------
    saved : SavedModel
    """

    def __init__(self, saved: SavedModel):
        self._saved = saved
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def save(self, after: Callable[[], None] | None = None) -> None:
        """Start writing the present generation; waits first for the one before.

        Parameters
        ----------
        after : callable, optional
            Called on the saving thread once the files are in place, for example to make a backup of them.

        Raises
        ------
        Exception
            What the save before has failed with.
        """
        self.wait()
        snapshot = self._saved.snapshot()

        def write():
            try:
                transaction.commit(self._saved.model_dir, self._saved.prefix, snapshot)
                if after is not None:
                    after()
            except BaseException as error:
                self._failure = error

        # Not a daemon: the program does not end before the files are in place.
        self._thread = threading.Thread(target=write, name="saving")
        self._thread.start()

    def check(self) -> None:
        """Raise what a finished save has failed with, without waiting for one that runs."""
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """Wait until the files are in place; raises what writing has failed with."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
