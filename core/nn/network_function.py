"""Networks of TensorFlow as functions of arrays, the counterpart of :mod:`core.networks.session`."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from core.nn.weights import dict_to_network


class KerasNetwork:
    """A network with its weights, ready to run.

    Parameters
    ----------
    make : callable
        Returns the network, a ``keras.Model``.
    weights : dict
        Content of its weight file.
    source
        The file, named in errors.
    shapes : sequence of tuple
        Of the inputs; None is a free dimension.
    device : str, optional
        TensorFlow's name of the device, for example ``"GPU:1"``.
    """

    def __init__(
        self,
        make: Callable,
        weights: dict,
        source: Any,
        shapes: Sequence[tuple[int | None, ...]],
        device: str | None = None,
    ):
        self._device = device
        with tf.device(device):
            self._network = make()
            dict_to_network(self._network, weights, source)
        self._run = tf.function(
            self._network.call, input_signature=[tf.TensorSpec(shape, tf.float32) for shape in shapes]
        )

    def run(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """All outputs for a batch; see :meth:`core.networks.session.OnnxNetwork.run`."""
        with tf.device(self._device):
            outputs = self._run(*(tf.constant(values, tf.float32) for values in inputs))
        outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
        return [output.numpy() for output in outputs]
