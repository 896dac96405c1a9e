"""Optimizers against DeepFaceLab's numbers, and their state in its files."""

import golden_vectors as golden
import numpy as np
import pytest
import tensorflow as tf

from core.nn.optimizers import AdaBelief, RMSprop
from core.nn.weights import dict_to_optimizer, optimizer_to_dict

KINDS = {"RMSprop": RMSprop, "AdaBelief": AdaBelief}
SHAPES = {"toy/l/weight:0": (4, 3), "toy/l/bias:0": (3,)}


def _toy(kind, learning_rate=0.01, **arguments):
    variables = {name: tf.Variable(golden.weight(name, shape, 2**0.5)) for name, shape in SHAPES.items()}
    return variables, KINDS[kind](variables, learning_rate, **arguments)


@pytest.fixture(scope="module")
def vectors():
    return golden.load("optimizers.npz")


@pytest.mark.parametrize("fuse_update", [False, True])
@pytest.mark.parametrize("name", sorted(golden.index()["optimizers"]))
def test_five_steps(name, fuse_update, vectors):
    entry = golden.index()["optimizers"][name]
    variables, optimizer = _toy(
        entry["optimizer"], clip_norm=entry["args"].get("clipnorm", 0.0), fuse_update=fuse_update
    )
    x, y = (golden.array({"name": f"opt_{each}", "shape": shape, "lo": -1, "hi": 1}) for each, shape in
            (("x", [5, 4]), ("y", [5, 3])))  # fmt: skip
    weight, bias = variables.values()
    letters = {"acc": "acc", "ms": "m", "vs": "v"}
    for step in range(6):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(entry["loss_scale"] * (x @ weight + bias - y) ** 2, axis=-1)
        gradients = dict(zip(variables, tape.gradient(loss, list(variables.values()))))
        found = {"w": weight, "b": bias, "grad_w": gradients["toy/l/weight:0"], "grad_b": gradients["toy/l/bias:0"]}
        for key, slot in optimizer.named_slots().items():
            prefix, rest = key.split("_", 1)
            found[f"{letters[prefix]}_{rest.split('/')[-1][0]}"] = slot
        for key, value in found.items():
            expected = vectors[f"{name}.{key}"][step]
            np.testing.assert_allclose(value, expected, atol=2e-6, rtol=2e-5, err_msg=f"{key} at {step}")
        optimizer.apply(gradients)
    assert int(optimizer.iterations) == 6


@pytest.mark.parametrize("kind", ["RMSprop", "AdaBelief"])
def test_saved_keys(kind):
    _, optimizer = _toy(kind)
    saved = optimizer_to_dict(optimizer)
    found = [[key, list(np.shape(value)), str(np.asarray(value).dtype), type(value).__name__]
             for key, value in saved.items()]  # fmt: skip
    assert found == golden.index()["optimizer_saved_keys"][kind.lower()]


def test_state_of_the_other_kind_keeps_the_counter():
    variables, first = _toy("RMSprop")
    first.apply({name: tf.ones(SHAPES[name]) for name in variables})
    _, second = _toy("AdaBelief")
    reset = dict_to_optimizer(second, optimizer_to_dict(first), "src_dst_opt.npy")
    assert int(second.iterations) == 1
    assert len(reset) == 4


def test_cosine_cycle_starts_high():
    variables, optimizer = _toy("RMSprop", cosine_period=500)
    rates = [float(optimizer._rate(tf.constant(step, tf.int64))) for step in (0, 125, 250, 500)]
    np.testing.assert_allclose(rates, [0.01, 0.005, 0.0, 0.01], atol=1e-6)


@pytest.mark.parametrize("fuse_update", [False, True])
def test_dropout_changes_a_fresh_share_each_step(fuse_update):
    variables = {f"net/{index}:0": tf.Variable(tf.zeros((200, 300))) for index in range(2)}
    optimizer = RMSprop(variables, 0.1, keep_share=0.3, seed=1, fuse_update=fuse_update)
    masks = []
    for _ in range(2):
        before = [np.array(variable) for variable in variables.values()]
        optimizer.apply({name: tf.ones((200, 300)) for name in variables})
        masks += [np.array(variable) != old for variable, old in zip(variables.values(), before)]
    for mask in masks:
        assert abs(mask.mean() - 0.3) < 0.008
    for other in masks[1:]:
        assert abs((masks[0] & other).mean() - 0.09) < 0.006
    assert all((np.array(slot) > 0).all() for slot in optimizer.named_slots().values())


def _step_of(**arguments):
    """A step as training traces it, and the weights that it changes."""
    variables = {f"net/{index}:0": tf.Variable(tf.zeros((20, 30))) for index in range(2)}
    optimizer = RMSprop(variables, 0.1, keep_share=0.3, seed=1, **arguments)
    gradients = {name: tf.ones((20, 30)) for name in variables}
    return tf.function(lambda: optimizer.apply(gradients)), variables


def _places_of_drawing(step):
    """Devices of the operations that draw masks in the step itself; those inside of a compiled update are not its own."""
    return [each.device for each in step.get_concrete_function().graph.get_operations() if "RandomUniform" in each.type]


@pytest.mark.parametrize("fuse_update", [False, True])
def test_masks_are_drawn_on_the_cpu_when_asked_for(fuse_update):
    step, variables = _step_of(fuse_update=fuse_update, masks_on_cpu=True)
    assert _places_of_drawing(step) == ["/device:CPU:0"] * 2
    plain_step, plain = _step_of(fuse_update=fuse_update)
    assert _places_of_drawing(plain_step) == ([] if fuse_update else [""] * 2)
    for _ in range(3):
        step(), plain_step()
    for variable, other in zip(variables.values(), plain.values()):
        assert 0.5 < np.mean(np.array(variable) != 0) < 0.8  # 1 - 0.7 ** 3
        if not fuse_update:
            np.testing.assert_array_equal(np.array(variable), np.array(other))


def test_a_variable_without_gradient_is_an_error():
    variables, optimizer = _toy("RMSprop")
    with pytest.raises(ValueError, match="toy/l/bias:0"):
        optimizer.apply({"toy/l/weight:0": tf.zeros((4, 3)), "toy/l/bias:0": None})
