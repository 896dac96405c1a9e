"""Removes labels and applied masks from the faces of a folder, and fetches labelled faces out of it."""

import shutil
import threading
from pathlib import Path

import numpy as np

from core.errors import UserError
from core.paths import free_name, natural_key, remove_if_present, replacing
from samplelib.aligned_face import FaceMetadata, read_metadata, write_metadata
from xseglib.folders import Statistics, require_writable, walk_faces


def remove_applied_masks(folder: Path) -> Statistics:
    """Drop the applied mask of every face; labels stay. Counts the faces that had one."""

    def work(path: Path, metadata: FaceMetadata) -> bool:
        if metadata.xseg_mask is None:
            return False
        require_writable(path)
        write_metadata(path, metadata.replace(xseg_mask=None))
        return True

    return walk_faces(folder, work)


def remove_labels(folder: Path) -> Statistics:
    """Drop the label polygons of every face; applied masks stay. Counts the faces that had some."""

    def work(path: Path, metadata: FaceMetadata) -> bool:
        if not metadata.polygons:
            return False
        require_writable(path)
        write_metadata(path, metadata.replace(polygons=()))
        return True

    return walk_faces(folder, work)


def fetch_folder(folder: Path) -> Path:
    """Where labelled faces of ``folder`` are copied to: its sibling with ``_xseg`` behind the name."""
    folder = Path(folder)
    return folder.with_name(folder.name + "_xseg")


def fetch_labelled(folder: Path) -> tuple[dict[Path, Path], Statistics]:
    """Copy every face that has a polygon into :func:`fetch_folder`.

    An older copy of the same face is replaced; another face of the same name that lies there keeps its file, and the
    new copy gets a number behind its name.

    Returns
    -------
    dict of Path to Path
        The copy of each original that was copied completely, in natural order.
    Statistics
    """
    target = fetch_folder(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{target}: the folder cannot be made ({error.strerror or error}).") from None
    copies, naming = {}, threading.Lock()

    def work(path: Path, metadata: FaceMetadata) -> bool:
        if not metadata.polygons:
            return False
        with naming:
            place = target / path.name
            if place.exists() and not _shows_same_face(place, metadata):
                place = free_name(place)
            with replacing(place) as temporary:
                shutil.copyfile(path, temporary)
                shutil.copystat(path, temporary)
        copies[path] = place
        return True

    statistics = walk_faces(folder, work)
    return {path: copies[path] for path in sorted(copies, key=natural_key)}, statistics


def delete_fetched(copies: dict[Path, Path]) -> int:
    """Delete originals after a look whether each copy is complete; returns how many were deleted."""
    for path, copy in copies.items():
        try:
            if copy.stat().st_size != path.stat().st_size:
                raise UserError(f"{path}: its copy {copy} differs; this and all following originals were kept.")
            remove_if_present(path)
        except OSError as error:
            raise UserError(f"{path}: cannot be deleted ({error.strerror or error}).") from None
    return len(copies)


def _shows_same_face(path, metadata):
    try:
        other = read_metadata(path)
    except UserError:
        return False
    return other is not None and np.array_equal(other.landmarks, metadata.landmarks)
