"""Run by test_several_devices.py in a process of its own: TensorFlow takes its devices only once."""

import sys

import numpy as np
import tensorflow as tf
from small_models import batch_for, saehd, weights

from core.nn import devices
from core.nn.weights import dict_to_optimizer, optimizer_to_dict

ALL_UPDATES = {"archi": "df", "true_face_power": 0.1, "gan_power": 0.1, "gan_patch_size": 8, "gan_dims": 4}


def main(full):
    """Compare one device with two on the same batch."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    options = {"batch_size": 4} | (ALL_UPDATES | {"fuse_update": True} if full else {})
    one = saehd(**options)
    devices.training_strategy = lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    two = saehd(**options)
    for name, value in weights(one).items():
        np.testing.assert_array_equal(weights(two)[name], value)
    batch = batch_for(one, count=4)
    np.testing.assert_allclose(two.train_one_iteration(batch), one.train_one_iteration(batch), rtol=1e-5)
    np.testing.assert_allclose(two.last_sample_losses, one.last_sample_losses, rtol=1e-5)
    # Each device sums over its half of the batch, and the halves are averaged.
    expected, found = (optimizer_to_dict(model.optimizers["src_dst_opt"]) for model in (one, two))
    for key, value in expected.items():
        if key.startswith("ms_"):
            np.testing.assert_allclose(found[key], value / 2, rtol=1e-2, atol=1e-5, err_msg=key)
    assert found["iters:0"] == 1
    before = weights(two)
    assert dict_to_optimizer(two.optimizers["src_dst_opt"], expected, "opt") == []
    assert np.isfinite(two.train_one_iteration(batch)).all()
    assert all((weights(two)[name] != value).any() for name, value in before.items())
    slot = next(iter(two.optimizers["src_dst_opt"].named_slots().values()))
    np.testing.assert_array_equal(*(copy.numpy() for copy in slot.value.values))
    assert two.predict(np.zeros((1, 64, 64, 3), np.float32))[0].shape == (1, 64, 64, 3)
    print("equal")


if __name__ == "__main__":
    main(sys.argv[1:] == ["full"])
