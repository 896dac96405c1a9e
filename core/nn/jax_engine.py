"""Runs the functions of a model where JAX computes: TensorFlow says what is computed, JAX's compiler and runtime do it.

TensorFlow's published builds have kernels up to compute capability 9.0; JAX compiles for the card that is there. A function
of a model reads and writes Keras variables. Here it is traced with tensors in their place, so that it becomes a pure function
of the state and its inputs, which ``jax2tf.call_tf`` hands to JAX as one program (docs/graphics_cards.md).
"""

import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from core.errors import UserError
from core.files.user_folder import user_cache_folder

NOT_INSTALLED = 'JAX is not installed. Run pip install "jax[cuda13]" (Linux, WSL 2), or leave out --engine jax.'
_LOST = "the weights on the card were lost with the step that failed; the last save holds those of before"
# JAX counts in 32 bits unless told otherwise; a step counter needs no more.
_SMALLER = {"int64": "int32"}


def jax_devices() -> list:
    """JAX's devices: the graphics cards that it reaches, else the processor.

    Raises
    ------
    UserError
        When JAX is not installed or does not start.
    """
    # A card that also shows the desktop is not taken whole.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    try:
        import jax
        from jax.experimental import jax2tf  # noqa: F401 - fails where a JAX is too old or too new for this
    except ImportError as error:
        raise UserError(f"{NOT_INSTALLED} ({error})") from None
    try:
        return jax.devices()
    except RuntimeError as error:
        raise UserError(f"JAX finds no device: {str(error).splitlines()[0]}") from None


class JaxEngine:
    """The state of a model on a device of JAX, and the functions that run there.

    Parameters
    ----------
    variables : dict
        Any name to Keras variable: all that the functions read or write. While the engine works, the values on the device
        are the present ones; :meth:`settle` brings them back.
    device : jax.Device
    """

    def __init__(self, variables: dict[str, keras.Variable], device: Any):
        import jax

        folder = user_cache_folder() / "jax"
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)
        self._variables, self._device = dict(variables), device
        self._state: dict[str, Any] | None = None
        self._is_settled, self._is_lost = True, False
        self._compiled: dict[Any, Callable] = {}

    def run(self, function: Callable, inputs: Any) -> Any:
        """Outputs of a function that changes no variable, as arrays of JAX.

        Parameters
        ----------
        function : callable
            Takes ``inputs`` as tensors; structures of dicts, tuples and lists.
        inputs : structure of numpy.ndarray
        """
        return self._program(function, changes=False)(self._on_device(), self._put(inputs))

    def step(self, function: Callable, inputs: Any) -> Any:
        """As :meth:`run`, of a function that changes variables.

        The memory of the old state takes the new one, so a step that fails on the device takes the state with it; then
        :meth:`settle` says so.
        """
        state = self._on_device()
        try:
            self._state, outputs = self._program(function, changes=True)(state, self._put(inputs))
        except Exception:
            self._is_lost = any(value.is_deleted() for value in state.values())
            raise
        self._is_settled = False
        for name, variable in self._variables.items():
            if variable.ndim == 0:
                variable.assign(np.asarray(self._state[name]))
        return outputs

    def settle(self) -> None:
        """Give the variables the values of the device.

        Raises
        ------
        UserError
            When a step that failed has taken them with it.
        """
        if self._is_lost:
            raise UserError(_LOST)
        if self._state is None or self._is_settled:
            return
        for name, variable in self._variables.items():
            variable.assign(np.asarray(self._state[name]))
        self._is_settled = True

    def refresh(self) -> None:
        """Take the values of the variables, which were changed from outside, at the next run."""
        self._state, self._is_settled, self._is_lost = None, True, False

    def state_to_send(self) -> dict[str, np.ndarray]:
        """The values of the variables in the types in which the device keeps them."""
        values = {name: variable.numpy() for name, variable in self._variables.items()}
        return {name: value.astype(_SMALLER.get(value.dtype.name, value.dtype)) for name, value in values.items()}

    def _on_device(self):
        if self._state is None:
            self._state = self._put(self.state_to_send())
        return self._state

    def _put(self, values):
        import jax

        return jax.device_put(values, self._device)

    def _program(self, function, changes):
        key = (function, changes)
        if key not in self._compiled:
            import jax

            pure = as_jax(self.pure(function, changes))
            self._compiled[key] = jax.jit(pure, donate_argnums=(0,) if changes else ())
        return self._compiled[key]

    def pure(self, function: Callable, changes: bool) -> Callable:
        """The function of (state, inputs), in TensorFlow; gives (new state, outputs) if it ``changes`` variables, else the outputs."""
        variables = self._variables

        def run(state, inputs):
            mapping = [(variable, tf.cast(state[name], variable.dtype)) for name, variable in variables.items()]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                outputs = function(inputs)
                if not changes:
                    return outputs
                values = {name: scope.get_current_value(variable) for name, variable in variables.items()}
            return {name: tf.cast(value, state[name].dtype) for name, value in values.items()}, outputs

        return run


def as_jax(function: Callable) -> Callable:
    """A pure function of TensorFlow as one of JAX; compiled as a whole."""
    from jax.experimental import jax2tf

    return jax2tf.call_tf(tf.function(function, autograph=False, jit_compile=True), has_side_effects=False)
