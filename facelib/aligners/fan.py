"""FAN, the landmark network of DeepFaceLab: four stacked hourglasses.

References
----------
Bulat, Tzimiropoulos, How far are we from solving the 2D & 3D Face Alignment problem?, ICCV 2017.
"""

from pathlib import Path

import numpy as np

from core.engines import DEFAULT_PLACE, Place
from facelib.aligners.fan_points import CROP_SIZE, HEATMAP_SIZE, LANDMARKS, SAMPLE_SHIFTS, FanCrop, peaks
from facelib.networks import open_network
from facelib.onnx_graphs import fan_graph

BATCH_SIZE = 10


class FanAligner:
    """Finds the 68 landmarks of faces whose boxes are known.

    Parameters
    ----------
    weights_path : Path
        ``2DFAN.npy``, or ``3DFAN.npy`` for landmarks that follow the head's shape behind the visible outline.
    place : Place
        Engine and device.
    """

    def __init__(self, weights_path: Path, place: Place = DEFAULT_PLACE):
        self._network = open_network(weights_path, place, fan_graph, _keras_network, [(None, CROP_SIZE, CROP_SIZE, 3)])

    def align(self, images: list[np.ndarray], boxes: list[list[tuple]]) -> list[list[np.ndarray | None]]:
        """Landmarks, (68, 2) float64 in picture pixels, for each box of each (H, W, 3) uint8 BGR picture.

        None for a box outside its picture.
        """
        return self._align(images, boxes, SAMPLE_SHIFTS[:1])

    def align_accurately(self, images: list[np.ndarray], boxes: list[list[tuple]]) -> list[list[np.ndarray | None]]:
        """As :meth:`align`, but the mean of five looks at each face, a pixel aside; for faces already aligned."""
        return self._align(images, boxes, SAMPLE_SHIFTS)

    def _align(self, images, boxes, shifts):
        crops, cuts, owners = [], [], []
        results = [[None] * len(rects) for rects in boxes]
        for picture, (image, rects) in enumerate(zip(images, boxes)):
            for face, rect in enumerate(rects):
                samples = [FanCrop.around(rect).shifted(shift) for shift in shifts]
                parts = [crop.cut(image) for crop in samples]
                if all(part is not None for part in parts):
                    crops += samples
                    cuts += parts
                    owners.append((picture, face))
        points = self._points(crops, cuts).reshape(len(owners), len(shifts), LANDMARKS, 2).mean(axis=1)
        for (picture, face), landmarks in zip(owners, points):
            results[picture][face] = landmarks
        return results

    def _points(self, crops, cuts):
        """(n, 68, 2) points in picture pixels of n crops, cut out as uint8 BGR."""
        points = []
        for start in range(0, len(cuts), BATCH_SIZE):
            part = slice(start, start + BATCH_SIZE)
            batch = np.stack(cuts[part])[..., ::-1].astype(np.float32) / 255
            [heatmaps] = self._network.run(batch)
            for crop, maps in zip(crops[part], heatmaps.transpose(0, 3, 1, 2)):
                points.append(crop.to_picture(peaks(maps), HEATMAP_SIZE))
        return np.array(points, np.float64).reshape(-1, LANDMARKS, 2)


def _keras_network():
    from facelib.aligners.fan_network import FanNetwork

    return FanNetwork
