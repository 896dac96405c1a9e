"""Asks which graphics cards networks run on, or takes them from the flags of the command line."""

from core import interact
from core.errors import UsageError


def choose_devices(cpu_only: bool = False, force_gpu_idxs: str | None = None) -> None:
    """Select the processor or graphics cards, by flag or by question; all cards by default, none: nothing is asked.

    Parameters
    ----------
    cpu_only : bool
        Wins over everything else.
    force_gpu_idxs : str, optional
        Indexes separated by commas, as given by the flag of that name.

    Raises
    ------
    UsageError
        When the text is no list of indexes, or a card does not exist.
    """
    indexes = None if force_gpu_idxs is None or cpu_only else parse_indexes(force_gpu_idxs)
    if force_gpu_idxs is not None and indexes is None and not cpu_only:
        raise UsageError(f"--force-gpu-idxs is {force_gpu_idxs!r}: give indexes separated by commas, for example 0,1.")
    from core.nn import devices

    gpus = [] if cpu_only else devices.list_gpus()
    if indexes is None and gpus:
        indexes = _ask(gpus)
        cpu_only = indexes is None
    devices.configure(cpu_only=cpu_only or (not gpus and indexes is None), gpu_indexes=indexes)


def parse_indexes(text: str) -> list[int] | None:
    """Numbers of a text like ``0,1``; None when it is something else."""
    parts = [part.strip() for part in text.split(",")]
    return [int(part) for part in parts] if all(part.isascii() and part.isdigit() for part in parts) else None


def _ask(gpus):
    """Indexes of the chosen cards, or None for the processor."""
    interact.info("\nChoose one or several GPU idxs (separated by comma).\n\n[CPU] : CPU")
    for gpu in gpus:
        interact.info(f"  [{gpu.index}] : {gpu.name}")
    interact.info()
    known = [gpu.index for gpu in gpus]
    default = ",".join(map(str, known))
    while True:
        answer = interact.ask_text("Which GPU indexes to choose?", default).strip()
        if answer.lower() == "cpu":
            return None
        indexes = parse_indexes(answer)
        if indexes and set(indexes) <= set(known):
            return indexes
        interact.warning(f"{answer!r} is not a list of the indexes {default}, nor CPU.")
        if not interact.has_terminal():
            return known
