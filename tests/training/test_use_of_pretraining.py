"""A model in pretraining does not know the user's faces: merge, export and apply say so before they use it."""

from types import SimpleNamespace

import numpy as np
import pytest

import main
from core import device_choice
from core.console import interact
from core.errors import UserError
from core.networks.weight_files import write_weights
from mainscripts import exportdfm
from merger.run.request import MergeRequest
from merger.run.steps import open_model
from models.base import check_knows_faces
from models.saved.model_files import ModelData, write_model_data
from models.xseg.predictor import XSegPredictor

PRETRAINING = {"archi": "df", "resolution": 64, "batch_size": 2, "face_type": "wf", "pretrain": True}


@pytest.fixture
def model(tmp_path):
    write_model_data(tmp_path / "a_SAEHD_data.dat", ModelData(5, dict(PRETRAINING)))
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """Somebody sits at the terminal and types this; what was asked is kept."""
    reply, questions = {"yes": False}, []
    monkeypatch.setattr(interact, "has_terminal", lambda: True)

    def ask(label, default, help_text=None):
        questions.append((label, default))
        return reply["yes"]

    monkeypatch.setattr(interact, "ask_bool", ask)
    return reply, questions


def export_flags(folder, *words):
    common = ["exportdfm", "--model-dir", str(folder), "--model", "SAEHD", "--force-model-name", "a", "--no-quantize"]
    return main.build_parser().parse_args([*common, *words])


@pytest.mark.parametrize("words", [(), ("--yes",)])
def test_export_is_refused_without_a_terminal(model, capsys, words):
    common = ["exportdfm", "--model-dir", str(model), "--model", "SAEHD", "--force-model-name", "a", "--keep-priority"]
    try:
        assert main.main([*common, *words]) == 1
    finally:
        interact.configure(assume_yes=False)
    told = capsys.readouterr().err
    assert told.startswith(
        "/!\\ a_SAEHD is still in pretraining: it knows the faces of the pretraining set, not yours."
    )
    assert "train --set pretrain=n" in told and "--allow-pretraining" in told and len(told.splitlines()) == 1


@pytest.mark.parametrize("yes", [True, False])
def test_export_asks_at_a_terminal(model, asked, yes):
    reply, questions = asked
    reply["yes"] = yes
    # After a yes the next complaint is that this model has no weights.
    with pytest.raises(UserError, match="a_SAEHD_encoder.npy: no such file" if yes else "still in pretraining"):
        exportdfm.run(export_flags(model))
    ((label, default),) = questions
    assert label.endswith("Do you want to export with it all the same?") and default is False


def test_the_flag_allows_export_without_a_question(model, asked):
    with pytest.raises(UserError, match="a_SAEHD_encoder.npy: no such file"):
        exportdfm.run(export_flags(model, "--allow-pretraining"))
    assert asked[1] == []


@pytest.mark.parametrize(("flag", "refused"), [(None, True), (True, False)])
def test_merge_is_refused_without_the_flag(monkeypatch, tmp_path, flag, refused):
    found = SimpleNamespace(name="a", class_name="SAEHD", iteration=5, options=dict(PRETRAINING))
    monkeypatch.setattr(device_choice, "choose_devices", lambda *arguments, **rest: [])
    monkeypatch.setattr("models.base.open_for_inference", lambda *arguments: found)
    request = MergeRequest(tmp_path, "SAEHD", tmp_path, engine="tensorflow", cpu_only=True, allow_pretraining=flag)
    if refused:
        with pytest.raises(UserError, match="a_SAEHD is still in pretraining.*--allow-pretraining to merge with it"):
            open_model(request)
    else:
        assert open_model(request) == (found, request)


def test_merge_takes_the_flag():
    words = [
        "merge",
        "--input-dir",
        "a",
        "--output-dir",
        "b",
        "--output-mask-dir",
        "c",
        "--model-dir",
        "d",
        "--model",
        "AMP",
    ]
    assert main.build_parser().parse_args(words).allow_pretraining is None
    assert main.build_parser().parse_args([*words, "--allow-pretraining"]).allow_pretraining is True


def test_a_model_that_has_left_pretraining_is_used_without_a_word():
    check_knows_faces("a_SAEHD", {"pretrain": False}, None, "merge")
    check_knows_faces("a_AMP", {}, None, "merge")


def test_masks_of_an_xseg_model_in_pretraining_are_refused(tmp_path):
    write_weights(tmp_path / "XSeg_256.npy", {"w": np.zeros(3, np.float32)})
    write_model_data(tmp_path / "XSeg_data.dat", ModelData(5, {"face_type": "wf", "batch_size": 2, "pretrain": True}))
    with pytest.raises(UserError, match="XSeg model is still in pretraining, where it draws grey faces and no masks"):
        XSegPredictor(tmp_path)
