"""Choosing, renaming and deleting saved models; backups; the files of a first run."""

import os

import numpy as np
import pytest

from core.console import interact
from core.errors import NothingToDo, UsageError, UserError
from models.base import SavedModel
from models.saved import backups, saved_models, transaction
from models.saved.lock import ModelLock
from models.saved.model_files import ModelData, write_model_data
from models.saved.saved_models import choose_model, delete_model, entries_of_model, list_models, rename_model


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


@pytest.fixture
def models(tmp_path):
    """Two SAEHD models, the newer is ``young``, and an AMP model with the name of the older."""
    for age, name in ((100, "old"), (10, "young")):
        touch(tmp_path, f"{name}_SAEHD_data.dat", f"{name}_SAEHD_encoder.npy", f"{name}_SAEHD_history/SAEHD/_last.jpg")
        touch(tmp_path, f"{name}_SAEHD_autobackups/01/{name}_SAEHD_encoder.npy")
        os.utime(tmp_path / f"{name}_SAEHD_data.dat", (1e9 - age, 1e9 - age))
    touch(tmp_path, "old_AMP_data.dat", "SAEHD_default_options.dat", "XSeg_data.dat", "noise")
    return tmp_path


@pytest.fixture
def replies(monkeypatch):
    """Questions get these answers one after the other."""
    waiting = []

    def ask(prompt, default, parse, expected, help_text, echo=True):
        text = waiting.pop(0)
        return default if text == "" else parse(text)

    monkeypatch.setattr(interact, "_ask", ask)
    return waiting


def test_latest_first_and_names_end_at_the_class(models):
    assert list_models(models, "SAEHD") == ["young", "old"]
    assert list_models(models, "AMP") == ["old"]
    assert list_models(models / "nothing", "AMP") == []


@pytest.mark.parametrize(
    ("text", "name"), [("", "young"), ("1", "old"), ("7", "old"), ("-3", "young"), ("old", "old"), ("third", "third")]
)
def test_choice_by_index_name_or_new_name(models, replies, text, name):
    replies.append(text)
    assert choose_model(models, "SAEHD") == name


UNUSABLE = (
    "--5",
    "-x",
    "²",
    "５",
    "a/b",
    "a\\b",
    "..",
    ".x",
    "x" * 300,
    "é" * 61,
    "a\x07b",
    "a\nb",
    "\u202eab",
    "\udc80",
    "a_b",
)


@pytest.mark.parametrize("text", UNUSABLE)
def test_a_name_that_cannot_be_used_is_asked_again_at_a_terminal(models, replies, monkeypatch, capsys, text):
    monkeypatch.setattr(interact, "has_terminal", lambda: True)
    replies.extend([text, "b SAEHD c"])
    assert choose_model(models, "SAEHD") == "b SAEHD c"
    told = capsys.readouterr().err
    assert told.startswith("/!\\ ") and len(told.splitlines()) == 1


@pytest.mark.parametrize("text", [text for text in UNUSABLE if "_" not in text])  # there underscores become spaces
def test_an_unusable_first_name_is_asked_again_at_a_terminal(tmp_path, replies, monkeypatch, text):
    monkeypatch.setattr(interact, "has_terminal", lambda: True)
    replies.extend([text, "fresh"])
    assert choose_model(tmp_path, "SAEHD") == "fresh"


@pytest.mark.parametrize("text", UNUSABLE)
def test_a_name_that_cannot_be_used_is_refused_in_one_line_without_a_terminal(models, replies, tmp_path, text):
    replies.append(text)
    with pytest.raises(UserError) as typed:
        choose_model(models, "SAEHD")
    with pytest.raises(UsageError) as given:
        choose_model(models, "SAEHD", text)
    for refusal in (typed, given):
        told = str(refusal.value)
        assert len(told.splitlines()) == 1 and len(told) < 200 and told.isprintable()


def test_a_number_of_any_length_is_an_index_or_a_name(models, replies):
    replies.append("9" * 9)
    assert choose_model(models, "SAEHD") == "old"
    with pytest.raises(UsageError, match="too long"):
        choose_model(models, "SAEHD", "9" * 5000)


