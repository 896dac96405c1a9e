"""Keeps the face data of a folder in one file while its pictures are edited elsewhere, and puts it back."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.console import interact
from core.console.commands import command
from core.console.counted import counted
from core.errors import DiskError, FormatError, NothingToDo, UserError
from core.files.imageio import encode_image, read_image, to_bgr8
from core.files.paths import atomic_write, list_files, list_images, remove_if_present
from core.files.picture_limits import FACE_MEGAPIXELS, check_size
from core.pickles import safe_pickle
from samplelib.faces import aligned_face
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.faces.faceset import loose_faces

METADATA_NAME = "meta.dat"
_RESTORED_QUALITY = 100
_LONGEST_NAME = 255
_LARGEST_SIDE = 32768


@dataclass(frozen=True)
class SavedFace:
    """What ``meta.dat`` holds of one picture: its shape (h, w, 3) and its metadata."""

    shape: tuple[int, int, int]
    metadata: FaceMetadata


def save_faceset_metadata(folder: Any) -> Path:
    """Write the metadata of every face picture of a folder to its ``meta.dat``.

    What an older ``meta.dat`` holds of pictures that have no face data now stays in it: it may exist nowhere else, when an
    editor has dropped it from the picture.

    Raises
    ------
    NothingToDo
        When there is no face picture; an existing ``meta.dat`` stays.
    FormatError
        When there is a ``meta.dat`` that cannot be read; it stays.
    """
    folder = Path(folder)
    path = folder / METADATA_NAME
    saved = {file.name: SavedFace(shape, metadata) for file, shape, metadata in loose_faces(folder)}
    if not saved:
        raise NothingToDo(f"{folder}: no face pictures whose metadata could be saved.")
    earlier = read_metadata_file(path) if path.is_file() else {}
    kept = {name: face for name, face in earlier.items() if name not in saved}
    if kept:
        interact.info(
            f"{counted(len(kept), 'picture', 'have')} no face data now; what was saved of them stays in {METADATA_NAME}."
        )
    atomic_write(path, metadata_file_pieces(kept | saved))
    return path


def metadata_file_pieces(saved: dict[str, SavedFace]) -> Iterator[bytes]:
    """Content of a ``meta.dat``, face by face: in one piece it would take ten times the memory of the faces."""
    return safe_pickle.dump_dict(
        (name, (tuple(face.shape), aligned_face.metadata_to_dict(face.metadata))) for name, face in saved.items()
    )


def read_metadata_file(path: Any) -> dict[str, SavedFace]:
    """Read and check a ``meta.dat``.

    Raises
    ------
    FormatError
        When it is missing, damaged or unsafe, or when an entry cannot be used; names the entry.
    """
    stored = safe_pickle.load(path, arrays=True)
    if not isinstance(stored, dict):
        raise FormatError(path, "is not a dictionary of saved face data")
    return {name: _saved_face(path, name, entry) for name, entry in stored.items()}


def restore_faceset_metadata(folder: Any) -> tuple[int, list[str]]:
    """Put the face data of ``meta.dat`` back into the pictures of a folder, at the size that they had.

    A picture that was saved in another format under the same stem (png, webp, bmp, …) is turned into a JPEG; the other
    file stays. ``meta.dat`` is deleted only when every entry was restored.

    Returns
    -------
    restored : int
    left : list of str
        Names in ``meta.dat`` that could not be restored.
    """
    folder = Path(folder)
    path = folder / METADATA_NAME
    if not path.is_file():
        raise UserError(f"{path}: no such file. Save the metadata first, before the pictures are edited.")
    saved = read_metadata_file(path)
    if not saved:
        raise NothingToDo(f"{path}: holds no face data.")
    for image in list_images(folder):
        if aligned_face.is_face_file(image) and image.name not in saved:
            interact.info(f"No saved metadata for {image.name}")
    left, forms = [], _files_by_stem(folder)
    for name, face in interact.track(list(saved.items()), "Restoring"):
        try:
            _restore(folder / name, face, forms)
        except DiskError:
            raise
        except UserError as error:
            interact.warning(str(error))
            left.append(name)
    if not left:
        remove_if_present(path)
    return len(saved) - len(left), left


def _restore(target, face, forms):
    source = _present_form(target, forms)
    height, width = face.shape[:2]
    check_size(width, height, target, FACE_MEGAPIXELS)
    if source == target and aligned_face.is_face_file(target):
        _refuse_another_face(target, face)
        data = safe_pickle.read_limited(target)
        image = read_image(target, FACE_MEGAPIXELS)
        if image.shape[:2] == (height, width) and data[:2] == b"\xff\xd8":
            aligned_face.write_metadata(target, face.metadata)
            return
    else:
        image = read_image(source, FACE_MEGAPIXELS)
    if image.shape[:2] != (height, width):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LANCZOS4)
    if image.ndim == 3 or image.dtype != np.uint8:
        image = to_bgr8(image)
    data = encode_image(image, ".jpg", _RESTORED_QUALITY)
    atomic_write(target, aligned_face.with_metadata(data, face.metadata, target))


def _files_by_stem(folder):
    """Files of a folder by their stem, also by the whole name that an editor may have put its suffix behind."""
    forms = defaultdict(list)
    for file in list_files(folder):
        forms[file.stem].append(file)
    return forms


def _present_form(target, forms):
    """The file itself, or the newest of those that hold the same picture in another format."""
    others = [file for file in (*forms[target.stem], *forms[target.name]) if file != target]
    readable = sorted(filter(_is_picture, others), key=lambda file: file.stat().st_mtime_ns)
    if target.is_file():
        if readable:
            interact.warning(f"{readable[-1].name} lies beside {target.name} and is not used; {target.name} is.")
        return target
    if readable:
        return readable[-1]
    if others:
        raise UserError(
            f"{target}: was saved as {others[0].name}, which cannot be read. Save it as png or jpg under the same name and "
            "restore again."
        )
    raise UserError(
        f"{target}: the picture is not there any more, in any format. Put it back under this name and restore again."
    )


def _is_picture(file):
    try:
        return cv2.haveImageReader(str(file))
    except cv2.error:
        return False


def _refuse_another_face(target, face):
    """A sort since the data was saved would put it into the wrong pictures."""
    try:
        present = aligned_face.read_metadata(target)
    except FormatError:
        return  # another format under this name, or a damaged file: that is told when the picture is read
    sources = {present.source_filename, face.metadata.source_filename} if present is not None else set()
    if len(sources - {None}) == 2:
        raise UserError(
            f"{target}: is a face of {present.source_filename}, but the saved data is of a face of "
            f"{face.metadata.source_filename}. The names have changed since; bring them back first: {command('sort --undo --input-dir', target.parent)}"
        )


def _saved_face(path, name, entry):
    if not isinstance(name, str) or Path(name).name != name or "\\" in name or "\0" in name or name in ("", ".", ".."):
        raise FormatError(path, f"names a file that is not in its folder ({str(name)[:80]!r})")
    if len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
        raise FormatError(path, f"holds a name that is too long for a file ({name[:80]!r} …)")
    if not isinstance(entry, tuple) or len(entry) != 2:
        raise FormatError(path, f"its entry {name!r} is not a shape and a dictionary")
    shape, values = entry
    whole = isinstance(shape, (tuple, list)) and len(shape) in (2, 3) and all(isinstance(n, int) for n in shape)
    if not whole or not all(0 < side <= _LARGEST_SIDE for side in shape[:2]):
        raise FormatError(path, f"its entry {name!r} has no usable shape")
    return SavedFace(
        (shape[0], shape[1], 3), aligned_face.metadata_from_dict(values, f"{path} ({safe_pickle.printable(name)})")
    )
