"""Devices are named the same way in every step."""

import argparse
from types import SimpleNamespace

import pytest

import main
from core.console import interact
from core.console.device_flags import add_device_flags, gpu_indexes
from core.device_choice import choose_devices
from core.errors import UsageError
from mainscripts import extract, xseg


@pytest.mark.parametrize(("text", "indexes"), [("0", [0]), ("0,1", [0, 1]), (" 2 , 0", [2, 0])])
def test_indexes_become_a_list(text, indexes):
    assert gpu_indexes(text) == indexes


@pytest.mark.parametrize("text", ["", "a", "0,", "-1"])
def test_anything_else_is_a_usage_error(text):
    with pytest.raises(argparse.ArgumentTypeError, match="no list of indexes"):
        gpu_indexes(text)


def test_a_step_for_one_card_refuses_two():
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_device_flags(parser, several=False)
    assert parser.parse_args(["--force-gpu-idxs", "1", "--cpu-only"]).force_gpu_idxs == [1]
    with pytest.raises(argparse.ArgumentError, match="uses one graphics card"):
        parser.parse_args(["--force-gpu-idxs", "0,1"])


CARDS = [SimpleNamespace(index=0, name="Small"), SimpleNamespace(index=1, name="Large")]


@pytest.mark.parametrize(
    ("cards", "told"),
    [(CARDS, r"no GPU 3; available: 0 \(Small\), 1 \(Large\)"), ([], r"no GPU 0, 3; available: none")],
)
@pytest.mark.parametrize(
    "step",
    [
        lambda flags: choose_devices(flags.cpu_only, flags.force_gpu_idxs),
        lambda flags: choose_devices(flags.cpu_only, flags.force_gpu_idxs, silent=True),
        extract._choose_devices,
        xseg._mask_source,
    ],
    ids=["networks", "silent", "extract embedded", "xseg generic mesh"],
)
def test_cards_that_are_not_there_are_refused_and_those_that_are_listed(monkeypatch, tmp_path, cards, told, step):
    monkeypatch.setattr("core.nn.devices.list_gpus", lambda: cards)
    flags = {"detector": "embedded", "generic": True, "model_dir": tmp_path, "batch_size": 1, "cpu_only": False}
    with pytest.raises(UsageError, match=told) as refusal:
        step(argparse.Namespace(force_gpu_idxs=[0, 3], **flags))
    assert refusal.value.exit_code == 2


def test_training_refuses_a_card_that_is_not_there(tmp_path, capsys):
    words = ["train", "--training-data-src-dir", tmp_path, "--training-data-dst-dir", tmp_path, "--model-dir", tmp_path]
    words += ["--model", "SAEHD", "--force-model-name", "a", "--force-gpu-idxs", "97", "--keep-priority", "--yes"]
    assert main.main([str(word) for word in words]) == 2
    assert "--force-gpu-idxs: there is no GPU 97; available: " in capsys.readouterr().err
    interact.configure(assume_yes=False)


def test_cpu_only_wins_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr("core.nn.devices.configure", lambda cpu_only=False, gpu_indexes=None: (cpu_only, gpu_indexes))
    assert choose_devices(True, [0, 3]) == (True, None)
    assert "so --force-gpu-idxs has no effect" in capsys.readouterr().out
