"""The mask of a merged face: chosen from the networks' masks, grown, shrunk and blurred."""

from collections.abc import Callable

import cv2
import numpy as np

from merger.settings.config import MASK_MODES

LEAST_VISIBLE = 1.0 / 255.0
"""Mask values below this are cleared."""

_PARTS = {
    "dst": "hull",
    "learned-prd": "learned_prd",
    "learned-dst": "learned_dst",
    "XSeg-prd": "xseg_prd",
    "XSeg-dst": "xseg_dst",
}


def needed_parts(mask_mode: int) -> tuple[str, ...]:
    """Which masks a mode is made of: ``hull``, ``learned_prd``, ``learned_dst``, ``xseg_prd``, ``xseg_dst``."""
    names = MASK_MODES[mask_mode].replace("+", "*").split("*")
    return tuple(_PARTS[name] for name in names if name in _PARTS)


def combine(mask_mode: int, part: Callable[[str], np.ndarray], size: int) -> np.ndarray:
    """The mask of a mode.

    Parameters
    ----------
    mask_mode : int
        Index into :data:`merger.settings.config.MASK_MODES`.
    part : callable
        Gives the mask of a name of :func:`needed_parts` as (size, size) float32.
    size : int
        Side of the face.

    Returns
    -------
    numpy.ndarray
        (size, size) float32; values below 1/255 are 0.
    """
    parts = [part(name) for name in needed_parts(mask_mode)]
    if not parts:
        return np.ones((size, size), np.float32)
    mask = parts[0].copy()
    for other in parts[1:]:
        if "+" in MASK_MODES[mask_mode]:
            mask = np.clip(mask + other, 0.0, 1.0)
        else:
            mask *= other
    mask[mask < LEAST_VISIBLE] = 0.0
    return mask


def modify(mask: np.ndarray, erode: int, blur: int) -> np.ndarray:
    """Erode or dilate and then blur a mask, so that a blurred one fades to 0 at the edge of the crop.

    Parameters
    ----------
    mask : numpy.ndarray
        (4R, 4R) float32, R being the resolution of the model.
    erode : int
        Diameter in pixels of ``mask``; negative values dilate.
    blur : int
        Size of the Gaussian kernel; even sizes are raised by 1.

    Returns
    -------
    numpy.ndarray
        (4R, 4R) float32, 0…1.
    """
    if erode == 0 and blur == 0:
        return np.clip(mask, 0.0, 1.0)
    size = mask.shape[0]
    margin = size // 4
    mask = np.pad(mask, margin)
    if erode:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(erode), abs(erode)))
        anchor = (abs(erode) // 2, abs(erode) // 2)
        operation = cv2.erode if erode > 0 else cv2.dilate
        mask = operation(mask, kernel, anchor=anchor, iterations=1)
    edge = min(margin + blur // 2, (size + 1) // 2 + margin)
    mask[:edge] = mask[-edge:] = 0
    mask[:, :edge] = mask[:, -edge:] = 0
    if blur:
        kernel_size = blur if blur % 2 else blur + 1
        mask = cv2.GaussianBlur(mask, (kernel_size, kernel_size), 0)
    return np.clip(mask[margin:-margin, margin:-margin], 0.0, 1.0)
