"""An ONNX file of the user: tried out in a process of its own before this one loads it."""

from pathlib import Path

import numpy as np

from core.errors import FormatError, UserError
from core.networks.untrusted import try_out

MOST_BYTES = 2_000_000_000
_TRIAL = Path(__file__).with_name("trial.py")
_TRIAL_SECONDS = 120
_SIDE_IF_ANY = 640


class CheckedNetwork:
    """A network that takes one square colour picture at a time.

    Parameters
    ----------
    path : Path
        ONNX file, which must be all in one.

    Attributes
    ----------
    side : int
        Of its pictures, in pixels.
    outputs : dict
        Shape of each output for one picture, by its name, in the file's order.

    Raises
    ------
    FormatError
        When it cannot be run, or takes something else.
    """

    def __init__(self, path: Path):
        try:
            import onnxruntime
        except ImportError:
            raise UserError("Registered networks need the package onnxruntime: pip install onnxruntime") from None
        self.path = Path(path)
        facts = try_out(_TRIAL, self.path, _SIDE_IF_ANY, seconds=_TRIAL_SECONDS, most_bytes=MOST_BYTES)
        self._input, self._channels_first = str(facts["input"]), bool(facts["channels_first"])
        self.side = int(facts["side"])
        self.outputs = {str(name): tuple(int(length) for length in shape) for name, shape in facts["outputs"]}
        onnxruntime.set_default_logger_severity(4)
        settings = onnxruntime.SessionOptions()
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            content, providers = self.path.read_bytes(), onnxruntime.get_available_providers()
            self._session = onnxruntime.InferenceSession(content, settings, providers=providers)
        except Exception as error:  # onnxruntime has no common kind of error
            raise FormatError(path, f"is no ONNX network that can be run ({_short(error)})") from None

    def run(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """All outputs, by name, for one (side, side, 3) float32 picture whose values are as the network wants them.

        Raises
        ------
        FormatError
            When the network fails on it, or returns what is no number.
        """
        batch = picture[None].astype(np.float32, copy=False)
        if self._channels_first:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        try:
            results = self._session.run(None, {self._input: batch})
        except Exception as error:  # onnxruntime has no common kind of error
            raise FormatError(self.path, f"cannot be run ({_short(error)})") from None
        if not all(np.isfinite(result).all() for result in results):
            raise FormatError(self.path, "gives values that are no numbers")
        return dict(zip(self.outputs, results))


def _short(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
