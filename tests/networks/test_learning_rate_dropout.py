"""Learning-rate dropout by numbers: which weights a step changes, and by how much."""

import json

import golden_vectors as golden
import numpy as np
import pytest
from small_models import batch_for, saehd, weights

from core.nn.weights import optimizer_to_dict
from models.saehd.model import Saehd

LEARNING_RATE = 5e-5
# RMSprop's first step for a gradient of 1: the running mean square is a tenth of it.
FIRST_STEP = LEARNING_RATE / (np.sqrt(0.1) + 1e-6)
PERIOD = 500


def change(model, iteration):
    """How far each weight falls in one step at that iteration, for a gradient of 1 everywhere and empty slots."""
    optimizer = model.optimizers["src_dst_opt"]
    optimizer.iterations.assign(iteration)
    for slot in optimizer.named_slots().values():
        slot.assign(np.zeros(slot.shape, np.float32))
    zero = {name: np.zeros(variable.shape, np.float32) for name, variable in optimizer.variables.items()}
    for name, variable in optimizer.variables.items():
        variable.assign(zero[name])
    assert bool(optimizer.apply({name: value + 1 for name, value in zero.items()}))
    return {name: -np.array(variable) for name, variable in optimizer.variables.items()}


@pytest.mark.parametrize("iteration", [0, 125, 250])
def test_without_it_every_weight_moves_at_the_full_rate(eager, iteration):
    model = saehd(adabelief=False, lr_dropout="n")
    for name, moved in change(model, iteration).items():
        np.testing.assert_allclose(moved, FIRST_STEP, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("iteration", "share"), [(0, 1.0), (125, 0.5), (250, 0.0), (375, 0.5), (500, 1.0), (600, 0.6545)]
)
def test_with_it_the_rate_swings_and_three_of_ten_weights_move(eager, iteration, share):
    model = saehd(adabelief=False, lr_dropout="y")
    moved = np.concatenate([each.ravel() for each in change(model, iteration).values()])
    moves = moved > FIRST_STEP * 1e-3
    if share == 0:
        assert not moves.any()
        return
    assert moves.mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_allclose(moved[moves], share * FIRST_STEP, rtol=1e-3)
    assert not moved[~moves].any()


def test_what_the_optimizer_remembers_is_not_dropped(eager):
    model = saehd(adabelief=False, lr_dropout="y")
    change(model, 0)
    for key, value in optimizer_to_dict(model.optimizers["src_dst_opt"]).items():
        if key != "iters:0":
            np.testing.assert_allclose(value, 0.1, rtol=1e-6, err_msg=key)


def test_each_weight_array_and_each_step_draws_anew(eager):
    model = saehd(adabelief=False, lr_dropout="y")
    first, second, again = (change(model, iteration) for iteration in (0, 1, 0))
    sides = [name for name in first if name.startswith("decoder_src/") and first[name].size > 500]
    assert len(sides) > 5
    for name in sides:
        one, twin, later = (each > 0 for each in (first[name], first[name.replace("_src/", "_dst/")], second[name]))
        for other in (twin, later):
            assert (one & other).mean() == pytest.approx(0.09, abs=0.03), name
        np.testing.assert_array_equal(again[name] > 0, one)


@pytest.mark.parametrize("run", ["lr_dropout", "lr_dropout_rms"])
def test_the_share_is_that_of_deepfacelab_in_training(eager, run):
    """DeepFaceLab's share of changed weights is 308/1024, the granularity of its random numbers."""
    stored = json.loads((golden.TRAINING / "lr_dropout.json").read_text())[run]
    model = Saehd(stored["options"] | {"fuse_update": False}, seed=1)
    masks = []
    for iteration in range(2):
        before = weights(model)
        model.train_one_iteration(batch_for(model, seed=iteration))
        masks.append({name: before[name] != value for name, value in weights(model).items()})
        changed = sum(int(mask.sum()) for mask in masks[-1].values())
        assert changed / stored["weights"] == pytest.approx(stored["kept_fraction_all"], abs=0.0015)
    for name, (size, share) in stored["largest_tensors"].items():
        first, second = (each[name.replace(":0", "") + ":0"] for each in masks)
        assert first.size == size
        assert first.mean() == pytest.approx(share, abs=0.004)
        assert (first & second).mean() == pytest.approx(share**2, abs=0.003)


def test_without_it_a_step_of_training_changes_all_weights(eager):
    model = saehd(lr_dropout="n")
    before = weights(model)
    model.train_one_iteration(batch_for(model))
    moved = np.concatenate([(before[name] != value).ravel() for name, value in weights(model).items()])
    assert moved.mean() > 0.995
