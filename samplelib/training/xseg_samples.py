"""Training samples of XSeg: labelled faces pasted over each other, warped and spoiled in many ways."""

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from core.imagelib.warp import draw_geometry, remap_picture, transform_mask, transform_picture, warp_maps
from facelib import alignment
from facelib.face_type import FaceType
from samplelib.faces.sample import Sample
from samplelib.training.augment import shift_hsv_by

RESOLUTION = 256
SCALE = 0.05
PASTED_ROTATION, PASTED_SHIFT, PASTED_SCALE = 180.0, 0.10, 0.10
EFFECT_CHANCE = 0.25
LABEL_THRESHOLD = 0.5


@dataclass(frozen=True)
class LabelledFace:
    """A face cropped for XSeg: ``picture`` (256, 256, 3) uint8 BGR, ``label`` (256, 256) uint8 0…255."""

    picture: np.ndarray
    label: np.ndarray

    @property
    def nbytes(self) -> int:
        return self.picture.nbytes + self.label.nbytes


def has_polygons(sample: Sample) -> bool:
    """Whether somebody has drawn a label on the face."""
    return any(len(polygon.points) for polygon in sample.training_metadata.polygons)


def prepare_labelled(sample: Sample, face_type: FaceType, from_polygons: bool) -> LabelledFace:
    """Crop a face and its label, which is drawn, or the applied mask cut at 0.5."""
    picture, metadata = sample.read_bgr(), sample.training_metadata
    height, width = picture.shape[:2]
    if from_polygons:
        label = metadata.polygon_mask(height, width)[..., 0]
    else:
        label = cast(np.ndarray, metadata.decode_xseg_mask())[..., 0]
        if label.shape != (height, width):
            label = cv2.resize(label, (width, height), interpolation=cv2.INTER_CUBIC)
        label = (label >= LABEL_THRESHOLD).astype(np.float32)
    cropped = _crop(np.clip(label * 255.0, 0, 255).astype(np.uint8), metadata, face_type)
    return LabelledFace(_crop(picture, metadata, face_type), cropped)


def prepare_plain(sample: Sample, face_type: FaceType) -> np.ndarray:
    """A face cropped for XSeg with a black border, (256, 256, 3) uint8."""
    return _crop(sample.read_bgr(), sample.training_metadata, face_type)


