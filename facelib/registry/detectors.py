"""Detectors that look at the whole frame in one picture and answer cell by cell: YuNet and SCRFD.

References
----------
Wu, Peng, Yu, YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence Research 2023.
Guo, Deng, Lattas, Zafeiriou, Sample and Computation Redistribution for Efficient Face Detection, ICLR 2022.
"""

from collections.abc import Callable

import cv2
import numpy as np

from core.errors import FormatError
from facelib.registry.checked_network import CheckedNetwork

STRIDES = (8, 16, 32)
_MOST_OVERLAP = 0.4
_MOST_FACES = 500


class GridDetector:
    """What both have in common: one letterboxed picture, boxes from cells, overlapping ones dropped.

    Parameters
    ----------
    network : CheckedNetwork
    least_score : float
        0…1.
    smallest_face : int
        Faces whose box has less area than a square of this side (pixels of the frame) are left out.
    """

    def __init__(self, network: CheckedNetwork, least_score: float, smallest_face: int):
        if network.side % max(STRIDES):
            raise FormatError(
                network.path, f"takes pictures of {network.side} pixels, which is no multiple of {max(STRIDES)}"
            )
        self._network, self._least_score, self.smallest_face = network, least_score, smallest_face

    def detect(self, images: list[np.ndarray]) -> list[list[tuple[int, int, int, int]]]:
        """Boxes (left, top, right, bottom) of the faces of each (H, W, 3) uint8 BGR picture, largest first."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image):
        side = self._network.side
        scale = side / max(image.shape[:2])
        width, height = (max(1, round(length * scale)) for length in image.shape[1::-1])
        picture = np.zeros((side, side, 3), np.uint8)
        shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        picture[:height, :width] = cv2.resize(image, (width, height), interpolation=shrinks)
        boxes, scores = self._decode(self._network.run(self._as_wanted(picture)))
        kept = np.flatnonzero(scores >= self._least_score)
        kept = kept[np.argsort(-scores[kept], kind="stable")][:_MOST_FACES]
        corners = boxes[kept] / scale
        upright = [[x, y, right - x, bottom - y] for x, y, right, bottom in corners.tolist()]
        chosen = cv2.dnn.NMSBoxes(upright, scores[kept].tolist(), self._least_score, _MOST_OVERLAP) if upright else ()
        found = [tuple(int(value) for value in np.rint(corners[index])) for index in np.ravel(chosen).astype(int)]
        areas = {box: (box[2] - box[0]) * (box[3] - box[1]) for box in found}
        return sorted((box for box in areas if areas[box] >= self.smallest_face**2), key=lambda box: -areas[box])

    def _as_wanted(self, picture):
        raise NotImplementedError

    def _decode(self, outputs):
        """(n, 4) corners in pixels of the network's picture, and (n,) scores."""
        raise NotImplementedError


class YuNet(GridDetector):
    """Outputs ``cls_8``, ``obj_8``, ``bbox_8`` and so on for three strides: (1, cells, 1), (1, cells, 1), (1, cells, 4)."""

    def __init__(self, network: CheckedNetwork, smallest_face: int = 40):
        super().__init__(network, 0.7, smallest_face)
        for stride in STRIDES:
            cells = (network.side // stride) ** 2
            for name, length in (("cls", 1), ("obj", 1), ("bbox", 4)):
                _require(network, f"{name}_{stride}", (1, cells, length))

    def _as_wanted(self, picture):
        return picture.astype(np.float32)

    def _decode(self, outputs):
        boxes, scores = [], []
        for stride in STRIDES:
            columns, rows = _cells(self._network.side, stride)
            face = np.clip(outputs[f"cls_{stride}"].reshape(-1), 0, 1) * np.clip(
                outputs[f"obj_{stride}"].reshape(-1), 0, 1
            )
            x, y, width, height = outputs[f"bbox_{stride}"].reshape(-1, 4).astype(np.float64).T
            middle = np.stack([columns + x, rows + y], axis=1) * stride
            half = np.exp(np.clip(np.stack([width, height], axis=1), -20, 20)) * stride / 2
            boxes.append(np.concatenate([middle - half, middle + half], axis=1))
            scores.append(np.sqrt(face))
        return np.concatenate(boxes), np.concatenate(scores)


class Scrfd(GridDetector):
    """Outputs for three strides, in this order: scores (cells · 2, 1), distances to the sides in strides (cells · 2, 4), key points."""

    def __init__(self, network: CheckedNetwork, smallest_face: int = 40):
        super().__init__(network, 0.5, smallest_face)
        self._scores, self._distances = (self._names(network, length) for length in (1, 4))

    def _names(self, network, length):
        names = []
        for stride in STRIDES:
            count = 2 * (network.side // stride) ** 2
            found = [name for name, shape in network.outputs.items() if shape[-2:] == (count, length)]
            if len(found) != 1:
                raise FormatError(network.path, f"is no SCRFD: it has no output of {count} x {length} numbers")
            names.append(found[0])
        return names

    def _as_wanted(self, picture):
        return (picture[..., ::-1].astype(np.float32) - 127.5) / 128

    def _decode(self, outputs):
        boxes, scores = [], []
        for stride, score, distance in zip(STRIDES, self._scores, self._distances):
            columns, rows = (np.repeat(values, 2) for values in _cells(self._network.side, stride))
            left, top, right, bottom = outputs[distance].reshape(-1, 4).astype(np.float64).T * stride
            x, y = columns * stride, rows * stride
            boxes.append(np.stack([x - left, y - top, x + right, y + bottom], axis=1))
            scores.append(outputs[score].reshape(-1))
        return np.concatenate(boxes), np.concatenate(scores)


def _cells(side, stride) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[: side // stride, : side // stride]
    return columns.reshape(-1), rows.reshape(-1)


def _require(network, name, shape):
    if network.outputs.get(name) != shape:
        raise FormatError(
            network.path, f"is no YuNet: its output {name} should be of {shape}, and is {network.outputs.get(name)}"
        )


MAKERS: dict[str, Callable] = {"yunet": YuNet, "scrfd": Scrfd}
