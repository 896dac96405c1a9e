"""Any small configuration builds, steps, and comes back from its files unchanged."""

import expected_shapes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.networks.weight_files import read_weights, write_weights
from core.nn.weights import dict_to_network, dict_to_optimizer, network_to_dict, optimizer_to_dict
from models.amp.model import Amp
from models.saehd.model import Saehd

BATCH_SIZE = 2
QUICK = {"fuse_update": False, "batch_size": BATCH_SIZE}
# No shrinking: an example takes seconds, and the first failing one says enough.
PROPERTY = settings(
    max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)


@pytest.fixture(autouse=True)
def eager_steps():
    """Tiny models spend their time on tracing, not on computing."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def random_batch(model, seed=0, count=BATCH_SIZE):
    rng = np.random.default_rng(seed)
    side = model.resolution
    batch = {}
    for name in model.input_names():
        if name != "channel_masks":
            channels = 1 if name == "mask" or name.endswith(("m", "m_em")) else 3
            batch[name] = rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return batch


def check_round_trip(model, fresh, folder):
    """One step, save, load into ``fresh``: same weights, same outputs, same next step."""
    losses = model.train_one_iteration(random_batch(model))
    assert losses.shape == (2,)
    assert np.isfinite(losses).all()
    assert model.last_sample_losses.shape == (2, BATCH_SIZE)
    for stem in model.networks:
        write_weights(folder / f"{stem}.npy", network_to_dict(model.networks[stem]))
        dict_to_network(fresh.networks[stem], read_weights(folder / f"{stem}.npy"), f"{stem}.npy")
    for stem in model.optimizers:
        write_weights(folder / f"{stem}.npy", optimizer_to_dict(model.optimizers[stem]))
        assert dict_to_optimizer(fresh.optimizers[stem], read_weights(folder / f"{stem}.npy"), f"{stem}.npy") == []
    faces = np.random.default_rng(1).random((3, model.resolution, model.resolution, 3), np.float32)
    for found, expected in zip(fresh.predict(faces, morph=0.5), model.predict(faces, morph=0.5)):
        np.testing.assert_array_equal(found, expected)
        assert found.shape == (3, model.resolution, model.resolution, found.shape[-1])
        assert found.min() >= 0 and found.max() <= 1
    batch = random_batch(model, seed=2)
    np.testing.assert_allclose(fresh.train_one_iteration(batch), model.train_one_iteration(batch), rtol=1e-6)


def check_names(model, expected):
    for net, shapes in expected.items():
        found = {key: value.shape for key, value in network_to_dict(model.networks[net]).items()}
        assert found == shapes, net


SAEHD_OPTIONS = {
    "archi": st.builds(
        lambda kind, letters: kind + "-" * bool(letters) + "".join(letters),
        st.sampled_from(["df", "liae"]),
        st.lists(st.sampled_from("udtc"), unique=True, max_size=4),
    ),
    "steps": st.integers(2, 3),
    "dimensions": st.tuples(*[st.integers(1, 3).map(lambda half: 2 * half)] * 4),
    "flags": st.fixed_dictionaries(
        {
            name: st.booleans()
            for name in ("masked_training", "eyes_mouth_prio", "blur_out_mask", "adabelief", "random_warp", "clipgrad")
        }
    ),
    "lr_dropout": st.sampled_from(["n", "y", "cpu"]),
    "powers": st.fixed_dictionaries(
        {
            name: st.sampled_from([0.0, 0.1])
            for name in ("gan_power", "true_face_power", "face_style_power", "bg_style_power")
        }
    ),
    "pretrain": st.booleans(),
    "patch": st.integers(3, 20),
}


@PROPERTY
@given(**SAEHD_OPTIONS)
def test_saehd(tmp_path_factory, **drawn):
    check_saehd(tmp_path_factory.mktemp("model"), **drawn)


@pytest.mark.slow
@settings(PROPERTY, max_examples=40)
@given(**SAEHD_OPTIONS)
def test_many_saehd(tmp_path_factory, **drawn):
    check_saehd(tmp_path_factory.mktemp("model"), **drawn)


def check_saehd(folder, archi, steps, dimensions, flags, lr_dropout, powers, pretrain, patch):
    names = ("ae_dims", "e_dims", "d_dims", "d_mask_dims")
    # Two or three cells of 32 pixels: the smallest sizes at which no window is larger than the picture.
    sizes = {"resolution": 32 * steps, "archi": archi, **dict(zip(names, dimensions))}
    options = QUICK | sizes | flags | powers | {"lr_dropout": lr_dropout, "pretrain": pretrain}
    options |= {"gan_patch_size": patch, "gan_dims": 4, "face_type": "f"}
    model, fresh = Saehd(options, seed=1), Saehd(options, seed=2)
    check_names(model, expected_shapes.deepfake(**sizes))
    frozen = "inter_AB" if model.autoencoder.is_liae and (pretrain or not flags["random_warp"]) else None
    before = {name: network_to_dict(model.networks[name]) for name in model.autoencoder.networks}
    check_round_trip(model, fresh, folder)
    for name, weights in before.items():
        after = network_to_dict(model.networks[name])
        same = all(np.array_equal(weights[key], after[key]) for key in weights)
        assert same == (name == frozen), name
    switched_on = {"GAN": powers["gan_power"], "code_discriminator": powers["true_face_power"] * (archi[:2] == "df")}
    for name, power in switched_on.items():
        assert (name in model.networks) == bool(power and not pretrain)


@settings(PROPERTY, max_examples=2)
@given(
    dimensions=st.tuples(*[st.integers(1, 3).map(lambda half: 2 * half)] * 5),
    blur_out=st.booleans(),
    gan_power=st.sampled_from([0.0, 0.1]),
    lr_dropout=st.sampled_from(["n", "y"]),
    morph=st.sampled_from([0.1, 0.37, 0.5]),
)
def test_amp(tmp_path_factory, dimensions, blur_out, gan_power, lr_dropout, morph):
    sizes = dict(zip(("ae_dims", "inter_dims", "e_dims", "d_dims", "d_mask_dims"), dimensions), resolution=64)
    options = QUICK | sizes | {"blur_out_mask": blur_out, "gan_power": gan_power, "gan_patch_size": 8, "gan_dims": 4}
    options |= {"lr_dropout": lr_dropout, "morph_factor": morph, "face_type": "f"}
    model, fresh = Amp(options, seed=1), Amp(options, seed=1)
    check_names(model, expected_shapes.amp(**sizes))
    masks = model.draw_channel_masks(5)
    assert (masks.sum(axis=1) == int(sizes["inter_dims"] * morph)).all()
    before = network_to_dict(model.networks["inter_src"])
    check_round_trip(model, fresh, tmp_path_factory.mktemp("model"))
    for key, value in network_to_dict(model.networks["inter_src"]).items():
        np.testing.assert_array_equal(value, before[key])
