"""Adding detail to face pictures of any size, patch by patch."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from core.engines import DEFAULT_PLACE, Place
from facelib.networks import open_network
from facelib.onnx_graphs import enhancer_graph
from facelib.weights import require_weights

WEIGHTS_NAME = "FaceEnhancer"
PATCH_SIZE, STEP, SCALE = 192, 96, 4

_PARAMETERS = (0.2, 1.0)
_BATCH_SIZE = 4
# With weight 0 at the border of a patch, as in DeepFaceLab, the outermost row of a picture would be grey.
_EDGE_WEIGHT = 1e-3


def enhance_in_patches(
    image: np.ndarray,
    network: Callable[[np.ndarray], np.ndarray],
    edge_weight: float = _EDGE_WEIGHT,
    batch_size: int = _BATCH_SIZE,
) -> np.ndarray:
    """Run a ×4 network over overlapping patches and blend them.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) float32. Sides under 192 are padded with 0 and cut back.
    network : callable
        (N, 192, 192, 3) float32 to (N, 768, 768, 3).
    edge_weight : float
        Least weight of a pixel of a patch. It grows linearly to 1 in the middle, in both directions.

    Returns
    -------
    numpy.ndarray
        (4H, 4W, 3) float32.
    """
    height, width = image.shape[:2]
    top, left = (max(0, PATCH_SIZE - side) // 2 for side in (height, width))
    padding = [(top, max(0, PATCH_SIZE - height) - top), (left, max(0, PATCH_SIZE - width) - left), (0, 0)]
    padded = np.pad(image.astype(np.float32), padding)
    total = np.zeros((padded.shape[0] * SCALE, padded.shape[1] * SCALE, 3), np.float32)
    weight_sum = np.zeros((*total.shape[:2], 1), np.float32)
    weight = _patch_weight(edge_weight)
    places = [(y, x) for y in _starts(padded.shape[0]) for x in _starts(padded.shape[1])]
    for start in range(0, len(places), batch_size):
        part = places[start : start + batch_size]
        batch = np.stack([padded[y : y + PATCH_SIZE, x : x + PATCH_SIZE] for y, x in part])
        for (y, x), patch in zip(part, network(batch)):
            window = (slice(y * SCALE, (y + PATCH_SIZE) * SCALE), slice(x * SCALE, (x + PATCH_SIZE) * SCALE))
            total[window] += patch * weight
            weight_sum[window] += weight
    total /= np.where(weight_sum == 0, 1, weight_sum)
    return total[top * SCALE : (top + height) * SCALE, left * SCALE : (left + width) * SCALE]


def enhance_picture(image: np.ndarray, network: Callable[[np.ndarray], np.ndarray], **arguments) -> np.ndarray:
    """Enhance a (H, W, 3) float32 BGR picture 0…1 at its size; see :func:`enhance_in_patches`."""
    enlarged = enhance_in_patches(np.clip(image * 2 - 1, -1, 1), network, **arguments)
    size = (image.shape[1], image.shape[0])
    return np.clip(cv2.resize(enlarged, size, interpolation=cv2.INTER_LANCZOS4) * 0.5 + 0.5, 0, 1)


class FaceEnhancer:
    """The enhancer network with its weights.

    Parameters
    ----------
    weights_path : Path, optional
        ``FaceEnhancer.npy``; found by :mod:`facelib.weights` if left out.
    place : Place
        Engine and device.

    Raises
    ------
    UserError
        When there are no weights; names the file and how to get it.
    """

    def __init__(self, weights_path: Path | None = None, place: Place = DEFAULT_PLACE):
        path = weights_path or require_weights(WEIGHTS_NAME)
        shapes = [(None, PATCH_SIZE, PATCH_SIZE, 3), (None, 1), (None, 1)]
        self._network = open_network(path, place, enhancer_graph, _keras_network, shapes)

    def enhance(self, image: np.ndarray, rescale_values: bool = True) -> np.ndarray:
        """A picture with more detail.

        Parameters
        ----------
        image : numpy.ndarray
            (H, W, 3) float32 BGR, 0…1.
        rescale_values : bool
            Give the network −1…1, for which it was trained, and return the picture at its size. Otherwise feed 0…1
            and return the result of four times the size, as DeepFaceLab's merger does.

        Returns
        -------
        numpy.ndarray
            (H, W, 3) or (4H, 4W, 3) float32 BGR, 0…1.
        """
        if rescale_values:
            return enhance_picture(image, self._apply)
        return np.clip(enhance_in_patches(np.clip(image, -1, 1), self._apply), 0, 1)

    def enhance_merger(self, face: np.ndarray, full_range: bool = False) -> np.ndarray:
        """The (R, R, 3) face that a model made, 0…1, at four times its size.

        With ``full_range`` the network gets −1…1, for which it was trained, instead of 0…1 as in DeepFaceLab's merger.
        """
        if not full_range:
            return self.enhance(face, rescale_values=False)
        return np.clip(enhance_in_patches(np.clip(face * 2 - 1, -1, 1), self._apply) * 0.5 + 0.5, 0, 1)

    def _apply(self, patches):
        first, second = (np.full((len(patches), 1), value, np.float32) for value in _PARAMETERS)
        return self._network.run(patches, first, second)[0]


def _keras_network():
    from facelib.enhancer_network import FaceEnhancerNetwork

    return FaceEnhancerNetwork


def _starts(length):
    """First pixels of the patches along a side; the last patch ends with the side."""
    return sorted({*range(0, length - PATCH_SIZE, STEP), length - PATCH_SIZE})


def _patch_weight(edge_weight):
    """(768, 768, 1) weight of the pixels of an enlarged patch."""
    rise = np.linspace(0, 1, PATCH_SIZE * SCALE // 2, dtype=np.float32)
    profile = np.concatenate([rise, rise[::-1]])
    return np.maximum(profile[:, None] * profile[None, :], edge_weight)[:, :, None]
