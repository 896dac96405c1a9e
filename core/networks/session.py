"""Networks that ONNX Runtime computes."""

import contextlib
import io

import numpy as np

from core.console import interact
from core.engines import CPU, PROVIDERS, Place
from core.errors import UserError

# How far the results of a device may lie from the processor's, as a part of the largest value: fast arithmetic of graphics
# cards (TF32, half precision) keeps within, a wrong kernel does not.
LARGEST_ERROR = 0.02
_TRIAL_BATCH, _TRIAL_SIDE = 2, 64
# Providers that take the number of a device.
_NUMBERED = ("cuda", "migraphx", "rocm", "directml")


class OnnxNetwork:
    """A network with its weights, ready to run.

    A device that cannot run the network, or whose results on a trial batch are not the processor's, is told and left for the
    processor.

    Parameters
    ----------
    content : bytes
        An ``.onnx`` file.
    place : Place
    name : str
        What it is called in messages.

    Raises
    ------
    UserError
        When the graph does not fit together: the weights belong to a network with other options.
    """

    def __init__(self, content: bytes, place: Place, name: str):
        self.name = name
        try:
            self._session = _session(content, Place("onnx"))
            trial = self._trial_batch()
            wanted = self._session.run(None, trial)
        except Exception as error:
            reason = str(error).splitlines()[0][:200]
            raise UserError(
                f"{name}: the weights do not fit the options that are stored beside them ({reason})."
            ) from error
        if place.provider != CPU:
            self._session = self._on_device(content, place, trial, wanted)

    def run(self, *inputs: np.ndarray) -> list[np.ndarray]:
        """All outputs for a batch.

        Parameters
        ----------
        *inputs : np.ndarray
            In the graph's order; turned into float32.
        """
        names = (value.name for value in self._session.get_inputs())
        return self._session.run(None, {name: np.asarray(values, np.float32) for name, values in zip(names, inputs)})

    def _on_device(self, content, place, trial, wanted):
        """A session on the device if its results are right, else the processor's."""
        label = PROVIDERS[place.provider]
        try:
            session = _session(content, place)
            found = session.run(None, trial)
        except Exception as error:
            interact.warning(
                f"{self.name}: {label} cannot run it ({str(error).splitlines()[0][:200]}). The processor does."
            )
            return self._session
        worst = max(_relative_error(ours, theirs) for ours, theirs in zip(found, wanted))
        if not worst <= LARGEST_ERROR:
            interact.warning(f"{self.name}: the results of {label} are wrong by {worst:.0%}. The processor runs it.")
            return self._session
        return session

    def _trial_batch(self):
        random = np.random.default_rng(0)
        batch = {}
        for value in self._session.get_inputs():
            shape = [_trial_length(index, length) for index, length in enumerate(value.shape)]
            batch[value.name] = random.uniform(0, 1, shape).astype(np.float32)
        return batch


def _session(content, place):
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    # Threads that wait give their core to the rest of the pipeline.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if place.provider == "directml":
        options.enable_mem_pattern = False  # DirectML demands that.
    if place.provider == "cuda" and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # What it misses, the session's error says.
            onnxruntime.preload_dlls()
    provider = PROVIDERS[place.provider]
    session = onnxruntime.InferenceSession(content, options, providers=[(provider, _settings(place))])
    # A provider whose libraries are missing is left out without an error.
    if provider not in session.get_providers():
        raise RuntimeError("its libraries are missing or of another version")
    return session


def _settings(place):
    """What a provider is told of the device, in its own words."""
    if place.provider == "openvino":
        return {"device_type": "GPU" if place.index is None else f"GPU.{place.index}"}
    if place.index is None or place.provider not in _NUMBERED:
        return {}
    return {"device_id": str(place.index)}


def _trial_length(index, length):
    if isinstance(length, int):
        return length
    return _TRIAL_BATCH if index == 0 else _TRIAL_SIDE


def _relative_error(found, wanted):
    scale = max(float(np.abs(wanted).max(initial=0.0)), 1e-6)
    return float(np.abs(found - wanted).max(initial=0.0)) / scale
