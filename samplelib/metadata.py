"""Keeps the face data of a folder in one file while its pictures are edited elsewhere, and puts it back."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core import interact, safe_pickle
from core.errors import DiskError, FormatError, NothingToDo, UserError
from core.imageio import encode_image, read_image, to_bgr8
from core.paths import IMAGE_EXTENSIONS, atomic_write, list_images, remove_if_present
from core.picture_limits import FACE_MEGAPIXELS, check_size
from samplelib import aligned_face
from samplelib.aligned_face import FaceMetadata
from samplelib.faceset import loose_faces

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
    """Write the metadata of every face picture of a folder to its ``meta.dat``, replacing an older one.

    Raises
    ------
    NothingToDo
        When there is no face picture; an existing ``meta.dat`` stays.
    """
    folder = Path(folder)
    saved = {path.name: SavedFace(shape, metadata) for path, shape, metadata in loose_faces(folder)}
    if not saved:
        raise NothingToDo(f"{folder}: no face pictures whose metadata could be saved.")
    atomic_write(folder / METADATA_NAME, metadata_file_bytes(saved))
    return folder / METADATA_NAME


def metadata_file_bytes(saved: dict[str, SavedFace]) -> bytes:
    """Content of a ``meta.dat``."""
    entries = {name: (tuple(face.shape), aligned_face.metadata_to_dict(face.metadata)) for name, face in saved.items()}
    return safe_pickle.dumps(entries)


def read_metadata_file(path: Any) -> dict[str, SavedFace]:
    """Read and check a ``meta.dat``.

    Raises
    ------
    FormatError
        When it is missing, damaged or unsafe, or when an entry cannot be used; names the entry.
    """
    stored = safe_pickle.load(path, compact=True)
    if not isinstance(stored, dict):
        raise FormatError(path, "is not a dictionary of saved face data")
    return {name: _saved_face(path, name, entry) for name, entry in stored.items()}


def restore_faceset_metadata(folder: Any) -> tuple[int, list[str]]:
    """Put the face data of ``meta.dat`` back into the pictures of a folder, at the size that they had.

    A picture that was saved in another format under the same stem is turned into a JPEG; the other file stays.
    ``meta.dat`` is deleted only when every entry was restored.

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
    left = []
    for name, face in interact.track(list(saved.items()), "Restoring"):
        try:
            _restore(folder, name, face)
        except DiskError:
            raise
        except UserError as error:
            interact.warning(str(error))
            left.append(name)
    if not left:
        remove_if_present(path)
    return len(saved) - len(left), left


def _restore(folder, name, face):
    target = folder / name
    source = _present_form(target)
    if source is None:
        raise UserError(f"{target}: the picture is not there any more.")
    height, width = face.shape[:2]
    check_size(width, height, target, FACE_MEGAPIXELS)
    if source == target and aligned_face.is_face_file(target):
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


def _present_form(target):
    """The file itself, or one of the same stem in another picture format, or None."""
    if target.is_file():
        return target
    for extension in IMAGE_EXTENSIONS:
        for candidate in (target.with_suffix(extension), target.with_suffix(extension.upper())):
            if candidate.is_file():
                return candidate
    return None


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
