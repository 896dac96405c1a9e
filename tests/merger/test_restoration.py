"""A restorer of the user on the predicted face: where it looks, how much of it is taken, and that nothing costs anything without it."""

import sys
from pathlib import Path

import numpy as np
import pytest

from core.errors import UsageError
from facelib.face_type import FaceType
from facelib.landmarks import MEAN_FACE_68
from facelib.registry import store
from facelib.registry.checked_network import CheckedNetwork
from facelib.registry.restorers import Restorer, five_points
from merger.compose import compose_frame, prepare_face
from merger.predictor import LazyNetworks, SharedNetworks, SpreadNetworks, predict_faces
from merger.settings.config import MergeConfig

sys.path.insert(0, str(Path(__file__).parents[1] / "faces"))
import tiny_networks

SIDE = 96
POINTS = np.asarray(MEAN_FACE_68, np.float64) * 220 + (200, 120)


@pytest.fixture
def restorer(tmp_path):
    return Restorer(CheckedNetwork(tiny_networks.restorer(tmp_path / "r.onnx")))


def ramp(side=SIDE):
    down, across = np.mgrid[:side, :side].astype(np.float32) / side
    return np.stack([across, down, 1 - across], axis=-1)


def landmarks_in(side):
    return np.asarray(MEAN_FACE_68, np.float64) * side * 0.6 + side * 0.2


def test_the_network_sees_the_face_where_it_wants_it(restorer, monkeypatch):
    seen = []
    run = restorer._network.run
    monkeypatch.setattr(restorer._network, "run", lambda picture: seen.append(picture) or run(picture))
    face, landmarks = np.zeros((SIDE, SIDE, 3), np.float32), landmarks_in(SIDE)
    for x, y in five_points(landmarks).round().astype(int):
        face[y - 2 : y + 3, x - 2 : x + 3] = 1
    restorer.restore(face, landmarks)
    [picture] = seen
    assert picture.shape == (64, 64, 3) and picture.min() >= -1 and picture.max() <= 1
    for x, y in np.array([(193, 240), (319, 240), (257, 314), (201, 371), (313, 371)]) / 8:
        part = picture[int(y) - 2 : int(y) + 4, int(x) - 2 : int(x) + 4]
        assert part.max() > 0.3


def test_only_what_it_sees_is_changed_and_it_fades_out(restorer):
    face, landmarks = ramp(), landmarks_in(SIDE)
    restored = restorer.restore(face, landmarks)
    middle = slice(SIDE // 2 - 8, SIDE // 2 + 8)
    np.testing.assert_allclose(restored[middle, middle, 0], 1 - face[middle, middle, 0], atol=0.03)
    np.testing.assert_allclose(restored[middle, middle, 1], face[middle, middle, 1], atol=0.03)
    small = landmarks_in(SIDE) * 0.3
    partly = restorer.restore(face, small)
    np.testing.assert_array_equal(partly[-20:, -20:], face[-20:, -20:])
    assert np.abs(np.diff(partly, axis=1)).max() < 0.5


class Model:
    """Predicts the ramp, and masks of ones."""

    resolution = SIDE

    def predict(self, faces, morph):
        ones = np.ones((len(faces), SIDE, SIDE), np.float32)
        return np.repeat(ramp()[None], len(faces), axis=0), ones, ones


def networks_with(restorer=None, wrap=lambda networks: networks):
    make = None if restorer is None else lambda: restorer
    return wrap(LazyNetworks(Model(), None, None, make_restorer=make))


def prediction_of(networks, **settings):
    config = MergeConfig(mode="overlay", color_transfer_mode=0, face_type="whole_face", **settings)
    frame = np.full((480, 640, 3), 90, np.uint8)
    face = prepare_face(frame, POINTS, config, SIDE)
    [prediction] = predict_faces([face], [config], networks)
    return frame, face, config, prediction


@pytest.mark.parametrize("wrap", [lambda n: n, SharedNetworks, lambda n: SpreadNetworks([n, n])])
def test_the_power_is_the_share_of_the_restored_picture(restorer, wrap):
    networks = networks_with(restorer, wrap)
    results = {power: prediction_of(networks, restore_power=power)[3].face for power in (0, 50, 100)}
    np.testing.assert_array_equal(results[0], ramp())
    assert np.abs(results[100] - results[0]).max() > 0.3
    np.testing.assert_allclose(results[50], (results[0] + results[100]) / 2, atol=1e-6)


def test_results_are_kept_for_a_changed_setting(restorer, monkeypatch):
    networks, calls = networks_with(restorer, SharedNetworks), []
    run = restorer.restore
    monkeypatch.setattr(restorer, "restore", lambda *words: calls.append(1) or run(*words))
    for power in (100, 40, 70):
        prediction_of(networks, restore_power=power)
    assert len(calls) == 1


def test_it_reaches_the_frame(restorer):
    networks = networks_with(restorer)
    results = {}
    for power in (0, 100):
        frame, face, config, prediction = prediction_of(networks, restore_power=power, mask_mode=0)
        results[power] = compose_frame(frame, [(face, prediction)], config)[0]
    assert np.abs(results[0].astype(int) - results[100]).max() > 60


def test_without_power_nothing_is_opened_and_landmarks_are_not_kept():
    networks = networks_with(None)
    _, face, _, _ = prediction_of(networks)
    assert face.landmarks is None
    with pytest.raises(UsageError, match="--restore-network NAME"):
        prediction_of(networks, restore_power=10)


def test_it_follows_the_keyframes_of_a_settings_file(tmp_path):
    from merger.settings.settings_file import read_settings

    (tmp_path / "s.yaml").write_text("restore_power: {0: 0, 10: 100}\n")
    values, tracks = read_settings(tmp_path / "s.yaml")
    assert "restore_power" in {**values, **tracks}


def test_face_types_and_large_faces(restorer):
    for face_type, side in ((FaceType.HEAD, 300), (FaceType.HALF, 40)):
        from facelib.alignment import face_matrix, transform_points

        landmarks = transform_points(POINTS, face_matrix(POINTS, side, face_type))
        restored = restorer.restore(ramp(side), landmarks)
        assert restored.shape == (side, side, 3) and np.isfinite(restored).all() and restored.dtype == np.float32


def test_the_registry_takes_only_what_gives_pictures_back(tmp_path, monkeypatch):
    monkeypatch.setenv("DFL_CONFIG_DIR", str(tmp_path / "config"))
    store.add_network(tiny_networks.restorer(tmp_path / "r.onnx"), "detail", "restorer", "ffhq")
    from facelib.registry.roles import open_restorer

    assert open_restorer("detail").restore(ramp(), landmarks_in(SIDE)).shape == (SIDE, SIDE, 3)
    with pytest.raises(Exception, match="has no output of a colour picture"):
        store.add_network(tiny_networks.recognizer(tmp_path / "x.onnx"), "other", "restorer", "ffhq")
