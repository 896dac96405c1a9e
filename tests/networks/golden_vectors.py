"""The number rule behind tests/golden/networks: inputs and weights from names (see the README there)."""

import json
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from core.nn.weights import named_variables

NETWORKS = Path(__file__).parents[1] / "golden" / "networks"
TRAINING = Path(__file__).parents[1] / "golden" / "training"


@lru_cache
def index():
    return json.loads((NETWORKS / "index.json").read_text())


@lru_cache
def shapes():
    return json.loads((NETWORKS / "shapes.json").read_text())


def load(name, folder=NETWORKS):
    with np.load(folder / name, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def uniform(name, count):
    """u(k, name) for k = 0 ... count - 1, float64 in [0, 1)."""
    x = np.arange(count, dtype=np.uint64).astype(np.uint32) + np.uint32(zlib.crc32(name.encode()))
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x7FEB352D)
    x ^= x >> np.uint32(15)
    x *= np.uint32(0x846CA68B)
    x ^= x >> np.uint32(16)
    return x / 2.0**32


def array(entry):
    """An input described by {name, shape, lo, hi}."""
    values = uniform(entry["name"], int(np.prod(entry["shape"])))
    return (entry["lo"] + (entry["hi"] - entry["lo"]) * values).reshape(entry["shape"]).astype(np.float32)


def weight(full_name, shape, gain):
    """A weight of the given full name ``<net name>/<key>``."""
    count = int(np.prod(shape))
    u = uniform(full_name, count)
    s = (2 * u - 1).astype(np.float64)
    kind = full_name.rsplit("/", 1)[-1].removesuffix(":0")
    if kind in ("weight", "weight1", "weight2"):
        if count == shape[-1]:
            values = 1 + 0.2 * s
        else:
            values = gain * np.sqrt(3 / (count / shape[-1])) * s
    elif kind in ("bias", "bias1", "bias2", "running_mean"):
        values = 0.1 * s
    elif kind == "running_var":
        values = 1 + 0.2 * s
    elif kind == "eps":
        values = -0.01 * (1 + u)
    elif kind == "tau":
        values = 0.3 * s - 0.2
    else:
        raise KeyError(full_name)
    return values.reshape(shape).astype(np.float32)


def weights_of(network, net_name, gain):
    """All weights of a network by the rule: {key: array}."""
    return {
        key: weight(f"{net_name}/{key}", tuple(variable.shape), gain)
        for key, variable in named_variables(network).items()
    }


def fill(network, net_name, gain):
    """Assign the weights of the rule."""
    for key, variable in named_variables(network).items():
        variable.assign(weight(f"{net_name}/{key}", tuple(variable.shape), gain))
    return network
