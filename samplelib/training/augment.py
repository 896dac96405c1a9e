"""One training sample of a swap model from a decoded face: face-type step, colours, geometry, uint8 arrays."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from core.imagelib.warp import SampleGeometry, draw_geometry, scratch, transform_mask, transform_picture, warp_picture
from facelib import alignment, landmarks
from facelib.face_type import FaceType
from samplelib.faces.aligned_face import FaceMetadata


@dataclass(frozen=True)
class PreparedFace:
    """A face as the model sees it before any random change, ready to be cached.

    Parameters
    ----------
    picture : numpy.ndarray
        (R, R, 3) uint8 BGR.
    mask : numpy.ndarray
        (R, R) uint8, full face mask times 255.
    eyes_mouth : numpy.ndarray or None
        (R, R) uint8, eyes and mouth mask times 255.
    """

    picture: np.ndarray
    mask: np.ndarray
    eyes_mouth: np.ndarray | None

    @property
    def nbytes(self) -> int:
        return self.picture.nbytes + self.mask.nbytes + (0 if self.eyes_mouth is None else self.eyes_mouth.nbytes)


@dataclass(frozen=True)
class Augmentation:
    """How one side's samples are changed at random.

    Parameters
    ----------
    warp : bool
        Warp the network's input.
    independent_warp : bool
        See :func:`core.imagelib.warp.warp_maps`.
    flip : bool
        Mirror 40 % of the samples.
    scale : float
        Scale factors 1/(1+scale) … 1+scale.
    hsv_power : float
        Strength of the colour change of the network's input, 0 = none.
    ct_mode : str
        Colour transfer from a partner face, ``"none"`` or a mode of :mod:`core.imagelib.color_transfer`.
    ct_shared : bool
        Random transfers (idt, sot) give input and target the same colours.
    """

    warp: bool = True
    independent_warp: bool = False
    flip: bool = False
    scale: float = 0.15
    hsv_power: float = 0.0
    ct_mode: str = "none"
    ct_shared: bool = False


def prepare_face(
    picture: np.ndarray, metadata: FaceMetadata, face_type: FaceType, resolution: int, with_eyes_mouth: bool = True
) -> PreparedFace:
    """Crop a decoded face and its masks to the model's face type and resolution.

    Parameters
    ----------
    picture : numpy.ndarray
        (H, W, 3) uint8 BGR, the aligned face as stored.
    metadata : FaceMetadata
    face_type : FaceType
        Of the model.
    resolution : int
    with_eyes_mouth : bool
        Make the eyes and mouth mask as well.
    """
    full = full_mask(picture.shape, metadata)
    parts = None
    if with_eyes_mouth:
        parts = landmarks.eyes_mouth_mask(picture.shape, metadata.landmarks)[..., 0] * (full != 0)
    convert = face_type_converter(picture.shape, metadata, face_type, resolution)
    to_uint8 = lambda mask: np.clip(convert(mask, True) * 255.0 + 0.5, 0, 255).astype(np.uint8)  # noqa: E731
    return PreparedFace(convert(picture, False), to_uint8(full), None if parts is None else to_uint8(parts))


def full_mask(shape: tuple[int, ...], metadata: FaceMetadata) -> np.ndarray:
    """Mask of a face at picture size: the applied XSeg mask if there is one, else the hull of the landmarks.

    Returns
    -------
    numpy.ndarray
        (H, W) float32, 0…1, soft where an XSeg mask is.
    """
    height, width = shape[:2]
    mask = metadata.decode_xseg_mask()
    if mask is None:
        hull = landmarks.hull_mask((height, width, 3), metadata.landmarks, metadata.eyebrows_expand_mod)
        return np.ascontiguousarray(hull[..., 0])
    mask = mask[..., 0]
    if mask.shape != (height, width):
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(mask, 0.0, 1.0)


def face_type_converter(
    shape: tuple[int, ...], metadata: FaceMetadata, face_type: FaceType, resolution: int
) -> Callable:
    """Function ``convert(picture, is_mask)`` that brings a picture of a face to the model's type and size.

    Another type: cut out by the alignment of the face's landmarks (pictures cubic with replicated border, masks linear
    with zeros). The same type: resized if needed.
    """
    own_type = FaceType.from_text(metadata.face_type)
    if own_type != face_type:
        matrix = alignment.face_matrix(metadata.landmarks, resolution, face_type)

        def convert(picture, is_mask):
            flags, border = (
                (cv2.INTER_LINEAR, cv2.BORDER_CONSTANT) if is_mask else (cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
            )
            return cv2.warpAffine(picture, matrix, (resolution, resolution), flags=flags, borderMode=border)

        return convert

    def resize(picture, is_mask):
        if picture.shape[:2] == (resolution, resolution):
            return picture
        interpolation = cv2.INTER_LINEAR if is_mask else cv2.INTER_CUBIC
        return cv2.resize(picture, (resolution, resolution), interpolation=interpolation)

    return resize


def make_sample(
    face: PreparedFace,
    augmentation: Augmentation,
    random: np.random.Generator,
    warp_random: np.random.Generator,
    partner: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    """One random sample.

    Parameters
    ----------
    face : PreparedFace
    augmentation : Augmentation
    random, warp_random : numpy.random.Generator
        First stream (geometry, flip, colour) and second stream (warp) of this sample.
    partner : numpy.ndarray, optional
        (R, R, 3) uint8 face whose colours are taken over.

    Returns
    -------
    tuple of numpy.ndarray
        Network input, target (R, R, 3), full mask and, if prepared, eyes and mouth mask (R, R, 1); all uint8.
    """
    geometry = draw_geometry(
        face.picture.shape[0],
        random,
        augmentation.scale,
        augmentation.flip,
        warp_random if augmentation.warp else None,
        augmentation.independent_warp,
    )
    # Cubic interpolation of floats is faster than that of bytes, and rounds once.
    shape = face.picture.shape
    target = net_input = scratch("picture", shape, np.float32)
    np.copyto(target, face.picture)
    if (partner is not None and augmentation.ct_mode != "none") or augmentation.hsv_power:
        net_input, target = _recoloured(target, partner, augmentation, random)
    moved = scratch("moved", shape, np.float32)
    moved_target = _as_uint8(transform_picture(target, geometry, moved))
    if augmentation.warp:
        moved_input = _as_uint8(warp_picture(net_input, geometry, moved))
    elif net_input is target:
        moved_input = moved_target
    else:
        moved_input = _as_uint8(transform_picture(net_input, geometry, moved))
    arrays = [moved_input, moved_target, transform_mask(face.mask, geometry)[..., None]]
    if face.eyes_mouth is not None:
        arrays.append(_stretched(transform_mask(face.eyes_mouth, geometry))[..., None])
    return tuple(arrays)


def shift_hsv(picture: np.ndarray, amount: float, random: np.random.Generator) -> np.ndarray:
    """Random hue, saturation and value shift.

    Parameters
    ----------
    picture : numpy.ndarray
        (H, W, 3) float32 BGR, 0…1.
    amount : float
        Hue moves by up to 180·amount degrees, saturation and value by up to amount / 2.
    """
    reach = max(1, int(180 * amount))
    hue = random.integers(-reach, reach + 1)
    saturation, value = (random.uniform() - 0.5) * amount, (random.uniform() - 0.5) * amount
    return shift_hsv_by(picture, int(hue), saturation, value)


def shift_hsv_by(picture: np.ndarray, hue: float, saturation: float, value: float) -> np.ndarray:
    """Move the hue (degrees), saturation and value of a float32 BGR picture 0…1."""
    channels = cv2.cvtColor(np.clip(picture, 0.0, 1.0), cv2.COLOR_BGR2HSV)
    channels[..., 0] = (channels[..., 0] + hue) % 360
    channels[..., 1:] = np.clip(channels[..., 1:] + np.array((saturation, value), np.float32), 0.0, 1.0)
    return np.clip(cv2.cvtColor(channels, cv2.COLOR_HSV2BGR), 0.0, 1.0)


def _recoloured(picture, partner, augmentation, random):
    """Network input and target, 0…255 as ``picture`` is, after colour transfer and colour change."""
    target = net_input = picture * np.float32(1 / 255)
    if partner is not None and augmentation.ct_mode != "none":
        net_input, target = _transferred(target, partner, augmentation, random)
    if augmentation.hsv_power:
        net_input = shift_hsv(net_input, augmentation.hsv_power, random)
    scaled = target * np.float32(255)
    return (scaled if net_input is target else net_input * np.float32(255)), scaled


def _transferred(picture, partner, augmentation, random):
    """Input and target with the partner's colours; the same array unless the transfer is random and not shared."""
    from core.imagelib.color_transfer import color_transfer

    size = picture.shape[0]
    target = cv2.resize(partner * np.float32(1 / 255), (size, size), interpolation=cv2.INTER_LINEAR)
    first = np.clip(color_transfer(augmentation.ct_mode, picture, target, rng=random), 0.0, 1.0).astype(np.float32)
    if augmentation.ct_mode not in ("idt", "sot") or augmentation.ct_shared:
        return first, first
    second = np.clip(color_transfer(augmentation.ct_mode, picture, target, rng=random), 0.0, 1.0).astype(np.float32)
    return first, second


def _stretched(mask):
    """A uint8 mask divided by its maximum, if that is not 0."""
    peak = int(mask.max())
    return mask if peak in (0, 255) else cv2.convertScaleAbs(mask, alpha=255.0 / peak)


def _as_uint8(picture):
    """Rounded and clipped; ``picture`` (float32, 0…255) is used up."""
    cv2.threshold(picture, 0.0, 0.0, cv2.THRESH_TOZERO, dst=picture)
    return cv2.convertScaleAbs(picture)


__all__ = [
    "Augmentation",
    "PreparedFace",
    "SampleGeometry",
    "face_type_converter",
    "full_mask",
    "make_sample",
    "prepare_face",
    "shift_hsv",
    "shift_hsv_by",
]
