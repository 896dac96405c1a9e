"""Grouping the faces of a faceset by who they are, and keeping one person."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core import interact
from core.errors import UserError
from core.imageio import read_bgr
from facelib.embedding import NetworkEmbedding, TextureEmbedding, aligned_crop
from samplelib.aligned_face import read_metadata
from samplelib.face_scores import Measured, measure, read_face

_ROUNDS = 10
_GROUPS_NAMED = 10


def open_embedding(model: Path | None) -> TextureEmbedding | NetworkEmbedding:
    """The network of a file, or the texture of the face."""
    return TextureEmbedding() if model is None else NetworkEmbedding(model)


def embed_faces(paths: Sequence[Path], embedding: TextureEmbedding | NetworkEmbedding) -> Measured:
    """A vector of length 1 for each face picture."""
    interact.info(f"Faces are told apart by: {embedding.description}")

    def embed(path):
        metadata = read_face(path)
        try:
            return embedding.embed([aligned_crop(read_bgr(path), metadata.landmarks)])[0]
        except UserError as error:
            raise UserError(f"{path.name}: {error}") from None

    return measure(embed, paths, "Looking at faces")


def embed_reference(path: Path, embedding: TextureEmbedding | NetworkEmbedding) -> np.ndarray:
    """The vector of the largest face in a picture, which may be a face picture or any photo."""
    if not path.is_file():
        raise UserError(f"{path}: no such file. Give a picture of the person to keep.")
    image, metadata = read_bgr(path), read_metadata(path)
    landmarks = _find_landmarks(path, image) if metadata is None else metadata.landmarks
    return embedding.embed([aligned_crop(image, landmarks)])[0]


def group_by_likeness(vectors: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Groups of indices whose vectors point the same way, the largest group first.

    Parameters
    ----------
    vectors : numpy.ndarray
        (n, d), of length 1.
    threshold : float
        A vector joins the group to whose mean direction its cosine is at least this, the most similar one.

    Returns
    -------
    list of numpy.ndarray
        Together all indices; those of a group from the most to the least typical. Groups of one size are in the
        order of their first members.

    Notes
    -----
    Groups are opened in input order, groups whose means are that close are joined, and the vectors are distributed
    anew until nothing moves.
    """
    means = _open_groups(vectors, threshold)
    labels = None
    for _ in range(_ROUNDS):
        means = _join_close(means, threshold)
        before, labels = labels, (vectors @ means.T).argmax(axis=1)
        if before is not None and np.array_equal(before, labels):
            break
        means = _unit(np.stack([vectors[labels == label].sum(axis=0) for label in np.unique(labels)]))
        labels = np.unique(labels, return_inverse=True)[1]
    groups = []
    for label in range(len(means)):
        members = np.flatnonzero(labels == label)
        if len(members):
            groups.append(members[np.argsort(-(vectors[members] @ means[label]), kind="stable")])
    return sorted(groups, key=lambda members: (-len(members), members.min()))


def describe_groups(groups: Sequence[np.ndarray]) -> None:
    """Say which numbers the groups get."""
    start = 0
    interact.info(f"{len(groups)} groups of faces:")
    for number, members in enumerate(groups[:_GROUPS_NAMED], start=1):
        interact.info(f"  {number}: {len(members)} faces, {start:05d} … {start + len(members) - 1:05d}")
        start += len(members)
    if len(groups) > _GROUPS_NAMED:
        interact.info(f"  … and {len(groups) - _GROUPS_NAMED} more, from {start:05d} on")


def _open_groups(vectors, threshold):
    """Mean directions of groups opened in one pass over the vectors."""
    sums, means = np.zeros((0, vectors.shape[1]), np.float32), np.zeros((0, vectors.shape[1]), np.float32)
    for vector in vectors:
        likeness = means @ vector
        best = int(likeness.argmax()) if len(likeness) else -1
        if best >= 0 and likeness[best] >= threshold:
            sums[best] += vector
            means[best] = sums[best] / np.linalg.norm(sums[best])
        else:
            sums, means = np.vstack([sums, vector]), np.vstack([means, vector])
    return means


def _join_close(means, threshold):
    kept = []
    for mean in means:
        if not kept or max(float(mean @ other) for other in kept) < threshold:
            kept.append(mean)
    return np.stack(kept)


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def _find_landmarks(path, image):
    from facelib.aligners.embedded import EmbeddedAligner
    from facelib.detectors.embedded import EmbeddedDetector

    boxes = EmbeddedDetector().detect([image])[0]
    landmarks = EmbeddedAligner().align([image], [boxes[:1]])[0][0] if boxes else None
    if landmarks is None:
        raise UserError(f"{path}: no face found in it. Give a picture where the person looks towards the camera.")
    return landmarks
