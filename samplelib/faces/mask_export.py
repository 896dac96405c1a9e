"""Writes the masks of face pictures as black and white pictures beside them."""

from typing import Any

import cv2
import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import FormatError
from core.files.imageio import encode_image
from core.files.paths import atomic_write
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.faces.faceset import loose_faces, refuse_to_replace_face
from samplelib.faces.label_checks import only_excludes

MASK_ENDING = "_mask"
_QUALITY = 100
_THRESHOLD = 0.5


def export_masks(folder: Any, at_image_size: bool = False) -> tuple[int, int]:
    """Write ``<stem>_mask<suffix>`` for every face picture that has a mask.

    Parameters
    ----------
    folder
        Holds the face pictures.
    at_image_size : bool
        Bring an applied mask to the size of its picture; else it keeps its own, usually 256 × 256.

    Returns
    -------
    written, without_mask : int
    """
    written, without, empty = 0, 0, []
    faces = [face for face in loose_faces(folder) if MASK_ENDING not in face[0].stem]
    for path, shape, metadata in interact.track(faces, "Exporting"):
        try:
            mask = exported_mask(metadata, shape, at_image_size)
        except FormatError as error:
            interact.warning(f"{path}: {error.problem}; no mask was exported.")
            without += 1
            continue
        if mask is None:
            interact.info(f"{path.name} has no mask; it is skipped.")
            without += 1
            continue
        target = path.with_name(f"{path.stem}{MASK_ENDING}{path.suffix}")
        refuse_to_replace_face(target)
        if metadata.xseg_mask is None and only_excludes(metadata.polygons):
            empty.append(path.name)
        atomic_write(target, encode_image(mask, ".jpg", _QUALITY))
        written += 1
    if empty:
        interact.warning(
            f"{counted(len(empty), 'mask', 'are')} black, as the labels only exclude ({', '.join(empty[:10])})."
        )
    return written, without


def exported_mask(metadata: FaceMetadata, shape: tuple, at_image_size: bool = False) -> np.ndarray | None:
    """(h, w) uint8 of 0 and 255: the applied mask, else the labels at the size of the picture, else None."""
    height, width = shape[:2]
    mask = metadata.decode_xseg_mask()
    if mask is None:
        if not metadata.polygons:
            return None
        mask = metadata.polygon_mask(height, width)
    elif at_image_size and mask.shape[:2] != (height, width):
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.where(mask.reshape(mask.shape[:2]) < _THRESHOLD, 0, 255).astype(np.uint8)
