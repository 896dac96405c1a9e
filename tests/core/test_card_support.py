"""Which graphics cards the installed TensorFlow can use, and what is said where it can not."""

import os
from types import SimpleNamespace

import pytest

from core import card_support, device_choice, graphics_cards
from core.console.commands import command
from core.graphics_cards import AMD, APPLE, INTEL, NVIDIA, GraphicsCard

BUILD = {
    "is_cuda_build": True,
    "cuda_version": "12.5.1",
    "cuda_compute_capabilities": ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"],
}


def nvidia(capability, driver=(580, 159, 4)):
    return GraphicsCard(NVIDIA, "A card", capability, 24.0, driver)


@pytest.mark.parametrize(
    ("capability", "works", "told"),
    [
        ((12, 0), False, "newer than the installed TensorFlow, which has kernels for 6.0 to 9.0"),
        ((10, 0), False, "newer than the installed TensorFlow"),
        ((9, 0), True, "compiles TensorFlow's kernels for it at the first start"),
        ((8, 9), True, "has kernels for it"),
        ((8, 6), True, "has kernels for it"),
        ((7, 5), True, "has kernels for it"),
        ((6, 1), True, "has kernels for it"),
        ((5, 2), False, "is too old"),
        ((0, 0), True, "not known"),
    ],
)
def test_a_card_is_compared_with_the_build(capability, works, told):
    support = card_support.support_of(nvidia(capability), BUILD, "linux")
    assert (support.works, told in support.text) == (works, True), support
    assert bool(support.ways_out) == (not works)


def test_a_build_with_kernels_for_newer_cards_is_believed():
    build = {**BUILD, "cuda_version": "12.9", "cuda_compute_capabilities": ["sm_80", "sm_90a", "sm_120", "compute_120"]}
    assert card_support.support_of(nvidia((12, 0)), build, "linux").works
    assert card_support.built_capabilities(build) == ([(8, 0), (9, 0), (12, 0)], [(12, 0)])


def test_an_old_driver_is_told_apart_from_an_old_card():
    support = card_support.support_of(nvidia((8, 6), driver=(470, 82)), BUILD, "linux")
    assert not support.works and "driver 470.82 is older than CUDA 12.5.1 needs" in support.text
    assert support.ways_out == ("Install the NVIDIA driver 525.60.13 or a newer one",)


@pytest.mark.parametrize(
    ("card", "build", "system", "told"),
    [
        (nvidia((8, 6)), BUILD, "win32", "TensorFlow for Windows runs on the processor only"),
        (nvidia((8, 6)), {"is_cuda_build": False}, "linux", "built without CUDA"),
        (GraphicsCard(AMD, "Radeon"), BUILD, "linux", "no kernels for AMD cards"),
        (GraphicsCard(INTEL, "Arc"), BUILD, "linux", "no kernels for Intel cards"),
    ],
)
def test_what_tensorflow_does_not_reach_is_said(card, build, system, told):
    support = card_support.support_of(card, build, system)
    assert not support.works and told in support.text and support.ways_out


def test_a_build_for_amd_cards_is_believed():
    build = {"is_cuda_build": False, "is_rocm_build": True}
    assert card_support.support_of(GraphicsCard(AMD, "Radeon"), build, "linux").works


@pytest.mark.parametrize("maker", [AMD, INTEL, APPLE])
def test_a_plugin_for_cards_of_other_makers_is_believed(maker):
    support = card_support.support_of(
        GraphicsCard(maker, "A card"), {"is_cuda_build": False}, "darwin", has_plugin=True
    )
    assert support.works and not support.ways_out


