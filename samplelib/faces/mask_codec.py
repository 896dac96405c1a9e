"""Encodes the applied mask of a face into few bytes, decodes it again, and refuses pictures of absurd size."""

from typing import Any

import cv2
import numpy as np

from core.errors import FormatError
from core.files.imageio import decode_image, encode_image
from core.files.picture_limits import FACE_MEGAPIXELS

LARGEST_PNG = 50_000


def encode_mask(mask: np.ndarray, limit: int = LARGEST_PNG) -> bytes:
    """Mask as PNG, or as JPEG of the best quality that fits into ``limit`` bytes.

    Parameters
    ----------
    mask : numpy.ndarray
        (H, W) or (H, W, C) float 0…1; the first channel counts.

    Returns
    -------
    bytes
        At quality 0 possibly more than ``limit``.
    """
    mask = np.asarray(mask, np.float32)
    if mask.ndim == 3:
        mask = mask[:, :, 0]
    pixels = np.clip(np.nan_to_num(mask) * 255, 0, 255).astype(np.uint8)
    data = encode_image(pixels, ".png")
    if len(data) <= limit:
        return data
    return _encode_jpeg(pixels, limit)


def _encode_jpeg(pixels, limit):
    """Best quality that fits; sizes grow with the quality, nearly always, so halve first and then step."""
    low, high = 0, 100
    while low < high:
        middle = (low + high + 1) // 2
        if len(encode_image(pixels, ".jpg", middle)) <= limit:
            low = middle
        else:
            high = middle - 1
    for quality in range(min(100, low + 3), -1, -1):
        data = encode_image(pixels, ".jpg", quality)
        if len(data) <= limit:
            return data
    return data


def decode_mask(data: bytes, name: Any = "mask") -> np.ndarray:
    """Mask stored in ``data``: (H, W, 1) float32 0…1.

    Raises
    ------
    FormatError
        When it is no picture, or one above the limit of :mod:`core.files.picture_limits`.
    """
    try:
        pixels = decode_image(data, "the mask", FACE_MEGAPIXELS)
    except FormatError as error:
        raise FormatError(name, f"its mask {error.problem}. Apply masks again, or remove them: xseg remove") from None
    if pixels.ndim == 3:
        pixels = pixels[:, :, 0]
    scale = 65535.0 if pixels.dtype == np.uint16 else 255.0
    return np.divide(pixels, scale, dtype=np.float32)[:, :, None]


def shrink_mask(data: bytes, limit: int, name: Any = "mask") -> bytes | None:
    """Encode a stored mask again in at most ``limit`` bytes: worse quality first, then half the size, and so on.

    Returns None when even a tiny one does not fit.
    """
    mask = decode_mask(data, name)[:, :, 0]
    while min(mask.shape) >= 16:
        data = encode_mask(mask, limit)
        if len(data) <= limit:
            return data
        mask = cv2.resize(mask, (mask.shape[1] // 2, mask.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return None
