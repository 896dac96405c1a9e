"""Chains of pictures by their pixel differences, each followed by the nearest or the farthest one left."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

GRID_FOR_SIMILAR, GRID_FOR_DISSIMILAR = 32, 64

_COLUMNS_AT_ONCE = 1 << 22  # keeps sums of 8-bit differences within 32 bits
_FEWEST_CANDIDATES, _MOST_CANDIDATES = 8, 512
_MOST_MEASURED_IF_DISSIMILAR = 128


def l1_distances(rows: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Σ|a − b| of each of the (n, d) uint8 ``rows`` to the (d,) uint8 ``row``; (n,) int64."""
    total = np.zeros(len(rows), np.int64)
    for start in range(0, rows.shape[1], _COLUMNS_AT_ONCE):
        part = slice(start, start + _COLUMNS_AT_ONCE)
        distance, _ = cv2.batchDistance(rows[:, part], row[None, part], cv2.CV_32S, normType=cv2.NORM_L1, K=1)
        total += np.asarray(distance[:, 0], total.dtype)
    return total


def thumbnail(image: np.ndarray, grid: int) -> tuple[np.ndarray, int]:
    """What bounds the difference of two pictures without looking at all their pixels.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) uint8.
    grid : int
        The picture is cut into ``grid`` × ``grid`` cells, fewer where it has fewer pixels.

    Returns
    -------
    means : numpy.ndarray
        (cells · 3,) uint8, rounded means of the cells.
    spread : int
        Σ|pixel − rounded mean of its cell|.
    """
    row_edges, column_edges = (_cell_edges(length, grid) for length in image.shape[:2])
    sums = np.add.reduceat(image, row_edges[:-1], axis=0, dtype=np.int64)
    sums = np.add.reduceat(sums, column_edges[:-1], axis=1)
    heights, widths = np.diff(row_edges), np.diff(column_edges)
    areas = np.outer(heights, widths)[:, :, None]
    means = ((2 * sums + areas) // (2 * areas)).astype(np.uint8)
    enlarged = np.repeat(np.repeat(means, heights, axis=0), widths, axis=1)
    return means.ravel(), int(cv2.norm(image, enlarged, cv2.NORM_L1))


def pixel_chain(
    pixels: np.ndarray,
    shape: tuple,
    similar: bool = True,
    advance: Callable[[int], None] | None = None,
    workers: int = 2,
) -> np.ndarray:
    """Order in which each picture is followed by the nearest (farthest) one left, by Σ|a − b|, starting with the first.

    Parameters
    ----------
    pixels : numpy.ndarray
        (n, H · W · 3) uint8, one picture a row; may be a memory map.
    shape : tuple
        (H, W, 3).
    similar : bool
        Nearest or farthest.
    advance : callable, optional
        Told 1 for each picture looked at and 1 for each picture placed, 2 n in all.
    workers : int
        Threads.

    Returns
    -------
    numpy.ndarray
        (n,) int64 indices. Of equally distant pictures the first wins.

    Notes
    -----
    For a cell of N pixels with means A, B, rounded A', B':
    :math:`N(|A'-B'|-1) \\le N|A-B| \\le \\sum|a-b| \\le \\sum|a-A'| + N|A'-B'| + \\sum|b-B'|`.
    Only pictures that these bounds cannot rule out are compared in full. The nearest picture is always found. The
    upper bound is far looser, so of the farthest about the 128 most promising are compared: in larger sets the one
    taken can be a little nearer than the farthest.
    """
    grid = GRID_FOR_SIMILAR if similar else GRID_FOR_DISSIMILAR
    advance = advance or (lambda count: None)
    with ThreadPoolExecutor(workers) as pool:
        summaries = []
        for summary in pool.map(lambda row: thumbnail(row.reshape(shape), grid), pixels):
            summaries.append(summary)
            advance(1)
        thumbnails, spreads = zip(*summaries)
        left = _Left(np.stack(thumbnails), np.array(spreads, np.int64), _cell_sizes(shape, grid), similar)
        order, current = [0], left.take(0)
        while len(left.ids):
            position = _extreme(left, current, pixels, order[-1], pool, workers)
            order.append(int(left.ids[position]))
            current = left.take(position)
            advance(1)
    advance(1)
    return np.array(order)


class _Left:
    """The pictures not placed yet; the last one fills the place of one that is taken."""

    def __init__(self, thumbnails, spreads, cell_sizes, similar):
        self.ids = np.arange(len(thumbnails))
        self._thumbnails, self._spreads = thumbnails, spreads
        self._cell_sizes, self._similar = cell_sizes, similar
        self.most_measured = len(thumbnails) if similar else _MOST_MEASURED_IF_DISSIMILAR

    def take(self, position):
        thumbnail, spread = self._thumbnails[position].copy(), self._spreads[position]
        last = len(self.ids) - 1
        for values in (self.ids, self._thumbnails, self._spreads):
            values[position] = values[last]
        self.ids, self._thumbnails = self.ids[:last], self._thumbnails[:last]
        self._spreads = self._spreads[:last]
        return thumbnail, spread

    def lower_bounds(self, thumbnail, spread):
        """Lower bounds of the distances to a picture that was taken, or of the negative distances; (n,) int64."""
        difference = l1_distances(self._thumbnails, thumbnail)
        smallest, largest = self._cell_sizes
        if self._similar:
            return smallest * difference - largest * len(thumbnail)
        return -(largest * difference + self._spreads + spread)

    def sign(self):
        return 1 if self._similar else -1


def _extreme(left, current, pixels, current_id, pool, workers):
    """Position of the picture with the least (signed) distance, the first by number where several have it."""
    bounds = left.lower_bounds(*current)
    row, sign = pixels[current_id], left.sign()

    def measure(ids):
        return [sign * int(cv2.norm(pixels[number], row, cv2.NORM_L1)) for number in ids]

    best, best_position, measured = None, -1, 0
    for candidates in _ascending(bounds):
        if best is not None and (bounds[candidates[0]] > best[0] or measured >= left.most_measured):
            break
        measured += len(candidates)
        ids = left.ids[candidates]
        parts = np.array_split(ids, min(workers, len(ids)))
        distances = [distance for part in pool.map(measure, parts) for distance in part]
        for distance, number, position in zip(distances, ids, candidates):
            if best is None or (distance, number) < best:
                best, best_position = (distance, number), position
    return best_position


def _ascending(bounds) -> Iterator[np.ndarray]:
    """Positions in growing blocks, smallest bounds first, equal ones by position; sorts no more than is asked for."""
    done, count = 0, _FEWEST_CANDIDATES
    while done < len(bounds):
        known = min(len(bounds), 8 * (done + count))
        first = np.flatnonzero(bounds <= np.partition(bounds, known - 1)[known - 1])
        first = first[np.argsort(bounds[first], kind="stable")]
        while done < len(first):
            block = first[done : done + count]
            yield block
            done += len(block)
            count = min(2 * count, _MOST_CANDIDATES)


def _cell_edges(length, grid):
    cells = min(length, grid)
    return np.arange(cells + 1) * length // cells


def _cell_sizes(shape, grid):
    """Pixels of the smallest and of the largest cell."""
    sides = [np.diff(_cell_edges(length, grid)) for length in shape[:2]]
    return int(sides[0].min() * sides[1].min()), int(sides[0].max() * sides[1].max())
