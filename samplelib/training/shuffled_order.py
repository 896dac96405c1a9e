"""Which face comes at which place of an endless random sequence, as a pure function of seed and place."""

import numpy as np

from core.random_streams import generator

YAW_GRID = np.linspace(-1.2, 1.2, 128)
_ORDERS_KEPT = 4


class ShuffledOrder:
    """The indexes 0 … ``count`` - 1 in random order, in another one after each pass.

    Because the index at a place depends on nothing but the seed, training that stops and resumes sees the same faces as
    training that does not, and worker threads need no common state.

    Parameters
    ----------
    count : int
    seed : tuple of int
        Names the order.
    """

    def __init__(self, count: int, seed: tuple[int, ...]):
        self.count = count
        self._seed = seed
        self._orders: dict[int, np.ndarray] = {}

    def index_at(self, place: int) -> int:
        """The index at ``place`` (0, 1, 2 …) of the sequence."""
        pass_number, offset = divmod(place, self.count)
        order = self._orders.get(pass_number)
        if order is None:
            order = generator(*self._seed, pass_number).permutation(self.count)
            self._orders[pass_number] = order
            for old in [number for number in self._orders if number < pass_number - _ORDERS_KEPT]:
                self._orders.pop(old, None)
        return int(order[offset])


class EvenYawOrder:
    """Draws head angles evenly: first a non-empty bin of yaw, then a face of that bin, each in an order of its own.

    Parameters
    ----------
    yaws : numpy.ndarray
        (count,) yaw of each face in radians.
    seed : tuple of int
    """

    def __init__(self, yaws: np.ndarray, seed: tuple[int, ...]):
        bins = yaw_bins(yaws)
        self.count = len(yaws)
        self.members = [np.flatnonzero(bins == index) for index in np.unique(bins)]
        self._bins = ShuffledOrder(len(self.members), (*seed, 1))
        self._orders_of_bins = [
            ShuffledOrder(len(faces), (*seed, 2, index)) for index, faces in enumerate(self.members)
        ]

    def index_at(self, place: int) -> int:
        """The face at ``place`` of the sequence."""
        chosen = self._bins.index_at(place)
        return int(self.members[chosen][self._orders_of_bins[chosen].index_at(place // self._bins.count)])


def yaw_bins(yaws: np.ndarray) -> np.ndarray:
    """Bin (0…127) of each yaw: the grid runs from -1.2 to 1.2 over the negated angle, both ends catch what is outside."""
    return np.clip(np.searchsorted(YAW_GRID, -np.asarray(yaws, np.float64), side="right") - 1, 0, len(YAW_GRID) - 1)