def test_a_model_whose_name_holds_that_of_another_keeps_its_files(tmp_path):
    """DeepFaceLab allows such names: ``a`` and ``a_SAEHD`` and ``a_SAEHD_b``."""
    for prefix in ("a_SAEHD", "a_SAEHD_SAEHD", "a_SAEHD_b_AMP", "XSeg", "XSeg_SAEHD"):
        touch(tmp_path, f"{prefix}_data.dat", f"{prefix}_encoder.npy", f"{prefix}_encoder.npy.tmp")
    transaction.recover(tmp_path, "a_SAEHD")
    assert (tmp_path / "a_SAEHD_SAEHD_encoder.npy.tmp").exists() and (
        tmp_path / "a_SAEHD_b_AMP_encoder.npy.tmp"
    ).exists()
    assert not (tmp_path / "a_SAEHD_encoder.npy.tmp").exists()
    rename_model(tmp_path, "SAEHD", "a", "z")
    assert {path.name for path in entries_of_model(tmp_path, "z_SAEHD")} == {"z_SAEHD_data.dat", "z_SAEHD_encoder.npy"}
    delete_model(tmp_path, "SAEHD", "a_SAEHD")
    SavedModel(tmp_path, "XSeg", None).set_aside_old_files()
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("z_")) == [
        "XSeg_SAEHD_data.dat", "XSeg_SAEHD_encoder.npy", "XSeg_SAEHD_encoder.npy.tmp", "XSeg_encoder.npy.tmp", "XSeg_old_1",
        "a_SAEHD_b_AMP_data.dat", "a_SAEHD_b_AMP_encoder.npy", "a_SAEHD_b_AMP_encoder.npy.tmp",
    ]  # fmt: skip


def test_menu_text(models, replies, capsys):
    replies.append("")
    choose_model(models, "SAEHD")
    assert "[r] : rename\n[d] : delete\n\n[0] : young - latest\n[1] : old" in capsys.readouterr().out


def test_first_name_may_hold_underscores_that_become_spaces(tmp_path, replies):
    replies.append("my_face")
    assert choose_model(tmp_path, "SAEHD") == "my face"


def test_silent_start_takes_the_latest_and_asks_nothing(models, replies, capsys):
    assert choose_model(models, "SAEHD", silent=True) == "young"
    assert 'Silent start: choosed model "young"' in capsys.readouterr().out
    assert choose_model(models, "Quick96", silent=True) == "new"


def test_forced_names(models):
    assert choose_model(models, "SAEHD", "old") == "old"
    assert choose_model(models, "SAEHD", "fresh") == "fresh"
    for bad in ("a_b", "", "a/b", ".x"):
        with pytest.raises(UserError):
            choose_model(models, "SAEHD", bad)
    with pytest.raises(UserError, match="no SAEHD model named 'fresh'"):
        choose_model(models, "SAEHD", "fresh", may_create=False)
    with pytest.raises(NothingToDo):
        choose_model(models, "Quick96", may_create=False)
    assert choose_model(models, "XSeg") is None


def test_rename_takes_one_class_with_folders_and_backups(models, replies):
    touch(models, "old_SAEHD_emergency_5/old_SAEHD_data.dat", "old_SAEHD_old_1/old_SAEHD_data.dat")
    replies.extend(["r", "old", "fresh", "fresh"])
    assert choose_model(models, "SAEHD") == "fresh"
    assert not entries_of_model(models, "old_SAEHD")
    assert (models / "fresh_SAEHD_history/SAEHD/_last.jpg").exists()
    assert (models / "fresh_SAEHD_autobackups/01/fresh_SAEHD_encoder.npy").exists()
    assert (models / "fresh_SAEHD_emergency_5/fresh_SAEHD_data.dat").exists()
    assert (models / "fresh_SAEHD_old_1/fresh_SAEHD_data.dat").exists()
    assert (models / "old_AMP_data.dat").exists()


def test_rename_never_goes_over_another_model(models):
    with pytest.raises(UserError, match="already files of a model young_SAEHD"):
        rename_model(models, "SAEHD", "old", "young")
    assert (models / "old_SAEHD_data.dat").exists()


