"""Sharpening, blurring and degrading filters.

All functions take and return float32 pictures, nominal range 0…1, and do not clip unless they say so.
"""

import cv2
import numpy as np

SHARPEN_BOX, SHARPEN_GAUSSIAN = 1, 2
"""Sharpening kinds, in DeepFaceLab's numbering; 0 is none."""

_MEDIAN_SIZE = 5
_LARGEST_DEGRADE = 101


def blur_sharpen(image: np.ndarray, mode: int, amount: float, kernel_size: int = 3) -> np.ndarray:
    """Sharpen (``amount`` > 0, by ``mode``) or smooth with medians (``amount`` < 0, in every mode).

    Parameters
    ----------
    image : numpy.ndarray
        (H, W) or (H, W, C) float32.
    mode : int
        0 none, 1 box, 2 gaussian.
    amount : float
        -100…100.
    kernel_size : int
        Of the sharpening kernel; an even size is raised by 1.
    """
    if amount < 0:
        return repeated_median(image, -amount, full_step=10, step=10)
    if amount == 0 or mode not in (SHARPEN_BOX, SHARPEN_GAUSSIAN):
        return image
    if mode == SHARPEN_BOX:
        return box_sharpen(image, amount, kernel_size)
    return gaussian_sharpen(image, amount, kernel_size)


def box_sharpen(image: np.ndarray, amount: float, kernel_size: int = 3) -> np.ndarray:
    """Correlate with :math:`\\delta + a(\\delta - b)`, where b is the normalised box of ``kernel_size`` (made odd)."""
    size = _odd(kernel_size)
    kernel = np.full((size, size), -amount / (size * size), np.float32)
    kernel[size // 2, size // 2] += 1 + amount
    return cv2.filter2D(image, -1, kernel).reshape(image.shape)


def gaussian_sharpen(image: np.ndarray, amount: float, kernel_size: int = 3, sigma: float = 0.0) -> np.ndarray:
    """Unsharp mask :math:`(1 + a/2)x - (a/2)G(x)`; ``sigma`` 0 lets OpenCV choose it from ``kernel_size`` (made odd)."""
    blurred = gaussian_blur(image, kernel_size, sigma)
    return cv2.addWeighted(image, 1.0 + 0.5 * amount, blurred, -0.5 * amount, 0).reshape(image.shape)


def gaussian_blur(image: np.ndarray, kernel_size: int, sigma: float = 0.0) -> np.ndarray:
    """Gaussian blur; an even ``kernel_size`` is raised by 1, 0 lets OpenCV choose it from ``sigma``, and vice versa."""
    size = _odd(kernel_size) if kernel_size else 0
    return cv2.GaussianBlur(image, (size, size), sigma).reshape(image.shape)


def motion_blur(image: np.ndarray, size: int, angle: float) -> np.ndarray:
    """Linear motion blur.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W) or (H, W, C) float32.
    size : int
        Length in pixels, at least 1.
    angle : float
        Degrees, counter-clockwise as seen.
    """
    return cv2.filter2D(image, -1, motion_kernel(size, angle)).reshape(image.shape)


def motion_kernel(size: int, angle: float) -> np.ndarray:
    """(size, size) float32 kernel of sum 1: a row of ones rotated about the kernel's centre."""
    kernel: np.ndarray = np.zeros((size, size), np.float32)
    kernel[(size - 1) // 2] = 1.0
    centre = (size / 2 - 0.5, size / 2 - 0.5)
    kernel = cv2.warpAffine(kernel, cv2.getRotationMatrix2D(centre, angle, 1.0), (size, size))
    return kernel / kernel.sum()


def repeated_median(image: np.ndarray, power: float, full_step: float, step: float) -> np.ndarray:
    """Medians of 5x5 pixels, one after the other, while ``power`` lasts.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, C) float32.
    power : float
        A pass with ``power >= full_step`` replaces the picture by its median, a later one mixes them by
        ``power / full_step``; each pass takes ``step`` away.
    full_step, step : float
        10 and 10 for blurring, 100 and 10 for :func:`denoise`.
    """
    result = image
    while power > 0:
        median = cv2.medianBlur(np.ascontiguousarray(result, np.float32), _MEDIAN_SIZE).reshape(image.shape)
        if power < full_step:
            share = power / full_step
            median = cv2.addWeighted(result, 1.0 - share, median, share, 0).reshape(image.shape)
        if np.array_equal(median, result):
            return result
        result = median
        power -= step
    return result


def denoise(image: np.ndarray, power: int) -> np.ndarray:
    """Smooth with repeated medians, ``power`` 0…500 (DeepFaceLab's image denoise); whole-picture filter."""
    return repeated_median(image, power, full_step=100, step=10)


def bicubic_degrade(image: np.ndarray, power: float) -> np.ndarray:
    """Make smaller by ``1 - power / 101`` (at least one pixel is left) and enlarge again, both with cubic weights."""
    if power <= 0:
        return image
    height, width = image.shape[:2]
    share = 1 - power / _LARGEST_DEGRADE
    small = (max(1, int(width * share)), max(1, int(height * share)))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_CUBIC)
    return cv2.resize(reduced, (width, height), interpolation=cv2.INTER_CUBIC).reshape(image.shape)


def reduce_colors(image: np.ndarray, colors: int = 256) -> np.ndarray:
    """Quantise to an adaptive palette (median cut, no dithering).

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) float32 BGR, 0…1; truncated to 8 bits first.
    colors : int
        Size of the palette, 1…256.
    """
    from PIL import Image

    rgb = np.ascontiguousarray((np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)[..., ::-1])
    reduced = Image.fromarray(rgb).convert("P", palette=Image.Palette.ADAPTIVE, colors=colors).convert("RGB")
    return np.ascontiguousarray(np.asarray(reduced)[..., ::-1]).astype(np.float32) / np.float32(255.0)


def color_degrade(image: np.ndarray, power: float) -> np.ndarray:
    """Mix with the picture reduced to 256 colours; ``power`` 0…100 is the share of the latter."""
    if power <= 0:
        return image
    reduced = reduce_colors(image)
    if power >= 100:
        return reduced
    share = np.float32(power / 100.0)
    return image * (1 - share) + reduced * share


def _odd(size):
    return size + 1 if size % 2 == 0 else size
