"""Removes labels and applied masks from the faces of a folder."""

from collections.abc import Callable
from pathlib import Path

from core.errors import UserError
from core.files.paths import atomic_write, free_name
from core.files.trash import trash_folder_of
from samplelib.faces.aligned_face import FaceMetadata, read_header, write_metadata
from samplelib.faces.metadata import METADATA_NAME, SavedFace, metadata_file_pieces
from xseglib.folders import Statistics, face_files, require_writable, walk_faces


def keep_face_data(folder: Path, kind: str, is_wanted: Callable[[FaceMetadata], bool]) -> Path | None:
    """Save the face data of the faces that are going to lose something, as a ``meta.dat`` in the trash folder.

    ``util --restore-faceset-metadata`` puts it back when the file is copied into the folder of the faces.

    Parameters
    ----------
    folder : Path
    kind : str
        Part of the name of the folder in the trash folder.
    is_wanted : callable
        Tells from its metadata whether a face is going to lose something.

    Returns
    -------
    Path or None
        The ``meta.dat``; None when no face is wanted.
    """
    saved = {}
    for path in face_files(folder):
        try:
            shape, metadata = read_header(path)
        except UserError:
            continue  # named when it cannot be changed either
        if metadata is not None and is_wanted(metadata):
            saved[path.name] = SavedFace(shape, metadata)
    if not saved:
        return None
    place = free_name(trash_folder_of(folder) / f"removed_{kind}") / METADATA_NAME
    try:
        place.parent.mkdir(parents=True)
    except OSError as error:
        raise UserError(f"{place.parent}: the folder cannot be made ({error.strerror or error}).") from None
    atomic_write(place, metadata_file_pieces(saved))
    return place


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
