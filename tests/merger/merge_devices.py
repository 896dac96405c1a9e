"""Run by test_predictor.py in a process of its own: TensorFlow takes its devices only once."""

import sys
import threading
from pathlib import Path

import numpy as np
import tensorflow as tf

from core.engines import Place
from merger.run.request import MergeRequest
from merger.run.steps import make_networks
from models.base import SavedModel, open_for_inference

DEVICES = ["CPU:0", "CPU:1"]
OPTIONS = {
    "resolution": 64, "face_type": "f", "archi": "df", "ae_dims": 32, "e_dims": 16, "d_dims": 16, "d_mask_dims": 16,
    "batch_size": 2,
}  # fmt: skip


def make_model(folder):
    saved = SavedModel(folder, "SAEHD", "tiny")
    saved.data.options = OPTIONS
    saved.build(training=True, seed=1)
    saved.data.iteration, saved.data.loss_history = 1, [[1.0, 1.0]]
    saved.save()
    return open_for_inference(folder, "SAEHD", "tiny")


def main(folder):
    """Compare one device with two on the same faces."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    model = make_model(folder)
    places = tuple(Place(device=device) for device in DEVICES)
    networks = make_networks(MergeRequest(folder, "SAEHD", folder, places=places), model)
    for member, device in zip(networks.members, DEVICES, strict=True):
        (found,) = {weight.value.device for weight in member.model.network.networks["decoder_src"].weights}
        assert found.endswith(device), (found, device)
    faces = np.random.default_rng(0).random((5, 64, 64, 3), np.float32)
    expected, ran = model.predict(faces), {}
    for member in networks.members:
        watch(member, ran)
    for one, two in zip(expected, networks.predict(faces, 1.0), strict=True):
        np.testing.assert_allclose(two, one, atol=1e-6)
    assert ran == {"CPU:0": 3, "CPU:1": 2}
    print("equal")


def watch(member, ran):
    """Note how many faces run on which device, in threads of their own."""
    predict = member.model.predict

    def noted(faces, morph):
        assert threading.current_thread() is not threading.main_thread()
        assert tf.constant(0.0).device.endswith(member.device)
        ran[member.device] = ran.get(member.device, 0) + len(faces)
        return predict(faces, morph=morph)

    member.model.predict = noted


if __name__ == "__main__":
    main(Path(sys.argv[1]))
