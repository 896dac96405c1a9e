"""Run by test_several_devices.py in a process of its own: a half of the processor stands in for the graphics card."""

import numpy as np
import tensorflow as tf
from small_models import batch_for, saehd, weights

MEMORY, CARD = "CPU:0", "CPU:1"
ALL_UPDATES = {"archi": "df", "true_face_power": 0.1, "gan_power": 0.1, "gan_patch_size": 8, "gan_dims": 4}


def places(model):
    """Devices of the weights and of the optimizers' state, and (kind, device) of the operations of a step."""
    kept = {variable.value.device for network in model.networks.values() for variable in network.variables}
    for optimizer in model.optimizers.values():
        kept |= {slot.value.device for slot in optimizer.named_slots().values()}
    batch = {name: tf.convert_to_tensor(values) for name, values in batch_for(model).items()}
    step = model._train_function.get_concrete_function(batch)
    done = {(operation.type, operation.device[-5:]) for operation in step.graph.get_operations()}
    return {device[-5:] for device in kept}, done


def main():
    """Build and train with the option on and off, and compare where things are and what comes out."""
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
    found = {}
    for on in (True, False):
        with tf.device(CARD):
            model = saehd(models_opt_on_gpu=on, **ALL_UPDATES)
            kept, done = places(model)
            losses = [model.train_one_iteration(batch_for(model, seed=seed)) for seed in range(2)]
        found[on] = losses, weights(model)
        assert kept == {CARD if on else MEMORY}, kept
        places_of = {kind: {device for name, device in done if name == kind} for kind, _ in done}
        # Nothing binds the convolutions and their gradients: they run on the card either way.
        for kind in ("Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropInput", "LeakyReluGrad", "BatchMatMulV2"):
            assert places_of[kind] == {""}, (kind, places_of[kind])
        for kind in ("AssignVariableOp", "L2Loss", "Sqrt"):
            assert (MEMORY in places_of[kind]) != on, (kind, places_of[kind])
    (losses, values), (other_losses, other_values) = found[True], found[False]
    np.testing.assert_allclose(other_losses, losses, rtol=1e-5)
    for name, value in values.items():
        np.testing.assert_allclose(other_values[name], value, atol=1e-4, err_msg=name)
    print("equal")


if __name__ == "__main__":
    main()
