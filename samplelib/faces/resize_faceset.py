"""Brings face pictures to another size and, if wanted, to another face type, with everything they know."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.console import interact
from core.errors import NothingToDo, UserError
from core.files.imageio import read_image
from core.files.paths import atomic_write, list_images
from core.files.picture_limits import FACE_MEGAPIXELS
from core.parallel import ordered_map
from facelib.alignment import face_matrix, transform_points
from facelib.face_type import FaceType
from samplelib.faces import aligned_face, mask_codec
from samplelib.faces.aligned_face import FaceMetadata, SegPolygon
from samplelib.faces.faceset import report_without_face_data

OUTPUT_ENDING = "_resized"
_QUALITY = 100
_MASK_THRESHOLD = 0.5


@dataclass(frozen=True)
class Resized:
    """A face picture, (size, size[, C]) uint8, and its metadata."""

    image: np.ndarray
    metadata: FaceMetadata


def resize_face(image: np.ndarray, metadata: FaceMetadata, size: int, face_type: FaceType | None = None) -> Resized:
    """One face at another size.

    Parameters
    ----------
    image : numpy.ndarray
        Square, uint8, as decoded.
    metadata : FaceMetadata
    size : int
        New side in pixels.
    face_type : FaceType, optional
        New face type; the same when not given.

    Raises
    ------
    UserError
        For pictures that are not square, and for those that only mark a face.
    """
    old_type = FaceType.from_text(metadata.face_type)
    old_size = image.shape[0]
    if old_type == FaceType.MARK_ONLY:
        raise UserError("it only marks a face in its frame; such pictures have no size to change.")
    if image.shape[1] != old_size:
        raise UserError(f"it is not square ({image.shape[1]} × {old_size}).")
    new_type = old_type if face_type is None else face_type
    if new_type == old_type:
        matrix = np.array([[size / old_size, 0, 0], [0, size / old_size, 0]])
        resized = image if size == old_size else cv2.resize(image, (size, size), interpolation=cv2.INTER_LANCZOS4)
        mask = metadata.xseg_mask
    else:
        matrix = face_matrix(metadata.landmarks, size, new_type)
        resized = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LANCZOS4)
        mask = _warped_mask(metadata, old_size, new_type)
    new_metadata = metadata.replace(
        face_type=new_type.text,
        landmarks=transform_points(metadata.landmarks, matrix),
        polygons=tuple(_moved(polygon, matrix) for polygon in metadata.polygons),
        xseg_mask=mask,
        image_to_face_mat=_frame_matrix(metadata, size, new_type),
    )
    return Resized(resized, new_metadata)


def resize_faceset(folder: Any, output: Any, size: int, face_type: FaceType | None = None) -> tuple[list[Path], int]:
    """Write every face picture of ``folder`` to ``output`` at another size or face type.

    Pictures that have both already are copied as they are.

    Returns
    -------
    written : list of Path
        New files.
    failed : int
        Pictures that could not be resized; each was named in a warning.
    """
    folder, output = Path(folder), Path(output)
    paths = list_images(folder)
    if not paths:
        raise NothingToDo(f"{folder}: no images found in this folder.")
    written, without, failed, grown = [], [], 0, 0
    work = partial(_resize_file, output=output, size=size, face_type=face_type)
    with interact.progress(len(paths), "Processing") as bar:
        for outcome in ordered_map(work, paths):
            if outcome.error is not None:
                if not isinstance(outcome.error, UserError):
                    raise outcome.error
                interact.warning(f"{outcome.item}: {_problem(outcome.error)} It is skipped.")
                failed += 1
            elif outcome.value is None:
                without.append(outcome.item)
            else:
                grown += outcome.value
                written.append(output / outcome.item.name)
            bar.update()
    report_without_face_data(without)
    if not written and not failed:
        raise NothingToDo(f"{folder}: no face pictures found. Extract faces first, or give another folder.")
    if grown:
        interact.warning(
            f"{grown} pictures went to a larger face type. What lies outside the old picture is black; extracting "
            "again with that face type gives real pictures."
        )
    return written, failed


def _resize_file(path, output, size, face_type):
    """Resize one file; True when its face type grew, None when it is no face picture."""
    _, metadata = aligned_face.read_header(path)
    if metadata is None:
        return None
    image = read_image(path, FACE_MEGAPIXELS)
    old_type = FaceType.from_text(metadata.face_type)
    same = image.shape[:2] == (size, size) and face_type in (None, old_type)
    if same and old_type != FaceType.MARK_ONLY:
        atomic_write(output / path.name, path.read_bytes())
        return False
    result = resize_face(image, metadata, size, face_type)
    aligned_face.save_face(output / path.name, result.image, result.metadata, _QUALITY)
    return face_type is not None and face_type > old_type


def _moved(polygon, matrix):
    points = transform_points(polygon.points, matrix) if len(polygon.points) else polygon.points
    return SegPolygon(polygon.include, np.asarray(points, np.float32))


def _warped_mask(metadata, old_size, face_type):
    """The applied mask, warped at its own size; of an oblong one the longer side counts."""
    mask = metadata.decode_xseg_mask()
    if mask is None:
        return None
    side = max(mask.shape[:2])
    if mask.shape[:2] != (side, side):
        mask = cv2.resize(mask, (side, side), interpolation=cv2.INTER_CUBIC)
    matrix = face_matrix(metadata.landmarks * (side / old_size), side, face_type)
    warped = cv2.warpAffine(mask, matrix, (side, side), flags=cv2.INTER_LANCZOS4)
    return mask_codec.encode_mask(np.where(warped < _MASK_THRESHOLD, 0.0, 1.0))


def _frame_matrix(metadata, size, face_type):
    if metadata.image_to_face_mat is None or metadata.source_landmarks is None:
        return None
    return face_matrix(metadata.source_landmarks, size, face_type)


def _problem(error):
    text = getattr(error, "problem", None) or str(error)
    return text if text.endswith(".") else f"{text}."
