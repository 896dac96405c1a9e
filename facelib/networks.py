"""The face networks whose weight files a user adds, opened with the engine and on the device that was chosen."""

from pathlib import Path
from typing import Protocol

import numpy as np

from core.networks.place import Place
from core.networks.weight_files import read_weights


class Network(Protocol):
    """A network that runs."""

    def run(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """All outputs for a batch."""


def open_s3fd(path: Path, place: Place) -> Network:
    """S3FD: pictures (N, H, W, 3) RGB 0…255 to twelve maps."""
    if place.is_onnx:
        from facelib.onnx_graphs import s3fd_graph

        return _onnx(s3fd_graph, path, place)
    from facelib.detectors.s3fd_network import S3fdNetwork

    return _keras(S3fdNetwork, path, [(None, None, None, 3)], place)


def open_fan(path: Path, place: Place) -> Network:
    """FAN: faces (N, 256, 256, 3) RGB 0…1 to heat maps (N, 64, 64, 68)."""
    if place.is_onnx:
        from facelib.onnx_graphs import fan_graph

        return _onnx(fan_graph, path, place)
    from facelib.aligners.fan_network import FanNetwork

    return _keras(FanNetwork, path, [(None, 256, 256, 3)], place)


def open_enhancer(path: Path, place: Place, patch_size: int) -> Network:
    """The enhancer: patches (N, S, S, 3) −1…1 and two numbers (N, 1) to patches (N, 4S, 4S, 3)."""
    if place.is_onnx:
        from facelib.onnx_graphs import enhancer_graph

        return _onnx(enhancer_graph, path, place)
    from facelib.enhancer_network import FaceEnhancerNetwork

    return _keras(FaceEnhancerNetwork, path, [(None, patch_size, patch_size, 3), (None, 1), (None, 1)], place)


def _onnx(make_graph, path, place):
    from core.networks.session import OnnxNetwork

    return OnnxNetwork(make_graph(read_weights(path), path).to_bytes(), place, Path(path).name)


def _keras(make, path, shapes, place):
    from core.nn.network_function import KerasNetwork

    return KerasNetwork(make, read_weights(path), path, shapes, place.device)
