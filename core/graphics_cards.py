"""The graphics cards of this computer as its system tells them, without TensorFlow."""

import ctypes
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import UsageError

NVIDIA, AMD, INTEL, APPLE = "NVIDIA", "AMD", "Intel", "Apple"
# Numbers of the makers on the PCI bus (pci-ids).
_PCI_MAKERS = {"0x10de": NVIDIA, "0x1002": AMD, "0x8086": INTEL}
_SECONDS_TO_ANSWER = 20


@dataclass(frozen=True)
class GraphicsCard:
    """A graphics card.

    Parameters
    ----------
    maker : str
        ``NVIDIA``, ``AMD``, ``Intel`` or ``Apple``.
    name : str
    compute_capability : tuple of int
        Of an NVIDIA card; (0, 0) when unknown.
    memory_gib : float
        Total memory; 0 when unknown.
    driver : tuple of int
        Version of the NVIDIA driver; empty when unknown.
    """

    maker: str
    name: str
    compute_capability: tuple[int, int] = (0, 0)
    memory_gib: float = 0.0
    driver: tuple[int, ...] = ()


@dataclass(frozen=True)
class Gpu:
    """A graphics card that the user can choose.

    Parameters
    ----------
    index : int
        Number by which the user names it.
    name : str
    memory_gib : float
        Total memory; 0 when unknown.
    compute_capability : tuple of int
        (0, 0) when unknown.
    """

    index: int
    name: str
    memory_gib: float
    compute_capability: tuple[int, int] = (0, 0)


def select_gpus(gpus: list[Gpu], indexes: Sequence[int] | None) -> list[Gpu]:
    """Those of these indexes, or all.

    Raises
    ------
    UsageError
        When one of them is not there; the message lists those that are.
    """
    unknown = [] if indexes is None else sorted(set(indexes) - {gpu.index for gpu in gpus})
    if unknown:
        have = ", ".join(f"{gpu.index} ({gpu.name})" for gpu in gpus) or "none (leave the flag out to use the CPU)"
        raise UsageError(f"--force-gpu-idxs: there is no GPU {', '.join(map(str, unknown))}; available: {have}.")
    return [gpu for gpu in gpus if indexes is None or gpu.index in indexes]


def list_graphics_cards() -> list[GraphicsCard]:
    """All graphics cards that can compute, in the system's order; empty when it tells of none."""
    nvidia, listed = nvidia_cards(), _cards_of_the_system()
    known = iter(nvidia)
    # What NVIDIA's driver tells of a card is more than what the system does.
    cards = [next(known, card) if card.maker == NVIDIA else card for card in listed]
    return cards + list(known)


def visible_nvidia_cards() -> list[GraphicsCard]:
    """The cards of NVIDIA that ``CUDA_VISIBLE_DEVICES`` leaves, by the numbers that a program sees them under."""
    cards = nvidia_cards()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None or any(not part.strip().lstrip("-").isdigit() for part in chosen.split(",") if part.strip()):
        return cards
    visible = []
    for number in (int(part) for part in chosen.split(",") if part.strip()):
        # CUDA sees nothing of what follows a number that is not there.
        if not 0 <= number < len(cards):
            break
        visible.append(cards[number])
    return visible


def nvidia_cards() -> list[GraphicsCard]:
    """The cards that NVIDIA's driver knows, asked of ``nvidia-smi``, or of the driver's library where that is missing."""
    return _from_nvidia_smi() or _from_nvml()


def has_nvidia_driver() -> bool:
    """Whether a driver of NVIDIA is installed, even one that does not answer."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def version_numbers(text: str) -> tuple[int, ...]:
    """The numbers of a version: ``"580.159.04"`` gives ``(580, 159, 4)``; empty for what is none."""
    parts = text.strip().split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else ()


def _from_nvidia_smi():
    lines = _lines_of(
        "nvidia-smi", "--query-gpu=name,compute_cap,memory.total,driver_version", "--format=csv,noheader,nounits"
    )
    rows = [[cell.strip() for cell in line.split(",")] for line in lines]
    return [_nvidia_card(*row) for row in rows if len(row) == 4]


def _nvidia_card(name, capability, mebibytes, driver):
    pair = (*version_numbers(capability), 0, 0)[:2]
    memory = float(mebibytes) / 1024 if mebibytes.isdigit() else 0.0
    return GraphicsCard(NVIDIA, name, pair, memory, version_numbers(driver))


class _NvmlMemory(ctypes.Structure):
    _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]


def _from_nvml():
    """As the driver's library tells, which is there wherever the driver is (NVIDIA Management Library, API reference)."""
    name = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
    try:
        nvml = ctypes.CDLL(name)
    except OSError:
        return []
    if nvml.nvmlInit_v2() != 0:
        return []
    try:
        count = ctypes.c_uint()
        nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
        return [_nvml_card(nvml, index) for index in range(count.value)]
    finally:
        nvml.nvmlShutdown()


def _nvml_card(nvml, index):
    handle = ctypes.c_void_p()
    nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle))
    name, driver = ctypes.create_string_buffer(96), ctypes.create_string_buffer(80)
    major, minor, memory = ctypes.c_int(), ctypes.c_int(), _NvmlMemory()
    nvml.nvmlDeviceGetName(handle, name, len(name))
    nvml.nvmlSystemGetDriverVersion(driver, len(driver))
    nvml.nvmlDeviceGetCudaComputeCapability(handle, ctypes.byref(major), ctypes.byref(minor))
    nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory))
    return GraphicsCard(
        NVIDIA,
        name.value.decode(errors="replace"),
        (major.value, minor.value),
        memory.total / 2**30,
        version_numbers(driver.value.decode(errors="replace")),
    )


def _cards_of_the_system():
    if sys.platform == "win32":
        return _cards_of_windows()
    if sys.platform == "darwin":
        return [GraphicsCard(APPLE, "Apple graphics")] if platform.machine() == "arm64" else []
    return _cards_of_linux(Path("/sys/class/drm"))


def _cards_of_linux(folder):
    """One card for each device of the kernel's graphics drivers whose maker is known."""
    cards = []
    for vendor_file in sorted(folder.glob("card[0-9]*/device/vendor")):
        if "-" in vendor_file.parents[1].name:
            continue  # A socket for a screen, not a card.
        try:
            maker = _PCI_MAKERS.get(vendor_file.read_text().strip())
            device = vendor_file.with_name("device").read_text().strip()
        except OSError:
            continue
        if maker:
            cards.append(GraphicsCard(maker, f"{maker} graphics card ({device})"))
    return cards


def _cards_of_windows():
    names = _lines_of(
        "powershell", "-NoProfile", "-Command", "(Get-CimInstance Win32_VideoController).Name"
    )  # fmt: skip
    makers = {"nvidia": NVIDIA, "amd": AMD, "radeon": AMD, "intel": INTEL}
    found = []
    for name in filter(None, map(str.strip, names)):
        maker = next((maker for word, maker in makers.items() if word in name.lower()), None)
        if maker:
            found.append(GraphicsCard(maker, name))
    return found


def _lines_of(program, *arguments):
    """What a program prints, line by line; nothing when it is missing, fails or does not answer."""
    path = shutil.which(program)
    if not path:
        return []
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, errors="replace", timeout=_SECONDS_TO_ANSWER, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return done.stdout.splitlines()