def labelled_sample(
    face: LabelledFace,
    random: np.random.Generator,
    warp_random: np.random.Generator,
    pasted: LabelledFace | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """One training sample.

    Parameters
    ----------
    face : LabelledFace
    random, warp_random : numpy.random.Generator
    pasted : LabelledFace, optional
        Another face, whose surroundings shine through outside of both labels.

    Returns
    -------
    tuple of numpy.ndarray
        Picture (256, 256, 3) uint8 and label (256, 256, 1) uint8, 0 or 255.
    """
    image, label = _unit(face.picture), _unit(face.label)
    if pasted is not None:
        image = _mix_surroundings(image, label, pasted, random)
    image, label = _warp(image, label, random, warp_random)
    for part in (label, 1.0 - label):
        if random.uniform() < 0.5:
            image = image + _glow(image, part, random)
    image = _faded(image, _color_shift(np.clip(image, 0.0, 1.0), random), random)
    image = _faded(image, _sharpness_change(image, random), random)
    image = _faded(image, _resized_and_back(image, random), random)
    image = np.clip(image, 0.0, 1.0)
    image = _faded(image, _jpeg_and_back(image, random), random)
    return _to_uint8(image), (label[..., None] * 255).astype(np.uint8)


def pretraining_sample(
    picture: np.ndarray, random: np.random.Generator, warp_random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A warped face (256, 256, 3) and the grey version of it (256, 256, 1), both uint8."""
    geometry = draw_geometry(RESOLUTION, random, SCALE, True)
    warped = remap_picture(_unit(picture), *warp_maps(RESOLUTION, warp_random))
    image = np.clip(transform_picture(warped, geometry), 0.0, 1.0)
    return _to_uint8(image), _to_uint8(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY))[..., None]


def levels(picture: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Random black point, white point and gamma of each channel of a float32 picture 0…1."""
    result = np.empty_like(picture)
    for channel in range(3):
        black, white = random.uniform(0, 0.25), 1.0 - random.uniform(0, 0.25)
        gamma = random.uniform(0.5, 1.5)
        out_black, out_white = random.uniform(0, 0.25), 1.0 - random.uniform(0, 0.25)
        value = np.clip((picture[..., channel] - black) / (white - black), 0.0, 1.0)
        result[..., channel] = value ** (1.0 / gamma) * (out_white - out_black) + out_black
    return result


def faded_circle(random: np.random.Generator, size: int = RESOLUTION) -> np.ndarray:
    """(size, size, 1) float32: 1 inside of a circle of random place and radius, fading to 0 around it."""
    start = int(random.integers(size))
    fade = start + int(random.integers(size - start)) or 1
    x, y = random.integers(size), random.integers(size)
    rows, columns = np.ogrid[:size, :size]
    distance = np.sqrt((columns - x) ** 2.0 + (rows - y) ** 2.0)
    return np.clip(1.0 - (distance - start) / fade, 0.0, 1.0).astype(np.float32)[..., None]


def motion_kernel(size: int, degrees: float) -> np.ndarray:
    """(size, size) float32 line kernel of a given angle, sum 1."""
    kernel: np.ndarray = np.zeros((size, size), np.float32)
    kernel[(size - 1) // 2] = 1.0
    center = (size / 2 - 0.5, size / 2 - 0.5)
    kernel = cv2.warpAffine(kernel, cv2.getRotationMatrix2D(center, degrees, 1.0), (size, size))
    return kernel / max(float(kernel.sum()), 1e-6)


def _mix_surroundings(image, label, pasted, random):
    geometry = draw_geometry(RESOLUTION, random, PASTED_SCALE, True, rotation=PASTED_ROTATION, shift=PASTED_SHIFT)
    other = np.clip(transform_picture(_unit(pasted.picture), geometry), 0.0, 1.0)
    other_label = np.clip(transform_mask(_unit(pasted.label), geometry), 0.0, 1.0)
    surroundings = _color_shift(other * (1.0 - other_label)[..., None], random)
    kept = (1.0 - (1.0 - other_label) * (1.0 - label))[..., None]
    share = random.uniform(0.15, 1.0)
    return image * kept + (image * share + surroundings * (1.0 - share)) * (1.0 - kept)


def _warp(image, label, random, warp_random):
    geometry = draw_geometry(RESOLUTION, random, SCALE, True)
    maps = warp_maps(RESOLUTION, warp_random)
    image = transform_picture(remap_picture(image.astype(np.float32), *maps), geometry)
    label = transform_mask(remap_picture(label, *maps), geometry, cv2.INTER_CUBIC)
    return np.clip(image, 0.0, 1.0), (label >= LABEL_THRESHOLD).astype(np.float32)


def _glow(image, part, random):
    kernel = int(random.integers(RESOLUTION // 4, RESOLUTION))
    kernel += 1 - kernel % 2
    return cv2.GaussianBlur(image * part[..., None], (kernel, kernel), 0)


def _color_shift(picture, random):
    """Hue moved anywhere with saturation and value, or levels; one half each."""
    if random.uniform() < 0.5:
        hue = int(random.integers(360))
        return shift_hsv_by(picture.astype(np.float32), hue, random.uniform(-0.5, 0.5), random.uniform(-0.5, 0.5))
    return levels(picture.astype(np.float32), random)


def _sharpness_change(image, random):
    if random.uniform() < 0.5:
        return _sharpened(image, random) if random.uniform() < EFFECT_CHANCE else image
    if random.uniform() < EFFECT_CHANCE:
        kernel = motion_kernel(1 + int(random.integers(5)), int(random.integers(360)))
        image = cv2.filter2D(image, -1, kernel)
    if random.uniform() < EFFECT_CHANCE:
        kernel = 1 + 2 * int(random.integers(5))
        image = cv2.GaussianBlur(image, (kernel, kernel), 0)
    return image


def _sharpened(image, random):
    kernel = 1 + int(random.integers(5))
    kernel += 1 - kernel % 2
    if random.uniform() < 0.5:
        amount = int(random.integers(10))
        return image + amount * (image - cv2.blur(image, (kernel, kernel)))
    amount = int(random.integers(50))
    if not amount:
        return image
    return image * (1 + amount / 2) - cv2.GaussianBlur(image, (kernel, kernel), 0) * (amount / 2)


def _resized_and_back(image, random):
    interpolation = cv2.INTER_NEAREST if random.uniform() < 0.5 else cv2.INTER_LINEAR
    if random.uniform() >= EFFECT_CHANCE:
        return image
    width, height = (RESOLUTION - int(random.uniform() * int(0.75 * RESOLUTION)) for _ in range(2))
    small = cv2.resize(image, (width, height), interpolation=interpolation)
    return cv2.resize(small, (RESOLUTION, RESOLUTION), interpolation=interpolation)


def _jpeg_and_back(image, random):
    if random.uniform() >= EFFECT_CHANCE:
        return image
    quality = int(random.integers(10, 101))
    _, data = cv2.imencode(".jpg", _to_uint8(image), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _unit(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _faded(image, changed, random):
    """The changed picture inside of a faded circle, the old one outside."""
    if changed is image:
        return image
    circle = faded_circle(random)
    return image * (1.0 - circle) + changed * circle


def _crop(picture, metadata, face_type):
    if FaceType.from_text(metadata.face_type) != face_type:
        matrix = alignment.face_matrix(metadata.landmarks, RESOLUTION, face_type)
        return cv2.warpAffine(picture, matrix, (RESOLUTION, RESOLUTION), flags=cv2.INTER_LANCZOS4)
    if picture.shape[:2] == (RESOLUTION, RESOLUTION):
        return picture
    return cv2.resize(picture, (RESOLUTION, RESOLUTION), interpolation=cv2.INTER_LANCZOS4)


def _unit(picture):
    return picture.astype(np.float32) * np.float32(1 / 255)


def _to_uint8(picture):
    return np.clip(picture * 255.0 + 0.5, 0, 255).astype(np.uint8)
