"""What single options do to a training step."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from small_models import SIZES, batch_for, saehd, weights

from core.errors import UsageError
from core.nn import devices, initializers, losses
from core.nn.layers import recomputed_blocks
from core.nn.weights import network_to_dict, optimizer_to_dict
from models.amp.model import Amp
from models.architectures.deepfake import ResidualBlock
from models.quick96.model import Quick96
from models.saehd.model import Saehd
from models.trainable_model import image_loss
from models.xseg.model import XSeg


def test_gradient_is_the_sum_over_the_batch(eager):
    """Four times the same sample give four times the gradient of one."""
    one, four = (saehd(learning_rate=0.0) for _ in range(2))
    batch = batch_for(one, count=1)
    one.train_one_iteration(batch)
    four.train_one_iteration({name: np.repeat(value, 4, axis=0) for name, value in batch.items()})
    expected, found = (optimizer_to_dict(model.optimizers["src_dst_opt"]) for model in (one, four))
    for key in expected:
        if key.startswith("ms_"):
            np.testing.assert_allclose(found[key], 4 * expected[key], rtol=2e-3, atol=2e-6, err_msg=key)


def test_bytes_and_floats_are_the_same_batch(eager):
    first, second = saehd(), saehd()
    batch = batch_for(first)
    floats = {name: value / np.float32(255) for name, value in batch.items()}
    np.testing.assert_allclose(first.train_one_iteration(batch), second.train_one_iteration(floats), rtol=1e-6)


def test_pretraining_overrides(eager):
    options = {
        "archi": "liae-ud", "random_warp": True, "gan_power": 1.0, "gan_patch_size": 8, "gan_dims": 4,
        "lr_dropout": "y", "face_style_power": 10.0, "bg_style_power": 10.0, "true_face_power": 0.1,
    }  # fmt: skip
    model, plain = saehd(pretrain=True, **options), saehd(archi="liae-ud", random_warp=False)
    assert set(model.networks) == set(plain.networks)
    assert set(model.optimizers) == {"src_dst_opt"}
    before = weights(model)
    batch = batch_for(model)
    np.testing.assert_allclose(model.train_one_iteration(batch), plain.train_one_iteration(batch), rtol=1e-6)
    for name, value in weights(model).items():
        assert np.array_equal(value, before[name]) == name.startswith("inter_AB/"), name


def test_true_face_needs_df(eager):
    assert "code_discriminator" not in saehd(archi="liae", true_face_power=0.1).networks
    assert "code_discriminator" in saehd(archi="df", true_face_power=0.1).networks


@pytest.mark.parametrize(("patch", "dims", "layers"), [(3, 4, 1), (8, 6, 2), (16, 4, 3), (28, 10, 5)])
def test_the_discriminator_follows_patch_size_and_dimensions(patch, dims, layers):
    """Layers by DeepFaceLab's table: a larger patch needs a deeper discriminator."""
    options = {"gan_power": 0.1, "gan_patch_size": patch, "gan_dims": dims}
    amp = Amp(SIZES | {"inter_dims": 6, "morph_factor": 0.5, "batch_size": 2, "fuse_update": False} | options, seed=1)
    for model in (saehd(**options), amp):
        shapes = {key: value.shape for key, value in network_to_dict(model.networks["GAN"]).items()}
        assert shapes["in_conv/weight:0"][-1] == dims
        assert sum(key.startswith("convs_") and key.endswith("weight:0") for key in shapes) == layers
        assert "GAN_opt" in model.optimizers
    assert "GAN" not in saehd(**options | {"gan_power": 0.0}).networks


