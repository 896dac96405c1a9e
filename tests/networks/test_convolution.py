"""The convolution's own gradients, and the benchmark's other arrangement of the same step."""

from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import batch_for, saehd, weights

from core.nn import convolution

SHAPES = {
    "height": st.integers(1, 20),
    "width": st.integers(1, 20),
    "channels": st.integers(1, 5),
    "out_channels": st.integers(1, 5),
    "size": st.sampled_from([1, 3, 5]),
}


def _random(*shape):
    return tf.constant(np.random.default_rng(len(shape) + shape[-1]).normal(size=shape).astype(np.float32))


@settings(max_examples=25, deadline=None)
@given(**SHAPES, kind=st.sampled_from(["image", "huge map", "map", "small map"]))
def test_kernel_gradient(height, width, channels, out_channels, size, kind):
    """Small maps and images in one product, huge ones by position, others as they are: TensorFlow's gradient."""
    x, upstream = _random(2, height, width, channels), _random(2, height, width, out_channels)
    kernel = _random(size, size, channels, out_channels)
    with tf.GradientTape() as tape:
        tape.watch(kernel)
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
    expected = tape.gradient(y, kernel, upstream)
    limits = {
        "_MOST_IMAGE_CHANNELS": out_channels if kind == "image" else 0,
        "_SMALL_MAP": 20 * 20 if kind == "small map" else 0,
        "_HUGE_MAP": 0 if kind == "huge map" else 128 * 128,
        "_BLOCK_PIXELS": 50,
    }
    with mock.patch.multiple(convolution, **limits):
        found = convolution.filter_gradient(x, upstream, size)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(**SHAPES, kind=st.sampled_from(["small map", "map", "large map"]))
def test_input_gradient(height, width, channels, out_channels, size, kind):
    """Small maps as a sum of products, large ones as a convolution, others as they are: TensorFlow's gradient."""
    x, kernel = _random(2, height, width, channels), _random(size, size, channels, out_channels)
    upstream = _random(2, height, width, out_channels)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
    expected = tape.gradient(y, x, upstream)
    limits = {"_SMALL_MAP": 20 * 20 if kind == "small map" else 0, "_LARGE_MAP": 0 if kind == "large map" else 64 * 64}
    with mock.patch.multiple(convolution, **limits):
        found = convolution._input_gradient(x, kernel, upstream)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_wide_layers_take_the_products(monkeypatch):
    """Where the processor gains by it, the layers' convolution uses them, with equal results."""
    x, kernel, bias = _random(2, 24, 24, 64), _random(3, 3, 64, 96), _random(96)
    results, calls = {}, []
    filter_gradient = convolution.filter_gradient
    monkeypatch.setattr(convolution, "filter_gradient", lambda *given: calls.append(given) or filter_gradient(*given))
    for avx512 in (False, True):
        monkeypatch.setattr(convolution, "_has_avx512", lambda value=avx512: value)
        calls.clear()
        with tf.GradientTape() as tape:
            tape.watch((x, kernel, bias))
            y = convolution.convolution(x, kernel, bias)
        results[avx512] = (y, *tape.gradient(y, (x, kernel, bias)))
        assert bool(calls) != avx512
    for products, plain in zip(*results.values()):
        np.testing.assert_allclose(products, plain, rtol=1e-4, atol=1e-3 * np.abs(plain).max())


@pytest.mark.parametrize("out_channels", [1, 3, 12, 32, 40])
def test_large_maps_have_the_same_gradients(monkeypatch, out_channels):
    """Images that are put out and wide layers of large maps: both gradients are TensorFlow's."""
    monkeypatch.setattr(convolution, "_has_avx512", lambda: False)
    x, kernel = _random(2, 64, 70, 36), _random(3, 3, 36, out_channels)
    upstream = _random(2, 64, 70, out_channels)
    found = []
    for convolve in (convolution.convolution, lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "SAME")):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = convolve(x, kernel)
        found.append(tape.gradient(y, (x, kernel), upstream))
    assert convolution._is_worth_products(x.shape, kernel.shape)
    for ours, plain in zip(*found):
        np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-4 * np.abs(plain).max())


def test_a_step_with_products_is_the_same_step(monkeypatch, eager):
    found = []
    for least, large in ((convolution._LEAST_MULTIPLICATIONS, convolution._LARGE_MAP), (0, 0)):
        monkeypatch.setattr(convolution, "_LEAST_MULTIPLICATIONS", least)
        monkeypatch.setattr(convolution, "_LARGE_MAP", large)
        monkeypatch.setattr(convolution, "_LEAST_CHANNELS", 1)
        monkeypatch.setattr(convolution, "_has_avx512", lambda: False)
        model = saehd(adabelief=False)
        losses = model.train_one_iteration(batch_for(model))
        found.append((losses, weights(model)))
    (losses, plain), (other_losses, products) = found
    np.testing.assert_allclose(losses, other_losses, rtol=1e-6)
    assert np.mean([np.mean(np.abs(products[name] - plain[name]) < 1e-5) for name in plain]) > 0.999


def test_the_benchmark_compares_the_same_step(monkeypatch, eager):
    """DeepFaceLab's arrangement, as the benchmark patches it in, gives the losses and the weights of ours."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    import dfl_arrangement

    found = []
    for arrange in (dfl_arrangement.undo, dfl_arrangement.apply):
        arrange()
        try:
            model = saehd(archi="liae-ud", adabelief=False)
            found.append((model.train_one_iteration(batch_for(model)), weights(model)))
        finally:
            dfl_arrangement.undo()
    (losses, ours), (other_losses, theirs) = found
    np.testing.assert_allclose(losses, other_losses, rtol=1e-5)
    assert np.mean([np.mean(np.abs(ours[name] - theirs[name]) < 2e-5) for name in ours]) > 0.99
