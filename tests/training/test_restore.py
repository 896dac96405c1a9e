"""Damaged model files and backups: what is said, what is listed, what is put back, and that nothing is lost by it."""

import errno
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

import main
from core.console import interact
from core.errors import FormatError, UserError
from core.networks.weight_files import write_weights
from models.base import SavedModel
from models.registry import kind
from models.saved import restore, set_aside, transaction
from models.saved.lock import ModelLock
from models.saved.model_files import ModelData, read_default_options, read_model_data, write_model_data

GOLDEN = Path(__file__).parents[1] / "golden/formats/model"
NETWORKS = ("encoder", "inter", "decoder_src", "decoder_dst")
OPTIONS = {"archi": "df", "resolution": 64}


def write_generation(folder, iteration, prefix="a_SAEHD"):
    """Files of a small SAEHD model, every weight of which is its iteration."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem in (*NETWORKS, "src_dst_opt"):
        write_weights(folder / f"{prefix}_{stem}.npy", {"w/weight:0": np.full((8, 8), iteration, np.float32)})
    history = [[0.5, 1.0 / (number + 1)] for number in range(iteration)]
    write_model_data(folder / f"{prefix}_data.dat", ModelData(iteration, dict(OPTIONS), history))
    (folder / f"{prefix}_summary.txt").write_text(str(iteration))


@pytest.fixture
def model(tmp_path):
    """A model of iteration 9 with backups of 7, 5 and 3."""
    write_generation(tmp_path, 9)
    for number, iteration in enumerate((7, 5, 3), 1):
        folder = tmp_path / f"a_SAEHD_autobackups/{number:02d}"
        write_generation(folder, iteration)
        (folder / "preview_SAEHD.jpg").write_bytes(b"jpg")
    return tmp_path


def zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def zero_end(path):
    content = path.read_bytes()
    path.write_bytes(content[:-40] + bytes(40))


def cut(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def empty(path):
    path.write_bytes(b"")


DAMAGES = (zeros, zero_end, cut, empty)


def generation(folder, prefix="a_SAEHD"):
    """Iteration of every file of a generation, which should be one."""
    found = {
        read_model_data(folder / f"{prefix}_data.dat").iteration,
        int((folder / f"{prefix}_summary.txt").read_text()),
    }
    for stem in (*NETWORKS, "src_dst_opt"):
        found.add(int(pickle.loads((folder / f"{prefix}_{stem}.npy").read_bytes())["w/weight:0"][0, 0]))
    return found


def backups(*words):
    return main.main(["backups", "--model", "SAEHD", "--force-model-name", "a", "--keep-priority", *map(str, words)])


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_is_called_damaged_and_the_newest_whole_backup_is_named(model, damage):
    damage(model / "a_SAEHD_data.dat")
    with pytest.raises(restore.DamagedModel) as refusal:
        SavedModel(model, "SAEHD", "a").load_state()
    told = str(refusal.value)
    assert told.startswith(f"{model / 'a_SAEHD_data.dat'}: is ") and "asks for" not in told
    assert "damaged" in told or "cut off" in told
    assert "The newest whole backup is 01 (iteration 7, saved " in told and "train --restore-backup" in told


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    "name", ["a_SAEHD_encoder.npy", "a_SAEHD_decoder_dst.npy", "a_SAEHD_src_dst_opt.npy", "a_SAEHD_data.dat"]
)
def test_a_damaged_backup_is_passed_over(model, damage, name):
    damage(model / "a_SAEHD_autobackups/01" / name)
    assert restore.whole_backup(model, "SAEHD", "a_SAEHD").iteration == 5
    (model / "a_SAEHD_autobackups/02/a_SAEHD_inter.npy").unlink()
    assert restore.whole_backup(model, "SAEHD", "a_SAEHD").iteration == 3
    write_weights(model / "a_SAEHD_autobackups/03/a_SAEHD_inter.npy", {"w/weight:0": np.float32([np.nan])})
    assert restore.whole_backup(model, "SAEHD", "a_SAEHD") is None
    damage(model / "a_SAEHD_data.dat")
    with pytest.raises(FormatError, match="All backups of this model are damaged too"):
        SavedModel(model, "SAEHD", "a").load_state()
    write_generation(model / "a_SAEHD_emergency_8", 8)
    with pytest.raises(FormatError, match="train --restore-backup a_SAEHD_emergency_8 puts it back"):
        SavedModel(model, "SAEHD", "a").load_state()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_default_options_give_the_usual_ones(tmp_path, damage, capsys):
    path = tmp_path / "SAEHD_default_options.dat"
    shutil.copy(GOLDEN / path.name, path)
    assert read_default_options(path)
    damage(path)
    content = path.read_bytes()
    assert read_default_options(path) == {}
    told = capsys.readouterr().err
    assert "The usual defaults are taken" in told and "asks for" not in told and path.read_bytes() == content


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["a_SAEHD_data.dat", "a_SAEHD_encoder.npy"])
def test_restoring_puts_back_the_whole_generation_and_keeps_the_damaged_files(model, damage, name, capsys):
    write_weights(model / "a_SAEHD_GAN.npy", {"w/weight:0": np.zeros(3, np.float32)})  # newer than the backup
    damage(model / name)
    damaged = (model / name).read_bytes()
    assert backups("--model-dir", model, "--restore") == 0
    assert generation(model) == {7} and not (model / "a_SAEHD_GAN.npy").exists()
    assert (model / "a_SAEHD_old_1" / name).read_bytes() == damaged
    assert (model / "a_SAEHD_old_1/a_SAEHD_GAN.npy").exists() and (model / "a_SAEHD_old_1/a_SAEHD_inter.npy").exists()
    assert generation(model / "a_SAEHD_autobackups/01") == {7}
    told = capsys.readouterr().out
    assert "Restored: 01 (iteration 7, saved " in told and f"kept in {model / 'a_SAEHD_old_1'}" in told
    assert not list(model.glob("*.tmp")) and not list(model.glob("*_commit.json"))


@pytest.mark.parametrize(("wanted", "iteration"), [("", 7), ("01", 7), ("2", 5), ("03", 3)])
def test_a_backup_is_restored_by_its_number(model, wanted, iteration):
    assert backups("--model-dir", model, *(["--restore", wanted] if wanted else ["--restore"])) == 0
    assert generation(model) == {iteration}
    assert generation(model / "a_SAEHD_old_1") == {9}


def test_a_folder_beside_or_elsewhere_is_restored_by_name_or_path(model, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "a_SAEHD_emergency_12"
    write_generation(elsewhere, 12)
    write_generation(model / "a_SAEHD_emergency_11", 11)
    assert backups("--model-dir", model, "--restore", "a_SAEHD_emergency_11") == 0 and generation(model) == {11}
    assert backups("--model-dir", model, "--restore", elsewhere) == 0 and generation(model) == {12}
    assert backups("--model-dir", model, "--restore", "a_SAEHD_old_1") == 0 and generation(model) == {9}


def test_an_emergency_save_that_was_cut_off_is_finished_first(model):
    folder = model / "a_SAEHD_emergency_11"
    write_generation(folder, 11)
    write_generation(model / "newer", 12)
    names = [path.name for path in (model / "newer").iterdir()]
    for name in names:
        shutil.move(model / "newer" / name, folder / f"{name}.tmp")
    (folder / "a_SAEHD_commit.json").write_text(json.dumps({"files": names}))
    assert backups("--model-dir", model, "--restore", folder.name) == 0 and generation(model) == {12}


@pytest.mark.parametrize("wanted", ["04", "nothing", "/", ".", "../x", "02"])
def test_what_is_no_whole_backup_is_refused_and_nothing_changes(model, wanted, capsys):
    zeros(model / "a_SAEHD_autobackups/02/a_SAEHD_encoder.npy")
    assert backups("--model-dir", model, "--restore", wanted) == 1
    assert generation(model) == {9} and not (model / "a_SAEHD_old_1").exists()
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_backups_are_listed_with_iteration_loss_size_and_preview(model, capsys):
    cut(model / "a_SAEHD_autobackups/02/a_SAEHD_encoder.npy")
    write_generation(model / "a_SAEHD_emergency_11", 11)
    assert backups("--model-dir", model) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[")]
    loss = np.mean([1.0 / (number + 1) for number in range(7)])
    assert lines[0].startswith(f"[01] iteration 7, loss 0.5000 {loss:.4f}, 0.0 MB, saved ")
    assert lines[0].endswith(f"preview {model / 'a_SAEHD_autobackups/01/preview_SAEHD.jpg'}")
    assert "damaged: a_SAEHD_encoder.npy is cut off" in lines[1]
    assert lines[2].startswith("[03] iteration 3") and lines[3].startswith("[a_SAEHD_emergency_11] iteration 11")
    assert "no preview" in lines[3]


def test_a_model_without_backups_or_without_name_is_told_of(tmp_path, capsys):
    write_generation(tmp_path, 3)
    assert backups("--model-dir", tmp_path) == 3
    assert backups("--model-dir", tmp_path, "--restore") == 3
    assert "there are no backups" in capsys.readouterr().err
    assert main.main(["backups", "--model-dir", str(tmp_path), "--model", "AMP", "--keep-priority"]) == 3


def test_backups_of_deepfacelab_work(tmp_path):
    """Its state and weights, its pickles of numpy arrays, and the old name of a model that it renamed outside only."""
    shutil.copy(GOLDEN / "golden_SAEHD_data.dat", tmp_path)
    state = read_model_data(GOLDEN / "golden_SAEHD_data.dat")
    folder = tmp_path / "golden_SAEHD_autobackups/01"
    folder.mkdir(parents=True)
    stems = kind("SAEHD").needed_stems(state.options)
    for stem in stems:
        golden = GOLDEN / f"golden_SAEHD_{stem}.npy"
        content = golden.read_bytes() if golden.exists() else pickle.dumps({"w:0": np.ones(4, np.float32)}, 4)
        (folder / f"before_SAEHD_{stem}.npy").write_bytes(content)
    shutil.copy(GOLDEN / "golden_SAEHD_data.dat", folder / "before_SAEHD_data.dat")
    (folder / "before_SAEHD_summary.txt").write_text("summary")
    (folder / "preview_SAEHD masked.jpg").write_bytes(b"jpg")
    zeros(tmp_path / "golden_SAEHD_data.dat")
    copy = restore.find_copy(tmp_path, "SAEHD", "golden", "")
    assert (copy.iteration, copy.preview.name) == (state.iteration, "preview_SAEHD masked.jpg")
    restore.restore(tmp_path, "golden_SAEHD", copy)
    assert read_model_data(tmp_path / "golden_SAEHD_data.dat").iteration == state.iteration
    names = {f"golden_SAEHD_{stem}.npy" for stem in stems} | {"golden_SAEHD_data.dat", "golden_SAEHD_summary.txt"}
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == names


class Crash(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("step", range(0, 60, 2))
def test_restoring_that_dies_leaves_one_whole_generation(model, monkeypatch, step):
    copy = restore.find_copy(model, "SAEHD", "a", "02")
    calls = {"left": step}

    def crashing(function):
        def call(*arguments, **keywords):
            if calls["left"] == 0:
                raise Crash
            calls["left"] -= 1
            return function(*arguments, **keywords)

        return call

    with monkeypatch.context() as patch:
        for name in ("replace", "fsync", "unlink", "link"):
            patch.setattr(os, name, crashing(getattr(os, name)))
        patch.setattr(transaction, "_drop_temporaries", lambda *arguments: None)
        try:
            restore.restore(model, "a_SAEHD", copy)
        except Crash:
            pass
    transaction.recover(model, "a_SAEHD")
    assert generation(model) in ({9}, {5})


def test_nothing_is_restored_when_the_old_files_cannot_be_kept(model, monkeypatch):
    def full(*arguments, **keywords):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(set_aside.shutil, "copy2", full)
    copy = restore.find_copy(model, "SAEHD", "a", "")
    with pytest.raises(UserError, match="cannot be set aside.*No space left on device.*Nothing was replaced"):
        restore.restore(model, "a_SAEHD", copy)
    assert generation(model) == {9}


def test_a_damaged_journal_does_not_keep_a_backup_from_being_restored(model):
    (model / "a_SAEHD_commit.json").write_bytes(bytes(60))
    (model / "a_SAEHD_encoder.npy.tmp").write_bytes(b"x")
    assert backups("--model-dir", model, "--restore") == 0
    assert generation(model) == {7} and not (model / "a_SAEHD_commit.json").exists()


def test_a_model_in_training_is_not_restored(model, capsys):
    with ModelLock(model, "a_SAEHD"):
        assert backups("--model-dir", model, "--restore") == 1
    assert "is being trained" in capsys.readouterr().err and generation(model) == {9}


def test_backups_of_a_model_whose_state_is_gone_are_found(model, capsys):
    (model / "a_SAEHD_data.dat").unlink()
    saved = SavedModel(model, "SAEHD", "a")
    saved.load_state()
    with pytest.raises(
        UserError, match="a_SAEHD_data.dat: no such file.*newest whole backup is 01.*--replace-missing-weights"
    ):
        saved.check_state_is_there()
    saved.check_state_is_there(replace_missing=True)
    assert backups("--model-dir", model, "--restore") == 0 and generation(model) == {7}


def test_a_new_model_needs_no_state(tmp_path):
    SavedModel(tmp_path, "SAEHD", "a").check_state_is_there()
    write_model_data(tmp_path / "b_SAEHD_data.dat", ModelData())
    SavedModel(tmp_path, "SAEHD", "b").check_state_is_there()


@pytest.fixture(autouse=True)
def fresh_console():
    yield
    interact.configure(assume_yes=False)
