"""Weight and optimizer files of networks: one pickle of a dictionary from variable path to array."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.errors import FormatError
from core.files.paths import atomic_write
from core.pickles import safe_pickle


def read_weights(path: Any) -> dict[str, np.ndarray | int]:
    """Read a weight file, also one that is a stream of pickles (a count, then dictionaries of one entry each).

    Returns
    -------
    dict
        Keys as in the file, in its order, for example ``"down1/downs_0/conv1/weight:0"``. Arrays are read-only;
        ``"iters:0"`` of optimizer files is an int.

    Raises
    ------
    FormatError
        When the file is missing, damaged or unsafe, or when an entry is neither array nor number; names the entry.
    """
    parts = safe_pickle.loads_many(safe_pickle.read_limited(path), path)
    if not parts:
        raise FormatError(path, "is empty, so it holds no weights. Put back the file from a backup of the model.")
    if isinstance(parts[0], (int, np.integer)) and not isinstance(parts[0], bool):
        if len(parts) != int(parts[0]) + 1:
            raise FormatError(path, f"is cut off: it announces {int(parts[0])} tensors and holds {len(parts) - 1}")
        parts = parts[1:]
    else:
        parts = parts[:1]
    weights = {}
    for part in parts:
        if not isinstance(part, dict):
            raise FormatError(path, "is not a weight file (a dictionary of arrays was expected)")
        for key, value in part.items():
            weights[key] = _checked(path, key, value)
    return weights


def write_weights(path: Any, weights: Mapping[str, np.ndarray | int]) -> None:
    """Write a weight file in one step; the old file stays whole until the new one is on disk."""
    atomic_write(path, weights_to_bytes(weights))


def weights_to_bytes(weights: Mapping[str, np.ndarray | int]) -> bytes:
    """Content of a weight file; arrays in C order, numbers as plain numbers."""
    return b"".join(weights_to_pieces(weights))


def weights_to_pieces(weights: Mapping[str, np.ndarray | int]) -> list[bytes | memoryview]:
    """Content of a weight file in pieces, without a copy of the arrays, which must not change until it is written."""
    return safe_pickle.dump_pieces({str(key): _plain(value) for key, value in weights.items()})


def _plain(value):
    if isinstance(value, (bool, int, float, np.generic)):
        return value
    array = np.asarray(value)
    return array if array.ndim else array[()]


def _checked(path, key, value):
    if not isinstance(key, str):
        raise FormatError(path, f"has an entry that is not named by a text ({key!r:.40})")
    if isinstance(value, np.ndarray):
        if value.ndim == 0 and value.dtype.kind in "iu":
            return int(value)
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return int(value) if float(value).is_integer() else np.asarray(value)
    raise FormatError(path, f"tensor {key!r} is of type {type(value).__name__}, an array was expected")
