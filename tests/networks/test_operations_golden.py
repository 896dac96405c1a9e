"""Each operation and loss against DeepFaceLab's numbers."""

import golden_vectors as golden
import numpy as np
import pytest

from core.nn import losses, operations


@pytest.fixture(scope="module")
def vectors():
    return golden.load("ops.npz")


def _run(name, entry):
    arguments, inputs = entry["args"], entry["inputs"]
    if name.startswith("dssim"):
        scale = arguments["max_val"]
        image = golden.array(golden.index()["ops"]["dssim_fs1"]["inputs"]["img1"])
        noise = golden.array({"name": "img_n", "shape": list(image.shape), "lo": -0.3, "hi": 0.3})
        size = 11 if name == "dssim_mv255" else arguments["filter_size"]
        noisy = np.clip(image + noise, 0, 1)
        return losses.dssim_per_channel(scale * image, scale * noisy, max_value=scale, filter_size=size)
    tensors = [golden.array(each) for each in inputs.values()]
    x = tensors[0]
    if name.startswith("gaussian_blur"):
        return losses.gaussian_blur(x, arguments["radius"])
    if name.startswith("style_loss"):
        return losses.style_loss(*tensors, arguments["gaussian_blur_radius"], arguments["loss_weight"])
    if name.startswith("depth_to_space"):
        return operations.depth_to_space(x, arguments["size"])
    if name.startswith("upsample2d"):
        return operations.upsample(x, arguments["size"])
    if name.startswith("resize2d_bilinear"):
        return operations.resize_bilinear(x, arguments["size"])
    return {
        "space_to_depth_2_std": lambda: operations.space_to_depth(x, 2),
        "flatten": lambda: operations.flatten(x),
        "reshape_4D": lambda: operations.unflatten(x, 2, 3, 4),
        "pixel_norm": lambda: operations.pixel_norm(x),
        "gelu": lambda: operations.gelu(x),
        "total_variation_mse": lambda: losses.total_variation(x),
    }[name]()


# Left out: what no network of DeepFaceLab uses, such as the variant of space_to_depth that is not the inverse of depth_to_space.
UNUSED = {"space_to_depth_2_nhwc", "rgb_to_lab", "resize2d_nearest_-2", "max_pool", "bilinear_sampler"}


@pytest.mark.parametrize("name", sorted(set(golden.index()["ops"]) - UNUSED))
def test_operation(name, vectors):
    result = np.array(_run(name, golden.index()["ops"][name]))
    assert result.shape == vectors[name].shape
    np.testing.assert_allclose(result, vectors[name], atol=2e-5, rtol=2e-5)


def test_defective_space_to_depth_is_not_ours(vectors):
    x = golden.array(golden.index()["ops"]["space_to_depth_2_std"]["inputs"]["x"])
    assert np.abs(operations.space_to_depth(x, 2) - vectors["space_to_depth_2_nhwc"]).max() > 0.1
    np.testing.assert_array_equal(operations.depth_to_space(operations.space_to_depth(x, 2), 2), x)
