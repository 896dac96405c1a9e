"""The question on which devices a step runs, and the flags in its place."""

import os
import sys
from collections.abc import Sequence

from core.card_support import support_of
from core.console import interact
from core.console.commands import command, setup_script
from core.engines import AUTO, CPU, ONNX, TENSORFLOW, Place, has_tensorflow, has_tensorflow_plugin, installed_providers
from core.errors import UsageError, UserError
from core.graphics_cards import (
    AMD,
    INTEL,
    NVIDIA,
    Gpu,
    GraphicsCard,
    list_graphics_cards,
    nvidia_cards,
    select_gpus,
    visible_nvidia_cards,
)

# Providers that number the cards of one maker; DirectML numbers all, in the system's order, and CoreML chooses by itself.
_MAKERS = {"migraphx": AMD, "rocm": AMD, "openvino": INTEL}
_WITHOUT_EFFECT = "--cpu-only is given, so --force-gpu-idxs has no effect."


def choose_devices(
    cpu_only: bool = False, indexes: Sequence[int] | None = None, silent: bool = False, several: bool = True
) -> list:
    """Ask for the devices unless flags decide, and hide all others from TensorFlow.

    Parameters
    ----------
    cpu_only : bool
    indexes : list of int, optional
        Given by flag.
    silent : bool
        Take the card with most memory without asking.
    several : bool
        Whether more than one card may be chosen.

    Returns
    -------
    list of core.nn.devices.Gpu
        Empty for the CPU.

    Raises
    ------
    UsageError
        When a card of ``indexes`` is not there; the message lists those that are.
    """
    chosen = _chosen_devices(cpu_only, indexes, silent, several)
    if not cpu_only:
        _warn_of_unsupported_cards(chosen)
    return chosen


def _chosen_devices(cpu_only, indexes, silent, several):
    from core.nn import devices

    if cpu_only and indexes is not None:
        interact.info(_WITHOUT_EFFECT)
    if indexes is not None and not cpu_only:
        return devices.configure(gpu_indexes=indexes)
    gpus = [] if cpu_only else devices.list_gpus()
    if not gpus:
        return devices.configure(cpu_only=True)
    best = max(gpus, key=lambda gpu: gpu.memory_gib)
    if silent:
        interact.info(f"Silent start: choosed device {best.name}")
        return devices.configure(gpu_indexes=[best.index])
    default = [gpu.index for gpu in gpus if gpu.name == best.name] if several else [best.index]
    chosen = _ask(gpus, default, several)
    interact.discard_pending_input()
    return devices.configure(cpu_only=not chosen, gpu_indexes=chosen or None)


def choose_jax_device(
    cpu_only: bool = False, indexes: Sequence[int] | None = None, silent: bool = False, deterministic: bool = False
) -> list[Gpu]:
    """As :func:`choose_devices`, of the devices that JAX reaches; models that are built from now on run on the chosen one.

    Parameters
    ----------
    cpu_only, indexes, silent
        As :func:`choose_devices`; one card can be used.
    deterministic : bool
        Let JAX's compiler use only operations that repeat bit by bit.

    Raises
    ------
    UserError
        When JAX is not installed.
    UsageError
        When a card is not there, or several are wanted.
    """
    from core.nn import devices
    from core.nn.jax_engine import jax_devices

    if deterministic:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    found = jax_devices()
    cards = [device for device in found if device.platform != "cpu"]
    gpus = [devices.gpu_of_jax(index, card) for index, card in enumerate(cards)]
    if cpu_only and indexes is not None:
        interact.info(_WITHOUT_EFFECT)
    if indexes is not None and not cpu_only:
        gpus = select_gpus(gpus, indexes)
        if len(gpus) > 1:
            raise UsageError(
                "--engine jax trains on one card: name one with --force-gpu-idxs, or leave out --engine jax."
            )
    elif cpu_only:
        gpus = []
    elif len(gpus) > 1:
        best = max(gpus, key=lambda gpu: gpu.memory_gib)
        chosen = [best.index] if silent else _ask(gpus, [best.index], several=False)
        gpus = select_gpus(gpus, chosen) if chosen else []
    devices.configure(cpu_only=True)
    if not gpus:
        import jax

        interact.info("JAX reaches no graphics card, so it trains on the processor, where TensorFlow is faster.")
        devices.use_jax(jax.devices("cpu")[0])
        return []
    devices.use_jax(cards[gpus[0].index])
    return gpus


