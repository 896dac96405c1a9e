"""Numbers that say who a face is: from a recognition network that the user has, or from its texture."""

from pathlib import Path

import cv2
import numpy as np

from core.errors import UserError
from facelib.alignment import umeyama
from facelib.recognition.network import SIZE, RecognitionNetwork

# Where ArcFace networks expect eyes, nose tip and corners of the mouth in their 112 × 112 input.
_TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
_CELLS = 7
_UNIFORM_PATTERNS = 59


def aligned_crop(image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The face turned and scaled to the input of recognition networks, (112, 112, 3) uint8 BGR."""
    points = np.asarray(landmarks, np.float64)
    five = np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])
    matrix = umeyama(five, _TEMPLATE)[:2]
    if not np.isfinite(matrix).all():
        raise UserError("its landmarks lie in one place")
    return cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA)


class TextureEmbedding:
    """Local binary patterns of the face in 7 × 7 cells, the same for a face and its mirror image.

    Needs no weights, and is worth what it costs: it groups the faces of people who look different in similar pictures
    (one clip, one light), and is fooled by other light, turned heads and look-alikes. Treat its groups as a first
    sorting, not as a finding.

    References
    ----------
    Ahonen, Hadid, Pietikäinen, Face Description with Local Binary Patterns, PAMI 2006.
    Tan, Triggs, Enhanced Local Texture Feature Sets for Face Recognition Under Difficult Lighting Conditions, 2007.
    """

    description = "texture of the face (a rough guess: onnxruntime, which the recognition network needs, is missing)"
    threshold = 0.88

    def crop(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """See :func:`aligned_crop`."""
        return aligned_crop(image, landmarks)

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        """(n, d) float32 vectors of length 1 of (112, 112, 3) uint8 BGR crops."""
        return np.stack([self._one(crop) for crop in crops]).astype(np.float32)

    def _one(self, crop):
        grey = _even_light(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY))
        both = _pattern_histograms(grey) + _pattern_histograms(np.ascontiguousarray(grey[:, ::-1]))
        root = np.sqrt(both / both.sum(axis=1, keepdims=True)).ravel()
        return root / np.linalg.norm(root)


class NetworkEmbedding:
    """A face recognition network in an ONNX file: one 112 × 112 picture in, one vector out (ArcFace and its kin).

    Parameters
    ----------
    path : Path
        Input (N, 3, 112, 112) RGB or (N, 112, 112, 3), values (pixel − 127.5) / 127.5.
    """

    threshold = 0.35

    def __init__(self, path: Path):
        self._network = RecognitionNetwork(path)
        self.description = f"recognition network {Path(path).name}"

    def crop(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """See :func:`aligned_crop`."""
        return aligned_crop(image, landmarks)

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        """(n, d) float32 vectors of length 1 of (112, 112, 3) uint8 BGR crops."""
        vectors = self._network.run(np.stack(crops)[..., ::-1])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not (lengths > 0).all():
            raise UserError("the recognition network gives no usable vector for it")
        return vectors / lengths


def _even_light(grey):
    """Grey picture with the light taken out, (H, W) float32."""
    image = np.power(grey.astype(np.float32) / 255, 0.2)
    image = cv2.GaussianBlur(image, (0, 0), 1) - cv2.GaussianBlur(image, (0, 0), 3)
    return cv2.GaussianBlur(image, (0, 0), 0.8)


def _pattern_histograms(grey):
    """(49, 59) counts of uniform local binary patterns (8 neighbours at distance 2) in the cells."""
    center = grey[2:-2, 2:-2]
    shifts = ((0, 2), (2, 2), (2, 0), (2, -2), (0, -2), (-2, -2), (-2, 0), (-2, 2))
    code = np.zeros(center.shape, np.uint8)
    for bit, (down, across) in enumerate(shifts):
        neighbour = grey[2 + down : grey.shape[0] - 2 + down, 2 + across : grey.shape[1] - 2 + across]
        code |= (neighbour >= center).astype(np.uint8) << bit
    labels = _LABELS[code]
    rows = np.arange(center.shape[0]) * _CELLS // center.shape[0]
    columns = np.arange(center.shape[1]) * _CELLS // center.shape[1]
    cells = rows[:, None] * _CELLS + columns[None, :]
    counts = np.bincount((cells * _UNIFORM_PATTERNS + labels).ravel(), minlength=_CELLS**2 * _UNIFORM_PATTERNS)
    return counts.reshape(-1, _UNIFORM_PATTERNS).astype(np.float64)


def _uniform_labels():
    """Patterns with at most two changes around the circle get labels of their own, all others the last label."""
    labels, following = np.full(256, _UNIFORM_PATTERNS - 1), 0
    for code in range(256):
        turned = (code >> 1) | ((code & 1) << 7)
        if bin(code ^ turned).count("1") <= 2:
            labels[code], following = following, following + 1
    return labels


_LABELS = _uniform_labels()
