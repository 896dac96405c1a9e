"""A model that JAX runs computes what TensorFlow computes, and its files go on with either."""

import builtins
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from small_models import batch_for, saehd, weights
from test_trajectories_golden import CONFIGS, QUICK_ITERATIONS, check

import main
from core import device_choice
from core.console import interact
from core.errors import UsageError, UserError
from core.nn import devices, jax_engine

jax = pytest.importorskip("jax", reason="needs JAX (pip install jax)")


@pytest.fixture
def on_jax(monkeypatch, tmp_path):
    """Models that are built now run on JAX's processor; compiled quickly, as speed is not looked at."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    jax.config.update("jax_disable_most_optimizations", True)
    devices.use_jax(jax.devices("cpu")[0])
    yield
    devices.use_jax(None)


OPTIONS = {"lr_dropout": "y", "clipgrad": True, "eyes_mouth_prio": True}


@pytest.fixture
def run_of_tensorflow():
    """Losses of three steps and the model behind them."""
    model = saehd(**OPTIONS)
    return [model.train_one_iteration(batch_for(model, seed=step)) for step in range(3)], model


def test_steps_pictures_and_files_are_those_of_tensorflow(run_of_tensorflow, on_jax):
    losses, plain = run_of_tensorflow
    model = saehd(**OPTIONS)
    start = weights(model)
    found = [model.train_one_iteration(batch_for(model, seed=step)) for step in range(3)]
    np.testing.assert_allclose(found, losses, rtol=2e-5)
    assert int(model.optimizers["src_dst_opt"].iterations) == 3, "known without bringing all back"
    np.testing.assert_array_equal(weights(model)["encoder/down1/downs_0/conv1/weight:0"],
                                  start["encoder/down1/downs_0/conv1/weight:0"])  # fmt: skip
    faces = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    for ours, theirs in zip(model.predict(faces), plain.predict(faces)):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    batch = batch_for(model)
    ours, theirs = model.preview_tensors(batch), plain.preview_tensors(batch)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4, err_msg=name)
    model.settle()
    ours, theirs = weights(model), weights(plain)
    moved = np.sqrt(sum(np.square(theirs[name] - start[name]).sum() for name in start))
    apart = np.sqrt(sum(np.square(theirs[name] - ours[name]).sum() for name in start))
    # A weight whose gradient is rounding moves by a whole step either way.
    assert 0 < apart < 0.02 * moved


def test_what_is_put_into_the_variables_is_taken_up(run_of_tensorflow, on_jax):
    losses, _ = run_of_tensorflow
    model = saehd(seed=2, **OPTIONS)
    model.train_one_iteration(batch_for(model, seed=7))
    model.settle()
    fresh = saehd(**OPTIONS).state_variables()
    for name, variable in model.state_variables().items():
        variable.assign(fresh[name].numpy())
    model.refresh()
    np.testing.assert_allclose(model.train_one_iteration(batch_for(model, seed=0)), losses[0], rtol=2e-5)


@pytest.mark.parametrize("took_the_state", [False, True])
def test_a_step_that_fails_never_gives_old_weights_for_new_ones(monkeypatch, took_the_state):
    variable = keras.Variable(np.zeros(3, np.float32))
    engine = jax_engine.JaxEngine({"weight": variable}, jax.devices("cpu")[0])
    engine.step(lambda inputs: variable.assign(variable + inputs["by"]), {"by": np.float32(2)})

    def fail(state, inputs):
        if took_the_state:
            state["weight"].delete()
        raise RuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(engine, "_program", lambda function, changes: fail)
    with pytest.raises(RuntimeError, match="RESOURCE_EXHAUSTED"):
        engine.step(print, {"by": np.float32(1)})
    if took_the_state:
        with pytest.raises(UserError, match="lost with the step that failed"):
            engine.settle()
        engine.refresh()
    engine.settle()
    np.testing.assert_array_equal(variable.numpy(), [0.0] * 3 if took_the_state else [2.0] * 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_golden_runs(on_jax, name):
    """DeepFaceLab's losses, and optimizer and weights after the first step, within twice the bounds of TensorFlow.

    XLA adds up in another order, so of the plain df architecture more units fall on the other side of the kink of leaky ReLU.
    The gradient of the epsilon of a normalisation is rounding alone.
    """
    check(name, QUICK_ITERATIONS.get(name, 5), more=2.0, ill_conditioned={"XSeg/uconv41/frn/eps:0": 1.0})


# --- devices


class Card(SimpleNamespace):
    """Stands for a device of JAX."""

    def memory_stats(self):
        return {"bytes_limit": self.gib * 2**30}


@pytest.fixture
def cards(monkeypatch):
    """What JAX finds; the rest of a device is not looked at."""
    small = Card(platform="gpu", device_kind="RTX 5070", compute_capability="12.0", gib=12)
    large = Card(platform="gpu", device_kind="RTX 5090", compute_capability="12.0", gib=32)
    found = [small, large]
    monkeypatch.setattr(jax_engine, "jax_devices", lambda: found)
    monkeypatch.setattr(devices, "configure", lambda **settings: [])
    yield found
    devices.use_jax(None)


def test_the_card_with_most_memory_is_taken_or_the_one_that_is_named(cards):
    assert [gpu.name for gpu in device_choice.choose_jax_device(silent=True)] == ["RTX 5090"]
    assert devices.jax_device() is cards[1] and devices.uses_gpu()
    [gpu] = device_choice.choose_jax_device(indexes=[0])
    assert (gpu.name, gpu.memory_gib, gpu.compute_capability) == ("RTX 5070", 12.0, (12, 0))
    assert devices.technical_option({"precision": "auto"}, "precision") == "bfloat16"


def test_two_cards_or_one_that_is_not_there_are_refused(cards):
    with pytest.raises(UsageError, match="trains on one card"):
        device_choice.choose_jax_device(indexes=[0, 1])
    with pytest.raises(UsageError, match=r"there is no GPU 4; available: 0 \(RTX 5070\), 1 \(RTX 5090\)"):
        device_choice.choose_jax_device(indexes=[4])


def test_without_a_card_it_says_that_tensorflow_is_faster(cards, capsys):
    cards[:] = jax.devices("cpu")
    assert device_choice.choose_jax_device() == []
    assert "where TensorFlow is faster" in capsys.readouterr().out and not devices.uses_gpu()


def test_a_jax_that_is_missing_is_said(monkeypatch, tmp_path, capsys):
    load = builtins.__import__

    def without(name, *arguments, **rest):
        if name.split(".")[0] == "jax":
            raise ImportError("No module named 'jax'")
        return load(name, *arguments, **rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match="JAX is not installed. Run pip install"):
        jax_engine.jax_devices()
    words = ["train", "--training-data-src-dir", tmp_path, "--training-data-dst-dir", tmp_path, "--model-dir", tmp_path]
    words += ["--model", "SAEHD", "--force-model-name", "a", "--engine", "jax", "--keep-priority", "--yes"]
    assert main.main([str(word) for word in words]) == 1
    assert "JAX is not installed" in capsys.readouterr().err and not list(Path(tmp_path).glob("*.npy"))
    interact.configure(assume_yes=False)
