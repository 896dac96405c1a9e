"""The face networks whose weight files a user adds, opened with the engine and on the device that was chosen."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from core.engines import Place
from core.networks.weight_files import read_weights


class Network(Protocol):
    """A network that runs."""

    def run(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """All outputs for a batch."""


def open_network(
    path: Path,
    place: Place,
    make_graph: Callable[[dict, Any], Any],
    make_keras: Callable[[], type],
    shapes: Sequence[tuple[int | None, ...]],
) -> Network:
    """A network with the weights of a file.

    Parameters
    ----------
    path : Path
        Weight file.
    place : Place
        Engine and device.
    make_graph : callable
        Weights and their file to a :class:`core.networks.onnx_graph.OnnxGraph`.
    make_keras : callable
        Imports TensorFlow's network and returns its class.
    shapes : sequence of tuple
        Of the inputs; None is a free dimension.
    """
    weights = read_weights(path)
    if place.is_onnx:
        from core.networks.session import OnnxNetwork

        return OnnxNetwork(make_graph(weights, path).to_bytes(), place, Path(path).name)
    from core.nn.network_function import KerasNetwork

    return KerasNetwork(make_keras(), weights, path, shapes, place.device)
