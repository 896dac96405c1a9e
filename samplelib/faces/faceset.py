"""A faceset as a list of samples, whether it is a folder of face pictures or a packed file."""

from functools import partial
from pathlib import Path
from typing import Any

from core.console import interact
from core.errors import FormatError, NothingToDo, UserError
from core.files.paths import list_files, list_images
from samplelib.faces import aligned_face
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.faces.sample import Sample
from samplelib.packs.names import PACK_NAME

_MOST_NAMED = 10


def load_faceset(folder: Any, allow_empty: bool = False, pack_name: str = PACK_NAME) -> list[Sample]:
    """Samples of a folder in natural order of their names: those of its packed faceset if there is one, else its JPEGs.

    Pictures without face data are left out, with a warning.

    Raises
    ------
    NothingToDo
        When there is no sample, unless ``allow_empty``.
    UserError
        When the folder is missing or the packed faceset damaged.
    """
    folder = Path(folder)
    pack = folder / pack_name
    if pack.is_file():
        from samplelib.packs.reading import open_pack

        samples = open_pack(pack)
        beside = len(list_files(folder, aligned_face.FACE_SUFFIXES))
        if beside:
            interact.warning(f"{pack} is used; the {beside} pictures beside it are not used. Pack them to add them.")
    else:
        samples = list(_loose_samples(folder))
    if not samples and not allow_empty:
        raise NothingToDo(f"{folder}: no face pictures found. Extract faces first, or give another folder.")
    return samples


def loose_faces(folder: Any) -> list[tuple[Path, tuple[int, int, int], FaceMetadata]]:
    """Path, shape and metadata of every face picture directly in ``folder``; others are warned about and left out."""
    return [(sample.path, sample.shape, sample.metadata) for sample in _loose_samples(Path(folder))]


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


def _loose_samples(folder):
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
