"""Tries a recognition network out: a program of its own, which can fail or run out of memory alone.

Usage: ``trial.py FILE.onnx``. Prints one JSON object: ``problem``, or ``input``, ``channels_first`` and
``batch`` (pictures at a time, 0 for any number).
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.networks.untrusted import Problem, open_bounded, print_facts, short_reason

SIZE = 112
_MOST_AT_A_TIME = 64
_LONGEST_VECTOR = 65_536
_SPARE_MEMORY = 768 << 20
_SAME = 0.9999  # cosine above which two vectors say the same


def examine(path: str) -> dict:
    """Facts about a network that can be used.

    Raises
    ------
    Problem
    """
    session = open_bounded(path, _SPARE_MEMORY)
    facts = _input_facts(session)
    _check_vectors(_vectors(session, facts))
    return facts


def _input_facts(session):
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = list(inputs[0].shape) if inputs else []
    if len(inputs) != 1 or len(shape) != 4 or 3 not in (shape[1], shape[3]):
        takes = shape if len(inputs) == 1 else f"{len(inputs)} inputs"
        raise Problem(f"takes {takes}; expected one input of (N, 3, {SIZE}, {SIZE})")
    channels_first = shape[1] == 3
    sides = [side for side in (shape[2:] if channels_first else shape[1:3]) if isinstance(side, int)]
    if any(side != SIZE for side in sides):
        raise Problem(f"takes {shape}; expected pictures of {SIZE} × {SIZE}")
    if inputs[0].type != "tensor(float)":
        raise Problem(f"takes {inputs[0].type}; expected 32-bit numbers, tensor(float)")
    if isinstance(shape[0], int) and not 1 <= shape[0] <= _MOST_AT_A_TIME:
        raise Problem(f"takes {shape[0]} pictures at a time; expected 1 to {_MOST_AT_A_TIME}, or any number")
    if not outputs or outputs[0].type != "tensor(float)":
        returns = outputs[0].type if outputs else "nothing"
        raise Problem(f"returns {returns}; expected vectors of 32-bit numbers, tensor(float)")
    sizes = outputs[0].shape
    if len(sizes) == 2 and isinstance(sizes[1], int) and sizes[1] > _LONGEST_VECTOR:
        raise Problem(f"returns vectors of {sizes[1]} numbers; at most {_LONGEST_VECTOR}")
    batch = shape[0] if isinstance(shape[0], int) else 0
    return {"input": inputs[0].name, "channels_first": channels_first, "batch": batch}


def _vectors(session, facts):
    """(5, d) vectors of four pictures and of the first of them again."""
    vectors = []
    for picture in (*_pictures(), _pictures()[0]):
        pixels = np.repeat(picture[None], facts["batch"] or 1, axis=0).astype(np.float32) / 127.5 - 1
        if facts["channels_first"]:
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        try:
            output = session.run(None, {facts["input"]: pixels})[0]
        except Exception as error:  # onnxruntime has no common kind of error
            raise Problem(f"cannot be run ({short_reason(error)})") from None
        if output.ndim != 2 or len(output) != len(pixels):
            raise Problem(f"returns {output.shape}; expected one vector for each picture")
        if not 2 <= output.shape[1] <= _LONGEST_VECTOR:
            raise Problem(f"returns vectors of {output.shape[1]} numbers; expected 2 to {_LONGEST_VECTOR}")
        vectors.append(output[0].astype(np.float64))
    return np.stack(vectors)


def _check_vectors(vectors):
    if not np.isfinite(vectors).all():
        raise Problem("returns numbers that are not finite, so it cannot tell faces apart")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise Problem("returns nothing but zeros, so it cannot tell faces apart")
    likeness = (vectors / lengths) @ (vectors / lengths).T
    if likeness[0, 4] < _SAME:
        raise Problem("returns another vector when it sees the same picture again, so it cannot tell faces apart")
    if likeness[:4, :4].min() > _SAME:
        raise Problem("returns the same vector for different pictures, so it cannot tell faces apart")


def _pictures():
    """(4, 112, 112, 3) pictures that have nothing in common: noise, a ramp, a disk, stripes; each of another colour."""
    noise = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3))
    down, across = np.mgrid[0:SIZE, 0:SIZE]
    shapes = [
        (across * 255 // (SIZE - 1), (255, 90, 20)),
        (np.where(np.hypot(down - 56, across - 56) < 30, 255, 0), (20, 120, 255)),
        (np.where((down // 8) % 2, 255, 0), (60, 255, 60)),
    ]
    return np.stack([noise] + [grey[..., None] * np.array(colour) // 255 for grey, colour in shapes])


if __name__ == "__main__":
    print_facts(examine, sys.argv[1])
