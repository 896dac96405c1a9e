"""Poisson blending: pasting a picture so that its edges take on the colours around it."""

import cv2
import numpy as np

_EROSIONS = 3


def seamless_clone(source: np.ndarray, destination: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Paste ``source`` into ``destination`` at the same place, keeping its gradients instead of its colours.

    Gives what OpenCV's ``seamlessClone`` (normal clone) gives for a mask that does not touch the border of the picture,
    in about a third of the time.

    Parameters
    ----------
    source, destination : numpy.ndarray
        (H, W, 3) uint8, of equal size.
    mask : numpy.ndarray
        (H, W), 0 outside; the outermost pixels must be 0.

    Returns
    -------
    numpy.ndarray
        (H, W, 3) uint8. Only pixels inside the bounding box of the mask can change.

    Notes
    -----
    Inside the box of the mask, :math:`\\Delta f = \\operatorname{div} v` is solved with f equal to the destination at the
    border of the box; v are the gradients of the source inside the mask (eroded by three pixels) and those of the
    destination around it. Values are truncated to 8 bits, as OpenCV does. The sine transform makes the Laplace operator diagonal.

    References
    ----------
    Pérez, Gangnet and Blake, "Poisson image editing", 2003.
    """
    left, top, width, height = cv2.boundingRect((mask != 0).astype(np.uint8))
    result = destination.copy()
    if width < 3 or height < 3:
        return result
    box = slice(top, top + height), slice(left, left + width)
    target = _planes(destination[box])
    inside = cv2.erode((mask != 0).astype(np.uint8), np.ones((3, 3), np.uint8), iterations=_EROSIONS)[box] > 0
    divergence = _divergence(_planes(source[box]), target, inside)
    solved = _solve(divergence, target)
    result[box] = np.clip(solved, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    return result


def _planes(image):
    return np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)


def _divergence(source, target, inside):
    """Divergence of the mixed gradients at the inner pixels, (3, H-2, W-2)."""
    across = np.where(inside[:, :-1], np.diff(source, axis=2), np.diff(target, axis=2))
    down = np.where(inside[:-1], np.diff(source, axis=1), np.diff(target, axis=1))
    return np.diff(across, axis=2)[:, 1:-1] + np.diff(down, axis=1)[:, :, 1:-1]


def _solve(divergence, target):
    """Planes with the border of ``target`` and the given divergence of their gradient inside."""
    from scipy import fft

    divergence[:, 0] -= target[:, 0, 1:-1]
    divergence[:, -1] -= target[:, -1, 1:-1]
    divergence[:, :, 0] -= target[:, 1:-1, 0]
    divergence[:, :, -1] -= target[:, 1:-1, -1]
    rows, columns = (_eigenvalues(count) for count in divergence.shape[1:])
    spectrum = fft.dstn(divergence, type=1, axes=(1, 2), overwrite_x=True)
    spectrum /= rows[:, None] + columns[None]
    result = target.copy()
    result[:, 1:-1, 1:-1] = fft.idstn(spectrum, type=1, axes=(1, 2), overwrite_x=True)
    return result


def _eigenvalues(count):
    """Eigenvalues of the second difference of ``count`` values with zeros around them."""
    return (2 * np.cos(np.pi * np.arange(1, count + 1) / (count + 1)) - 2).astype(np.float32)