@pytest.mark.parametrize(
    ("chosen", "left"),
    [(None, "abc"), ("", ""), ("-1", ""), ("1", "b"), ("2,0", "ca"), ("1,7,0", "b"), ("GPU-8932f937", "abc")],
)
def test_cards_are_numbered_as_cuda_does(monkeypatch, chosen, left):
    monkeypatch.setattr(graphics_cards, "nvidia_cards", lambda: list("abc"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert "".join(graphics_cards.visible_nvidia_cards()) == left


def test_all_cards_are_listed_in_the_systems_order(monkeypatch):
    arc, rtx, radeon = GraphicsCard(INTEL, "Arc"), GraphicsCard(NVIDIA, "NVIDIA card"), GraphicsCard(AMD, "Radeon")
    monkeypatch.setattr(graphics_cards, "_cards_of_the_system", lambda: [arc, rtx, radeon])
    monkeypatch.setattr(graphics_cards, "nvidia_cards", lambda: [nvidia((8, 6))])
    assert graphics_cards.list_graphics_cards() == [arc, nvidia((8, 6)), radeon]
    monkeypatch.setattr(graphics_cards, "nvidia_cards", list)
    assert graphics_cards.list_graphics_cards() == [arc, rtx, radeon]
    monkeypatch.setattr(graphics_cards, "_cards_of_the_system", list)
    monkeypatch.setattr(graphics_cards, "nvidia_cards", lambda: [nvidia((8, 6))])
    assert graphics_cards.list_graphics_cards() == [nvidia((8, 6))]


def program(folder, lines):
    """A stand-in for nvidia-smi that prints lines."""
    path = folder / "nvidia-smi"
    path.write_text("#!/bin/sh\ncat <<'END'\n" + "\n".join(lines) + "\nEND\n")
    path.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands in for nvidia-smi")
def test_cards_are_read_from_nvidia_smi(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    program(tmp_path, ["NVIDIA GeForce RTX 5090, 12.0, 32607, 570.86.15", "Tesla P40, 6.1, [N/A], 570.86.15"])
    assert graphics_cards.nvidia_cards() == [
        GraphicsCard(NVIDIA, "NVIDIA GeForce RTX 5090", (12, 0), 32607 / 1024, (570, 86, 15)),
        GraphicsCard(NVIDIA, "Tesla P40", (6, 1), 0.0, (570, 86, 15)),
    ]
    program(tmp_path, ["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."])
    monkeypatch.setattr(graphics_cards, "_from_nvml", list)
    assert graphics_cards.nvidia_cards() == []


def test_cards_of_other_makers_are_read_from_the_kernel(tmp_path):
    for name, vendor, device in (
        ("card0", "0x8086", "0x46a6"),
        ("card1", "0x1002", "0x744c"),
        ("card2", "0x1af4", "0x1"),
    ):
        folder = tmp_path / name / "device"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(vendor + "\n")
        (folder / "device").write_text(device + "\n")
    (tmp_path / "card1-HDMI-A-1" / "device").mkdir(parents=True)
    (tmp_path / "card1-HDMI-A-1" / "device" / "vendor").write_text("0x1002\n")
    assert [card.name for card in graphics_cards._cards_of_linux(tmp_path)] == [
        "Intel graphics card (0x46a6)", "AMD graphics card (0x744c)"
    ]  # fmt: skip


@pytest.fixture
def start(monkeypatch, capsys):
    """What is said at the start of a step on a computer with these cards, of which TensorFlow sees some."""
    from core.nn import devices

    def run(system_cards, seen=(), build=BUILD, **flags):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        monkeypatch.setattr(device_choice, "nvidia_cards", lambda: list(system_cards))
        monkeypatch.setattr(device_choice, "sys", SimpleNamespace(platform="linux"))
        monkeypatch.setattr(devices, "list_gpus", lambda: list(seen))
        monkeypatch.setattr(devices, "configure", lambda **settings: [] if settings.get("cpu_only") else list(seen))
        monkeypatch.setattr(devices, "build_info", lambda: build)
        device_choice.choose_devices(silent=True, **flags)
        return capsys.readouterr().err

    return run


def test_the_start_of_a_step_warns_of_a_card_without_kernels(start):
    from core.nn.devices import Gpu

    told = start([nvidia((12, 0))], [Gpu(0, "RTX 5070", 12.0, (12, 0))])
    assert "RTX 5070: compute capability 12.0 is newer" in told and "DFL_TENSORFLOW=" in told
    assert start([nvidia((8, 6))], [Gpu(0, "RTX 3090", 24.0, (8, 6))]) == ""


@pytest.mark.parametrize("build", [{"is_cuda_build": False, "is_rocm_build": True}, {"is_cuda_build": False}])
def test_cards_of_other_makers_that_tensorflow_sees_are_fine(start, build):
    from core.nn.devices import Gpu

    assert start([], [Gpu(0, "Radeon", 24.0)], build) == ""


def test_the_start_of_a_step_says_that_a_card_is_not_used(start):
    assert f"A card is not used: TensorFlow does not see it. {command('doctor')} says why." in start([nvidia((8, 6))])
    assert "is newer than the installed TensorFlow" in start([nvidia((12, 0))])
    assert start([]) == "" and start([nvidia((8, 6))], cpu_only=True) == ""
