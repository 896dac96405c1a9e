"""Whole networks against DeepFaceLab's outputs, weight names, shapes and counts."""

import golden_vectors as golden
import numpy as np
import pytest
import tensorflow as tf

from core.nn.weights import named_variables
from models.architectures.amp import AmpAutoencoder
from models.architectures.deepfake import DeepfakeAutoencoder
from models.architectures.xseg import XSegNetwork

DEEPFAKE = [name for name in golden.shapes() if name.startswith(("df", "liae", "quick96"))]


def check_shapes(config, networks):
    expected = golden.shapes()[config]["nets"]
    assert list(networks) == list(expected)
    for name, network in networks.items():
        found = [[key, list(variable.shape)] for key, variable in named_variables(network).items()]
        assert found == expected[name], name
        assert network.count_params() == golden.shapes()[config]["param_count"][name]


@pytest.mark.parametrize("config", DEEPFAKE)
def test_deepfake(config):
    entry = golden.index()["networks"][config]
    model = DeepfakeAutoencoder(**{"archi": "df-ud", **entry["params"]})
    check_shapes(config, model.networks)
    for name, network in model.networks.items():
        golden.fill(network, name, entry["gain"])
    x = golden.array(entry["inputs"]["x"])
    networks = model.networks
    result = {"enc": networks["encoder"](x)}
    if model.is_liae:
        result["inter_AB"] = shared = networks["inter_AB"](result["enc"])
        result["inter_B"] = own = networks["inter_B"](result["enc"])
        result["src"], result["srcm"] = networks["decoder"](tf.concat((shared, shared), -1))
        result["dst"], result["dstm"] = networks["decoder"](tf.concat((own, shared), -1))
    else:
        result["inter"] = networks["inter"](result["enc"])
        result["src"], result["srcm"] = networks["decoder_src"](result["inter"])
        result["dst"], result["dstm"] = networks["decoder_dst"](result["inter"])
    stored = golden.load(entry["file"])
    assert set(stored) <= set(result)
    for name, expected in stored.items():
        np.testing.assert_allclose(result[name], expected, atol=entry["tolerance"], err_msg=name)
    reconstruction = model.reconstruct(x, x)
    np.testing.assert_allclose(reconstruction.pictures, tf.concat((result["src"], result["dst"]), 0), atol=1e-4)
    np.testing.assert_allclose(reconstruction.masks, tf.concat((result["srcm"], result["dstm"]), 0), atol=1e-4)
    face, mask, destination_mask = model.swap(x)
    np.testing.assert_allclose(face, result["src"], atol=1e-4)
    np.testing.assert_allclose(mask, result["srcm"], atol=1e-4)
    np.testing.assert_allclose(destination_mask, result["dstm"], atol=1e-4)


def test_amp():
    entry = golden.index()["networks"]["amp"]
    model = AmpAutoencoder(**entry["params"])
    check_shapes("amp", model.networks)
    for name, network in model.networks.items():
        golden.fill(network, name, entry["gain"])
    x = golden.array(entry["inputs"]["x"])
    stored = golden.load(entry["file"])
    vector = model.encoder(x)
    result = {"enc": vector, "inter_src": model.inter_src(vector), "inter_dst": model.inter_dst(vector)}
    for morph in ("0.0", "0.37", "1.0"):
        face, mask, destination_mask = model.swap(x, tf.constant(float(morph), tf.float32))
        result |= {f"src_dst_{morph}": face, f"src_dstm_{morph}": mask, "dstm_0.0": destination_mask}
    assert set(stored) <= set(result)
    for name, expected in stored.items():
        np.testing.assert_allclose(result[name], expected, atol=entry["tolerance"], err_msg=name)


def test_xseg():
    entry = golden.index()["networks"]["xseg256"]
    network = XSegNetwork()
    check_shapes("xseg256", {"XSeg": network})
    golden.fill(network, "XSeg", entry["gain"])
    x = golden.array(entry["inputs"]["x"])
    stored = golden.load(entry["file"])
    logits, mask = network(x)
    np.testing.assert_allclose(logits, stored["logits"], atol=entry["tolerance"])
    np.testing.assert_allclose(mask, 1 / (1 + np.exp(-stored["logits"])), atol=entry["tolerance"])
    logits, _ = network(x, without_skips=True)
    np.testing.assert_allclose(logits[:, ::2, 1::2], stored["logits_pretrain_s2"], atol=entry["tolerance"])
