"""Model files that are missing or do not fit: training stops, or sets the old files aside before it replaces any."""

import shutil

import numpy as np
import pytest
from test_sessions import TINY_DF, train, weights

from core.console import interact
from core.errors import UserError
from core.networks.weight_files import read_weights, write_weights
from models.base import SavedModel, open_trained
from models.saved import backups
from models.saved.model_files import read_model_data


@pytest.fixture(scope="module")
def trained(facesets, tmp_path_factory):
    """A small model with GAN, trained for one iteration, with a backup."""
    folder = tmp_path_factory.mktemp("trained")
    interact.configure(assume_yes=True)
    train(facesets, folder, 1, *TINY_DF, "gan_power=0.1", "gan_patch_size=8", "gan_dims=4")
    interact.configure(assume_yes=False)
    saved = SavedModel(folder, "SAEHD", "t")
    saved.load_state()
    saved.build(training=True)
    backups.make_backup(saved)
    return folder


@pytest.fixture
def model(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "m")


@pytest.fixture(autouse=True)
def confirm_everything(monkeypatch):
    """As ``--yes`` and as a job that confirms all."""
    monkeypatch.setitem(interact._state, "assume_yes", True)


def contents(folder):
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix in (".npy", ".dat")
    }


@pytest.mark.parametrize("names", [("encoder",), ("inter", "decoder_src"), ("GAN",)])
def test_yes_never_replaces_a_missing_weight_file(facesets, model, names):
    for name in names:
        (model / f"t_SAEHD_{name}.npy").unlink()
    before = contents(model)
    told = f"t_SAEHD_{names[0]}.npy: no such file.*newest whole backup is 01 .*--replace-missing-weights"
    with pytest.raises(UserError, match=told):
        train(facesets, model, 2)
    assert contents(model) == before


@pytest.mark.parametrize("answer", ["y", "yes"])
def test_answers_never_replace_a_missing_weight_file(facesets, model, tmp_path, monkeypatch, answer):
    (model / "t_SAEHD_encoder.npy").unlink()
    (tmp_path / "a.yaml").write_text(f'"*missing*": {answer}\n"*new weights*": {answer}\n')
    interact.configure(assume_yes=True, answers=tmp_path / "a.yaml")
    try:
        with pytest.raises(UserError, match="--replace-missing-weights"):
            train(facesets, model, 2)
    finally:
        interact.configure(assume_yes=False)
    assert not (model / "t_SAEHD_encoder.npy").exists()


def test_the_flag_replaces_it_after_the_other_files_were_set_aside(facesets, model, capsys):
    (model / "t_SAEHD_encoder.npy").unlink()
    before = contents(model)
    state = train(facesets, model, 2, extra=("--replace-missing-weights",))
    assert state.iteration == 2 and (model / "t_SAEHD_encoder.npy").exists()
    kept = contents(model / "t_SAEHD_old_1")
    assert kept == {name: content for name, content in before.items() if name.startswith("t_SAEHD")}
    assert (
        "Missing: t_SAEHD_encoder.npy. The files that are there were set aside in t_SAEHD_old_1."
        in capsys.readouterr().out
    )


def test_the_flag_changes_nothing_where_nothing_is_missing(facesets, model):
    train(facesets, model, 2, extra=("--replace-missing-weights",))
    assert not (model / "t_SAEHD_old_1").exists()


def test_a_missing_state_beside_weights_stops_the_run(facesets, model):
    (model / "t_SAEHD_data.dat").unlink()
    before = contents(model)
    with pytest.raises(UserError, match="t_SAEHD_data.dat: no such file, but there are weights of this model"):
        train(facesets, model, 2)
    assert contents(model) == before
    state = train(facesets, model, 1, *TINY_DF, extra=("--replace-missing-weights",))
    assert state.iteration == 1
    assert contents(model / "t_SAEHD_old_1") == {name: value for name, value in before.items() if name.endswith(".npy")}


