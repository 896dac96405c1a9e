"""A faceset as a list of samples, whether it is a folder of face pictures or a packed file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core.console import interact
from core.errors import FormatError, NothingToDo, UserError
from core.files.imageio import decode_image, to_bgr8
from core.files.paths import list_files, list_images
from core.files.picture_limits import FACE_MEGAPIXELS
from core.pickles.safe_pickle import printable
from samplelib.faces import aligned_face
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.packs.names import PACK_NAME

_MOST_NAMED = 10


@dataclass
class Sample:
    """One face of a faceset.

    Parameters
    ----------
    name : str
        File name, without folder.
    shape : tuple of int
        (height, width, 3).
    person_name : str or None
        Folder of the person in a packed faceset of several persons.
    path : Path
        The picture, or the packed faceset that holds it.
    read_bytes : callable
        Returns the JPEG.
    load_metadata : callable
        Returns everything that the picture knows about itself; called once, when first needed.
    load_training_metadata : callable, optional
        Returns the part that training needs (no ``source_*`` fields, no matrix) without touching the picture.
    """

    name: str
    shape: tuple[int, int, int]
    path: Path
    read_bytes: Callable[[], bytes] = field(repr=False)
    load_metadata: Callable[[], FaceMetadata] = field(repr=False)
    load_training_metadata: Callable[[], FaceMetadata] | None = field(default=None, repr=False)
    person_name: str | None = None
    _metadata: FaceMetadata | None = field(default=None, repr=False)
    _training_metadata: FaceMetadata | None = field(default=None, repr=False)

    @property
    def metadata(self) -> FaceMetadata:
        """Everything that the picture knows about itself."""
        if self._metadata is None:
            self._metadata = self.load_metadata()
        return self._metadata

    @property
    def training_metadata(self) -> FaceMetadata:
        """Face type, landmarks, labels and mask: for a packed faceset far quicker than :attr:`metadata`."""
        if self._metadata is not None or self.load_training_metadata is None:
            return self.metadata
        if self._training_metadata is None:
            self._training_metadata = self.load_training_metadata()
        return self._training_metadata

    def read_bgr(self) -> np.ndarray:
        """The picture, (H, W, 3) uint8 BGR."""
        return to_bgr8(decode_image(self.read_bytes(), f"{self.path} ({printable(self.name)})", FACE_MEGAPIXELS))


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
