"""Sorting methods beyond DeepFaceLab's: near-duplicates, who a face is, and landmarks that went wrong."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import UserError
from core.files.imageio import read_bgr
from core.imagelib.sharpness import sharpness
from samplelib.faces import persons
from samplelib.faces.aligned_face import read_metadata
from samplelib.faces.grouping import group_by_likeness
from samplelib.sorting import duplicates, face_scores, identity
from samplelib.sorting.face_scores import measure
from samplelib.sorting.landmark_errors import landmark_errors
from samplelib.sorting.method_values import Sorted, SortOptions


def by_duplicates(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Of pictures that show nearly the same only the sharpest stays; the names do not change."""

    def look(path):
        image, metadata = read_bgr(path), read_metadata(path)
        face = image if metadata is None else face_scores.masked(image, metadata)
        return duplicates.perceptual_hash(image), sharpness(face)

    measured = measure(look, paths, "Looking at pictures")
    if not measured.paths:
        return Sorted()
    distance = duplicates.DEFAULT_DISTANCE if options.threshold is None else int(options.threshold)
    hashes, quality = zip(*measured.values)
    keep = duplicates.keep_best_of_alike(np.stack(hashes), np.array(quality), distance)
    interact.info(f"Found {counted(int((~keep).sum()), 'near-duplicate')} among {counted(len(keep), 'image')}.")
    return Sorted([], [path for path, kept in zip(measured.paths, keep) if not kept])


def by_identity(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Faces of one person together, the most frequent person first; or only the faces of a given person."""
    embedding = persons.open_embedding(options.embedding_model, options.recognition)
    threshold = embedding.threshold if options.threshold is None else options.threshold
    if options.identity is not None:
        return _one_person(paths, options.identity, embedding, threshold, options.threshold is not None)
    measured = identity.embed_faces(paths, embedding)
    if not measured.paths:
        return Sorted(measured.failed, measured.without_face)
    groups = group_by_likeness(np.stack(measured.values), threshold)
    identity.describe_groups(groups)
    order = [measured.paths[number] for members in groups for number in members]
    return Sorted(order + measured.failed, measured.without_face)


def _one_person(paths, reference, embedding, threshold, is_chosen):
    """Trash for the faces that are not like the reference; all names stay. Never all, unless the threshold was chosen."""
    folder = paths[0].parent
    if reference.is_dir() and reference.samefile(folder):
        raise UserError(
            f"{reference}: is the folder that is sorted. Give a picture of the person, or a folder of its pictures."
        )
    person = persons.KnownPerson(persons.person_places([reference], folder), threshold, embedding)
    measured = identity.embed_faces(paths, embedding)
    likeness = person.likeness_of_vectors(np.stack(measured.values)) if measured.paths else np.zeros(0)
    others = [path for path, value in zip(measured.paths, likeness) if value < threshold]
    if len(likeness) and len(others) == len(likeness) and not is_chosen:
        raise UserError(
            f"None of {len(likeness)} faces is like {reference.name}: likeness at least {threshold:g} was wanted, and the "
            f"best has {likeness.max():.2f}. Nothing was moved; give another picture, or a lower --threshold."
        )
    if len(likeness):
        interact.info(
            f"{len(likeness) - len(others)} of {len(likeness)} faces are like {reference.name}: likeness at least "
            f"{threshold:g}; found {likeness.min():.2f} … {likeness.max():.2f}, half of them above {np.median(likeness):.2f}."
        )
    return Sorted([], others)


def by_landmark_error(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Faces whose landmarks are furthest from what a second look finds first; above the threshold to trash."""
    measured = landmark_errors(paths)
    ranked = sorted(zip(measured.values, measured.paths), key=lambda pair: -pair[0])
    limit = np.inf if options.threshold is None else options.threshold
    for error, path in ranked[:10]:
        interact.info(f"  {path.name}: {error:.3f} distances between the eyes")
    keep = [path for error, path in ranked if error <= limit]
    trash = [path for error, path in ranked if error > limit]
    return Sorted(keep + measured.failed, trash + measured.without_face)


FUNCTIONS = {
    "duplicates": by_duplicates,
    "identity": by_identity,
    "landmarks-error": by_landmark_error,
}