def test_delete_asks_first(models, replies):
    replies.extend(["d", "old", "n", ""])
    assert choose_model(models, "SAEHD") == "young"
    assert (models / "old_SAEHD_data.dat").exists()
    replies.extend(["d", "old", "y", ""])
    assert choose_model(models, "SAEHD") == "young"
    assert not entries_of_model(models, "old_SAEHD")
    assert (models / "old_AMP_data.dat").exists() and (models / "SAEHD_default_options.dat").exists()


def test_a_model_in_training_is_left_alone(models):
    with ModelLock(models, "old_SAEHD"):
        with pytest.raises(UserError, match="is being trained"):
            delete_model(models, "SAEHD", "old")
        with pytest.raises(UserError, match="is being trained"):
            rename_model(models, "SAEHD", "old", "x")


class Networks:
    """Stands for a network object: only names count here."""

    networks = {"encoder": None}
    optimizers = {"src_dst_opt": None}


def test_backups_rotate_and_the_first_of_25_is_gone(tmp_path):
    saved = SavedModel(tmp_path, "SAEHD", "a")
    saved.network = Networks()
    page = ("SAEHD", np.zeros((8, 8, 3), np.uint8))
    for number in range(1, 26):
        for name in ("encoder.npy", "src_dst_opt.npy", "data.dat", "summary.txt"):
            (tmp_path / f"a_SAEHD_{name}").write_text(str(number))
        backups.make_backup(saved, [page])
    root = tmp_path / "a_SAEHD_autobackups"
    assert sorted(path.name for path in root.iterdir()) == [f"{slot:02d}" for slot in range(1, 25)]
    assert (root / "01/a_SAEHD_encoder.npy").read_text() == "25"
    assert (root / "24/a_SAEHD_data.dat").read_text() == "2"
    assert {path.name for path in (root / "07").iterdir()} == {
        "a_SAEHD_encoder.npy",
        "a_SAEHD_src_dst_opt.npy",
        "a_SAEHD_data.dat",
        "a_SAEHD_summary.txt",
        "preview_SAEHD.jpg",
    }


def test_backup_clock_counts_whole_intervals():
    clock = backups.BackupClock(2, 1000.0)
    hour = 3600.0
    assert not clock.is_due(1000 + 1.9 * hour)
    assert clock.is_due(1000 + 2.4 * hour)
    assert not clock.is_due(1000 + 3.9 * hour)
    assert clock.is_due(1000 + 9 * hour)
    assert not clock.is_due(1000 + 9.9 * hour)
    assert clock.is_due(1000 + 10 * hour)
    assert not backups.BackupClock(0, 0.0).is_due(1e9)


def test_files_of_an_earlier_model_are_set_aside(tmp_path, capsys):
    touch(tmp_path, "XSeg_256.npy", "XSeg_256_opt.npy", "XSeg_default_options.dat", "XSeg_model.onnx")
    saved = SavedModel(tmp_path, "XSeg", None)
    saved.set_aside_old_files()
    assert sorted(path.name for path in (tmp_path / "XSeg_old_1").iterdir()) == ["XSeg_256.npy", "XSeg_256_opt.npy"]
    assert (tmp_path / "XSeg_default_options.dat").exists() and (tmp_path / "XSeg_model.onnx").exists()
    assert "moved to XSeg_old_1" in capsys.readouterr().out


def test_state_with_iteration_0_is_a_first_run(tmp_path):
    write_model_data(tmp_path / "a_SAEHD_data.dat", ModelData(0, {"resolution": 64}))
    saved = SavedModel(tmp_path, "SAEHD", "a")
    saved.load_state()
    assert saved.is_first_run and saved.data.options == {}
    write_model_data(tmp_path / "a_SAEHD_data.dat", ModelData(5, {"resolution": 64, "author_name": "x"}, [[1, 2]] * 5))
    saved.load_state()
    assert not saved.is_first_run and saved.iteration == 5 and saved.data.options["author_name"] == "x"


def test_prefixes():
    assert saved_models.file_prefix("SAEHD", "a") == "a_SAEHD"
    assert saved_models.file_prefix("XSeg", None) == "XSeg"
