"""Where applied masks come from: a trained XSeg network, or the face mesh."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from core.errors import UserError
from core.parallel import ordered_map
from facelib.alignment import affine_from_points, face_matrix, transform_points
from facelib.face_type import FaceType
from facelib.landmarks import hull_mask
from samplelib.faces.aligned_face import FaceMetadata
from xseglib.mesh_mask import MeshOutline, mask_of_outline

MASK_SIZE = 256
_THRESHOLD = 0.5


@dataclass(frozen=True)
class Face:
    """An aligned face as read from its file: picture (H, W, 3) uint8 BGR and metadata."""

    path: Path
    image: np.ndarray
    metadata: FaceMetadata


class MaskSource(Protocol):
    """Makes masks for a batch of faces."""

    def check(self, metadata: FaceMetadata, path: Path) -> None:
        """Raise a UserError when no mask can be made for this face."""

    def masks(self, faces: list[Face]) -> list[np.ndarray]:
        """One mask (256, 256, 1) float32 of 0 and 1 for each face."""


class NetworkMasks:
    """Masks of a trained XSeg network.

    Parameters
    ----------
    predictor
        Has ``predict(images (N, 256, 256, 3) float32 BGR 0…1) -> (N, 256, 256, 1)`` in 0…1.
    face_type : FaceType, optional
        Type of the faces that the network was trained on. Faces of another type are converted to it and their masks
        back. None: every face is taken as it is.

    Attributes
    ----------
    converted : Counter
        Number of faces of each other type that were converted so far.
    seen : Counter
        Number of faces of each type, by its name, that got a mask so far.
    """

    def __init__(self, predictor: Any, face_type: FaceType | None):
        self.predictor, self.face_type = predictor, face_type
        self.converted: Counter[FaceType] = Counter()
        self.seen: Counter[FaceType] = Counter()

    def check(self, metadata: FaceMetadata, path: Path) -> None:
        """See :class:`MaskSource`."""
        own = FaceType.from_text(metadata.face_type)
        if self.face_type not in (None, own) and own.padding is None:
            raise UserError(f"{path}: a face of type {own.text} cannot be converted to {self.face_type.text}.")

    def masks(self, faces: list[Face]) -> list[np.ndarray]:
        """See :class:`MaskSource`."""
        inputs, matrices = zip(*[self._input(face) for face in faces])
        predicted = np.asarray(self.predictor.predict(np.stack(inputs)), np.float32)
        if not np.isfinite(predicted).all():
            raise UserError(
                f"{faces[0].path}: for this picture or one beside it the XSeg network gives values that are no numbers: its weights are "
                "damaged. Train it again."
            )
        results = []
        for face, matrix, mask in zip(faces, matrices, predicted):
            mask = mask.reshape(MASK_SIZE, MASK_SIZE)
            if matrix is not None:
                mask = _into_face(mask, matrix, face.image.shape[1])
            results.append((mask >= _THRESHOLD).astype(np.float32)[:, :, None])
        return results

    def _input(self, face):
        """Network input of a face, and the matrix that cut it out (None: the whole picture was taken)."""
        image, matrix = face.image.astype(np.float32) / 255, None
        size = image.shape[1]
        own = FaceType.from_text(face.metadata.face_type)
        self.seen[own.text] += 1
        if self.face_type not in (None, own):
            self.converted[own] += 1
            matrix = conversion_matrix(face.metadata, size, self.face_type)
            image = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)
        return _resize(image, MASK_SIZE), matrix


class MeshMasks:
    """Whole-face masks of the embedded face mesh.

    Parameters
    ----------
    outline : MeshOutline, optional

    Attributes
    ----------
    unsure : list of Path
        Faces in which the mesh saw no face; they got the default mask of their landmarks.
    """

    def __init__(self, outline: MeshOutline | None = None):
        self.outline = outline or MeshOutline()
        self.unsure: list = []

    def check(self, metadata: FaceMetadata, path: Path) -> None:
        """See :class:`MaskSource`; the mesh can treat every face."""

    def masks(self, faces: list[Face]) -> list[np.ndarray]:
        """See :class:`MaskSource`."""
        results = []
        for outcome in ordered_map(lambda face: self.outline(face.image, face.metadata), faces):
            face, outline = outcome.item, outcome.value
            if outcome.error is not None:
                raise outcome.error
            if outline is None:
                self.unsure.append(face.path)
                results.append(landmark_mask(face))
            else:
                height, width = face.image.shape[:2]
                results.append(mask_of_outline(outline, width, height))
        return results


class ParserMasks:
    """Masks of a registered network: the face as a parser sees it, or the whole-face mask without what an occluder says covers it.

    Parameters
    ----------
    parser
        Has ``mask(image (H, W, 3) uint8 BGR) -> (H, W)`` in 0…1, and ``is_whole``; see :mod:`facelib.registry.parsers`.
    name : str
        For messages.
    """

    def __init__(self, parser: Any, name: str):
        self.name, self._parser, self._mesh = name, parser, MeshMasks()

    def check(self, metadata: FaceMetadata, path: Path) -> None:
        """See :class:`MaskSource`; every face will do."""

    def masks(self, faces: list[Face]) -> list[np.ndarray]:
        """See :class:`MaskSource`."""
        seen = [_resize(self._parser.mask(face.image), MASK_SIZE) >= _THRESHOLD for face in faces]
        if self._parser.is_whole:
            return [mask.astype(np.float32)[:, :, None] for mask in seen]
        return [mask[:, :, None] * whole for mask, whole in zip(seen, self._mesh.masks(faces))]


def landmark_mask(face: Face) -> np.ndarray:
    """Default mask of a face, (256, 256, 1) float32 of 0 and 1: the hull of its landmarks."""
    height, width = face.image.shape[:2]
    mask = hull_mask((height, width, 3), face.metadata.landmarks, face.metadata.eyebrows_expand_mod)
    return (resize_mask(mask, MASK_SIZE) >= _THRESHOLD).astype(np.float32)


def resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Mask (h, w, 1) as (size, size, 1) float32."""
    return _resize(mask, size).reshape(size, size, 1)


def conversion_matrix(metadata: FaceMetadata, size: int, face_type: FaceType) -> np.ndarray:
    """(2, 3) matrix from an aligned picture of ``size`` to the crop that another face type would show.

    Notes
    -----
    With F(t) the frame-to-face matrix of type t, three corners p of the picture are mapped: F(own)·F(t)⁻¹·p to p.
    Faces without frame landmarks are cut by the landmarks in their own picture.
    """
    if metadata.source_landmarks is None:
        return face_matrix(metadata.landmarks, size, face_type)
    own = FaceType.from_text(metadata.face_type)
    corners = np.array([[0, 0], [size, 0], [0, size]], np.float64)
    frame = transform_points(corners, face_matrix(metadata.source_landmarks, size, face_type), invert=True)
    in_picture = transform_points(frame, face_matrix(metadata.source_landmarks, size, own))
    return affine_from_points(in_picture.astype(np.float32).astype(np.float64), corners)


def _into_face(mask, matrix, size):
    """Mask of a converted crop, brought back to its place in the picture; (256, 256) float32."""
    mask = _resize(mask, size)
    mask = cv2.warpAffine(mask, matrix, (size, size), flags=cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP)
    return _resize(mask, MASK_SIZE)


def _resize(image, size):
    if image.shape[0] == size and image.shape[1] == size:
        return image
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_LANCZOS4)
