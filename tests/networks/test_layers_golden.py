"""Each single layer against DeepFaceLab's numbers."""

import re

import golden_vectors as golden
import numpy as np
import pytest

from core.nn import layers
from core.nn.weights import named_variables

GAIN = 2**0.5


@pytest.fixture(scope="module")
def vectors():
    return golden.load("layers.npz")


def _make(name, text):
    if name.startswith("conv2d_"):
        _, kernel, *rest = name.split("_")
        padding = {"valid": "VALID", "pad3": 3}.get(rest[-1], "SAME")
        strides = int(rest[0][1:]) if re.fullmatch(r"s\d", rest[0]) else 1
        return layers.Conv2D(
            5,
            6,
            int(kernel[1:]),
            strides=strides,
            padding=padding,
            dilation=2 if "d2" in rest else 1,
            use_bias="nobias" not in rest,
            use_wscale="wscale" in rest,
        )
    if name == "conv2dtranspose_wscale":
        return layers.Conv2DTranspose(5, 6, 3, use_wscale=True)
    if name.startswith("conv2dtranspose"):
        _, kernel, strides, padding = name.split("_")
        return layers.Conv2DTranspose(5, 6, int(kernel[1:]), strides=int(strides[1:]), padding=padding.upper())
    if name.startswith("blurpool"):
        return layers.BlurPool(int(name[-1]))
    return {
        "dense": lambda: layers.Dense(20, 7),
        "dense_wscale": lambda: layers.Dense(20, 7, use_wscale=True),
        "dense_maxout3": lambda: layers.Dense(20, 7, maxout_channels=3),
        "frnorm": lambda: layers.FRNorm2D(5),
        "tlu": lambda: layers.TLU(5),
        "batchnorm": lambda: layers.BatchNorm2D(5),
    }[name]()


def names():
    """The recorded layers but for those that no network of DeepFaceLab uses."""
    unused = ("depthwise_", "tanhpolar", "densenorm", "instancenorm", "adain", "scaleadd")
    return [name for name in sorted(golden.index()["layers"]) if not name.startswith(unused)]


@pytest.mark.parametrize("name", names())
def test_layer(name, vectors):
    entry = golden.index()["layers"][name]
    layer = _make(name, entry["layer"])
    found = {f"l/{key}": list(variable.shape) for key, variable in named_variables(layer).items()}
    assert found == dict(entry.get("weights", []))
    golden.fill(layer, f"{name}/l", GAIN)
    inputs = entry["inputs"]
    inputs = [inputs] if "name" in inputs else list(inputs.values())
    result = np.array(layer(*[golden.array(each) for each in inputs]))
    expected = vectors[name]
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, atol=2e-5, rtol=1e-5)
