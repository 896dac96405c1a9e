"""Training runs against DeepFaceLab's: losses, optimizer state after one step, changes of weights."""

import json

import golden_vectors as golden
import numpy as np
import pytest
import tensorflow as tf

from core.nn.weights import network_to_dict, optimizer_to_dict
from models.amp.model import Amp
from models.quick96.model import Quick96
from models.saehd.model import Saehd
from models.xseg.model import XSeg

MODELS = {"SAEHD": Saehd, "AMP": Amp, "Quick96": Quick96, "XSeg": XSeg}
DISCRIMINATOR_LIKE = ("dis", "D_src", "GAN", "XSeg")
QUICK_ITERATIONS = {"quick96": 1, "xseg": 1}
# Compiling takes most of the time of a short run; test_all_iterations compiles these, too.
UNCOMPILED = ("amp", "quick96", "xseg")

# The plain df architecture has no normalisation, so that a unit within rounding of the kink of leaky ReLU can
# fall on the other side; where convolutions add up in another order than in the stored run, that moves the
# gradient of single layers by up to this much. With the same order all agree within 2e-5.
KINK_TOLERANCE = {"saehd_df_gan_trueface": 0.02}

# A single number whose gradient is as small as the optimizer's epsilon, hence decided by rounding.
ILL_CONDITIONED = {"XSeg/uconv41/frn/eps:0": 0.3}


class Trajectory:
    """A stored run, and the model that repeats it."""

    def __init__(self, name):
        self.stored = golden.load(f"{name}.npz", golden.TRAINING)
        self.meta = json.loads(str(self.stored["meta"]))
        self.batches = golden.load(self.meta["batches"], golden.TRAINING)
        options = self.meta["options"] | {"fuse_update": False}
        self.model = MODELS[self.meta["model"]](options, training=True, seed=1)
        for network in self.model.networks.values():
            gain = 2**0.5 if network.name in DISCRIMINATOR_LIKE else self.meta["gain"]
            golden.fill(network, network.name, gain)
        if self.meta["keep_share_forced_to_1"]:
            for optimizer in self.model.optimizers.values():
                optimizer.keep_share = 1.0
        self.start = self.weights()
        self.next_batch = 0

    def step(self, iteration):
        if "amp_beta" in self.stored:
            self.model.draw_channel_masks = lambda count: self.stored["amp_beta"][iteration].astype(np.float32)
        batch = {}
        if self.meta["model"] != "Quick96" or not self.model.reuses_previous_batch():
            batch = {name: values[self.next_batch] for name, values in self.batches.items()}
            self.next_batch += 1
        return self.model.train_one_iteration(batch)

    def weights(self):
        self.model.settle()
        return {
            f"{network.name}/{key}": value
            for network in self.model.networks.values()
            for key, value in network_to_dict(network).items()
        }

    def optimizer_state(self):
        self.model.settle()
        return {
            f"{stem}/{key}": value
            for stem, optimizer in self.model.optimizers.items()
            for key, value in optimizer_to_dict(optimizer).items()
        }


def _check_first_step(name, run, ill_conditioned):
    stored = run.stored
    tolerance = max(float(stored["opt_stats_1_tol"]), KINK_TOLERANCE.get(name, 0))
    state = run.optimizer_state()
    assert list(state) == list(stored["opt_names"])
    for key, statistics in zip(stored["opt_names"], stored["opt_stats_1"]):
        if statistics[1]:
            assert np.std(state[key]) == pytest.approx(statistics[1], rel=tolerance), key
    tolerance = max(float(stored["change_rms_1_tol"]), KINK_TOLERANCE.get(name, 0))
    weights = run.weights()
    assert list(weights) == list(stored["weight_names"])
    for key, statistics in zip(stored["weight_names"], stored["stats_1"]):
        change = np.sqrt(np.mean((weights[key].astype(np.float64) - run.start[key]) ** 2))
        assert change == pytest.approx(statistics[3], rel=ill_conditioned.get(key, tolerance), abs=1e-9), key


def check(name, iterations, more=1.0, ill_conditioned=ILL_CONDITIONED):
    run = Trajectory(name)
    stored = run.stored
    for iteration in range(iterations):
        found = run.step(iteration)
        difference = np.abs(found - stored["losses"][iteration]).max()
        assert difference <= more * stored["loss_tol"][iteration], f"loss at iteration {iteration}: {found}"
        per_sample = stored["loss_per_sample"][iteration]
        if per_sample.shape == run.model.last_sample_losses.shape:
            np.testing.assert_allclose(
                run.model.last_sample_losses, per_sample, atol=3 * more * stored["loss_tol"][iteration]
            )
        if iteration == 0:
            _check_first_step(name, run, ill_conditioned)
    return run


def _check_end(run):
    """Statistics after all iterations; they catch only gross errors."""
    stored, weights = run.stored, run.weights()
    last = stored[f"stats_{run.meta['iterations']}"]
    for key, statistics in zip(stored["weight_names"], last):
        change = np.sqrt(np.mean((weights[key].astype(np.float64) - run.start[key]) ** 2))
        assert change == pytest.approx(statistics[3], rel=0.3, abs=1e-9), key
    for key in stored:
        if key.startswith("final/"):
            assert np.abs(weights[key.removeprefix("final/")] - stored[key]).max() < 5e-3
    for value in weights.values():
        assert np.isfinite(value).all()
    frozen = [key for key, change in zip(stored["weight_names"], last[:, 3]) if change == 0]
    for key in frozen:
        np.testing.assert_array_equal(weights[key], run.start[key])


CONFIGS = sorted(path.stem for path in golden.TRAINING.glob("*.npz") if not path.stem.startswith("batches"))


@pytest.fixture
def steps_of(request):
    """A configuration, with its step compiled or not."""
    tf.config.run_functions_eagerly(request.param in UNCOMPILED)
    yield request.param
    tf.config.run_functions_eagerly(False)
    tf.keras.backend.clear_session()


@pytest.mark.parametrize("steps_of", CONFIGS, indirect=True)
def test_first_iterations(steps_of):
    check(steps_of, QUICK_ITERATIONS.get(steps_of, 4))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_all_iterations(name):
    iterations = json.loads(str(golden.load(f"{name}.npz", golden.TRAINING)["meta"]))["iterations"]
    run = check(name, iterations)
    if run.meta["model"] in ("SAEHD", "AMP"):
        _check_end(run)
