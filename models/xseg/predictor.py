"""Masks of faces from the trained XSeg model of a folder."""

from pathlib import Path

import numpy as np

from core.console.commands import command
from core.engines import DEFAULT_PLACE, Place
from core.errors import NothingToDo, UserError
from facelib.face_type import FaceType
from models.saved import transaction
from models.saved.model_files import STATE_SUFFIX, read_model_data
from models.saved.restore import advice_on_damage
from models.xseg.low_values import cut_low_values

PREFIX = "XSeg"
WEIGHTS_NAME = "XSeg_256.npy"
LARGEST_BATCH = 16


def available(model_dir: Path) -> bool:
    """Whether the folder holds a trained XSeg model."""
    return (Path(model_dir) / WEIGHTS_NAME).is_file()


class XSegPredictor:
    """A trained XSeg network.

    Parameters
    ----------
    model_dir : Path
        Folder with ``XSeg_256.npy`` and, unless it is a ready-made model, ``XSeg_data.dat``.
    place : Place
        Engine and device.

    Attributes
    ----------
    face_type : FaceType or None
        What the model was trained on; None when its files do not tell.

    Raises
    ------
    NothingToDo
        When there is no trained model.
    UserError
        When it is in pretraining, or damaged.
    """

    def __init__(self, model_dir: Path, place: Place = DEFAULT_PLACE):
        model_dir = Path(model_dir)
        if not available(model_dir):
            raise NothingToDo(
                f"{model_dir / WEIGHTS_NAME}: no such file. Train an XSeg model first: {command('train --model XSeg --model-dir', model_dir)} …"
            )
        transaction.wait_until_whole(model_dir, PREFIX)
        state = model_dir / f"{PREFIX}{STATE_SUFFIX}"
        with advice_on_damage(model_dir, "XSeg", PREFIX):
            options = read_model_data(state).options if state.exists() else {}
        if options.get("pretrain"):
            raise UserError(
                f"{state}: this XSeg model is still in pretraining, where it draws grey faces and no masks. Train it on "
                f"labelled faces first: {command('train --model XSeg --set pretrain=n --model-dir', model_dir)} …"
            )
        key = options.get("face_type")
        self.face_type = None if key is None else FaceType.from_prompt_key(key)
        with advice_on_damage(model_dir, "XSeg", PREFIX):
            self._network = _load(model_dir / WEIGHTS_NAME, place)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Masks of faces.

        Parameters
        ----------
        images : numpy.ndarray
            (N, 256, 256, 3) float32 BGR, 0…1, aligned as ``face_type``.

        Returns
        -------
        numpy.ndarray
            (N, 256, 256, 1) float32, 0…1; values under 0.1 are 0.
        """
        parts = [self._network.predict(images[i : i + LARGEST_BATCH]) for i in range(0, len(images), LARGEST_BATCH)]
        return np.concatenate(parts) if parts else np.zeros((0, *np.shape(images)[1:3], 1), np.float32)


def _load(path, place):
    if place.is_onnx:
        return _OnnxMasks(path, place)
    from core.networks.weight_files import read_weights
    from core.nn.weights import dict_to_network
    from models.base import network_class

    network = network_class("XSeg")({"pretrain": False, "batch_size": 1}, 1, training=False)
    dict_to_network(network.networks["XSeg_256"], read_weights(path), path)
    return network


class _OnnxMasks:
    """The network in ONNX Runtime."""

    def __init__(self, path, place):
        from core.networks.session import OnnxNetwork
        from core.networks.weight_files import read_weights
        from models.architectures.onnx_xseg import xseg_graph

        graph = xseg_graph({"XSeg_256": (read_weights(path), path)}, {})
        self._network = OnnxNetwork(graph.to_bytes(), place, path.name)

    def predict(self, images):
        """As :meth:`models.xseg.model.XSeg.predict`."""
        return cut_low_values(self._network.run(images)[0])
