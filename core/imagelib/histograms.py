"""Brightness histograms of pictures, and orders by how much they resemble each other."""

from collections.abc import Callable

import cv2
import numpy as np

# Largest error of a dot product of two float32 vectors of 256 values whose squares sum to 1.
_DOT_ERROR = 4e-6
_MAIN_DIRECTIONS, _SAMPLE = 24, 2000
_ROWS_AT_ONCE = 1024


def grey_histogram(image: np.ndarray) -> np.ndarray:
    """(256,) float32 counts of the grey levels of a uint8 BGR picture (H, W, 3)."""
    return cv2.calcHist([cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)], [0], None, [256], [0, 256]).ravel()


def channel_histograms(image: np.ndarray) -> np.ndarray:
    """(3, 256) float32 counts of the levels of each channel of a uint8 BGR picture (H, W, 3)."""
    return np.stack([cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel() for channel in range(3)])


def bhattacharyya(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distance of histograms along the last axis, 0 (equal shape) … 1 (nothing in common).

    Notes
    -----
    .. math:: d(a, b) = \\sqrt{1 - \\sum_i \\sqrt{a_i b_i} \\big/ \\sqrt{\\sum_i a_i \\sum_i b_i}}
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    common = np.sqrt(first * second).sum(axis=-1)
    total = np.sqrt(first.sum(axis=-1) * second.sum(axis=-1))
    return np.sqrt(np.maximum(0.0, 1 - common / total))


def dissimilarities(histograms: np.ndarray, advance: Callable[[int], None] | None = None) -> np.ndarray:
    """Sum of the distances of each histogram to all others.

    Parameters
    ----------
    histograms : numpy.ndarray
        (n, 256) counts, none all zero.
    advance : callable, optional
        Told the number of rows done, for a progress bar.

    Returns
    -------
    numpy.ndarray
        (n,) float64. Memory is n × 1024 distances at a time.
    """
    roots = _unit_roots(histograms, np.float64)
    sums = np.zeros(len(roots))
    for start in range(0, len(roots), _ROWS_AT_ONCE):
        block = roots[start : start + _ROWS_AT_ONCE] @ roots.T
        distance = np.sqrt(np.maximum(0.0, 1 - block, out=block), out=block)
        rows = np.arange(len(distance))
        distance[rows, start + rows] = 0
        sums[start : start + _ROWS_AT_ONCE] = distance.sum(axis=1)
        if advance:
            advance(len(distance))
    return sums


def similarity_chain(histograms: np.ndarray, advance: Callable[[int], None] | None = None) -> np.ndarray:
    """Order in which each picture is followed by the one most like it among those left, starting with the first.

    Parameters
    ----------
    histograms : numpy.ndarray
        (n, c, 256) counts of c channels; the distance of two pictures is the sum over the channels.
    advance : callable, optional
        Told 1 for each picture placed.

    Returns
    -------
    numpy.ndarray
        (n,) int64 indices. The chosen picture changes places with the one after the current, so among equally
        similar ones the first in *that* order wins.

    Notes
    -----
    The Bhattacharyya coefficient of two histograms is the product of two unit vectors (roots of the frequencies). Its
    parts along the few directions in which most of all vectors lie, and the lengths of the remainders, bound it; so a
    step reads a tenth of the data. Pictures that the bounds leave are measured in float32, and those that its rounding
    cannot tell from the smallest in float64, so the result does not depend on the processor.
    """
    histograms = np.asarray(histograms, np.float32)
    order = np.arange(len(histograms))
    roots = np.ascontiguousarray(_unit_roots(histograms, np.float32).swapaxes(0, 1))
    main_parts, remainders = _compress(roots)
    for place in range(len(order) - 1):
        rest = place + 1
        candidates = _possible(main_parts, remainders, place)
        nearest = rest + _nearest(candidates, roots, histograms, order, place)
        for values in (order, main_parts.swapaxes(0, 1), remainders.T):
            values[[rest, nearest]] = values[[nearest, rest]]
        if advance:
            advance(1)
    return order


def _compress(roots):
    """Components (c, n, k) of the vectors along their k main directions, and lengths (c, n) of what is left."""
    parts, remainders = [], []
    for channel in roots:
        sample = channel[:: max(1, len(channel) // _SAMPLE)].astype(np.float64)
        directions = np.linalg.eigh(sample.T @ sample)[1][:, -_MAIN_DIRECTIONS:]
        part = channel @ directions.astype(np.float32)
        parts.append(part)
        remainders.append(np.sqrt(np.maximum(1 - np.square(part).sum(axis=1), 0) + _DOT_ERROR))
    return np.stack(parts), np.stack(remainders).astype(np.float32)


def _possible(main_parts, remainders, place):
    """Positions, counted from the one after ``place``, of all pictures that may be the nearest."""
    rest = place + 1
    common = np.stack([channel[rest:] @ channel[place] for channel in main_parts])
    unknown = remainders[:, rest:] * remainders[:, place, None] + _DOT_ERROR
    at_least = np.sqrt(np.maximum(1 - common - unknown, 0)).sum(axis=0)
    at_most = np.sqrt(np.maximum(1 - common + unknown, 0)).sum(axis=0)
    return np.flatnonzero(at_least <= at_most.min())


def _nearest(candidates, roots, histograms, order, place):
    """The candidate (a position after ``place``) whose picture is the nearest."""
    if len(candidates) == 1:
        return candidates[0]
    ids = order[place + 1 + candidates]
    squared = np.maximum(1 - np.stack([channel[ids] @ channel[order[place]] for channel in roots]), 0)
    at_least = np.sqrt(np.maximum(squared - _DOT_ERROR, 0)).sum(axis=0)
    at_most = np.sqrt(squared + _DOT_ERROR).sum(axis=0)
    close = np.flatnonzero(at_least <= at_most.min())
    if len(close) > 1:
        exact = bhattacharyya(histograms[ids[close]], histograms[order[place]]).sum(axis=-1)
        close = close[[np.argmin(exact)]]
    return candidates[close[0]]


def _unit_roots(histograms, dtype):
    """Square roots of relative frequencies: vectors of length 1 whose product is the Bhattacharyya coefficient."""
    histograms = np.asarray(histograms, np.float64)
    return np.sqrt(histograms / histograms.sum(axis=-1, keepdims=True)).astype(dtype)
