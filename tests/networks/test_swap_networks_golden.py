"""Whole networks against DeepFaceLab's outputs, weight names, shapes and counts."""

import golden_vectors as golden
import numpy as np
import pytest
import tensorflow as tf

from core.nn.weights import named_variables
from models.architectures.deepfake import DeepfakeAutoencoder

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
