"""Networks that restore a face: they give it detail that it may have had.

References
----------
Wang, Li, Zhang, Shan, Towards Real-World Blind Face Restoration with Generative Facial Prior (GFPGAN), CVPR 2021.
"""

import cv2
import numpy as np

from core.errors import FormatError
from facelib.alignment import umeyama
from facelib.registry.checked_network import CheckedNetwork

# Where such networks want eyes, tip of the nose and corners of the mouth: the template of FFHQ, in pixels of a picture of 512.
_TEMPLATE = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.19360),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
)
_TEMPLATE_SIDE = 512
# The border of the restored square, as part of its side, over which it fades into the picture.
_FADED = 0.06


class Restorer:
    """A network for RGB pictures −1…1 of aligned faces, with one output of the same form and size.

    Parameters
    ----------
    network : CheckedNetwork
    """

    def __init__(self, network: CheckedNetwork):
        side = network.side
        names = [name for name, shape in network.outputs.items() if shape in ((1, 3, side, side), (1, side, side, 3))]
        if not names:
            raise FormatError(network.path, f"has no output of a colour picture of {side} x {side}")
        self._network, self._output = network, names[0]

    def restore(self, face: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """A face restored; beyond what the network sees it stays as it is.

        Parameters
        ----------
        face : numpy.ndarray
            (S, S, 3) float32 BGR, 0…1.
        landmarks : numpy.ndarray
            (68, 2) in pixels of the face.

        Returns
        -------
        numpy.ndarray
            (S, S, 3) float32, 0…1.
        """
        side, size = self._network.side, face.shape[1::-1]
        matrix = umeyama(five_points(landmarks), _TEMPLATE * (side / _TEMPLATE_SIDE))[:2]
        aligned = cv2.warpAffine(face, matrix, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        output = self._network.run(np.clip(aligned, 0, 1)[..., ::-1] * 2 - 1)[self._output][0]
        if output.shape[0] == 3:
            output = output.transpose(1, 2, 0)
        restored = np.clip((output[..., ::-1] + 1) / 2, 0, 1).astype(np.float32)
        back = cv2.WARP_INVERSE_MAP | cv2.INTER_CUBIC
        pasted = cv2.warpAffine(
            np.ascontiguousarray(restored), matrix, size, flags=back, borderMode=cv2.BORDER_REPLICATE
        )
        weight = cv2.warpAffine(_faded_square(side), matrix, size, flags=cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR)[
            ..., None
        ]
        return np.clip(face * (1 - weight) + pasted * weight, 0, 1)


def five_points(landmarks: np.ndarray) -> np.ndarray:
    """(5, 2): middles of the eyes, tip of the nose, corners of the mouth."""
    eyes = landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)
    return np.stack([*eyes, landmarks[30], landmarks[48], landmarks[54]])


def _faded_square(side):
    """(side, side) float32: 1 inside, falling to 0 at the border."""
    ramp = np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5) / (_FADED * side)
    ramp = np.clip(ramp, 0, 1).astype(np.float32)
    return np.minimum.outer(ramp, ramp)
