"""Weights and optimizer state in DeepFaceLab's files, and what is said about files that do not fit."""

import golden_vectors as golden
import numpy as np
import pytest

from core.errors import FormatError
from core.networks.weight_files import read_weights, write_weights
from core.nn.optimizers import AdaBelief
from core.nn.weights import dict_to_network, dict_to_optimizer, named_variables, network_to_dict, optimizer_to_dict
from models.architectures.amp import AmpAutoencoder
from models.architectures.deepfake import DeepfakeAutoencoder
from models.architectures.discriminators import CodeDiscriminator, UNetPatchDiscriminator
from models.architectures.xseg import XSegNetwork
from models.trainable_model import full_names

SIZES = {"resolution": 64, "archi": "liae-ud", "ae_dims": 4, "e_dims": 2, "d_dims": 2, "d_mask_dims": 2}


def test_real_discriminator_file(tmp_path):
    path = golden.NETWORKS / "sample_GAN.npy"
    network = UNetPatchDiscriminator(3, base_channels=8)
    stored = read_weights(path)
    dict_to_network(network, stored, path)
    for key, variable in named_variables(network).items():
        expected = golden.weight(f"D_src/{key}", tuple(variable.shape), 2**0.5)
        np.testing.assert_allclose(variable, expected, rtol=1e-6)
    write_weights(tmp_path / "GAN.npy", network_to_dict(network))
    again = read_weights(tmp_path / "GAN.npy")
    assert list(again) == list(stored)
    for key in stored:
        np.testing.assert_array_equal(again[key], stored[key])


def test_real_optimizer_file(tmp_path):
    path = golden.NETWORKS / "sample_GAN_opt.npy"
    optimizer = AdaBelief(full_names([UNetPatchDiscriminator(3, base_channels=8)]))
    stored = read_weights(path)
    assert dict_to_optimizer(optimizer, stored, path) == []
    assert int(optimizer.iterations) == 7
    for key, slot in optimizer.named_slots().items():
        u = golden.uniform(key, int(np.prod(slot.shape))).reshape(slot.shape)
        np.testing.assert_allclose(slot, u if key.startswith("vs_") else 2 * u - 1, atol=1e-6)
    write_weights(tmp_path / "GAN_opt.npy", optimizer_to_dict(optimizer))
    again = read_weights(tmp_path / "GAN_opt.npy")
    assert list(again) == list(stored)
    for key in stored:
        np.testing.assert_array_equal(again[key], stored[key])


def test_values_are_reshaped_and_cast_and_extra_ones_ignored():
    network = XSegNetwork(base_channels=2)
    values = {key: np.expand_dims(value.astype(np.float16), 0) for key, value in network_to_dict(network).items()}
    dict_to_network(network, values | {"more/weight:0": np.zeros(3)}, "XSeg_256.npy")
    for key, value in network_to_dict(network).items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, values[key][0])


@pytest.mark.parametrize(
    ("net", "changes", "text"),
    [
        ("encoder", {"e_dims": 6}, "e_dims is 6 there and 2 here"),
        ("encoder", {"archi": "liae-udt"}, "letter t in archi is on there and off here"),
        ("inter_AB", {"ae_dims": 8}, "ae_dims is 8 there and 4 here"),
        ("inter_AB", {"resolution": 96}, "resolution is 96 there and 64 here"),
        ("decoder", {"d_dims": 4}, "d_dims is 4 there and 2 here"),
        ("decoder", {"d_mask_dims": 6}, "d_mask_dims is 6 there and 2 here"),
        ("decoder", {"archi": "liae-u"}, "letter d in archi is off there and on here"),
    ],
)
def test_wrong_architecture_names_the_option(net, changes, text):
    ours = DeepfakeAutoencoder(**SIZES).networks[net]
    theirs = DeepfakeAutoencoder(**SIZES | changes).networks[net]
    before = network_to_dict(ours)
    with pytest.raises(FormatError) as caught:
        dict_to_network(ours, network_to_dict(theirs), f"model/new_SAEHD_{net}.npy")
    assert str(caught.value).startswith(f"model/new_SAEHD_{net}.npy: ")
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    for key, value in network_to_dict(ours).items():
        np.testing.assert_array_equal(value, before[key])


@pytest.mark.parametrize(
    ("ours", "theirs", "text"),
    [
        (lambda: UNetPatchDiscriminator(8, base_channels=4), lambda: UNetPatchDiscriminator(8, base_channels=6),
         "gan_dims is 6 there and 4 here"),
        (lambda: UNetPatchDiscriminator(8, base_channels=4), lambda: UNetPatchDiscriminator(3, base_channels=4),
         "gan_patch_size) is 1 there and 2 here"),
        (lambda: CodeDiscriminator(4, 8, channels=4), lambda: CodeDiscriminator(6, 8, channels=4),
         "ae_dims is 6 there and 4 here"),
        (lambda: XSegNetwork(base_channels=2), lambda: XSegNetwork(base_channels=4),
         "base channels is 4 there and 2 here"),
        (lambda: AmpAutoencoder(64, 4, 6, 2, 2, 2).encoder, lambda: DeepfakeAutoencoder(**SIZES).networks["encoder"],
         "model class is SAEHD or Quick96 there and AMP here"),
        (lambda: AmpAutoencoder(64, 4, 6, 2, 2, 2).decoder, lambda: AmpAutoencoder(64, 4, 8, 2, 2, 2).decoder,
         "inter_dims, and df or liae) is 8 there and 6 here"),
        (lambda: AmpAutoencoder(64, 4, 6, 2, 2, 2).decoder, lambda: XSegNetwork(base_channels=2),
         "letter d in archi is off there and on here"),
    ],
)  # fmt: skip
def test_wrong_network_of_other_models(ours, theirs, text):
    with pytest.raises(FormatError, match="GAN.npy: ") as caught:
        dict_to_network(ours(), network_to_dict(theirs()), "GAN.npy")
    assert text in str(caught.value)


def test_missing_tensors_are_named():
    network = UNetPatchDiscriminator(3, base_channels=4)
    values = network_to_dict(network)
    del values["out_conv/bias:0"]
    with pytest.raises(FormatError, match="1 of 12 tensors are missing, the first is out_conv/bias:0"):
        dict_to_network(network, values, "GAN.npy")


def test_weight_file_is_no_optimizer_file():
    network = UNetPatchDiscriminator(3, base_channels=4)
    optimizer = AdaBelief(full_names([network]))
    with pytest.raises(FormatError, match="iters:0 is missing"):
        dict_to_optimizer(optimizer, network_to_dict(network), "GAN_opt.npy")
