"""Grouping the faces of a faceset by who they are, and keeping one person."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import UserError
from core.files.imageio import read_bgr
from facelib.recognition.embedding import NetworkEmbedding
from samplelib.faces.persons import Embedding
from samplelib.sorting.face_scores import Measured, measure, read_face

_ROWS_AT_ONCE = 1024
_GROUPS_NAMED = 10
_FEWEST_TO_COMPARE = 3
_SAME_VECTOR = 1e-6


def embed_faces(paths: Sequence[Path], embedding: Embedding) -> Measured:
    """A vector of length 1 for each face picture.

    Raises
    ------
    UserError
        When no face has one, or when a network gives all of them the same: then it cannot tell them apart.
    """
    interact.info(f"Faces are told apart by: {embedding.description}")

    def embed(path):
        metadata = read_face(path)
        try:
            crop = embedding.crop(read_bgr(path), metadata.landmarks)
            return embedding.embed([crop])[0], zlib.crc32(crop)
        except UserError as error:
            raise UserError(f"{path.name}: {error}") from None

    found = measure(embed, paths, "Looking at faces")
    if found.failed and not found.paths:
        raise UserError(f"None of the {len(found.failed)} faces could be looked at; nothing was moved.")
    vectors = [vector for vector, _ in found.values]
    different_pictures = len({checksum for _, checksum in found.values})
    can_compare = isinstance(embedding, NetworkEmbedding) and different_pictures >= _FEWEST_TO_COMPARE
    if can_compare and np.ptp(np.stack(vectors), axis=0).max() < _SAME_VECTOR:
        raise UserError(
            f"The {embedding.description} gives all {len(vectors)} faces the same vector, so it cannot tell them "
            "apart; nothing was moved. Give another network."
        )
    return Measured(found.paths, vectors, found.without_face, found.failed)


def group_by_likeness(vectors: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Groups of indices whose vectors point the same way, the largest group first.

    Parameters
    ----------
    vectors : numpy.ndarray
        (n, d), of length 1.
    threshold : float
        Least mean cosine between the members of two groups that become one.

    Returns
    -------
    list of numpy.ndarray
        Together all indices; those of a group from the most to the least typical. Groups of one size are in the
        order of their first members.

    Notes
    -----
    Average linkage. Each vector first joins the group that it is most like, or opens one; then the groups that are
    each other's most similar ones are joined until none are similar enough. The mean cosine between two groups is
    the product of their means, which are not of length 1.
    """
    means, sizes, labels = _open_groups(vectors, threshold)
    while len(pairs := _pairs_to_join(means, threshold)):
        for kept, joined in pairs:
            total = sizes[kept] + sizes[joined]
            means[kept] = (means[kept] * sizes[kept] + means[joined] * sizes[joined]) / total
            sizes[kept], sizes[joined] = total, 0
            labels[labels == joined] = kept
        alive = np.flatnonzero(sizes)
        means, sizes, labels = means[alive], sizes[alive], np.searchsorted(alive, labels)
    groups = []
    for label in range(len(means)):
        members = np.flatnonzero(labels == label)
        groups.append(members[np.argsort(-(vectors[members] @ means[label]), kind="stable")])
    return sorted(groups, key=lambda members: (-len(members), members.min()))


def describe_groups(groups: Sequence[np.ndarray]) -> None:
    """Say which numbers the groups get."""
    start = 0
    interact.info(f"{counted(len(groups), 'group')} of faces:")
    for number, members in enumerate(groups[:_GROUPS_NAMED], start=1):
        interact.info(f"  {number}: {counted(len(members), 'face')}, {start:05d} … {start + len(members) - 1:05d}")
        start += len(members)
    if len(groups) > _GROUPS_NAMED:
        interact.info(f"  … and {len(groups) - _GROUPS_NAMED} more, from {start:05d} on")


def _open_groups(vectors, threshold):
    """Means (k, d), sizes (k,) and the group of each vector, after one pass over them."""
    means, sizes = np.zeros_like(vectors), np.zeros(len(vectors), np.int64)
    labels, count = np.zeros(len(vectors), np.int64), 0
    for index, vector in enumerate(vectors):
        likeness = means[:count] @ vector
        best = int(likeness.argmax()) if count else -1
        if best < 0 or likeness[best] < threshold:
            best, count = count, count + 1
        sizes[best] += 1
        means[best] += (vector - means[best]) / sizes[best]
        labels[index] = best
    return means[:count].copy(), sizes[:count].copy(), labels


def _pairs_to_join(means, threshold):
    """Pairs of groups, each the most similar one to the other, that are similar enough."""
    best, likeness = np.zeros(len(means), np.int64), np.full(len(means), -np.inf)
    for start in range(0, len(means), _ROWS_AT_ONCE):
        rows = means[start : start + _ROWS_AT_ONCE] @ means.T
        own = np.arange(len(rows))
        rows[own, start + own] = -np.inf
        best[start : start + len(rows)], likeness[start : start + len(rows)] = rows.argmax(axis=1), rows.max(axis=1)
    own = np.arange(len(means))
    chosen = (best[best] == own) & (own < best) & (likeness >= threshold)
    return [(int(group), int(best[group])) for group in own[chosen]]
