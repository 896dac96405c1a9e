"""The merge of one frame: faces are cut out, and predicted faces are put back in.

A merge has three stages, so that the networks can run in batches: :func:`prepare_face` cuts out what the networks need,
:func:`merger.predictor.predict_faces` runs them, :func:`compose_frame` puts the results into the frame. Everything but
denoise and the two degrades works on the bounding box of the face only; the rest of a frame stays bit-identical.

Positions: an alignment matrix maps frame pixels to face pixels. ``Face`` stands for a picture or mask of size S x S, where S
is the resolution R of the model, or 4R with super resolution; masks are worked on at 4R.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from core.console import interact
from core.imagelib import color_transfer, filters
from core.imagelib.poisson import seamless_clone
from facelib.alignment import face_matrix, transform_points
from facelib.face_type import FaceType
from facelib.landmarks import expand_eyebrows, hull_mask
from merger import masks
from merger.settings.config import MergeConfig

XSEG_SIZE = 256
MASK_ENLARGEMENT = 4
FACE_TYPES = {
    "half": FaceType.HALF,
    "midfull": FaceType.MIDFULL,
    "full": FaceType.FULL,
    "whole_face": FaceType.WHOLE_FACE,
    "head": FaceType.HEAD,
}

_AREA_LEVEL = 0.1
_SMALLEST_AREA = 4
_LONGEST_MOTION_BLUR = 50
_CUBIC_REACH = 4
_TRUNCATION_GUARD = 1e-3
_UNIT = np.float32(255.0)


@dataclass(frozen=True)
class Box:
    """Part of a frame: left and top included, right and bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.right - self.left, self.bottom - self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def shifted(self, matrix: np.ndarray) -> np.ndarray:
        """A frame-to-face matrix for coordinates that start at this box."""
        moved = np.array(matrix, np.float64)
        moved[:, 2] += moved[:, :2] @ (self.left, self.top)
        return moved

    def union(self, other: "Box") -> "Box":
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


@dataclass(frozen=True)
class Motion:
    """How a face moves: direction in degrees, counter-clockwise as seen, and length in pixels."""

    degrees: float = 0.0
    power: float = 0.0


@dataclass(frozen=True)
class PreparedFace:
    """A face as the networks need it.

    Attributes
    ----------
    box : Box
        Part of the frame that the face can touch; None if the face lies outside the frame.
    size, resolution : int
        S and R.
    face_to_box, output_to_box, mask_to_box : numpy.ndarray
        (2, 3) matrices from the box to the face at scale 1, to the pasted face, and to its mask.
    face : numpy.ndarray
        (S, S, 3) float32 0…1, the face of the frame.
    network_input : numpy.ndarray
        (R, R, 3) float32.
    xseg_input : numpy.ndarray or None
        (256, 256, 3) float32, when the mask mode needs it.
    hull : numpy.ndarray or None
        (S, S) float32, when the mask mode needs it.
    landmarks : numpy.ndarray or None
        (68, 2) in pixels of the face, when it is to be restored.
    """

    box: Box | None
    size: int
    resolution: int
    face_to_box: np.ndarray
    output_to_box: np.ndarray
    mask_to_box: np.ndarray
    face: np.ndarray
    network_input: np.ndarray
    xseg_input: np.ndarray | None = None
    hull: np.ndarray | None = None
    landmarks: np.ndarray | None = None


@dataclass(frozen=True)
class Prediction:
    """What the networks say about a face.

    Attributes
    ----------
    face : numpy.ndarray or None
        (S, S, 3) float32, 0…1; None when it is not needed.
    learned_prd, learned_dst, xseg_prd, xseg_dst : numpy.ndarray or None
        (S, S) float32; those that the mask mode needs.
    """

    face: np.ndarray | None = None
    learned_prd: np.ndarray | None = None
    learned_dst: np.ndarray | None = None
    xseg_prd: np.ndarray | None = None
    xseg_dst: np.ndarray | None = None


@dataclass(frozen=True)
class Patch:
    """A merged part of a frame: ``image`` (h, w, 3) and ``mask`` (h, w), float32, at ``box``."""

    box: Box
    image: np.ndarray
    mask: np.ndarray


def needs_prediction(config: MergeConfig) -> bool:
    """Whether a frame with these settings needs the model at all."""
    return config.mode != "original" or any(part in masks.needed_parts(config.mask_mode) for part in _FROM_MODEL)


_FROM_MODEL = ("learned_prd", "learned_dst", "xseg_prd")


