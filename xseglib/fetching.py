"""Copies the faces that have labels out of a folder."""

import shutil
import threading
from pathlib import Path

import numpy as np

from core.errors import UserError
from core.files.paths import natural_key, remove_if_present, replacing
from core.files.trash import set_aside
from samplelib.faces.aligned_face import FaceMetadata, read_metadata
from xseglib.folders import Statistics, walk_faces


def fetch_folder(folder: Path) -> Path:
    """Where labelled faces of ``folder`` are copied to: its sibling with ``_xseg`` behind the name."""
    folder = Path(folder)
    return folder.with_name(folder.name + "_xseg")


def fetch_labelled(folder: Path) -> tuple[dict[Path, Path], Statistics]:
    """Copy every face that has a polygon into :func:`fetch_folder`.

    A copy that is there already is taken as it is. An older copy of the same face with other labels or another mask goes
    to the trash folder of :func:`fetch_folder`; another face of the same name keeps its file, and the new copy gets a
    number behind its name.

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
            copies[path] = _copy_labelled(path, metadata, target)
        return True

    statistics = walk_faces(folder, work)
    return {path: copies[path] for path in sorted(copies, key=natural_key)}, statistics


def _copy_labelled(path, metadata, target):
    """Copy a face into the folder ``target`` unless it is there; returns its place."""
    data = path.read_bytes()
    place, number = target / path.name, 0
    while place.exists() and place.read_bytes() != data:
        if _shows_same_face(place, metadata):
            set_aside([place])
            break
        number += 1
        place = target / f"{path.stem}_{number}{path.suffix}"
    if not place.exists():
        with replacing(place) as temporary:
            temporary.write_bytes(data)
            shutil.copystat(path, temporary)
    return place


def delete_fetched(copies: dict[Path, Path]) -> int:
    """Delete originals after comparing each with its copy; returns how many were deleted."""
    for path, copy in copies.items():
        try:
            if copy.read_bytes() != path.read_bytes():
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
