"""Random geometry of training samples: one rotation, scale, shift and flip for all pictures of a sample, and a warp."""

import functools
from dataclasses import dataclass

import cv2
import numpy as np

ROTATION_DEGREES = 10.0
SHIFT = 0.05
FLIP_CHANCES = (4, 10)
NOISE_OF_CELL = 0.24
TRUNCATION = 2.5
SMALLEST_WARP_SIZE = 64


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
    warp_x: np.ndarray | None
    warp_y: np.ndarray | None
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
    angle = random.uniform(-rotation, rotation)
    factor = random.uniform(1.0 / (1.0 + scale), 1.0 + scale)
    shift_x, shift_y = random.uniform(-shift, shift), random.uniform(-shift, shift)
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
    count = width // cell + 1
    first, second = _node_noise(count, cell, random), _node_noise(count, cell, random)
    nodes = _even_nodes(width, count)
    node_x = nodes + first + second.T
    if not independent:
        map_x = _enlarge(node_x, width, cell)
        return map_x, np.ascontiguousarray(map_x.T)
    third, fourth = _node_noise(count, cell, random), _node_noise(count, cell, random)
    return _enlarge(node_x, width, cell) - 0.5, _enlarge(nodes.T + third + fourth, width, cell) - 0.5


def warp_picture(picture: np.ndarray, geometry: SampleGeometry) -> np.ndarray:
    """Warp a picture (cubic, zero outside), then :func:`transform_picture`.

    Parameters
    ----------
    picture : numpy.ndarray
        (size, size) or (size, size, C), float32 or uint8.
    """
    map_x, map_y = geometry.warp_x, geometry.warp_y
    width = map_x.shape[0]
    if picture.shape[0] != width:
        small = picture.shape[0]
        picture = cv2.resize(picture, (width, width), interpolation=cv2.INTER_CUBIC)
        warped = cv2.remap(picture, map_x, map_y, cv2.INTER_CUBIC)
        warped = cv2.resize(warped, (small, small), interpolation=cv2.INTER_CUBIC)
    else:
        warped = cv2.remap(picture, map_x, map_y, cv2.INTER_CUBIC)
    return transform_picture(warped, geometry)


def transform_picture(picture: np.ndarray, geometry: SampleGeometry) -> np.ndarray:
    """Rotate, scale, shift (cubic, border replicated) and flip a picture of (size, size, C)."""
    return _transform(picture, geometry, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)


def transform_mask(mask: np.ndarray, geometry: SampleGeometry, interpolation: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Rotate, scale, shift (linear, zero outside) and flip a mask of (size, size) or (size, size, 1)."""
    return _transform(mask, geometry, interpolation, cv2.BORDER_CONSTANT)


def _transform(picture, geometry, interpolation, border):
    size = geometry.size
    moved = cv2.warpAffine(picture, geometry.matrix, (size, size), flags=interpolation, borderMode=border)
    return cv2.flip(moved, 1) if geometry.flip else moved


@functools.lru_cache
def _even_nodes(width, count):
    """(count, count) float32: the column of each node without noise."""
    nodes = np.tile(np.linspace(0.0, width, count, dtype=np.float32), (count, 1))
    nodes.flags.writeable = False
    return nodes


def _enlarge(nodes, width, cell):
    large = cv2.resize(np.ascontiguousarray(nodes), (width + cell, width + cell), interpolation=cv2.INTER_LINEAR)
    half = cell // 2
    return np.ascontiguousarray(large[half : half + width, half : half + width])


def _node_noise(count, cell, random):
    """(count, count) float32 noise: zero on the border."""
    noise = np.zeros((count, count), np.float32)
    noise[1:-1, 1:-1] = truncated_normal((count - 2, count - 2), random) * (NOISE_OF_CELL * cell / TRUNCATION)
    return noise


def truncated_normal(shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Standard normal numbers, redrawn until all lie within ±2.5."""
    values = random.standard_normal(shape)
    outside = np.abs(values) > TRUNCATION
    while outside.any():
        values[outside] = random.standard_normal(int(outside.sum()))
        outside = np.abs(values) > TRUNCATION
    return values