def test_a_missing_optimizer_is_warned_about(facesets, model, capsys):
    (model / "t_SAEHD_src_dst_opt.npy").unlink()
    (model / "t_SAEHD_GAN_opt.npy").unlink()
    train(facesets, model, 2)
    told = capsys.readouterr().err
    for name in ("src_dst_opt", "GAN_opt"):
        assert f"t_SAEHD_{name}.npy is missing: the optimizer starts anew." in told


@pytest.mark.parametrize("change", ["missing", "another shape"])
def test_an_optimizer_that_fits_in_part_is_warned_about_and_kept(facesets, model, capsys, change):
    path = model / "t_SAEHD_src_dst_opt.npy"
    values = dict(read_weights(path))
    key = next(key for key in values if key.startswith("vs_encoder"))
    if change == "missing":
        del values[key]
    else:
        values[key] = np.zeros(3, np.float32)
    write_weights(path, values)
    content = path.read_bytes()
    train(facesets, model, 2)
    count = sum(name.startswith(("ms_", "vs_")) for name in read_weights(path))
    assert f"t_SAEHD_src_dst_opt.npy: 1 of {count} moments are missing or of another size." in capsys.readouterr().err
    assert (model / "t_SAEHD_old_1" / path.name).read_bytes() == content


def test_weights_of_another_shape_stop_the_run_even_with_the_flag(facesets, model):
    path = model / "t_SAEHD_encoder.npy"
    values = dict(read_weights(path))
    key = next(iter(values))
    values[key] = np.zeros(3, np.float32)
    write_weights(path, values)
    before = contents(model)
    with pytest.raises(UserError, match=f"t_SAEHD_encoder.npy: tensor {key} has the shape .*newest whole backup is 01"):
        train(facesets, model, 2, extra=("--replace-missing-weights",))
    assert contents(model) == before


def test_training_restores_a_backup_first(facesets, model, capsys):
    before = weights(model)["t_SAEHD_encoder.npy"]
    train(facesets, model, 3)
    path = model / "t_SAEHD_encoder.npy"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(UserError, match="t_SAEHD_encoder.npy: is damaged .zeros where data should be"):
        train(facesets, model, 3)
    state = train(facesets, model, 1, extra=("--restore-backup",))
    assert state.iteration == 1
    np.testing.assert_array_equal(list(before.values())[0], list(read_weights(path).values())[0])
    assert not any((model / "t_SAEHD_old_1/t_SAEHD_encoder.npy").read_bytes())
    assert "Restored: 01 (iteration 1" in capsys.readouterr().out


def test_a_damaged_model_is_restored_and_trained_on_when_somebody_says_so(facesets, model, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(interact, "has_terminal", lambda: True)
    monkeypatch.setattr(interact, "discard_pending_input", lambda: None)
    monkeypatch.setattr(interact, "ask_timed", lambda text, seconds: False)
    monkeypatch.setattr(
        interact, "ask_bool", lambda label, default, help_text=None: asked.append((label, default)) or True
    )
    (model / "t_SAEHD_decoder_dst.npy").write_bytes(b"")
    assert train(facesets, model, 2).iteration == 2
    ((label, default),) = asked
    assert label.startswith("Put back backup 01 (iteration 1,") and default is False
    assert (model / "t_SAEHD_old_1/t_SAEHD_decoder_dst.npy").read_bytes() == b""


def test_merging_and_export_name_the_backup_too(model):
    (model / "t_SAEHD_inter.npy").write_bytes(b"\0" * 99)
    with pytest.raises(UserError, match="t_SAEHD_inter.npy: is damaged.*newest whole backup is 01 .iteration 1"):
        open_trained(model, "SAEHD", "t")
    (model / "t_SAEHD_inter.npy").unlink()
    with pytest.raises(UserError, match="t_SAEHD_inter.npy: no such file.*newest whole backup is 01"):
        open_trained(model, "SAEHD", "t")
    assert read_model_data(model / "t_SAEHD_data.dat").iteration == 1
