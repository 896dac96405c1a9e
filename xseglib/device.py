"""Asks which single device a network runs on."""

from core import interact
from core.errors import UsageError


def choose_one_device(cpu_only: bool = False, gpu_index: str | None = None) -> None:
    """Select the processor or one graphics card, by flag or by question; without a card nothing is asked.

    Parameters
    ----------
    cpu_only : bool
        Wins over everything else.
    gpu_index : str, optional
        Index as given by ``--force-gpu-idxs``.
    """
    from core.nn import devices

    gpus = [] if cpu_only else devices.list_gpus()
    if gpu_index is not None and not cpu_only:
        if not gpu_index.strip().isdigit():
            raise UsageError(f"--force-gpu-idxs is {gpu_index!r}: give one index here, for example 0.")
        devices.configure(gpu_indexes=[int(gpu_index)])
    elif not gpus:
        devices.configure(cpu_only=True)
    else:
        chosen = _ask(gpus)
        devices.configure(cpu_only=chosen is None, gpu_indexes=None if chosen is None else [chosen])


def _ask(gpus):
    best = max(gpus, key=lambda gpu: gpu.memory_gib)
    interact.info("\nChoose one GPU idx.\n\n[CPU] : CPU")
    for gpu in gpus:
        interact.info(f"  [{gpu.index}] : {gpu.name}")
    interact.info()
    known = {"cpu", *(str(gpu.index) for gpu in gpus)}
    while True:
        answer = interact.ask_text("Which GPU index to choose?", str(best.index)).strip().lower()
        if answer in known:
            interact.info()
            return None if answer == "cpu" else int(answer)
        interact.warning(f"{answer!r} is not one of {', '.join(sorted(known))}.")
        if not interact.has_terminal():
            return best.index
