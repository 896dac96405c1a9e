"""Trained models that ONNX Runtime computes, opened from their weight files without TensorFlow."""

from typing import Any

import numpy as np

from core.engines import Place
from core.networks.session import OnnxNetwork
from core.networks.weight_files import read_weights
from models.saved.restore import advice_on_damage


class OnnxSwap:
    """Swaps faces as the trained model of TensorFlow does.

    Parameters
    ----------
    saved : models.base.SavedModel
        Found by :func:`models.base.find_trained`; its networks need not be built.
    place : Place

    Attributes
    ----------
    resolution : int

    Raises
    ------
    FormatError
        When a weight file is damaged.
    UserError
        When the weights belong to other options than those that are stored.
    """

    def __init__(self, saved: Any, place: Place):
        self.resolution = saved.effective["resolution"]
        self._morphs = saved.kind.is_morphable
        graph = saved.kind.make_graph(read_parts(saved), saved.effective)
        self._network = OnnxNetwork(graph.to_bytes(), place, saved.prefix)

    def predict(self, faces: np.ndarray, morph: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Face, its mask and the mask of the destination face; see :meth:`models.base.InferenceModel.predict`."""
        inputs = (faces, np.array([morph], np.float32)) if self._morphs else (faces,)
        swapped, mask_prd, mask_dst = self._network.run(*inputs)
        return swapped, mask_prd, mask_dst


def read_parts(saved: Any) -> dict[str, tuple[dict, object]]:
    """The weights of the networks that a prediction needs: by stem, each with its file."""
    parts = {}
    for stem in saved.kind.needed_stems(saved.effective):
        path = saved.model_dir / saved.weight_name(stem)
        with advice_on_damage(saved.model_dir, saved.class_name, saved.prefix):
            parts[stem] = (read_weights(path), path)
    return parts
