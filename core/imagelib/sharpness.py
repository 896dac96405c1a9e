"""How sharp a picture is: the CPBD measure, and the variance of a Laplacian for motion blur."""

import cv2
import numpy as np

_BLOCK = 64
_EDGE_SHARE_OF_BLOCK = 0.002
_LONGEST_WALK = 100
_LOW_CONTRAST = 50
_NOTICEABLE, _NOTICEABLE_IF_LOW_CONTRAST = 3.0, 5.0  # width in pixels of a blur that is just noticeable
_BLUR_EXPONENT = 3.6
_SHARP_BUCKET = 63


def sharpness(image: np.ndarray) -> float:
    """Share of edges too narrow to be seen as blurred, 0 … 1; higher is sharper.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W), (H, W, 1) or (H, W, 3) BGR, values 0…255 of any dtype. Under 64 pixels a side the result is 0.

    Notes
    -----
    Vertical edges are found by a Sobel filter, the width w of each is the distance between the brightness extrema on
    both sides in its row. In blocks of 64 × 64 pixels with enough Canny edges an edge is seen as blurred with the
    probability :math:`1 - \\exp(-(w / J)^{3.6})`, J = 5 in blocks of low contrast, else 3. Counted are the edges of
    probability up to 63 % (rounded).

    References
    ----------
    .. [1] N. D. Narvekar, L. J. Karam, "A no-reference image blur metric based on the cumulative probability of blur
           detection (CPBD)", IEEE Transactions on Image Processing 20(9), 2011.
    .. [2] P. Marziliano et al., "Perceptual blur and ringing metrics", Signal Processing: Image Communication 19, 2004.
    """
    grey = _grey(image)
    rows, columns = grey.shape[0] // _BLOCK, grey.shape[1] // _BLOCK
    if rows == 0 or columns == 0:
        return 0.0
    widths = _blocks(edge_widths(grey), rows, columns)
    edges = _blocks(canny_edges(grey), rows, columns).sum(axis=1)
    pixels = _blocks(grey, rows, columns)
    contrast = np.trunc(pixels.max(axis=1) - pixels.min(axis=1))
    chosen = edges > _EDGE_SHARE_OF_BLOCK * _BLOCK * _BLOCK
    noticeable = np.where(contrast <= _LOW_CONTRAST, _NOTICEABLE_IF_LOW_CONTRAST, _NOTICEABLE)
    chosen = chosen[:, None] & (widths > 0)
    relative = (widths / noticeable[:, None])[chosen]
    probability = 1 - np.exp(-np.power(relative, _BLUR_EXPONENT))
    sharp = np.rint(probability * 100) <= _SHARP_BUCKET
    return float(sharp.mean()) if sharp.size else 0.0


def laplacian_variance(image: np.ndarray) -> float:
    """Variance over all pixels and channels of the Laplacian with an 11 × 11 aperture; low where motion blurs."""
    return float(cv2.Laplacian(image, cv2.CV_64F, ksize=11).var())


def canny_edges(grey: np.ndarray) -> np.ndarray:
    """Canny edges at σ = 1 with the thresholds 0.1 and 0.2 in grey levels; (H, W) bool from (H, W) float64."""
    from skimage.feature import canny

    return canny(grey)


def sobel_edges(grey: np.ndarray) -> np.ndarray:
    """Pixels on vertical edges: local maxima of the squared horizontal Sobel gradient; (H, W) bool.

    A pixel counts when its value lies strictly over both neighbours in the row, or over both in the column.
    """
    padded = np.pad(grey, 1, mode="edge")
    smooth = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    squared = np.square((smooth[:, 2:] - smooth[:, :-2]) / 8)
    squared[squared <= 2 * np.sqrt(squared.mean())] = 0
    around = np.pad(squared, 1)
    row = (squared > around[1:-1, :-2]) & (squared > around[1:-1, 2:])
    column = (squared > around[:-2, 1:-1]) & (squared > around[2:, 1:-1])
    return row | column


def edge_widths(grey: np.ndarray) -> np.ndarray:
    """Width in pixels of each vertical edge, 0 elsewhere; (H, W) int64 from (H, W) float64.

    From an edge pixel the row is followed to both sides for as long as the brightness keeps falling (rising).
    """
    down, across = np.gradient(grey)
    widths = np.zeros(grey.shape, np.int64)
    has_angle = (across != 0) & ((down != 0) | (across < 0))
    if not has_angle.any():
        return widths
    edges = sobel_edges(grey)
    edges[[0, -1]] = edges[:, [0, -1]] = False
    row, column = np.nonzero(edges)
    degrees = np.degrees(np.arctan2(down[row, column], across[row, column]))
    direction = np.abs(np.rint(np.where(across[row, column] == 0, 0.0, degrees) / 45))
    step = grey[:, 1:] - grey[:, :-1]
    for chosen, sign in ((direction == 0, 1), (direction == 4, -1)):
        rows, columns = row[chosen], column[chosen]
        falling_left, rising_right = _run_ends(sign * step)
        left = 1 + np.minimum(columns - 1 - falling_left[rows, columns - 1], _LONGEST_WALK)
        right = 1 + np.minimum(rising_right[rows, columns + 1] - columns - 1, _LONGEST_WALK)
        widths[rows, columns] = left + right
    return widths


def _run_ends(step):
    """For each pixel the columns where, going left and going right, the brightness stops its monotonous run.

    ``step`` (H, W − 1) is the rise from each pixel to the next one on the right.
    """
    height, width = step.shape[0], step.shape[1] + 1
    columns = np.arange(width, dtype=np.int32)
    ends = np.ones((height, width), bool)
    ends[:, 1:] = step <= 0
    left = np.maximum.accumulate(np.where(ends, columns, 0), axis=1)
    ends[:, -1] = True
    ends[:, :-1] = step <= 0
    right = np.minimum.accumulate(np.where(ends, columns, width)[:, ::-1], axis=1)[:, ::-1]
    return left, right


def _blocks(values, rows, columns):
    """Cut (H, W) into complete blocks, (rows · columns, 4096)."""
    values = values[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return values.swapaxes(1, 2).reshape(rows * columns, _BLOCK * _BLOCK)


def _grey(image):
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.shape[2] == 3 else image[:, :, 0]
    return image.astype(np.float64)
