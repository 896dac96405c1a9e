"""The BlazeFace full-range network on an image pyramid of overlapping tiles: candidate boxes for faces."""

from dataclasses import dataclass

import cv2
import numpy as np

from facelib.tflite_models import TfliteModel

MODEL_FILE = "face_detection_full_range.tflite"
INPUT_SIZE = 192
STRIDE = 4

# Least side, in network input pixels, of a face that the network sees reliably.
SMALLEST_SEEN = 14
# Tiles overlap by this part of their side, so that a face of up to 32 input pixels lies whole in one of them.
OVERLAP = 1 / 6
# From level to level tiles grow by so much at most, that no face is too large for one and too small for the next
# (OVERLAP · 192 / 14, and a little, for a face that lies in a tile but for its rim is seen too); by so much at least,
# that the finest level is worth its time.
_MOST_BETWEEN_LEVELS = 1.05 * OVERLAP * INPUT_SIZE / SMALLEST_SEEN
_LEAST_BETWEEN_LEVELS = 1.42

_CELL_COUNT = INPUT_SIZE // STRIDE
_ROWS, _COLUMNS = np.mgrid[:_CELL_COUNT, :_CELL_COUNT]
_ANCHORS = (np.stack([_COLUMNS, _ROWS], axis=-1).reshape(-1, 2) + 0.5) * STRIDE


@dataclass(frozen=True)
class Candidate:
    """A place where the network sees a face.

    Parameters
    ----------
    box : numpy.ndarray
        (left, top, right, bottom) float64, picture pixels.
    keypoints : numpy.ndarray
        (6, 2) float64: eye on the image's left, other eye, nose tip, mouth, ears; for an upright face.
    score : float
        0…1.
    """

    box: np.ndarray
    keypoints: np.ndarray
    score: float


@dataclass(frozen=True)
class Tile:
    """A square (``left``, ``top``, ``side``) of the picture, which may reach beyond its edges."""

    left: float
    top: float
    side: float


class BlazeFace:
    """Finds candidates in a picture.

    Parameters
    ----------
    smallest_face : int
        Side in picture pixels of the smallest face to look for; smaller means more tiles.
    threshold : float
        Least score.
    """

    def __init__(self, smallest_face: int = 40, threshold: float = 0.3):
        self.smallest_face, self.threshold = smallest_face, threshold
        self._network = TfliteModel(MODEL_FILE)

    def __call__(self, image: np.ndarray) -> list[Candidate]:
        """Candidates in a (H, W, 3) uint8 BGR picture, best first, without overlapping ones."""
        height, width = image.shape[:2]
        candidates, source = [], image
        for tiles in reversed(tile_levels(width, height, self.smallest_face)):
            source = shrunk_for(source, image.shape, tiles[0].side)
            candidates += self._look(source, image.shape, tiles)
        if not candidates:
            candidates = self._look(image, image.shape, [_centered_tile(width, height, 1.6)])
        return suppress_overlapping(candidates)

    def in_whole(self, image: np.ndarray) -> list[Candidate]:
        """Candidates in one pass over the whole (H, W, 3) uint8 BGR picture, best first: large faces only."""
        height, width = image.shape[:2]
        tile = _centered_tile(width, height, 1.0)
        source = shrunk_for(image, image.shape, tile.side)
        return suppress_overlapping(self._look(source, image.shape, [tile]))

    def _look(self, source, shape, tiles):
        pictures = cut_tiles(source, shape, tiles)
        regressions, scores = self._network(pictures)
        found = []
        for tile, regression, score in zip(tiles, regressions, scores):
            found += decode(regression, score, tile, self.threshold)
        return found


def tile_levels(width: int, height: int, smallest_face: int) -> list[list[Tile]]:
    """Tiles of each level of the pyramid, from the whole picture in one tile down to the finest.

    A level has the largest tiles, and of these the fewest, that see every face too large for the level below it.
    """
    longest = max(width, height)
    side = INPUT_SIZE * smallest_face / SMALLEST_SEEN
    whole = [_centered_tile(width, height, 1.0)]
    if longest <= side * _LEAST_BETWEEN_LEVELS:
        return [whole]
    levels = [_tiles(width, height, side)]
    while longest > side * _MOST_BETWEEN_LEVELS:
        side = _next_side(width, height, side)
        levels.append(_tiles(width, height, side))
    return [whole, *reversed(levels)]


def _next_side(width, height, side):
    """The side of the level above: at most so large that no face size falls between the two, with few tiles."""
    most = side * _MOST_BETWEEN_LEVELS
    whole_rows = [length / (1 + count * (1 - OVERLAP)) for length in (width, height) for count in range(64)]
    sides = [most, *(value for value in whole_rows if side * _LEAST_BETWEEN_LEVELS < value < most)]
    return min(sides, key=lambda value: (len(_tiles(width, height, value)), value))


