"""Networks in batches, lazily, and shared between threads."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from merge_stubs import first_set_networks, load

from merger.compose import prepare_face
from merger.predictor import LazyNetworks, SharedNetworks, SpreadNetworks, predict_faces
from merger.settings.config import MergeConfig

INPUTS = load("merge_inputs.npz")
HERE = Path(__file__).parent


class CountingNetworks:
    """Returns the mean of what it sees; notes the size of each batch."""

    resolution = 8

    def __init__(self, delay=0.0, fail_for=None):
        self.batches, self.delay, self.fail_for = [], delay, fail_for
        self.lock = threading.Lock()

    def predict(self, faces, morph=1.0):
        assert self.lock.acquire(blocking=False), "two calls at once"
        try:
            threading.Event().wait(self.delay)
            self.batches.append(len(faces))
            if self.fail_for is not None and any(face[0, 0, 0] == self.fail_for for face in faces):
                raise RuntimeError("no")
            mask = faces.mean(axis=3) * morph
            return faces * morph, mask, mask
        finally:
            self.lock.release()


def faces_of(count, config):
    return [prepare_face(np.roll(INPUTS["frame_u8"], i, 0), INPUTS["lm_A"], config, 64) for i in range(count)]


def test_faces_of_several_frames_share_batches():
    config = MergeConfig()
    networks = first_set_networks()
    predict_faces(faces_of(10, config), [config] * 10, networks, batch_size=4)
    assert networks.calls == 3 and len(networks.inputs) == 10


def test_different_morph_factors_and_unneeded_faces_are_kept_apart():
    seen = []
    networks = first_set_networks()
    predict = networks.predict
    networks.predict = lambda faces, morph: seen.append((len(faces), morph)) or predict(faces, morph)
    configs = [MergeConfig(is_morphable=True, morph_power=power) for power in (20, 100, 20)]
    configs.append(MergeConfig(mode="original", mask_mode=0))
    predictions = predict_faces(faces_of(4, configs[0]), configs, networks)
    assert seen == [(2, 0.2), (1, 1.0)]
    assert predictions[3].face is None and all(prediction.face is not None for prediction in predictions[:3])


def test_lazy_networks_are_built_once_and_only_when_used():
    built = []

    def make(name, **methods):
        return lambda: built.append(name) or SimpleNamespace(**methods)

    networks = LazyNetworks(
        SimpleNamespace(resolution=4, predict=lambda faces, morph: (faces, morph)),
        make("xseg", predict=lambda images: images),
        make("enhancer", enhance_merger=lambda face, full_range: -face if full_range else face),
    )
    assert networks.resolution == 4 and networks.predict(1, 0.5) == (1, 0.5) and built == []
    assert networks.xseg(2) == 2 and networks.xseg(3) == 3 and networks.enhance([5]) == [5]
    assert built == ["xseg", "enhancer"]
    networks.full_range = True
    assert networks.enhance([5]) == [-5]


def test_shared_networks_gather_batches_and_remember():
    inner = CountingNetworks(delay=0.01)
    shared = SharedNetworks(inner, capacity=100)
    pictures = np.random.default_rng(0).random((40, 8, 8, 3), np.float32)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda picture: shared.predict(picture[None], 0.5), pictures))
    for picture, (face, mask, _) in zip(pictures, results, strict=True):
        assert np.allclose(face[0], picture * 0.5) and np.allclose(mask[0], picture.mean(axis=2) * 0.5)
    assert sum(inner.batches) == 40 and len(inner.batches) < 40
    shared.predict(pictures[:3], 0.5)
    assert sum(inner.batches) == 40
    shared.predict(pictures[:3], 1.0)
    assert sum(inner.batches) == 43


def test_shared_networks_forget_the_oldest():
    inner = CountingNetworks()
    shared = SharedNetworks(inner, capacity=2)
    pictures = np.random.default_rng(0).random((3, 8, 8, 3), np.float32)
    for picture in (*pictures, pictures[0], pictures[0]):
        shared.predict(picture[None], 1.0)
    assert inner.batches == [1, 1, 1, 1]


def test_a_failing_face_fails_only_its_own_thread():
    inner = CountingNetworks(delay=0.01, fail_for=9.0)
    shared = SharedNetworks(inner)
    pictures = np.random.default_rng(0).random((12, 8, 8, 3), np.float32)
    pictures[5] = 9.0

    def ask(picture):
        try:
            return shared.predict(picture[None], 1.0)[0]
        except RuntimeError:
            return None

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ask, pictures))
    assert [result is None for result in results] == [number == 5 for number in range(12)]
    assert all(
        np.allclose(result[0], picture) for result, picture in zip(results, pictures, strict=True) if result is not None
    )
    with pytest.raises(RuntimeError):
        shared.predict(pictures[5][None], 1.0)


def test_with_several_devices_every_batch_is_spread_over_one_copy_each(tmp_path):
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, str(HERE / "merge_devices.py"), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert result.stdout.endswith("equal\n"), result.stderr[-3000:]


def spread(count, **arguments):
    return SpreadNetworks([LazyNetworks(CountingNetworks(**arguments), None, None) for _ in range(count)])


def test_parts_of_a_spread_batch_come_back_in_order():
    networks = spread(3)
    pictures = np.random.default_rng(0).random((7, 8, 8, 3), np.float32)
    face, mask, _ = networks.predict(pictures, 0.5)
    assert np.allclose(face, pictures * 0.5) and np.allclose(mask, pictures.mean(axis=3) * 0.5)
    assert [member.model.batches for member in networks.members] == [[3], [2], [2]]
    networks.predict(pictures[:2], 1.0)
    assert [len(member.model.batches) for member in networks.members] == [2, 2, 1]


def test_a_part_that_fails_fails_its_batch():
    networks = spread(2, fail_for=9.0)
    pictures = np.zeros((4, 8, 8, 3), np.float32)
    pictures[3] = 9.0
    with pytest.raises(RuntimeError):
        networks.predict(pictures, 1.0)
    assert networks.predict(pictures[:3], 1.0)[0].shape == (3, 8, 8, 3)


def test_xseg_and_enhancer_run_on_every_device():
    built = []

    def make(name, method):
        return lambda: built.append(name) or SimpleNamespace(**method)

    members = [
        LazyNetworks(
            SimpleNamespace(resolution=8),
            make(f"xseg {number}", {"predict": lambda images, number=number: images + number}),
            make(f"enhancer {number}", {"enhance_merger": lambda face, full_range, number=number: face - number}),
        )
        for number in range(2)
    ]
    networks = SpreadNetworks(members)
    networks.load_xseg(), networks.load_enhancer()
    assert sorted(built) == ["enhancer 0", "enhancer 1", "xseg 0", "xseg 1"]
    zeros = np.zeros((3, 2, 2))
    assert networks.xseg(zeros)[:, 0, 0].tolist() == [0, 0, 1]
    assert [face[0, 0] for face in networks.enhance(zeros)] == [0, 0, -1]


@pytest.mark.parametrize("full_range, low, high", [(False, 0.25, 0.75), (True, -0.5, 0.5)])
def test_the_enhancer_gets_the_range_that_was_chosen(full_range, low, high):
    from facelib.enhancer import FaceEnhancer

    seen = []
    enhancer = FaceEnhancer.__new__(FaceEnhancer)
    enhancer._apply = lambda patches: seen.append(patches) or patches.repeat(4, axis=1).repeat(4, axis=2)
    face = np.full((192, 192, 3), 0.25, np.float32)
    face[96:] = 0.75
    (result,) = LazyNetworks(None, None, lambda: enhancer, full_range=full_range).enhance([face])
    assert (seen[0].min(), seen[0].max()) == (low, high)
    assert np.allclose(result, face.repeat(4, axis=0).repeat(4, axis=1), atol=1e-6)