def choose_places(
    engine: str = AUTO,
    provider: str | None = None,
    cpu_only: bool = False,
    indexes: Sequence[int] | None = None,
    several: bool = True,
) -> tuple[list[Place], list[Gpu]]:
    """Engine and devices for networks that are not trained.

    ``auto`` is ONNX Runtime where it reaches a graphics card, and where there is none that TensorFlow could use; else
    TensorFlow.

    Parameters
    ----------
    engine, provider : str
        By flag.
    cpu_only, indexes, several
        As :func:`choose_devices`.

    Returns
    -------
    places : list of Place
        One for each device in use, at least one.
    gpus : list of Gpu
        The cards among them, to be shown.

    Raises
    ------
    UsageError
        When the engine or the provider is not installed, or a card is not there.
    """
    asked, provider = provider, _onnx_provider(engine, provider, cpu_only, indexes)
    if provider is None:
        gpus = choose_devices(cpu_only, indexes, several=several)
        return [Place(device=f"GPU:{number}") for number in range(len(gpus))] or [Place()], gpus
    if cpu_only and indexes is not None:
        interact.info(_WITHOUT_EFFECT)
    if provider == CPU and indexes is not None and not cpu_only:
        raise UsageError(f"--force-gpu-idxs: {_why_no_card(asked)}")
    if provider == CPU or cpu_only:
        return [Place(ONNX)], []
    gpus = _gpus_of_onnx(provider)
    if indexes is not None:
        gpus = select_gpus(gpus, indexes)
    elif len(gpus) > 1:
        chosen = _ask(gpus, [gpus[0].index], several)
        interact.discard_pending_input()
        if not chosen:
            return [Place(ONNX)], []
        gpus = select_gpus(gpus, chosen)
    return [Place(ONNX, provider, gpu.index) for gpu in gpus] or [Place(ONNX, provider)], gpus


def _onnx_provider(engine, provider, cpu_only, indexes):
    """The provider that ONNX Runtime is to use; None for TensorFlow."""
    if engine == TENSORFLOW:
        if provider:
            raise UsageError("--provider belongs to ONNX Runtime: leave out --engine tensorflow, or the provider.")
        return None
    installed = installed_providers()
    if provider and provider not in installed:
        have = ", ".join(installed) or "none: pip install onnxruntime"
        raise UsageError(f"--provider: the installed ONNX Runtime has no {provider}; available: {have}.")
    if provider:
        return provider
    best = installed[0] if installed else None
    if engine == ONNX:
        if best is None:
            raise UsageError("--engine onnx: ONNX Runtime is not installed. Run pip install onnxruntime.")
        return best
    if best is None or not has_tensorflow():
        return best
    if best != CPU or cpu_only:
        return best
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    has_card = (bool(nvidia_cards()) and not hidden) or has_tensorflow_plugin()
    return None if indexes is not None or has_card else CPU


def _why_no_card(asked):
    if asked == CPU:
        return "--provider cpu is the processor. Leave out one of the two."
    return (
        "the installed ONNX Runtime uses the processor only. Leave the flag out, or install one for the card: "
        f"DFL_ONNX=gpu (NVIDIA), directml or openvino before {setup_script()}."
    )


def _gpus_of_onnx(provider):
    """The cards by the numbers that the provider gives them, as far as the system tells."""
    if provider == "cuda":
        cards = visible_nvidia_cards()
    elif provider == "coreml":
        cards = []
    else:
        maker = _MAKERS.get(provider)
        cards = [card for card in list_graphics_cards() if maker in (None, card.maker)]
    return [Gpu(index, card.name, card.memory_gib, card.compute_capability) for index, card in enumerate(cards)]


def check_indexes(cpu_only: bool, indexes: list[int] | None) -> None:
    """For steps that turn out to run without a network: refuse cards that are not there all the same.

    Raises
    ------
    UsageError
        As :func:`choose_devices`.
    """
    if indexes is None or cpu_only:
        return
    from core.nn import devices

    devices.chosen_gpus(indexes)
    interact.info("This step runs on the processor; --force-gpu-idxs has no effect.")


def _warn_of_unsupported_cards(chosen):
    """Say before the first step what TensorFlow cannot do with a card, rather than let CUDA's errors say it."""
    from core.nn import devices

    build = devices.build_info()
    if chosen and not build.get("is_cuda_build"):
        return  # A build or a plugin for cards of another maker, which sees them.
    if chosen:
        cards = [GraphicsCard(NVIDIA, gpu.name, gpu.compute_capability, gpu.memory_gib) for gpu in chosen]
    elif os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or devices.list_gpus():
        return  # Switched off, or the processor was chosen.
    else:
        cards = nvidia_cards()
    for card in cards:
        support = support_of(card, build, sys.platform)
        if not support.works:
            ways = "".join(f" {way}." for way in support.ways_out)
            interact.warning(f"{card.name}: {support.text}.{ways}")
        elif not chosen:
            interact.warning(f"{card.name} is not used: TensorFlow does not see it. {command('doctor')} says why.")


def _ask(gpus, default, several):
    if several:
        title, question = "Choose one or several GPU idxs (separated by comma).", "Which GPU indexes to choose?"
    else:
        title, question = "Choose one GPU idx.", "Which GPU index to choose?"
    lines = ["", title, "", "[CPU] : CPU", *(f"  [{gpu.index}] : {gpu.name}" for gpu in gpus), ""]
    interact.info("\n".join(lines))
    known = {gpu.index for gpu in gpus}
    while True:
        answer = interact.ask_text(question, ",".join(map(str, default))).strip().lower()
        if answer == "cpu":
            return []
        try:
            chosen = [int(part) for part in answer.split(",")]
        except ValueError:
            chosen = []
        if chosen and set(chosen) <= known and (several or len(chosen) == 1):
            return chosen
        if not interact.has_terminal():
            raise UserError(f"{answer!r} is no answer to: {question}")
        interact.info(f"{answer!r}: give {'indexes' if several else 'one index'} of the list, or CPU.")