def _tiles(width, height, side):
    return [Tile(left, top, side) for top in _starts(height, side) for left in _starts(width, side)]


def shrunk_for(source: np.ndarray, shape: tuple, side: float) -> np.ndarray:
    """The picture as large as tiles of ``side`` want it, from ``source``: itself or an already smaller copy.

    Parameters
    ----------
    source : numpy.ndarray
        (h, w, 3) uint8.
    shape : tuple
        (H, W, …) of the picture.
    side : float
        In pixels of the picture.
    """
    scale = INPUT_SIZE / side
    size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
    if size[0] >= source.shape[1] and size[1] >= source.shape[0]:
        return source
    return cv2.resize(source, size, interpolation=cv2.INTER_AREA)


def cut_tiles(source: np.ndarray, shape: tuple, tiles: list[Tile]) -> np.ndarray:
    """(N, 192, 192, 3) float32 RGB in −1…1; black beyond the picture's edges.

    Parameters
    ----------
    source : numpy.ndarray
        (h, w, 3) uint8 BGR: the picture, or a copy made by :func:`shrunk_for`.
    shape : tuple
        (H, W, …) of the picture.
    tiles : list of Tile
        Of one size.
    """
    scale = INPUT_SIZE / tiles[0].side
    ratio_x, ratio_y = scale * shape[1] / source.shape[1], scale * shape[0] / source.shape[0]
    pictures = np.empty((len(tiles), INPUT_SIZE, INPUT_SIZE, 3), np.float32)
    for picture, tile in zip(pictures, tiles):
        matrix = np.array([[ratio_x, 0, -tile.left * scale], [0, ratio_y, -tile.top * scale]])
        part = cv2.warpAffine(source, matrix, (INPUT_SIZE, INPUT_SIZE), flags=cv2.INTER_LINEAR)
        np.multiply(cv2.cvtColor(part, cv2.COLOR_BGR2RGB), np.float32(1 / 127.5), out=picture)
    pictures -= 1
    return pictures


def decode(regression: np.ndarray, score: np.ndarray, tile: Tile, threshold: float) -> list[Candidate]:
    """Candidates of one tile from the raw network outputs.

    Parameters
    ----------
    regression : numpy.ndarray
        (2304, 16): centre offset, size, then six key points as offsets, all in input pixels from the cell's centre.
    score : numpy.ndarray
        (2304, 1) logits.
    tile : Tile
    threshold : float
    """
    probability = 1 / (1 + np.exp(-np.clip(score[:, 0].astype(np.float64), -80, 80)))
    chosen = np.flatnonzero(probability >= threshold)
    points = regression[chosen].astype(np.float64).reshape(-1, 8, 2)
    to_picture = tile.side / INPUT_SIZE
    origin = np.array([tile.left, tile.top])
    found = []
    for cell, (offset, size, *keypoints) in zip(chosen, points):
        if (size <= 0).any():
            continue
        center = _ANCHORS[cell] + offset
        box = np.stack([center - size / 2, center + size / 2]) * to_picture + origin
        keypoints = (_ANCHORS[cell] + np.array(keypoints)) * to_picture + origin
        found.append(Candidate(box.reshape(4), keypoints, float(probability[cell])))
    return found


def suppress_overlapping(candidates: list[Candidate], threshold: float = 0.3) -> list[Candidate]:
    """Best candidates first; one that overlaps a better one by more than ``threshold`` is dropped.

    Overlap is the greater of intersection over union and 0.7 × intersection over the smaller box, because a coarse and
    a fine level may box the same face very differently.
    """
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda item: (-item.score, *item.box)):
        if all(_overlap(candidate.box, other.box) <= threshold for other in kept):
            kept.append(candidate)
    return kept


def _overlap(first, second):
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    common = np.prod(np.maximum(high - low, 0))
    areas = np.prod(first[2:] - first[:2]), np.prod(second[2:] - second[:2])
    return max(common / (sum(areas) - common), 0.7 * common / min(areas))


def _centered_tile(width, height, factor):
    side = max(width, height) * factor
    return Tile((width - side) / 2, (height - side) / 2, side)


def _starts(length, side):
    """Left (or top) edges of tiles that cover ``length`` with at least the overlap."""
    if side >= length:
        return [(length - side) / 2]
    count = int(np.ceil((length - side) / (side * (1 - OVERLAP)))) + 1
    return list(np.linspace(0, length - side, count))
