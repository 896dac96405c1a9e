"""Tries a network out: a program of its own, which can fail or run out of memory alone.

Usage: ``trial.py FILE.onnx SIDE``. Prints one JSON object: ``problem``, or ``input``, ``channels_first``, ``side`` and ``outputs``
(names and shapes for one picture of zeros). SIDE is taken where the network does not say the size of its pictures.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.networks.untrusted import Problem, open_bounded, print_facts, short_reason

_SPARE_MEMORY = 2 << 30
_LARGEST_SIDE = 2048


def examine(path: str, side: int) -> dict:
    """Facts about a network that can be used.

    Raises
    ------
    Problem
    """
    session = open_bounded(path, _SPARE_MEMORY)
    inputs = session.get_inputs()
    shape = list(inputs[0].shape) if inputs else []
    if len(inputs) != 1 or len(shape) != 4 or 3 not in (shape[1], shape[3]) or inputs[0].type != "tensor(float)":
        raise Problem("takes something else than colour pictures in 32-bit numbers")
    channels_first = shape[1] == 3
    sides = [length if isinstance(length, int) else side for length in (shape[2:] if channels_first else shape[1:3])]
    if (
        sides[0] != sides[1]
        or not 1 <= sides[0] <= _LARGEST_SIDE
        or shape[0] not in (1, None)
        and isinstance(shape[0], int)
    ):
        raise Problem(f"takes {shape}; expected one square picture at a time, or any number of them")
    size = (1, 3, *sides) if channels_first else (1, *sides, 3)
    try:
        outputs = session.run(None, {inputs[0].name: np.zeros(size, np.float32)})
    except Exception as error:  # onnxruntime has no common kind of error
        raise Problem(f"cannot be run ({short_reason(error)})") from None
    named = [[value.name, list(output.shape)] for value, output in zip(session.get_outputs(), outputs)]
    return {"input": inputs[0].name, "channels_first": channels_first, "side": sides[0], "outputs": named}


if __name__ == "__main__":
    print_facts(examine, sys.argv[1], int(sys.argv[2]))