def prepare_face(frame: np.ndarray, landmarks: np.ndarray, config: MergeConfig, resolution: int) -> PreparedFace:
    """Cut a face out of a frame.

    Parameters
    ----------
    frame : numpy.ndarray
        (H, W, 3) uint8 BGR.
    landmarks : numpy.ndarray
        (68, 2) in pixels of the frame.
    config : MergeConfig
    resolution : int
        R, side of the model's faces.
    """
    face_type = FACE_TYPES[config.face_type]
    enlarged = MASK_ENLARGEMENT * resolution
    size = enlarged if config.super_resolution_power else resolution
    scale = 1.0 + 0.01 * config.output_face_scale
    face_matrix_ = face_matrix(landmarks, size, face_type)
    output_matrix = face_matrix(landmarks, size, face_type, scale)
    mask_matrix = face_matrix(landmarks, enlarged, face_type, scale)
    box = _touched_box(frame.shape, size, face_matrix_, output_matrix)
    origin = box or Box(0, 0, 1, 1)
    face_to_box = origin.shifted(face_matrix_)
    picture = _to_float(frame[origin.slices])
    face = np.clip(_cut(picture, face_to_box, size), 0.0, 1.0)
    if config.pre_sharpen_power:
        power = 0.1 * config.pre_sharpen_power
        face = np.clip(filters.gaussian_sharpen(face, power, kernel_size=0, sigma=1.0), 0.0, 1.0)
    network_input = face if size == resolution else cv2.resize(face, (resolution, resolution))
    parts = masks.needed_parts(config.mask_mode)
    xseg_input = hull = None
    if "xseg_dst" in parts:
        xseg_input = _cut(picture, origin.shifted(face_matrix(landmarks, XSEG_SIZE, face_type)), XSEG_SIZE)
    if "hull" in parts:
        hull = _face_hull(frame.shape, landmarks, face_matrix_, size)
    return PreparedFace(
        box,
        size,
        resolution,
        face_to_box,
        origin.shifted(output_matrix),
        origin.shifted(mask_matrix),
        face,
        network_input,
        xseg_input,
        hull,
        transform_points(landmarks, face_matrix_) if config.restore_power else None,
    )


