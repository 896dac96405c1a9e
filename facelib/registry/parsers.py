"""Networks that say which pixels are the face: parsers, which name each part, and occluders, which leave out what covers it.

References
----------
Yu et al., BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation, ECCV 2018.
Lee, Liu, Wu, Luo, MaskGAN: Towards Diverse and Interactive Facial Image Manipulation (CelebAMask-HQ), CVPR 2020.
"""

import cv2
import numpy as np

from core.errors import FormatError
from facelib.registry.checked_network import CheckedNetwork

# Classes of CelebAMask-HQ that are face: skin, brows, eyes, nose, mouth and lips. Glasses (6), ears, hair, neck and hats are not.
_FACE_CLASSES = (1, 2, 3, 4, 5, 10, 11, 12, 13)
_CLASSES = 19
# Mean and deviation of ImageNet's pictures, RGB.
_MEAN, _DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


class FaceParser:
    """A network with one output of 19 classes, (1, 19, s, s), for RGB pictures normalised as for ImageNet.

    Parameters
    ----------
    network : CheckedNetwork

    Attributes
    ----------
    is_whole : bool
        Whether the mask is the face alone; else it says only what covers it, and more than the face may be in it.
    """

    is_whole = True

    def __init__(self, network: CheckedNetwork):
        names = [
            name
            for name, shape in network.outputs.items()
            if len(shape) == 4 and shape[1] == _CLASSES and shape[2] == shape[3]
        ]
        if not names:
            raise FormatError(network.path, f"has no output of {_CLASSES} classes")
        self._network, self._output = network, names[0]

    def mask(self, image: np.ndarray) -> np.ndarray:
        """(H, W) float32 0…1 of the face in a (H, W, 3) uint8 BGR face picture."""
        side = self._network.side
        shrinks = cv2.INTER_AREA if image.shape[0] > side else cv2.INTER_LINEAR
        picture = cv2.resize(image, (side, side), interpolation=shrinks)
        result = self._face(self._network.run(self._as_wanted(picture))[self._output])
        return cv2.resize(result, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    def _as_wanted(self, picture):
        return (picture[..., ::-1].astype(np.float32) / 255 - _MEAN) / _DEVIATION

    def _face(self, output):
        return np.isin(output[0].argmax(axis=0), _FACE_CLASSES).astype(np.float32)


class Occluder(FaceParser):
    """A network with one mask 0…1 of what of a face is not covered, (1, s, s, 1) or (1, 1, s, s), for BGR pictures 0…1."""

    is_whole = False

    def __init__(self, network: CheckedNetwork):
        names = [name for name, shape in network.outputs.items() if _is_mask(shape)]
        if not names:
            raise FormatError(network.path, "has no output that is a mask")
        self._network, self._output = network, names[0]

    def _as_wanted(self, picture):
        return picture.astype(np.float32) / 255

    def _face(self, output):
        lengths = [length for length in output.shape if length > 1]
        return np.clip(output.reshape(lengths), 0, 1).astype(np.float32)


def _is_mask(shape):
    lengths = [length for length in shape if length > 1]
    return len(shape) in (3, 4) and len(lengths) == 2 and lengths[0] == lengths[1]
