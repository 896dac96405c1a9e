"""Ordered parallel map over threads with a bounded number of items in flight."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from core.errors import DiskError
from core.files.system_errors import FOR_EVERY_FILE


def cpu_count() -> int:
    """Number of processor cores that this process may use."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:
        return max(1, os.cpu_count() or 1)


@dataclass(frozen=True)
class Outcome:
    """What became of one item: ``value``, or the exception in ``error``."""

    item: Any
    value: Any = None
    error: Exception | None = None


def ordered_map(function: Callable, items: Iterable, workers: int | None = None, ahead: int | None = None) -> Generator:
    """Apply ``function`` to ``items`` on threads and yield an :class:`Outcome` for each, in input order.

    OpenCV, NumPy and TensorFlow release the interpreter lock, so threads keep all cores busy. At most
    ``workers + ahead`` items are in work or finished but not taken, so memory does not grow with their number.

    Parameters
    ----------
    function : callable
        Takes one item. An exception ends up in ``Outcome.error``; it does not end the run, unless it is a
        :class:`~core.errors.DiskError`, which all other items would meet too.
    items : iterable
        Read lazily.
    workers : int, optional
        Threads; all cores by default.
    ahead : int, optional
        Finished results that may wait; as many as workers by default.
    """
    workers = workers or cpu_count()
    window = workers + (workers if ahead is None else ahead)

    def call(item):
        try:
            return Outcome(item, function(item))
        except Exception as error:
            return Outcome(item, error=error)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="ordered_map")
    pending: deque = deque()
    try:
        for item in items:
            pending.append(pool.submit(call, item))
            if len(pending) >= window:
                yield _checked(pending.popleft().result())
        while pending:
            yield _checked(pending.popleft().result())
    finally:
        for future in pending:
            future.cancel()
        pool.shutdown(wait=True, cancel_futures=True)


def _checked(outcome):
    if isinstance(outcome.error, DiskError) or getattr(outcome.error, "errno", None) in FOR_EVERY_FILE:
        raise outcome.error
    return outcome
