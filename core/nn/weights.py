"""Move weights between networks or optimizers and the dicts that weight files hold.

A key is the path of attribute names from the network to the variable, ``down1/downs_0/conv1/weight:0``;
members of a list carry their index. See :mod:`core.networks.weight_files` for the files themselves.
"""

from typing import Any

import keras
import numpy as np

from core.errors import FormatError

ITERATIONS_KEY = "iters:0"


def named_variables(network: keras.Model) -> dict:
    """Every weight of a network or layer by its key, in the order in which attributes were made."""
    return dict(_walk(network, ""))


def network_to_dict(network: keras.Model) -> dict[str, np.ndarray]:
    """All weights as arrays by key."""
    return {key: _to_array(variable) for key, variable in named_variables(network).items()}


def dict_to_network(network: keras.Model, values: dict, file_name: str) -> None:
    """Assign the stored arrays to a network.

    Parameters
    ----------
    network : keras.Model or keras.layers.Layer
    values : dict
        Key to array. Keys that the network lacks are ignored. Arrays of another shape with the same number of
        values are reshaped.
    file_name
        Named in errors.

    Raises
    ------
    FormatError
        When tensors are missing or have another size; nothing is assigned then.
    """
    variables = named_variables(network)
    expected = {key: tuple(variable.shape) for key, variable in variables.items()}
    problem = _misfit(expected, values)
    if problem:
        raise FormatError(file_name, f"{problem}. {_differing_options(network, expected, values)}")
    for key, variable in variables.items():
        variable.assign(np.reshape(values[key], variable.shape))


def optimizer_to_dict(optimizer: Any) -> dict:
    """State of an optimizer by key: ``iters:0`` first, then each kind of slot for all weights."""
    result = {ITERATIONS_KEY: np.int64(optimizer.iterations.numpy())}
    for key, slot in optimizer.named_slots().items():
        result[key] = slot.numpy()
    return result


def dict_to_optimizer(optimizer: Any, values: dict, file_name: str) -> list[str]:
    """Assign stored optimizer state.

    Slots that the file lacks, or that have another size, start at zero: a file of the other optimizer, or of the
    time before an option was changed, is still useful for its counter.

    Returns
    -------
    list of str
        Keys that were set to zero.
    """
    if ITERATIONS_KEY not in values:
        raise FormatError(file_name, f"{ITERATIONS_KEY} is missing: this is no optimizer file")
    optimizer.iterations.assign(int(np.asarray(values[ITERATIONS_KEY]).reshape(())))
    reset = []
    for key, slot in optimizer.named_slots().items():
        stored = values.get(key)
        if stored is None or np.size(stored) != np.prod(slot.shape, dtype=int):
            slot.assign(np.zeros(slot.shape, np.float32))
            reset.append(key)
        else:
            slot.assign(np.reshape(stored, slot.shape).astype(np.float32))
    return reset


def _misfit(expected, values):
    """What keeps stored values from filling weights of the expected shapes; None if nothing does."""
    missing = [key for key in expected if key not in values]
    if missing:
        return f"{len(missing)} of {len(expected)} tensors are missing, the first is {missing[0]}"
    for key, shape in expected.items():
        found = np.shape(values[key])
        if np.prod(found, dtype=int) != np.prod(shape, dtype=int):
            return f"tensor {key} has the shape {found}, expected {shape}"
    return None


def _differing_options(network, expected, values):
    """Which options the file's model was made with, where they are others than the network's."""
    read = getattr(network, "options_of_weights", None)
    if read is None:
        return "The file belongs to another network"
    stored = {key: tuple(np.shape(value)) for key, value in values.items()}
    ours, theirs = read(expected), read(stored)
    differences = [
        f"{name} is {_plain(theirs[name])} there and {_plain(ours[name])} here"
        for name in ours
        if theirs.get(name) is not None and theirs[name] != ours[name]
    ]
    if not differences:
        return "The file belongs to another network"
    return f"The file was made with other options: {'; '.join(differences)}"


def _plain(value):
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


def _walk(layer, prefix):
    for name, value in vars(layer).items():
        if name.startswith("_"):
            continue
        if isinstance(value, keras.Variable):
            yield f"{prefix}{name}:0", value
        elif isinstance(value, keras.layers.Layer):
            yield from _walk(value, f"{prefix}{name}/")
        elif isinstance(value, (list, tuple)):
            for index, member in enumerate(value):
                if isinstance(member, keras.layers.Layer):
                    yield from _walk(member, f"{prefix}{name}_{index}/")


def _to_array(variable):
    return np.ascontiguousarray(keras.ops.convert_to_numpy(variable.value))
