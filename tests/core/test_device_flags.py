"""Devices are named the same way in every step."""

import argparse
from types import SimpleNamespace

import pytest

import main
from core import device_choice
from core.console import interact
from core.console.device_flags import add_device_flags, gpu_indexes
from core.device_choice import choose_devices
from core.engines import Place
from core.errors import UsageError
from core.graphics_cards import GraphicsCard
from samplelib.extraction.request import ExtractRequest
from samplelib.extraction.run import _choose_places
from xseglib.mask_request import MaskRequest, mask_source


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
        lambda folder, indexes: choose_devices(False, indexes),
        lambda folder, indexes: choose_devices(False, indexes, silent=True),
        lambda folder, indexes: _choose_places(ExtractRequest(folder, detector="embedded", force_gpu_idxs=indexes)),
        lambda folder, indexes: mask_source(MaskRequest(folder, generic=True, force_gpu_idxs=indexes)),
    ],
    ids=["networks", "silent", "extract embedded", "xseg generic mesh"],
)
def test_cards_that_are_not_there_are_refused_and_those_that_are_listed(monkeypatch, tmp_path, cards, told, step):
    monkeypatch.setattr("core.nn.devices.list_gpus", lambda: cards)
    with pytest.raises(UsageError, match=told) as refusal:
        step(tmp_path, [0, 3])
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


class Installed:
    """What is installed on a computer, and which cards it has."""

    def __init__(self, monkeypatch):
        self.patch = monkeypatch
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(device_choice, "choose_devices", lambda *arguments, **rest: CARDS)
        self(["cpu"])

    def __call__(self, providers, tensorflow=True, cards=(), plugin=False):
        self.patch.setattr(device_choice, "installed_providers", lambda: list(providers))
        self.patch.setattr(device_choice, "has_tensorflow", lambda: tensorflow)
        self.patch.setattr(device_choice, "has_tensorflow_plugin", lambda: plugin)
        self.patch.setattr(device_choice, "nvidia_cards", lambda: list(cards))
        self.patch.setattr(
            device_choice, "visible_nvidia_cards", lambda: [card for card in cards if card.maker == "NVIDIA"]
        )
        self.patch.setattr(device_choice, "list_graphics_cards", lambda: list(cards))


@pytest.fixture
def installed(monkeypatch):
    return Installed(monkeypatch)


RTX = GraphicsCard("NVIDIA", "RTX", (8, 6), 24.0)
ARC, RADEON = GraphicsCard("Intel", "Arc"), GraphicsCard("AMD", "Radeon")
ON_CPU, ON_CARD = Place("onnx"), Place("onnx", "cuda", 0)
TENSORFLOW = [Place(device="GPU:0"), Place(device="GPU:1")]


@pytest.mark.parametrize(
    ("has", "flags", "places"),
    [
        ((["cpu"], True, []), {}, [ON_CPU]),
        ((["cpu"], True, [RTX]), {}, TENSORFLOW),
        ((["cpu"], True, [RTX]), {"cpu_only": True}, [ON_CPU]),
        ((["cpu"], True, [RTX]), {"engine": "onnx"}, [ON_CPU]),
        ((["cpu"], False, [RTX]), {}, [ON_CPU]),
        ((["cuda", "cpu"], True, [RTX]), {}, [ON_CARD]),
        ((["cuda", "cpu"], True, [RTX]), {"provider": "cpu"}, [ON_CPU]),
        ((["cuda", "cpu"], True, [RTX]), {"engine": "tensorflow"}, TENSORFLOW),
        ((["cuda", "cpu"], True, [RTX, RTX]), {"indexes": [1]}, [Place("onnx", "cuda", 1)]),
        ((["directml", "cpu"], True, []), {}, [Place("onnx", "directml")]),
        ((["directml", "cpu"], True, [ARC, RTX]), {"indexes": [1]}, [Place("onnx", "directml", 1)]),
        ((["openvino", "cpu"], True, [RTX, ARC]), {}, [Place("onnx", "openvino", 0)]),
        ((["migraphx", "cpu"], True, [RTX, ARC, RADEON]), {"indexes": [0]}, [Place("onnx", "migraphx", 0)]),
        ((["coreml", "cpu"], True, [GraphicsCard("Apple", "M3")]), {}, [Place("onnx", "coreml")]),
        (([], True, []), {}, TENSORFLOW),
        ((["cpu"], True, [], True), {}, TENSORFLOW),
    ],
)
def test_auto_takes_the_engine_that_reaches_the_card(installed, has, flags, places):
    installed(*has)
    assert device_choice.choose_places(**flags)[0] == places


@pytest.mark.parametrize(
    ("has", "flags", "told"),
    [
        ((["cpu"], True, []), {"provider": "cuda"}, "the installed ONNX Runtime has no cuda; available: cpu"),
        (([], True, []), {"engine": "onnx"}, "ONNX Runtime is not installed"),
        ((["cpu"], True, []), {"engine": "tensorflow", "provider": "cpu"}, "leave out --engine tensorflow"),
        ((["cuda", "cpu"], True, [RTX]), {"indexes": [2]}, r"there is no GPU 2; available: 0 \(RTX\)"),
        ((["openvino", "cpu"], True, [RTX, ARC]), {"indexes": [1]}, r"there is no GPU 1; available: 0 \(Arc\)"),
        (
            (["cpu"], True, [RTX]),
            {"engine": "onnx", "indexes": [0]},
            "uses the processor only. Leave the flag out, or install",
        ),
        ((["cpu"], False, [RTX]), {"indexes": [0]}, "uses the processor only"),
        ((["cuda", "cpu"], True, [RTX]), {"provider": "cpu", "indexes": [0]}, "--provider cpu is the processor"),
    ],
)
def test_an_engine_that_is_not_there_is_refused(installed, has, flags, told):
    installed(*has)
    with pytest.raises(UsageError, match=told) as refusal:
        device_choice.choose_places(**flags)
    assert refusal.value.exit_code == 2


def test_cpu_only_wins_over_an_index_with_every_engine(installed, capsys):
    installed(["cuda", "cpu"], True, [RTX])
    assert device_choice.choose_places(cpu_only=True, indexes=[0]) == ([ON_CPU], [])
    assert "so --force-gpu-idxs has no effect" in capsys.readouterr().out
