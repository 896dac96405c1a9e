"""Choosing a number of faces that cover all head poses, sharp ones first and no two alike."""

from collections.abc import Callable

import numpy as np

from core.imagelib.histograms import dissimilarities

YAW_BINS = 128

_YAW_LIMIT = 1.2
_PITCH_LIMIT = np.pi / 2
_KEPT_PER_PLACE = 10


def best_faces(
    quality: np.ndarray,
    histograms: np.ndarray,
    yaw: np.ndarray,
    pitch: np.ndarray,
    target: int,
    exact: bool = False,
    advance: Callable[[int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose about ``target`` faces, spread over yaw and pitch.

    Parameters
    ----------
    quality : array_like
        (n,), higher is better: sharpness, or size of the face in its frame.
    histograms : array_like
        (n, 256) grey level counts.
    yaw, pitch : array_like
        (n,) radians, finite.
    target : int
        At least 1. The number of faces is near it; a target under 65 is never exceeded.
    exact : bool
        Top up or cut to exactly ``target`` (or to all faces when there are fewer).
    advance : callable, optional
        Told 1 for each of the 128 yaw bins done.

    Returns
    -------
    order, rest : numpy.ndarray
        Indices of the faces to keep, from the most positive yaw to the most negative, and of all others.
    """
    quality, histograms, yaw, pitch = (np.asarray(values) for values in (quality, histograms, yaw, pitch))
    bins = _bin(-yaw, np.linspace(-_YAW_LIMIT, _YAW_LIMIT, YAW_BINS))
    members = [np.flatnonzero(bins == number) for number in range(YAW_BINS)]
    places = max(1, round(target / YAW_BINS))
    places += sum(max(places - len(faces), 0) for faces in members) // YAW_BINS
    ranked = []
    for faces in members:
        faces = faces[np.argsort(-quality[faces], kind="stable")]
        sharp, blurred = np.split(faces, [_KEPT_PER_PLACE * places])
        ranked.append(np.concatenate([_by_variety(sharp, histograms, pitch, places), blurred]))
        if advance:
            advance(1)
    quotas = np.array([min(places, len(faces)) for faces in ranked])
    if exact or (quotas.sum() > target and round(target / YAW_BINS) == 0):
        quotas = _adjust(quotas, np.array([len(faces) for faces in ranked]), min(target, len(yaw)))
    order = np.concatenate([faces[:quota] for faces, quota in zip(ranked, quotas)])
    rest = np.concatenate([faces[quota:] for faces, quota in zip(ranked, quotas)])
    return order.astype(np.int64), rest.astype(np.int64)


def _by_variety(faces, histograms, pitch, places):
    """Faces of one yaw bin: one from each pitch bin in turn, the most unlike the others of its bin first."""
    if not len(faces):
        return faces
    bins = _bin(pitch[faces], np.linspace(-_PITCH_LIMIT, _PITCH_LIMIT, places))
    queues = []
    for number in np.unique(bins):
        same = faces[bins == number]
        queues.append(same[np.argsort(-dissimilarities(histograms[same]), kind="stable")])
    longest = max(len(queue) for queue in queues)
    return np.array([queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)])


def _bin(values, edges):
    """Number of the bin of each value; bin g starts at ``edges[g]``, the first and the last have no outer limit."""
    return np.searchsorted(edges[1:], values, side="right")


def _adjust(quotas, available, target):
    """Take from the fullest bins, or give to the emptiest that have more, evenly spread, until the sum is right."""
    quotas = quotas.copy()
    while (difference := target - quotas.sum()) != 0:
        if difference > 0:
            able = quotas < available
            chosen = np.flatnonzero(able & (quotas == quotas[able].min()))
        else:
            chosen = np.flatnonzero(quotas == quotas.max())
        count = min(len(chosen), abs(difference))
        evenly = (2 * np.arange(count) + 1) * len(chosen) // (2 * count)
        quotas[chosen[evenly]] += np.sign(difference)
    return quotas
