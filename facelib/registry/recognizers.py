"""Recognition networks of the registry: one vector for an aligned face."""

import numpy as np

from core.errors import FormatError, UserError
from facelib.recognition.embedding import aligned_crop
from facelib.registry.checked_network import CheckedNetwork

_SIDE = 112


class RegisteredEmbedding:
    """Who is on a picture, by a network with one output of numbers for 112 × 112 RGB pictures.

    Parameters
    ----------
    network : CheckedNetwork
    description : str
    threshold : float
        Likeness from which two faces count as one person's.
    scaled : bool
        Whether it takes values of −1…1 (ArcFace) instead of 0…255 (SFace).
    """

    def __init__(self, network: CheckedNetwork, description: str, threshold: float, scaled: bool):
        vectors = [
            name for name, shape in network.outputs.items() if len(shape) == 2 and shape[0] == 1 and shape[1] > 1
        ]
        if network.side not in (_SIDE, 640) or not vectors:
            raise FormatError(network.path, f"is no recognition network of {_SIDE} x {_SIDE} pictures and one vector")
        self._network, self._output, self._scaled = network, vectors[0], scaled
        self.description, self.threshold = description, threshold

    def crop(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """See :func:`facelib.recognition.embedding.aligned_crop`."""
        return aligned_crop(image, landmarks)

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        """(n, d) float32 vectors of length 1 of (112, 112, 3) uint8 BGR crops."""
        vectors = []
        for crop in crops:
            picture = crop[..., ::-1].astype(np.float32)
            vectors.append(self._network.run((picture - 127.5) / 127.5 if self._scaled else picture)[self._output][0])
        found = np.stack(vectors).astype(np.float32)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        if not (lengths > 0).all():
            raise UserError("the recognition network gives no usable vector for it")
        return found / lengths
