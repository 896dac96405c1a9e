"""Endless batches for training: worker threads make them ahead of time, always in the same order."""

import threading
import time
from collections.abc import Callable

import numpy as np

from core.errors import UserError
from core.parallel import cpu_count
from core.random_streams import generator
from samplelib.training.augment import Augmentation, make_sample
from samplelib.training.face_store import FaceStore
from samplelib.training.shuffled_order import EvenYawOrder, ShuffledOrder

MOST_WORKERS = 8
_CHECK_SECONDS = 0.5

# Numbers that keep the random streams of a sample apart.
_GEOMETRY, _WARP, _PARTNER, _REPLACEMENT, _ORDER = range(5)


class SwapSampleStream:
    """The endless sequence of random samples of one side.

    Parameters
    ----------
    store : FaceStore
    augmentation : Augmentation
    seed : tuple of int
        Names the stream.
    yaws : numpy.ndarray, optional
        Draw head angles evenly over these yaws; see :class:`samplelib.training.shuffled_order.EvenYawOrder`.
    partners : FaceStore, optional
        Faces whose colours are taken over, drawn in an order of their own.
    """

    def __init__(
        self,
        store: FaceStore,
        augmentation: Augmentation,
        seed: tuple[int, ...],
        yaws: np.ndarray | None = None,
        partners: FaceStore | None = None,
    ):
        self.store, self.augmentation, self._seed = store, augmentation, seed
        order = (*seed, _ORDER)
        self._order = ShuffledOrder(len(store), order) if yaws is None else EvenYawOrder(yaws, order)
        self._partners = partners if augmentation.ct_mode != "none" else None
        self._partner_order = None if self._partners is None else ShuffledOrder(len(self._partners), (*seed, _PARTNER))

    def sample(self, place: int) -> tuple[np.ndarray, ...]:
        """The sample at ``place``: see :func:`samplelib.training.augment.make_sample`."""
        replacement = (*self._seed, _REPLACEMENT, place)
        _, face = self.store.get_any(self._order.index_at(place), replacement)
        partner = None
        if self._partners is not None and self._partner_order is not None:
            _, partner = self._partners.get_any(self._partner_order.index_at(place), replacement)
        return make_sample(
            face,
            self.augmentation,
            generator(*self._seed, _GEOMETRY, place),
            generator(*self._seed, _WARP, place),
            partner,
        )


def swap_batch_maker(
    source: SwapSampleStream, destination: SwapSampleStream, batch_size: int
) -> Callable[[int], dict[str, np.ndarray]]:
    """Function that makes the batch of a given number.

    Returns
    -------
    callable
        ``make(number)`` gives ``warped_src``, ``target_src`` (N, R, R, 3), ``target_srcm`` (N, R, R, 1), with eyes and
        mouth masks ``target_srcm_em`` (N, R, R, 1), and the same for ``dst``; all uint8.
    """

    def make(number: int) -> dict[str, np.ndarray]:
        batch = {}
        for side, stream in (("src", source), ("dst", destination)):
            samples = [stream.sample(number * batch_size + offset) for offset in range(batch_size)]
            names = (f"warped_{side}", f"target_{side}", f"target_{side}m", f"target_{side}m_em")
            batch.update({name: np.stack(arrays) for name, arrays in zip(names, zip(*samples))})
        return batch

    return make


def default_worker_count() -> int:
    """Threads that make batches: half of the cores, between 1 and 8; the rest is for the networks."""
    return max(1, min(MOST_WORKERS, cpu_count() // 2))


class BatchLoader:
    """Makes batches on threads ahead of time and hands them out in order.

    Parameters
    ----------
    make : callable
        Takes the number of a batch, returns the batch. Called on any thread.
    first : int
        Number of the first batch.
    workers : int, optional
    ahead : int, optional
        Batches that may be ready but not taken.

    Attributes
    ----------
    waited_seconds : float
        How long :meth:`next` has waited for batches so far.
    """

    def __init__(
        self, make: Callable[[int], dict], first: int = 0, workers: int | None = None, ahead: int | None = None
    ):
        workers = workers or default_worker_count()
        self.waited_seconds = 0.0
        self._make = make
        self._ahead = workers + 2 if ahead is None else ahead
        self._next_to_make = self._next_to_take = first
        self._ready: dict[int, dict] = {}
        self._failure: BaseException | None = None
        self._closed = False
        self._condition = threading.Condition()
        self._threads = [threading.Thread(target=self._work, name=f"samples_{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    @property
    def position(self) -> int:
        """Number of the batch that :meth:`next` gives next."""
        return self._next_to_take

    def next(self) -> dict[str, np.ndarray]:
        """The next batch.

        Raises
        ------
        UserError
            When making a batch failed; nothing waits for a dead worker.
        """
        start = time.perf_counter()
        with self._condition:
            while self._next_to_take not in self._ready:
                if self._failure is not None:
                    self._raise_failure()
                if not any(thread.is_alive() for thread in self._threads):
                    raise UserError("All sample workers have ended; no batch can be made.")
                self._condition.wait(_CHECK_SECONDS)
            batch = self._ready.pop(self._next_to_take)
            self._next_to_take += 1
            self._condition.notify_all()
        self.waited_seconds += time.perf_counter() - start
        return batch

    def close(self) -> None:
        """End the workers and wait for them."""
        with self._condition:
            self._closed = True
            self._ready.clear()
            self._condition.notify_all()
        for thread in self._threads:
            thread.join()

    def _raise_failure(self):
        if isinstance(self._failure, UserError):
            raise self._failure
        raise UserError(
            f"Making training samples failed: {type(self._failure).__name__}: {self._failure}"
        ) from self._failure

    def _work(self):
        try:
            while True:
                with self._condition:
                    while not self._closed and self._next_to_make >= self._next_to_take + self._ahead:
                        self._condition.wait(_CHECK_SECONDS)
                    if self._closed or self._failure is not None:
                        return
                    number = self._next_to_make
                    self._next_to_make += 1
                batch = self._make(number)
                with self._condition:
                    if not self._closed:
                        self._ready[number] = batch
                    self._condition.notify_all()
        except BaseException as error:
            with self._condition:
                self._failure = error
                self._condition.notify_all()


def swap_augmentations(options: dict, largest_scale: float) -> tuple[Augmentation, Augmentation]:
    """How the options of a swap model change the samples of source and destination."""
    common = {
        "warp": options["random_warp"],
        "independent_warp": options.get("warp_version", "dfl") == "independent",
        "scale": largest_scale,
    }
    source = Augmentation(
        flip=options["random_src_flip"],
        hsv_power=options.get("random_hsv_power", 0.0),
        ct_mode=options.get("ct_mode", "none"),
        ct_shared=options.get("ct_shared", False),
        **common,
    )
    return source, Augmentation(flip=options["random_dst_flip"], **common)
