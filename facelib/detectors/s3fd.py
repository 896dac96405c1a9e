"""S3FD, the face detector of DeepFaceLab: a VGG network with six detection levels.

References
----------
Zhang, Zhu, Lei, Shi, Wang, Li, S3FD: Single Shot Scale-invariant Face Detector, ICCV 2017.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.engines import DEFAULT_PLACE, Place
from facelib.detectors.boxes import boxes_in_frame, decode_maps, select_faces
from facelib.networks import open_network
from facelib.onnx_graphs import s3fd_graph

SMALLEST_FACE = 40

_LONGEST_SIDE, _SHORTEST_SIDE = 640, 64
_LARGE_FRAME = 1280
_PIXELS_AT_ONCE = 8 * 640 * 640


class S3fdDetector:
    """Finds upright faces.

    Parameters
    ----------
    weights_path : Path
        ``S3FD.npy``.
    smallest_face : int
        Boxes with a side under this many frame pixels are left out.
    place : Place
        Engine and device.
    """

    def __init__(self, weights_path: Path, smallest_face: int = SMALLEST_FACE, place: Place = DEFAULT_PLACE):
        self.smallest_face = smallest_face
        self._network = open_network(weights_path, place, s3fd_graph, _keras_network, [(None, None, None, 3)])

    def detect(self, images: list[np.ndarray]) -> list[list[tuple[int, int, int, int]]]:
        """Boxes (left, top, right, bottom) of the faces of each (H, W, 3) uint8 BGR picture, largest first.

        Pictures of one size go through the network together. Boxes may reach beyond the picture.
        """
        results: list[Any] = [None] * len(images)
        for shape in dict.fromkeys(image.shape for image in images):
            same = [index for index, image in enumerate(images) if image.shape == shape]
            width, height, scale = network_size(shape)
            count = max(1, _PIXELS_AT_ONCE // (width * height))
            for start in range(0, len(same), count):
                part = same[start : start + count]
                batch = np.stack([_prepare(images[index], (width, height)) for index in part])
                for index, boxes in zip(part, self._detect_batch(batch)):
                    results[index] = boxes_in_frame(boxes, scale, self.smallest_face)
        return results

    def _detect_batch(self, batch):
        """Boxes in network pixels of each picture of (N, h, w, 3) float32 RGB."""
        maps = self._network.run(batch)
        return [
            select_faces(
                decode_maps([values[n, :, :, 1] for values in maps[::2]], [values[n] for values in maps[1::2]])
            )
            for n in range(len(batch))
        ]


def _keras_network():
    from facelib.detectors.s3fd_network import S3fdNetwork

    return S3fdNetwork


def network_size(shape: tuple) -> tuple[int, int, float]:
    """Width and height of the picture that the network sees of an (H, W, …) frame, and frame pixels per pixel of it."""
    height, width = shape[:2]
    longest = max(width, height)
    target = max(_SHORTEST_SIDE, _LONGEST_SIDE if longest >= _LARGE_FRAME else longest / 2)
    scale = longest / target
    return max(1, int(width / scale)), max(1, int(height / scale)), scale


def _prepare(image, size):
    return cv2.resize(image[:, :, ::-1], size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
