"""Face pictures of a folder, and what is said of those that are none."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from core.console import interact
from core.errors import FormatError, UserError
from core.files.paths import list_images
from samplelib.faces import aligned_face
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.faces.sample import Sample

_MOST_NAMED = 10


def loose_faces(folder: Any) -> list[tuple[Path, tuple[int, int, int], FaceMetadata]]:
    """Path, shape and metadata of every face picture directly in ``folder``; others are warned about and left out."""
    return [(sample.path, sample.shape, sample.metadata) for sample in loose_samples(Path(folder))]


def refuse_to_replace_face(path: Any) -> None:
    """Raise a :class:`~core.errors.UserError` when ``path`` is a face picture, so must not become something else."""
    path = Path(path)
    if path.is_file():
        try:
            holds_face = aligned_face.read_metadata(path) is not None
        except FormatError:
            holds_face = False
        if holds_face:
            raise UserError(f"{path}: is itself a face picture, so nothing is written over it. Rename it first.")


def report_without_face_data(paths: list[Path]) -> None:
    """Name pictures that are left out because they carry no face data; many of them in few lines."""
    for path in paths[:_MOST_NAMED]:
        interact.warning(f"{path.name} is not a DFL image file. It is left out.")
    if len(paths) > _MOST_NAMED:
        last = paths[-1].name
        interact.warning(f"… and {len(paths) - _MOST_NAMED} more images without face data, up to {last}.")


def loose_samples(folder: Path) -> Iterator[Sample]:
    """Samples of the face pictures directly in a folder, in natural order of their names; what is none is told."""
    paths, without = list_images(folder), []
    for path in interact.track(paths, "Loading samples") if paths else ():
        try:
            shape, metadata = aligned_face.read_header(path)
        except FormatError as error:
            interact.warning(f"{error}. It is left out.")
            continue
        if metadata is None:
            without.append(path)
            continue
        yield Sample(
            path.name, shape, path, path.read_bytes, partial(aligned_face.read_metadata, path), _metadata=metadata
        )
    report_without_face_data(without)
