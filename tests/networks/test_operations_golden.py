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
    if name == "rgb_to_lab":
        entry = golden.index()["ops"]["style_loss_r0"]["inputs"]["target"]
        return operations.rgb_to_lab(golden.array(entry)[:, :8, :8])
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
        "resize2d_nearest_-2": lambda: operations.shrink_nearest(x, 2),
        "max_pool": lambda: operations.max_pool(x),
        "total_variation_mse": lambda: losses.total_variation(x),
        "bilinear_sampler": lambda: operations.bilinear_sampler(*tensors),
    }[name]()


# The one left out is the defective variant, which is not the inverse of depth_to_space and which nothing uses.
@pytest.mark.parametrize("name", sorted(set(golden.index()["ops"]) - {"space_to_depth_2_nhwc"}))
def test_operation(name, vectors):
    result = np.array(_run(name, golden.index()["ops"][name]))
    assert result.shape == vectors[name].shape
    np.testing.assert_allclose(result, vectors[name], atol=2e-5, rtol=2e-5)


def test_defective_space_to_depth_is_not_ours(vectors):
    x = golden.array(golden.index()["ops"]["space_to_depth_2_std"]["inputs"]["x"])
    assert np.abs(operations.space_to_depth(x, 2) - vectors["space_to_depth_2_nhwc"]).max() > 0.1
    np.testing.assert_array_equal(operations.depth_to_space(operations.space_to_depth(x, 2), 2), x)


def test_sampler_extends_the_edge():
    image = np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1)
    x = np.array([[[-1.0, 2.0, 5.0]]], np.float32)
    y = np.array([[[-1.0, 1.0, 0.5]]], np.float32)
    result = operations.bilinear_sampler(image, x, y, extend_edge=True)
    np.testing.assert_allclose(np.ravel(result), [0, 5, 3.5])
