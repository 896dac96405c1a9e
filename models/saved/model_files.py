"""The small files of a saved model: state, default options, summary, and how all files are put down together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.console import interact
from core.errors import FormatError
from core.files.paths import atomic_write
from core.pickles import safe_pickle

STATE_SUFFIX = "_data.dat"
DEFAULT_OPTIONS_SUFFIX = "_default_options.dat"
SUMMARY_SUFFIX = "_summary.txt"
_KNOWN_KEYS = ("iter", "options", "loss_history", "sample_for_preview", "choosed_gpu_indexes")


@dataclass
class ModelData:
    """State of a saved model (``<name>_<Class>_data.dat``).

    Parameters
    ----------
    iteration : int
        0 means a new model: nothing else is read then.
    options : dict of str
        Plain str, bool, int and float values; unknown keys are kept.
    loss_history : list of list of float
        One entry per iteration: ``[source, destination]``, or one number for XSeg.
    sample_for_preview : list or None
        Cached preview samples, per generator a list of float32 arrays.
    extra : dict
        Keys that this program does not use; kept.
    """

    iteration: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    loss_history: list[list[float]] = field(default_factory=list)
    sample_for_preview: list | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def read_model_data(path: Any) -> ModelData:
    """Read and check the state of a model.

    Raises
    ------
    FormatError
        When it is missing, damaged or unsafe. Never falls back to a new model.
    """
    stored = safe_pickle.load(path)
    if not isinstance(stored, dict):
        raise FormatError(path, "is not the state of a model (a dictionary was expected)")
    iteration = _whole_number(path, stored.get("iter"))
    if iteration == 0:
        return ModelData()
    options = stored.get("options")
    if not isinstance(options, dict):
        raise FormatError(path, "holds no options, though it counts iterations")
    return ModelData(
        iteration=iteration,
        options=_plain_options(path, options),
        loss_history=_loss_history(path, stored.get("loss_history"))[:iteration],
        sample_for_preview=_samples(stored.get("sample_for_preview")),
        extra={key: value for key, value in stored.items() if key not in _KNOWN_KEYS},
    )


def model_data_to_bytes(data: ModelData) -> bytes:
    """Content of the state file."""
    return safe_pickle.dumps(
        {
            "iter": int(data.iteration),
            "options": {key: _plain_value(value) for key, value in data.options.items()},
            "loss_history": [[float(value) for value in losses] for losses in data.loss_history],
            "sample_for_preview": data.sample_for_preview,
            "choosed_gpu_indexes": None,
            **data.extra,
        }
    )


def write_model_data(path: Any, data: ModelData) -> None:
    """Write the state of a model in one step. With weights it is saved by :mod:`models.saved.transaction`."""
    atomic_write(path, model_data_to_bytes(data))


def read_default_options(path: Any) -> dict[str, Any]:
    """Options of the last first run of a model class; empty, with a warning if need be, when there are none to use."""
    if not os.path.exists(path):
        return {}
    try:
        stored = safe_pickle.load(path)
        if not isinstance(stored, dict):
            raise FormatError(path, "is not a dictionary of options")
        return _plain_options(path, stored)
    except FormatError as error:
        interact.warning(f"{error}. The usual defaults are taken.")
        return {}


def write_default_options(path: Any, options: Mapping[str, Any]) -> None:
    """Write the default options of a model class in one step."""
    atomic_write(path, safe_pickle.dumps({key: _plain_value(value) for key, value in options.items()}))


def summary_text(
    model_name: str, iteration: int, options: Mapping[str, Any], devices: list[tuple[int, str, float]] | None = None
) -> str:
    """The table that is shown before training and kept as ``_summary.txt``.

    Parameters
    ----------
    model_name : str
        Name and class, for example ``"face_SAEHD"``.
    iteration : int
    options : mapping
        As they are in force, in order.
    devices : list of (int, str, float), optional
        Index, name and memory in GiB of each GPU; none means the CPU.

    Returns
    -------
    str
        Lines ended by ``\\n``, the last one not.
    """
    devices = devices or []
    shown = [str(value) for value in options.values()] + [str(iteration), model_name] + [name for _, name, _ in devices]
    name_width = max(17, *map(len, options), 0) + 1
    value_width = max(map(len, shown)) + 1
    total = name_width + value_width + 2

    def row(name, value):
        return f"=={name:>{name_width}}: {value!s:<{value_width}}=="

    def title(text, fill):
        return f"=={text:{fill}^{total}}=="

    blank = title("", " ")
    lines = [title(" Model Summary ", "="), blank, row("Model name", model_name), blank]
    lines += [row("Current iteration", iteration), blank, title(" Model Options ", "-"), blank]
    lines += [row(name, value) for name, value in options.items()]
    lines += [blank, title(" Running On ", "-"), blank]
    for index, name, memory in devices:
        lines += [row("Device index", index), row("Name", name), row("VRAM", f"{memory:.2f}GB")]
    if not devices:
        lines.append(row("Using device", "CPU"))
    return "\n".join([*lines, blank, title("", "=")])


def _whole_number(path, value):
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise FormatError(path, "holds no number of iterations")
    return int(value)


def _plain_value(value):
    """numpy's scalars as Python's: files hold either, depending on how an option was asked."""
    return value.item() if isinstance(value, np.generic) else value


def _plain_options(path, options):
    for key, value in options.items():
        if not isinstance(key, str):
            raise FormatError(path, f"has an option that is not named by a text ({key!r:.40})")
        if isinstance(value, (float, np.floating)) and not np.isfinite(value):
            raise FormatError(path, f"the option {key!r} is not a finite number")
    return {key: _plain_value(value) for key, value in options.items()}


def _loss_history(path, stored):
    if stored is None:
        return []
    try:
        return [[float(value) for value in losses] for losses in stored]
    except (TypeError, ValueError):
        raise FormatError(path, "its loss history is not a list of numbers") from None


def _samples(stored):
    """Preview samples when they have the known form, else None: they are only a cache."""
    if not isinstance(stored, (list, tuple)):
        return None
    for arrays in stored:
        if not isinstance(arrays, (list, tuple)) or not all(isinstance(array, np.ndarray) for array in arrays):
            return None
    return [list(arrays) for arrays in stored]
