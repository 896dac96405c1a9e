"""Landmark networks for 68 points that look at a square around the face, as FAN does."""

import cv2
import numpy as np

from core.errors import FormatError
from facelib.aligners.fan_points import LANDMARKS, FanCrop, peaks
from facelib.registry.checked_network import CheckedNetwork


class Heatmaps68:
    """A network with an output of one heat map a point, (1, 68, s, s), for pictures of RGB 0…1; as FAN exported to ONNX.

    Bulat, Tzimiropoulos, How far are we from solving the 2D & 3D Face Alignment problem?, ICCV 2017.

    Parameters
    ----------
    network : CheckedNetwork
    """

    def __init__(self, network: CheckedNetwork):
        maps = [
            name
            for name, shape in network.outputs.items()
            if len(shape) == 4 and shape[1] == LANDMARKS and shape[2] == shape[3]
        ]
        if not maps:
            raise FormatError(network.path, f"has no output of {LANDMARKS} heat maps")
        self._network, self._output = network, maps[-1]

    def align(self, images: list[np.ndarray], boxes: list[list[tuple]]) -> list[list[np.ndarray | None]]:
        """Landmarks, (68, 2) float64 in picture pixels, for each box of each (H, W, 3) uint8 BGR picture; None outside of it."""
        return [[self._one(image, box) for box in rects] for image, rects in zip(images, boxes)]

    def _one(self, image, box):
        crop = FanCrop.around(box)
        picture = crop.cut(image)
        if picture is None:
            return None
        side = self._network.side
        picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_LINEAR)
        outputs = self._network.run(picture[..., ::-1].astype(np.float32) / 255)
        return self._points(outputs[self._output], crop)

    def _points(self, output, crop):
        return crop.to_picture(peaks(output[0]), output.shape[-1])


class Points68(Heatmaps68):
    """A network that gives the points themselves, (1, 68, 2) or (1, 136), in parts of the picture's side, 0…1."""

    def __init__(self, network: CheckedNetwork):
        names = [name for name, shape in network.outputs.items() if shape in ((1, LANDMARKS, 2), (1, 2 * LANDMARKS))]
        if not names:
            raise FormatError(network.path, f"has no output of {LANDMARKS} points")
        self._network, self._output = network, names[0]

    def _points(self, output, crop):
        return crop.to_picture(output.reshape(LANDMARKS, 2), 1)
