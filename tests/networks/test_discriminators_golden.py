"""Discriminators against DeepFaceLab's outputs and its layer table for every patch size."""

import json

import golden_vectors as golden
import numpy as np
import pytest
from test_swap_networks_golden import check_shapes

from models.architectures.discriminators import CodeDiscriminator, UNetPatchDiscriminator, strides_for_patch_size


def test_layers_of_every_patch_size():
    table = json.loads((golden.NETWORKS / "unet_patch_table.json").read_text())
    sizes = set()
    for row in table["rows"]:
        for size in range(row["patch_min"], row["patch_max"] + 1):
            assert list(strides_for_patch_size(size)) == row["strides"], size
            sizes.add(size)
    assert sizes == set(range(3, 641))


@pytest.mark.parametrize("config", [name for name in golden.shapes() if name.startswith("unet_patch")])
def test_patch_discriminator(config):
    entry = golden.index()["networks"][config]
    network = UNetPatchDiscriminator(entry["params"]["patch_size"])
    check_shapes(config, {"D_src": network})
    golden.fill(network, "D_src", entry["gain"])
    stored = golden.load(entry["file"])
    center, out = network(golden.array(entry["inputs"]["x"]))
    np.testing.assert_allclose(center, stored["center"], atol=entry["tolerance"])
    np.testing.assert_allclose(out, stored["out"], atol=entry["tolerance"])


@pytest.mark.parametrize("config", [name for name in golden.shapes() if name.startswith("code_disc")])
def test_code_discriminator(config):
    entry = golden.index()["networks"][config]
    network = CodeDiscriminator(entry["params"]["in_ch"], entry["params"]["code_res"])
    check_shapes(config, {"dis": network})
    golden.fill(network, "dis", entry["gain"])
    output = network(golden.array(entry["inputs"]["x"]))
    np.testing.assert_allclose(output, golden.load(entry["file"])["out"], atol=entry["tolerance"])