def test_true_face_moves_what_makes_the_code_and_nothing_else(eager):
    """The discriminator of codes learns to tell the sides apart, and the encoder and the inter to deceive it."""
    after, model = {}, None
    for power in (0.0001, 1.0):
        model = saehd(archi="df", true_face_power=power)
        before = weights(model)
        model.train_one_iteration(batch_for(model))
        after[power] = weights(model)
    weak, strong = after.values()
    differing = {name.split("/")[0] for name in weak if not np.array_equal(weak[name], strong[name])}
    assert differing == {"encoder", "inter", "code_discriminator"}
    learned = {name: value for name, value in strong.items() if name.startswith("code_discriminator/")}
    assert learned and all((value != before[name]).any() for name, value in learned.items() if "weight" in name)


def test_a_step_that_is_not_finite_changes_nothing(eager):
    model = saehd(archi="df", gan_power=0.1, gan_patch_size=8, gan_dims=4)
    batch = {name: value / np.float32(255) for name, value in batch_for(model).items()}
    model.train_one_iteration(batch)
    before, state = weights(model), optimizer_to_dict(model.optimizers["src_dst_opt"])
    broken = dict(batch)
    broken["warped_src"] = batch["warped_src"].copy()
    broken["warped_src"][0, 0, 0, 0] = np.nan
    assert np.isnan(model.train_one_iteration(broken)).all()
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, before[name])
    after = optimizer_to_dict(model.optimizers["src_dst_opt"])
    for key in state:
        np.testing.assert_array_equal(after[key], state[key])
    assert np.isfinite(model.train_one_iteration(batch)).all()


def test_seed_repeats_and_resuming_goes_on(eager):
    """Random draws depend on seed and iteration, not on how often the program was started."""
    options = SIZES | {
        "inter_dims": 8, "morph_factor": 0.5, "gan_power": 0.1, "gan_patch_size": 8, "gan_dims": 4,
        "lr_dropout": "y", "fuse_update": False, "batch_size": 2,
    }  # fmt: skip
    whole, resumed = (Amp(options, seed=3) for _ in range(2))
    batches = [batch_for(whole, seed=seed) for seed in range(3)]
    for batch in batches[:2]:
        np.testing.assert_array_equal(whole.train_one_iteration(batch), resumed.train_one_iteration(batch))
    again = Amp(options, seed=3)
    for stem, network in resumed.networks.items():
        again.networks[stem].set_weights(network.get_weights())
    for stem, optimizer in resumed.optimizers.items():
        again.optimizers[stem].iterations.assign(optimizer.iterations)
        for target, source in zip(again.optimizers[stem].named_slots().values(), optimizer.named_slots().values()):
            target.assign(source)
    whole.train_one_iteration(batches[2])
    again.train_one_iteration(batches[2])
    found = weights(again)
    for name, value in weights(whole).items():
        np.testing.assert_array_equal(found[name], value)
    other = Amp(options, seed=4)
    assert not np.array_equal(other.draw_channel_masks(4), Amp(options, seed=3).draw_channel_masks(4))


def test_mixed_precision_keeps_float32_weights_and_losses(eager):
    _check_mixed_precision("float16")


def test_bfloat16_keeps_float32_weights_and_losses(eager):
    """On a processor, oneDNN convolves bfloat16 with AVX-512 only, which the suite does without: a Python of its own has it."""
    if "avx512f" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor cannot convolve bfloat16")
    if "DFL_TEST_ANY_ISA" in os.environ:
        return _check_mixed_precision("bfloat16")
    environment = os.environ | {"DFL_TEST_ANY_ISA": "1"}
    environment.pop("ONEDNN_MAX_CPU_ISA", None)
    this = f"{__file__}::test_bfloat16_keeps_float32_weights_and_losses"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", this]
    done = subprocess.run(command, env=environment, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _check_mixed_precision(precision):
    plain, mixed = saehd(), saehd(precision=precision)
    assert mixed.networks["encoder"].compute_dtype == precision
    batch = batch_for(plain)
    expected = plain.train_one_iteration(batch)
    found = mixed.train_one_iteration(batch)
    np.testing.assert_allclose(found, expected, rtol=0.02)
    assert mixed.last_sample_losses.dtype == np.float64
    for name, value in weights(mixed).items():
        assert value.dtype == np.float32, name
        assert np.isfinite(value).all(), name
    for mine, theirs in zip(mixed.predict(np.full((1, 64, 64, 3), 0.5)), plain.predict(np.full((1, 64, 64, 3), 0.5))):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, atol=0.02)
    assert mixed.train_one_iteration(batch).mean() < expected.mean()
    assert plain.networks["encoder"].compute_dtype == "float32"


