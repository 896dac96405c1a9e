"""Random geometry of training samples: one rotation, scale, shift and flip for all pictures of a sample, and a warp."""

import functools
import math
import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

ROTATION_DEGREES = 10.0
SHIFT = 0.05
FLIP_CHANCES = (4, 10)
NOISE_OF_CELL = 0.24
TRUNCATION = 2.5
SMALLEST_WARP_SIZE = 64

# OpenCV takes pixels from inside a picture much faster than from across its border, so pictures get a border of their own
# first: at most the kernel's reach and the half pixel for a warp, and what a common transform reaches beyond the side.
_WARP_BORDER = 4
_TRANSFORM_BORDER = 0.25

_this_thread = threading.local()


@dataclass(frozen=True)
class SampleGeometry:
    """The random geometry of one sample at one size.

    Parameters
    ----------
    matrix : numpy.ndarray
        (2, 3) float64, forward map of rotation, scale and shift.
    flip : bool
        Mirror the columns afterwards.
    warp_x, warp_y : numpy.ndarray
        (size, size) float32 maps for ``cv2.remap``: from where the warped picture takes its pixels.
    size : int
        Side of the picture.
    """

    matrix: np.ndarray
    flip: bool
    warp_x: Any
    warp_y: Any
    size: int


def draw_geometry(
    size: int,
    random: np.random.Generator,
    scale: float,
    allow_flip: bool,
    warp_random: np.random.Generator | None = None,
    independent_warp: bool = False,
    rotation: float = ROTATION_DEGREES,
    shift: float = SHIFT,
) -> SampleGeometry:
    """Draw the geometry of a sample.

    Parameters
    ----------
    size : int
        Side of the picture.
    random : numpy.random.Generator
        Gives, in this order: rotation U(-rotation, rotation) in degrees, scale U(1/(1+s), 1+s), shift in x and in y
        U(-shift, shift) of the size, and with ``allow_flip`` whether to mirror (chance 0.4).
    scale : float
        s above.
    allow_flip : bool
    warp_random : numpy.random.Generator, optional
        Gives the warp; without it there is none.
    independent_warp : bool
        See :func:`warp_maps`.
    """
    first, second, third, fourth = random.random(4).tolist()
    angle = (2.0 * first - 1.0) * rotation
    smallest = 1.0 / (1.0 + scale)
    factor = smallest + (1.0 + scale - smallest) * second
    shift_x, shift_y = (2.0 * third - 1.0) * shift, (2.0 * fourth - 1.0) * shift
    flip = bool(allow_flip and random.integers(FLIP_CHANCES[1]) < FLIP_CHANCES[0])
    matrix = cv2.getRotationMatrix2D((size // 2, size // 2), angle, factor)
    matrix[:, 2] += (shift_x * size, shift_y * size)
    maps = (None, None) if warp_random is None else warp_maps(size, warp_random, independent_warp)
    return SampleGeometry(matrix, flip, maps[0], maps[1], size)


def warp_maps(size: int, random: np.random.Generator, independent: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Maps of a random elastic warp.

    Parameters
    ----------
    size : int
        Side of the picture; below 64 the maps are made for 64 (see :func:`warp_picture`).
    random : numpy.random.Generator
        Gives the cell size (a half, a quarter or an eighth of the side), then the noise.
    independent : bool
        False: the maps of DeepFaceLab, where ``map_y`` is ``map_x`` transposed and everything sits half a pixel to
        the lower right. True: separate noise of the same strength for x and y, and no offset.

    Returns
    -------
    tuple of numpy.ndarray
        ``map_x, map_y``, (w, w) float32 with w = max(size, 64).

    Notes
    -----
    Nodes k·w/(n-1) for k = 0…n-1 with n = w // cell + 1 get, except on the border, the noise 0.24·cell·z/2.5, z standard
    normal redrawn until |z| <= 2.5. With two noises in each node (standard deviation 0.13 of the cell) the map of nodes
    is enlarged linearly to w + cell and half a cell is cut off on every side.
    """
    width = max(size, SMALLEST_WARP_SIZE)
    cell = width // (2, 4, 8)[random.integers(3)]
    inner = width // cell - 1
    weights, even_x, even_y = _enlarging(width, cell)
    noises = truncated_normal((4 if independent else 2, inner, inner), random) * (NOISE_OF_CELL * cell / TRUNCATION)
    map_x = _enlarged(noises[0] + noises[1].T, weights, even_x)
    if not independent:
        return map_x, cv2.transpose(map_x)
    return map_x - 0.5, _enlarged(noises[2] + noises[3], weights, even_y) - 0.5


def warp_picture(picture: np.ndarray, geometry: SampleGeometry, out: np.ndarray | None = None) -> np.ndarray:
    """Warp a picture (cubic, zero outside), then :func:`transform_picture`.

    Parameters
    ----------
    picture : numpy.ndarray
        (size, size) or (size, size, C), float32 or uint8.
    out : numpy.ndarray, optional
        Takes the result, else a new array does.
    """
    map_x, map_y = geometry.warp_x, geometry.warp_y
    width, size = map_x.shape[0], picture.shape[0]
    if size != width:
        picture = cv2.resize(picture, (width, width), interpolation=cv2.INTER_CUBIC)
    warped = remap_picture(picture, map_x, map_y, scratch("warped", picture.shape, picture.dtype))
    if size != width:
        warped = cv2.resize(warped, (size, size), interpolation=cv2.INTER_CUBIC)
    return transform_picture(warped, geometry, out)


def remap_picture(
    picture: np.ndarray, map_x: np.ndarray, map_y: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """``cv2.remap`` (cubic, zero outside) for maps that hardly leave the picture: the same result, a third sooner."""
    border = _WARP_BORDER
    framed = _framed(picture, border, cv2.BORDER_CONSTANT)
    return cv2.remap(framed, map_x + np.float32(border), map_y + np.float32(border), cv2.INTER_CUBIC, dst=out)


def transform_picture(picture: np.ndarray, geometry: SampleGeometry, out: np.ndarray | None = None) -> np.ndarray:
    """Rotate, scale, shift (cubic, border replicated) and flip a picture of (size, size, C); ``out`` may take it."""
    border = int(geometry.size * _TRANSFORM_BORDER)
    framed = _framed(picture, border, cv2.BORDER_REPLICATE)
    matrix = _moved_origin(geometry.matrix, (border, border), (0, 0))
    size = (geometry.size, geometry.size)
    moved = cv2.warpAffine(framed, matrix, size, dst=out, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return cv2.flip(moved, 1, dst=moved) if geometry.flip else moved


def transform_mask(mask: np.ndarray, geometry: SampleGeometry, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Rotate, scale, shift (linear, zero outside) and flip a mask of (size, size) or (size, size, 1).

    Of a uint8 mask only the part that is not empty is worked on.
    """
    size, matrix = geometry.size, geometry.matrix
    if mask.dtype == np.uint8 and mask.ndim == 2 and interpolation == cv2.INTER_LINEAR:
        moved = _transformed_part(mask, matrix, size)
    else:
        moved = cv2.warpAffine(mask, matrix, (size, size), flags=interpolation, borderMode=cv2.BORDER_CONSTANT)
    return cv2.flip(moved, 1, dst=moved) if geometry.flip else moved


def scratch(use: str, shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> np.ndarray:
    """An array of this thread that is the same one each time for the same arguments; nobody may keep it.

    New arrays of this size come from the system page by page, which takes a third of the time of a sample.
    """
    arrays: dict = _this_thread.__dict__
    key = (use, shape, dtype)
    if key not in arrays:
        arrays[key] = np.empty(shape, dtype)
    return arrays[key]


def _framed(picture, border, border_mode):
    height, width = picture.shape[:2]
    dst = scratch("framed", (height + 2 * border, width + 2 * border, *picture.shape[2:]), picture.dtype)
    return cv2.copyMakeBorder(picture, border, border, border, border, border_mode, dst=dst)


def _transformed_part(mask, matrix, size):
    """The mask moved by ``matrix``; computed in the bounding box of what is not zero."""
    left, top, width, height = cv2.boundingRect(mask)
    moved = np.zeros((size, size), np.uint8)
    # One pixel more on every side, because a pixel fades over one pixel.
    left, top, width, height = left - 1, top - 1, width + 1, height + 1
    (a, b, c), (d, e, f) = matrix.tolist()
    center_x, center_y = left + width / 2, top + height / 2
    reach_x, reach_y = (abs(a) * width + abs(b) * height) / 2, (abs(d) * width + abs(e) * height) / 2
    middle_x, middle_y = a * center_x + b * center_y + c, d * center_x + e * center_y + f
    first_x, last_x = max(0, math.floor(middle_x - reach_x)), min(size - 1, math.ceil(middle_x + reach_x))
    first_y, last_y = max(0, math.floor(middle_y - reach_y)), min(size - 1, math.ceil(middle_y + reach_y))
    if first_x > last_x or first_y > last_y:
        return moved
    part = (last_x + 1 - first_x, last_y + 1 - first_y)
    moved[first_y : last_y + 1, first_x : last_x + 1] = cv2.warpAffine(
        mask, _moved_origin(matrix, (0, 0), (first_x, first_y)), part, flags=cv2.INTER_LINEAR
    )
    return moved


def _moved_origin(matrix, source, target):
    """The same map when the pictures' points ``-source`` and ``target`` become their corners."""
    (a, b, c), (d, e, f) = matrix.tolist()
    (source_x, source_y), (target_x, target_y) = source, target
    return np.array(
        (
            (a, b, c - a * source_x - b * source_y - target_x),
            (d, e, f - d * source_x - e * source_y - target_y),
        )
    )


@functools.lru_cache
def _enlarging(width, cell):
    """How a map of nodes becomes a map of pixels, as products of matrices.

    Returns
    -------
    tuple of numpy.ndarray
        Weights W, (width, n - 2) float32, of the inner nodes, so that noise N becomes W N Wᵀ; and the maps of x and y,
        (width, width) float32, of nodes without noise.
    """
    count, half = width // cell + 1, cell // 2
    enlarge = lambda nodes, columns: cv2.resize(nodes, (columns, width + cell), interpolation=cv2.INTER_LINEAR)  # noqa: E731
    weights = np.ascontiguousarray(enlarge(np.eye(count, dtype=np.float32), count)[half : half + width, 1:-1])
    nodes = np.tile(np.linspace(0.0, width, count, dtype=np.float32), (count, 1))
    even_x = np.ascontiguousarray(enlarge(nodes, width + cell)[half : half + width, half : half + width])
    arrays = weights, even_x, cv2.transpose(even_x)
    for array in arrays:
        array.flags.writeable = False
    return arrays


def _enlarged(noise, weights, even):
    """Map of the pixels for the noise of the inner nodes."""
    rows = cv2.gemm(weights, noise.astype(np.float32), 1.0, None, 0.0)
    return cv2.gemm(rows, weights, 1.0, even, 1.0, flags=cv2.GEMM_2_T)


def truncated_normal(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Standard normal numbers, redrawn until all lie within ±2.5."""
    values = random.standard_normal(shape)
    outside = np.abs(values) > TRUNCATION
    while outside.any():
        values[outside] = random.standard_normal(int(outside.sum()))
        outside = np.abs(values) > TRUNCATION
    return values
