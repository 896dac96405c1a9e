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


def describe_groups(groups: Sequence[np.ndarray]) -> None:
    """Say which numbers the groups get."""
    start = 0
    interact.info(f"{counted(len(groups), 'group')} of faces:")
    for number, members in enumerate(groups[:_GROUPS_NAMED], start=1):
        interact.info(f"  {number}: {counted(len(members), 'face')}, {start:05d} … {start + len(members) - 1:05d}")
        start += len(members)
    if len(groups) > _GROUPS_NAMED:
        interact.info(f"  … and {len(groups) - _GROUPS_NAMED} more, from {start:05d} on")