def test_float16_loss_scale_falls_when_gradients_overflow(eager):
    model = saehd(precision="float16")
    optimizer = model.optimizers["src_dst_opt"]
    optimizer.loss_scale.assign(2.0**40)
    before = weights(model)
    assert np.isfinite(model.train_one_iteration(batch_for(model))).all()
    assert float(optimizer.loss_scale) == 2.0**39
    assert int(optimizer.iterations) == 0
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_unknown_precision():
    with pytest.raises(UsageError, match="precision is 'half'"):
        saehd(precision="half")


def test_auto_suits_a_processor():
    assert devices.technical_option({"precision": "auto"}, "precision") == "float32"
    assert devices.technical_option({"compile_step": "auto"}, "compile_step") is False
    assert devices.technical_option({}, "recompute") is False


def test_a_recomputed_block_has_the_same_gradients():
    with initializers.seeded(1):
        plain = ResidualBlock(4, tf.nn.leaky_relu)
    with initializers.seeded(1), recomputed_blocks(True):
        thrifty = ResidualBlock(4, tf.nn.leaky_relu)
    x = tf.constant(np.random.default_rng(0).random((2, 8, 8, 4), np.float32))

    @tf.function
    def gradients(block):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(tf.square(block(x)))
        return tape.gradient(y, [x, *[variable.value for variable in block.trainable_variables]])

    for found, expected in zip(gradients(thrifty), gradients(plain)):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_recomputed_activations_give_the_same_step():
    plain, thrifty = saehd(archi="liae-udt"), saehd(archi="liae-udt", recompute=True)
    batch = batch_for(plain)
    for _ in range(2):
        np.testing.assert_allclose(thrifty.train_one_iteration(batch), plain.train_one_iteration(batch), rtol=1e-4)
    expected, found = (optimizer_to_dict(model.optimizers["src_dst_opt"]) for model in (plain, thrifty))
    for key in expected:
        np.testing.assert_allclose(found[key], expected[key], rtol=0.05, atol=1e-5, err_msg=key)


@pytest.mark.slow
def test_compiled_step_is_the_same_step():
    plain, compiled = saehd(), saehd(compile_step=True)
    batch = batch_for(plain)
    for _ in range(2):
        np.testing.assert_allclose(compiled.train_one_iteration(batch), plain.train_one_iteration(batch), rtol=1e-4)


def test_background_style_can_follow_the_prediction(eager):
    reported = [
        saehd(bg_style_power=10.0, **extra).train_one_iteration(batch_for(saehd()))
        for extra in ({}, {"bg_style_from_prediction": True})
    ]
    assert reported[0][0] != reported[1][0]
    assert reported[0][1] == pytest.approx(reported[1][1], rel=1e-6)


def test_two_windows_from_256_pixels_on():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 1, 256, 256, 3), np.float32)
    expected = 5 * losses.dssim(a, b, filter_size=22) + 5 * losses.dssim(a, b, filter_size=11)
    expected += 10 * losses.mean_square(a, b)
    np.testing.assert_allclose(image_loss(a, b, 256), expected, rtol=1e-6)
    small = 10 * losses.dssim(a, b, filter_size=19) + 10 * losses.mean_square(a, b)
    np.testing.assert_allclose(image_loss(a, b, 224), small, rtol=1e-6)