def compose_frame(
    frame: np.ndarray,
    faces: list[tuple[PreparedFace, Prediction]],
    config: MergeConfig,
    motion: Motion = Motion(),
    rng_factory: Callable | None = None,
    keep_rim: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Put predicted faces into a frame.

    Parameters
    ----------
    frame : numpy.ndarray
        (H, W, 3) uint8 BGR.
    faces : list of (PreparedFace, Prediction)
        In the order in which they are laid over each other.
    config : MergeConfig
    motion : Motion
        For the motion blur.
    rng_factory : callable, optional
        Makes the random generator of each face's colour transfer. By default all faces of all frames use the same
        random directions, so that they do not flicker.
    keep_rim : bool
        With a face larger than its crop (negative output face scale), filters of the pasted face leave what lies outside
        of the crop as it is. DeepFaceLab makes it black (False).

    Returns
    -------
    image : numpy.ndarray
        (H, W, 3) uint8 BGR, or (S, S, 3) in mode raw-predict.
    mask : numpy.ndarray
        (H, W) or (S, S) uint8.
    """
    rng_factory = rng_factory or (lambda: np.random.default_rng(0))
    patches = [
        compose_face(frame, face, prediction, config, motion, rng_factory(), keep_rim) for face, prediction in faces
    ]
    if config.mode == "raw-predict":
        image, mask = _fold_squares(patches)
        return _to_uint8(image), _to_uint8(mask)
    result = frame.copy()
    mask = np.zeros(frame.shape[:2], np.uint8)
    patches = [patch for patch in patches if patch is not None]
    if patches:
        patch = _fold(frame, patches)
        result[patch.box.slices] = _to_uint8(patch.image)
        mask[patch.box.slices] = _to_uint8(patch.mask)
    return result, mask


def compose_face(
    frame: np.ndarray,
    face: PreparedFace,
    prediction: Prediction,
    config: MergeConfig,
    motion: Motion = Motion(),
    rng: np.random.Generator | None = None,
    keep_rim: bool = True,
) -> Patch | None:
    """Put one predicted face onto the original frame; None if it lies outside. Arguments as :func:`compose_frame`."""
    enlarged, face_mask = face_masks(face, prediction, config)
    if config.mode == "raw-predict":
        return Patch(Box(0, 0, face.size, face.size), cast(np.ndarray, prediction.face), face_mask)
    if face.box is None:
        return None
    picture = _to_float(frame[face.box.slices])
    mask = np.clip(_paste(enlarged, face.mask_to_box, face.box), 0.0, 1.0)
    mask[mask < masks.LEAST_VISIBLE] = 0.0
    if config.mode == "original":
        return Patch(face.box, picture, mask)
    if config.mode == "raw-rgb":
        square = _paste(np.ones_like(prediction.face), face.output_to_box, face.box)
        pasted = _paste(prediction.face, face.output_to_box, face.box)
        return Patch(face.box, np.clip(picture * (1 - square) + pasted * square, 0.0, 1.0), mask)
    if _is_tiny(mask):
        return Patch(face.box, picture, mask)
    return _overlay(frame, picture, mask, face_mask, face, prediction, config, motion, rng, keep_rim)


def face_masks(face: PreparedFace, prediction: Prediction, config: MergeConfig) -> tuple[np.ndarray, np.ndarray]:
    """The mask as it is warped into the frame, (4R, 4R), and the same at the size of the face, (S, S)."""

    def part(name):
        return face.hull if name == "hull" else getattr(prediction, name)

    mask = masks.combine(config.mask_mode, part, face.size)
    enlarged_size = MASK_ENLARGEMENT * face.resolution
    mask = _resize_cubic(mask, enlarged_size)
    if not config.is_raw:
        mask = masks.modify(mask, config.erode_mask_modifier, config.blur_mask_modifier)
    return mask, _resize_cubic(mask, face.size)


def _overlay(frame, picture, mask, face_mask, face, prediction, config, motion, rng, keep_rim):
    area = (face_mask > 0).astype(np.float32)[..., None]
    predicted = prediction.face
    if config.color_transfer and not config.is_seamless:
        predicted = _transfer(predicted, face.face, area, config, rng)
    if config.mode == "hist-match":
        predicted = _match_histograms(predicted, face.face, area, config)
    pasted = np.clip(_paste(predicted, face.output_to_box, face.box), 0.0, 1.0)
    if config.is_seamless:
        pasted = _clone(pasted, frame[face.box.slices], mask)
    result = _blend(picture, pasted, mask)
    box = face.box
    if _has_second_stage(config):
        new_face = _second_stage(result, area, face, config, motion, rng)
        if config.image_denoise_power or config.bicubic_degrade_power:
            box = Box(0, 0, frame.shape[1], frame.shape[0])
            background = filters.denoise(_to_float(frame), config.image_denoise_power)
            background = np.clip(filters.bicubic_degrade(background, config.bicubic_degrade_power), 0.0, 1.0)
            mask = _in_frame(mask, face.box, frame.shape)
        else:
            background = picture
        matrix = (
            face.face_to_box if box is face.box else Box(-face.box.left, -face.box.top, 0, 0).shifted(face.face_to_box)
        )
        pasted = _paste(new_face, matrix, box)
        if config.output_face_scale < 0 and keep_rim:
            first = result if box is face.box else _in_frame(result, face.box, frame.shape)
            covered = _paste(np.ones(new_face.shape[:2], np.float32), matrix, box)[..., None]
            pasted = pasted + first * (1 - np.clip(covered, 0, 1))
        result = np.clip(_blend(background, pasted, mask), 0.0, 1.0)
    if config.color_degrade_power:
        if box is face.box:
            whole = _to_float(frame)
            whole[box.slices] = result
            mask = _in_frame(mask, box, frame.shape)
            result, box = whole, Box(0, 0, frame.shape[1], frame.shape[0])
        result = filters.color_degrade(result, config.color_degrade_power)
    return Patch(box, result, mask)


def _has_second_stage(config):
    return bool(
        (config.is_seamless and config.color_transfer_mode)
        or config.mode == "seamless-hist-match"
        or config.motion_blur_power
        or config.blursharpen_amount
        or config.image_denoise_power
        or config.bicubic_degrade_power
    )


def _second_stage(result, area, face, config, motion, rng):
    """The merged face cut out again and filtered, (S, S, 3)."""
    new_face = _cut(result, face.face_to_box, face.size)
    if config.is_seamless and config.color_transfer:
        new_face = _transfer(np.clip(new_face, 0.0, 1.0), face.face, area, config, rng)
    if config.mode == "seamless-hist-match":
        new_face = color_transfer.histogram_match(new_face, face.face, config.hist_match_threshold)
    if config.motion_blur_power:
        length = int(motion.power * config.motion_blur_power / 100.0)
        if length >= 1:
            length = min(max(length + 1, 2), _LONGEST_MOTION_BLUR)
            length *= 2 if config.super_resolution_power else 1
            new_face = filters.motion_blur(new_face, length, motion.degrees)
    return filters.blur_sharpen(new_face, config.sharpen_mode, config.blursharpen_amount)


def _transfer(picture, target, area, config, rng):
    inside = config.masked_statistics
    return color_transfer.color_transfer(config.color_transfer, picture, target, area, area, rng, inside)


def _match_histograms(predicted, target, area, config):
    """Histogram match with everything outside the mask white, so that it does not count (at threshold 255)."""
    if config.masked_hist_match:
        predicted = np.clip(predicted * area + (1 - area), None, 1.0)
        target = np.clip(target * area + (1 - area), None, 1.0)
    return color_transfer.histogram_match(predicted, target, config.hist_match_threshold)


def _clone(pasted, original, mask):
    """Poisson blending of the pasted face into the frame, at the place where it is."""
    binary = None
    for level in np.arange(0.1, 0.95, 0.1):
        if mask.max() > level:
            binary = (mask > level).astype(np.uint8) * 255
            break
    if binary is None:
        return pasted
    source = (pasted * _UNIT).astype(np.uint8)
    try:
        if binary[0].any() or binary[-1].any() or binary[:, 0].any() or binary[:, -1].any():
            return _to_float(_clone_at_border(source, original, binary))
        return _to_float(seamless_clone(source, original, binary))
    except cv2.error as error:
        if "nsufficient memory" in str(error):
            raise MemoryError(str(error)) from None
        interact.warning(f"Seamless fail: {error.err}; this face is pasted without seamless blending.")
        return pasted


def _clone_at_border(source, original, binary):
    """OpenCV's own function, whose treatment of masks at the border of the frame is part of the known look."""
    left, top, width, height = cv2.boundingRect(binary)
    centre = (int(left + width / 2.0), int(top + height / 2.0))
    return cv2.seamlessClone(source, original, binary, centre, cv2.NORMAL_CLONE)


def _touched_box(shape, size, *matrices):
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
    corners = (corners + 1) * size / 2 + corners * _CUBIC_REACH
    points = np.concatenate([transform_points(corners, matrix, invert=True) for matrix in matrices])
    low = np.floor(points.min(axis=0)).astype(int) - _CUBIC_REACH
    high = np.ceil(points.max(axis=0)).astype(int) + _CUBIC_REACH + 1
    height, width = shape[:2]
    box = Box(max(0, int(low[0])), max(0, int(low[1])), min(width, int(high[0])), min(height, int(high[1])))
    return box if box.right > box.left and box.bottom > box.top else None


def _face_hull(shape, landmarks, matrix, size):
    """The hull of the landmarks in the frame, warped to the face."""
    points = expand_eyebrows(landmarks, 1.0)
    height, width = shape[:2]
    low = np.maximum(np.floor(points.min(axis=0)).astype(int) - _CUBIC_REACH, 0)
    high = np.minimum(np.ceil(points.max(axis=0)).astype(int) + _CUBIC_REACH, (width, height))
    if (high <= low).any():
        return np.zeros((size, size), np.float32)
    box = Box(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
    hull = hull_mask((high[1] - low[1], high[0] - low[0]), landmarks - low)
    return np.clip(_cut(hull, box.shifted(matrix), size), 0.0, 1.0)


def _is_tiny(mask):
    rows, columns = np.flatnonzero((mask >= _AREA_LEVEL).any(axis=1)), np.flatnonzero((mask >= _AREA_LEVEL).any(axis=0))
    return not len(rows) or rows[-1] - rows[0] < _SMALLEST_AREA or columns[-1] - columns[0] < _SMALLEST_AREA


def _cut(picture, matrix, size):
    return cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_CUBIC)


def _paste(face, matrix, box):
    return cv2.warpAffine(face, matrix, box.size, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC)


def _resize_cubic(mask, size):
    return mask if mask.shape[0] == size else cv2.resize(mask, (size, size), interpolation=cv2.INTER_CUBIC)


def _blend(background, picture, mask):
    weight = mask[..., None]
    return background * (1 - weight) + picture * weight


def _in_frame(mask, box, shape):
    whole = np.zeros((*shape[:2], *mask.shape[2:]), np.float32)
    whole[box.slices] = mask
    return whole


def _fold(frame, patches):
    """Lay patches over each other: the first as it is, each further one through its mask."""
    if len(patches) == 1:
        return patches[0]
    box = patches[0].box
    for patch in patches[1:]:
        box = box.union(patch.box)
    image = _to_float(frame[box.slices])
    mask = np.zeros(image.shape[:2], np.float32)
    for number, patch in enumerate(patches):
        left, top = patch.box.left - box.left, patch.box.top - box.top
        width, height = patch.box.size
        part = slice(top, top + height), slice(left, left + width)
        image[part] = patch.image if number == 0 else _blend(image[part], patch.image, patch.mask)
        mask[part] = np.clip(mask[part] + patch.mask, 0.0, 1.0)
    return Patch(box, image, mask)


def _fold_squares(patches):
    image, mask = patches[0].image, patches[0].mask
    for patch in patches[1:]:
        image = _blend(image, patch.image, patch.mask)
        mask = np.clip(mask + patch.mask, 0.0, 1.0)
    return image, mask


def _to_float(image):
    return image.astype(np.float32) / _UNIT


def _to_uint8(image):
    """Truncate to 8 bits; the guard keeps k/255 at k."""
    return (np.clip(image, 0.0, 1.0) * _UNIT + np.float32(_TRUNCATION_GUARD)).astype(np.uint8)
