"""What TensorFlow's build can do with a graphics card, and which ways are left where it can do nothing."""

import re
from dataclasses import dataclass

from core.graphics_cards import AMD, NVIDIA, GraphicsCard

# CUDA 12 needs this driver or a newer one (NVIDIA, CUDA compatibility, table "minor version compatibility").
OLDEST_DRIVER = {"12": (525, 60, 13), "13": (580,)}


@dataclass(frozen=True)
class Support:
    """The verdict on one card.

    Parameters
    ----------
    works : bool
        Whether TensorFlow can train on it, as far as the numbers tell.
    text : str
        Why, in one sentence without a full stop.
    ways_out : tuple of str
        What the user can do, one sentence each; empty when nothing need be done.
    """

    works: bool
    text: str
    ways_out: tuple[str, ...] = ()


def support_of(card: GraphicsCard, build: dict, system: str, has_plugin: bool = False) -> Support:
    """Compare a card with the TensorFlow that is installed.

    Parameters
    ----------
    card : GraphicsCard
    build : dict
        ``tf.sysconfig.get_build_info()``.
    system : str
        ``sys.platform``.
    has_plugin : bool
        Whether a plugin of TensorFlow for cards of other makers than NVIDIA is installed.

    Returns
    -------
    Support
    """
    if card.maker == AMD and build.get("is_rocm_build"):
        return Support(True, "the installed TensorFlow is built for AMD cards")
    if card.maker != NVIDIA and has_plugin:
        return Support(True, f"TensorFlow has a plugin for {card.maker} cards")
    if card.maker != NVIDIA:
        return Support(False, f"TensorFlow has no kernels for {card.maker} cards: training runs on the processor",
                       _ways_without_training(system))  # fmt: skip
    if system == "win32":
        return Support(False, "TensorFlow for Windows runs on the processor only",
                       ("Train in WSL 2: scripts\\setup.bat --wsl",))  # fmt: skip
    if not build.get("is_cuda_build"):
        return Support(False, "the installed TensorFlow is built without CUDA",
                       ("Run DFL_CUDA=1 bash scripts/setup.sh",))  # fmt: skip
    old = _driver_too_old(card, build)
    return old or _by_capability(card, build)


def built_capabilities(build: dict) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The compute capabilities that a TensorFlow carries.

    Parameters
    ----------
    build : dict
        ``tf.sysconfig.get_build_info()``; ``cuda_compute_capabilities`` holds names like ``sm_80`` (machine code) and
        ``compute_90`` (PTX, which the driver compiles when the program starts).

    Returns
    -------
    (list of (int, int), list of (int, int))
        Those of machine code and those of PTX, each sorted.
    """
    machine: list[tuple[int, int]] = []
    ptx: list[tuple[int, int]] = []
    for name in build.get("cuda_compute_capabilities", ()):
        match = re.fullmatch(r"(sm|compute)_(\d+)(\d)[a-z]?", name)
        if match:
            (machine if match[1] == "sm" else ptx).append((int(match[2]), int(match[3])))
    return sorted(machine), sorted(ptx)


def _driver_too_old(card, build):
    cuda = str(build.get("cuda_version", ""))
    oldest = OLDEST_DRIVER.get(cuda.split(".")[0])
    if not oldest or not card.driver or card.driver >= oldest:
        return None
    have, need = (".".join(map(str, version)) for version in (card.driver, oldest))
    return Support(False, f"its driver {have} is older than CUDA {cuda} needs",
                   (f"Install the NVIDIA driver {need} or a newer one",))  # fmt: skip


def _by_capability(card, build):
    capability = card.compute_capability
    machine, ptx = built_capabilities(build)
    if capability == (0, 0) or not machine + ptx:
        return Support(True, "its compute capability is not known; the first step of training will tell")
    name = f"compute capability {capability[0]}.{capability[1]}"
    oldest, newest = min(machine + ptx), max(machine + ptx)
    span = f"{oldest[0]}.{oldest[1]} to {newest[0]}.{newest[1]}"
    # Machine code runs on cards of the same major number and the same or a higher minor number.
    if any(code[0] == capability[0] and code <= capability for code in machine):
        return Support(True, f"{name}; the installed TensorFlow has kernels for it")
    if any(code == capability for code in ptx):
        return Support(True, f"{name}; the driver compiles TensorFlow's kernels for it at the first start, which "
                             "takes some minutes once")  # fmt: skip
    if capability < oldest:
        return Support(False, f"{name} is too old: the installed TensorFlow has kernels for {span}",
                       ("Run with --cpu-only",))  # fmt: skip
    return Support(
        False,
        f"{name} is newer than the installed TensorFlow, which has kernels for {span}: on such cards it ends with "
        "CUDA_ERROR_INVALID_PTX at the first step. A newer driver does not mend that",
        (
            f"Install a TensorFlow with kernels for {capability[0]}.{capability[1]}: "
            "DFL_TENSORFLOW=<requirement, wheel or address> bash scripts/setup.sh",
            "Or train with JAX, which compiles for this card: DFL_JAX=1 bash scripts/setup.sh, then train --engine jax",
            "Or run with --cpu-only",
        ),
    )


def _ways_without_training(system):
    if system == "darwin":
        return ()
    return ("Train on an NVIDIA card, or with --cpu-only",)
