"""The question on which devices a step runs, and the flags in its place."""

import os
import sys

from core.card_support import support_of
from core.console import interact
from core.errors import UserError
from core.graphics_cards import GraphicsCard, nvidia_cards


def choose_devices(
    cpu_only: bool = False, indexes: list[int] | None = None, silent: bool = False, several: bool = True
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
        interact.info("--cpu-only is given, so --force-gpu-idxs has no effect.")
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
    if chosen:
        cards = [GraphicsCard("NVIDIA", gpu.name, gpu.compute_capability, gpu.memory_gib) for gpu in chosen]
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
            interact.warning(f"{card.name} is not used: TensorFlow does not see it. python main.py doctor says why.")


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
