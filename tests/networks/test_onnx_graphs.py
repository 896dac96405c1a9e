"""The ONNX graphs compute what the networks of TensorFlow do, weight for weight."""

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

from core.errors import FormatError, UserError
from core.networks import onnx_graph
from core.nn import initializers
from core.nn.weights import network_to_dict
from facelib.aligners.fan_network import FanNetwork
from facelib.detectors.s3fd_network import S3fdNetwork
from facelib.enhancer_network import FaceEnhancerNetwork
from facelib.onnx_graphs import enhancer_graph, fan_graph, s3fd_graph
from models.architectures.amp import AmpAutoencoder
from models.architectures.deepfake import DeepfakeAutoencoder
from models.architectures.onnx_deepfake import morph_graph, swap_graph
from models.architectures.onnx_xseg import xseg_graph
from models.architectures.xseg import XSegNetwork

ARCHITECTURES = [
    f"{kind}{letters}" for kind in ("df", "liae") for letters in ("", "-u", "-d", "-t", "-c", "-udtc", "-ud")
]


@pytest.fixture(autouse=True)
def same_weights_every_time():
    """Some draws of the first weights make results that differ by more than others."""
    with initializers.seeded(0):
        yield


def randomized(network, seed=0, spread=0.05):
    """Weights of a network, drawn so that no layer, bias or statistic is trivial."""
    random = np.random.default_rng(seed)
    for variable in network.weights:
        values = variable.numpy()
        noise = random.normal(0, spread, values.shape).astype(np.float32)
        variable.assign(np.abs(values + noise) + 0.5 if "running_var" in variable.path else values + noise)
    return network_to_dict(network)


def run(graph, **inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.to_bytes(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: np.asarray(values, np.float32) for name, values in inputs.items()})


def pictures(*shape, seed=1):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)


def agree(found, wanted, tolerance=1e-4):
    assert len(found) == len(wanted)
    for ours, theirs in zip(found, wanted):
        np.testing.assert_allclose(ours, np.asarray(theirs), atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("archi", ARCHITECTURES)
def test_swaps_of_every_architecture(archi):
    autoencoder = DeepfakeAutoencoder(64, archi, 16, 8, 8, 6)
    parts = {name: (randomized(network, 3), name) for name, network in autoencoder.networks.items()}
    faces = pictures(3, 64, 64, 3)
    agree(run(swap_graph(parts, {"archi": archi, "resolution": 64}), face=faces), autoencoder.swap(tf.constant(faces)))


@pytest.mark.parametrize("morph", [0.0, 0.3, 0.75, 1.0])
def test_morphs(morph):
    autoencoder = AmpAutoencoder(64, 24, 40, 8, 8, 6)
    parts = {name: (randomized(network, 5), name) for name, network in autoencoder.networks.items()}
    faces = pictures(2, 64, 64, 3)
    wanted = autoencoder.swap(tf.constant(faces), tf.constant(morph))
    agree(run(morph_graph(parts, {"resolution": 64}), face=faces, morph=[morph]), wanted)


def test_xseg():
    network = XSegNetwork(base_channels=4)
    weights, faces = randomized(network), pictures(2, 256, 256, 3)
    agree(run(xseg_graph({"XSeg_256": (weights, "XSeg_256.npy")}, {}), face=faces), network(faces)[1:])


def test_fan():
    network = FanNetwork()
    weights, faces = randomized(network), pictures(1, 256, 256, 3)
    [found], wanted = run(fan_graph(weights, "2DFAN.npy"), face=faces), network(faces).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("size", [(64, 96), (75, 131)])
def test_s3fd_on_frames_of_any_size(size):
    network = S3fdNetwork()
    weights, frames = randomized(network), pictures(2, *size, 3) * 255
    found, wanted = run(s3fd_graph(weights, "S3FD.npy"), picture=frames), network(frames)
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4 * max(1.0, np.abs(theirs).max()))


def test_enhancer():
    network = FaceEnhancerNetwork()
    # Little noise: with more, the result saturates and single pixels jump.
    weights, patches = randomized(network, spread=0.005), pictures(1, 64, 96, 3) * 2 - 1
    numbers = [np.full((1, 1), value, np.float32) for value in (0.2, 1.0)]
    [found] = run(enhancer_graph(weights, "FaceEnhancer.npy"), patch=patches, first=numbers[0], second=numbers[1])
    agree([found], [network(patches, *numbers)])


def test_half_precision_stays_near():
    autoencoder = DeepfakeAutoencoder(64, "liae-ud", 16, 8, 8, 6)
    parts = {name: (randomized(network, 3), name) for name, network in autoencoder.networks.items()}
    faces, options = pictures(2, 64, 64, 3), {"archi": "liae-ud", "resolution": 64}
    found = run(swap_graph(parts, options, half=True), face=faces)
    wanted = run(swap_graph(parts, options), face=faces)
    agree(found, wanted, tolerance=1e-2)
    assert any(np.abs(ours - theirs).max() > 0 for ours, theirs in zip(found, wanted))


def test_a_network_too_large_for_a_file_is_told(monkeypatch):
    monkeypatch.setattr(onnx_graph, "LARGEST_FILE", 100_000)
    weights = {"XSeg_256": (network_to_dict(XSegNetwork(base_channels=4)), "XSeg_256.npy")}
    with pytest.raises(UserError, match="XSeg: its weights are larger than .* --engine tensorflow"):
        xseg_graph(weights, {}).to_bytes()


def test_a_file_of_another_network_is_named():
    with pytest.raises(FormatError, match="XSeg_256.npy.*conv01/conv/weight:0 is missing"):
        xseg_graph({"XSeg_256": ({"other:0": np.zeros(3)}, "XSeg_256.npy")}, {})
