"""Training XSeg for real: labels, applied masks, pretraining, restart, prediction. Slow: its size is fixed."""

import numpy as np
import pytest
from conftest import make_faceset

from core.console import interact
from main import build_parser
from mainscripts.train import request_of
from models.saved.model_files import read_model_data
from models.training.training_session import TrainingSession
from models.xseg.predictor import XSegPredictor, available

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def take_defaults(monkeypatch):
    monkeypatch.setitem(interact._state, "assume_yes", True)


def train(source, destination, model_dir, iterations, *options, extra=()):
    words = ["train", "--training-data-src-dir", source, "--training-data-dst-dir", destination, "--model", "XSeg"]
    words += ["--model-dir", model_dir, "--target-iter", iterations, "--no-preview", "--keep-priority", "--cpu-only"]
    words += [*extra, *(word for option in options for word in ("--set", option))]
    assert TrainingSession(request_of(build_parser().parse_args([str(word) for word in words]))).run() == 0
    return read_model_data(model_dir / "XSeg_data.dat")


def test_labels_then_restart_with_another_face_type(tmp_path, capsys):
    labelled = make_faceset(tmp_path / "src", 3, labelled=True)
    plain = make_faceset(tmp_path / "dst", 2, hue=110)
    model = tmp_path / "m"
    state = train(labelled, plain, model, 1, "batch_size=2")
    assert state.options["face_type"] == "wf" and len(state.loss_history[0]) == 1
    assert "Using 3 segmented samples." in capsys.readouterr().out
    assert available(model)
    predictor = XSegPredictor(model)
    masks = predictor.predict(np.zeros((2, 256, 256, 3), np.float32))
    assert predictor.face_type.text == "whole_face" and masks.shape == (2, 256, 256, 1)
    assert not ((masks > 0) & (masks < 0.1)).any()
    state = train(labelled, plain, model, 1, "restart_training=y", "face_type=f", "batch_size=2")
    assert state.options["face_type"] == "f" and state.iteration == 1
    assert (model / "XSeg_old_1/XSeg_256.npy").exists()


def test_applied_masks_serve_when_nothing_is_labelled(tmp_path, capsys):
    from samplelib.faces.aligned_face import read_metadata, write_metadata

    source = make_faceset(tmp_path / "src", 2)
    for path in source.iterdir():
        mask = np.zeros((64, 64, 1), np.float32)
        mask[16:48, 16:48] = 1
        write_metadata(path, read_metadata(path).with_xseg_mask(mask))
    train(source, make_faceset(tmp_path / "dst", 2), tmp_path / "m", 1, "batch_size=2")
    assert "Using 2 xseg labeled samples." in capsys.readouterr().out


def test_pretraining_then_labels_keeps_the_weights(tmp_path, capsys):
    from core.networks.weight_files import read_weights

    labelled = make_faceset(tmp_path / "src", 3, labelled=True)
    extra = ("--pretraining-data-dir", labelled)
    train(labelled, labelled, tmp_path / "m", 2, "batch_size=2", "pretrain=y", extra=extra)
    before = read_weights(tmp_path / "m/XSeg_256.npy")
    state = train(labelled, labelled, tmp_path / "m", 1, "pretrain=n", extra=extra)
    after = read_weights(tmp_path / "m/XSeg_256.npy")
    assert state.iteration == 1 and "iterations count from 0 again" in capsys.readouterr().out
    assert np.abs(before["conv01/conv/weight:0"] - after["conv01/conv/weight:0"]).max() < 0.01