def test_quick96_shows_every_third_batch_again_unwarped(monkeypatch):
    model = Quick96({"batch_size": 1, "fuse_update": False}, training=True, seed=1)
    seen = []

    def record(tensors):
        seen.append((float(tensors["warped_src"][0, 0, 0, 0]), float(tensors["target_src"][0, 0, 0, 0])))
        return np.zeros((2, 1))

    monkeypatch.setattr(model, "_train_function", record)
    for iteration in range(7):
        batch = {name: np.full((1, 2, 2, 3), iteration, np.float32) for name in model.input_names()}
        batch["warped_src"] += 100
        model.train_one_iteration(batch)
    assert seen == [(100, 0), (101, 1), (102, 2), (2, 2), (104, 4), (105, 5), (5, 5)]
    resumed = Quick96({"batch_size": 1}, training=False, seed=1, iteration=3)
    assert not resumed.reuses_previous_batch()
    resumed.resume_after(batch)
    assert resumed.reuses_previous_batch()


def test_models_for_use_hold_nothing_for_training():
    options = SIZES | {"archi": "df", "batch_size": 2, "gan_power": 0.1, "true_face_power": 0.1}
    model = Saehd(options, training=False, seed=1)
    assert list(model.networks) == ["encoder", "inter", "decoder_src", "decoder_dst"]
    assert model.optimizers == {}
    amp = Amp(SIZES | {"inter_dims": 6, "morph_factor": 0.5, "gan_power": 0.1, "batch_size": 2}, training=False)
    assert list(amp.networks) == ["encoder", "inter_src", "inter_dst", "decoder"]


def test_previews_of_amp_follow_the_morph(eager):
    model = Amp(SIZES | {"inter_dims": 6, "morph_factor": 0.5, "batch_size": 2}, training=False, seed=1)
    rng = np.random.default_rng(0)
    batch = {name: rng.random((1, 64, 64, 3), np.float32) for name in ("target_src", "target_dst")}
    none, full = (model.preview_tensors(batch, morph=morph) for morph in (0.0, 1.0))
    np.testing.assert_allclose(none["P_sd"], none["P_dd"], atol=1e-6)
    assert np.abs(full["P_sd"] - none["P_sd"]).max() > 1e-3
    face, mask, destination_mask = model.predict(batch["target_dst"], morph=1.0)
    np.testing.assert_allclose(face, full["P_sd"], atol=1e-6)
    np.testing.assert_allclose(mask, full["Q_sd"], atol=1e-6)
    np.testing.assert_allclose(destination_mask, full["Q_dd"], atol=1e-6)


def test_xseg_masks_and_pretraining(eager, monkeypatch):
    from models.architectures.xseg import XSegNetwork

    monkeypatch.setattr("models.xseg.model.XSegNetwork", lambda: XSegNetwork(base_channels=4))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 256, 256, 3), dtype=np.uint8)
    model = XSeg({"batch_size": 2, "fuse_update": False}, seed=1)
    model.networks["XSeg_256"].out_conv.bias.assign([-2.1])
    masks = model.predict(images / np.float32(255))
    assert masks.shape == (2, 256, 256, 1)
    assert ((masks == 0) | (masks >= 0.1)).all()
    assert (masks == 0).any() and (masks > 0).any()
    np.testing.assert_array_equal(model.preview_tensors({"image": images})["prediction"].shape, masks.shape)
    pretraining = XSeg({"batch_size": 2, "pretrain": True, "fuse_update": False}, seed=1)
    grey = images[..., :1]
    first = pretraining.train_one_iteration({"image": images, "mask": grey})
    second = pretraining.train_one_iteration({"image": images, "mask": grey})
    assert first.shape == (1,)
    assert np.isfinite(second).all()
    assert second != first


def test_a_batch_that_lacks_an_array_is_named():
    model = saehd(eyes_mouth_prio=True)
    batch = batch_for(model)
    del batch["target_dstm_em"]
    with pytest.raises(KeyError, match="target_dstm_em"):
        model.train_one_iteration(batch)
