"""A face recognition network of the user, in an ONNX file: checked before it is loaded, then run."""

from pathlib import Path

import numpy as np

from core.errors import FormatError, UserError
from core.networks.untrusted import try_out

SIZE = 112
MOST_BYTES = 1_000_000_000
_TRIAL = Path(__file__).with_name("trial.py")
_TRIAL_SECONDS = 60
_BATCH_SIZE = 16


class RecognitionNetwork:
    """One 112 × 112 picture in, one vector out (ArcFace and its kin).

    The file is tried out in a process of its own, with bounded memory and time, before this process loads it.

    Parameters
    ----------
    path : Path
        Input (N, 3, 112, 112) RGB or (N, 112, 112, 3), values (pixel − 127.5) / 127.5.

    Raises
    ------
    FormatError
        When it is no such network, or when its vectors cannot tell faces apart.
    """

    def __init__(self, path: Path):
        try:
            import onnxruntime
        except ImportError:
            raise UserError("--embedding-model needs the package onnxruntime: pip install onnxruntime") from None
        self._path = Path(path)
        facts = _try_out(self._path)
        self._input, self._channels_first = facts["input"], facts["channels_first"]
        self._fixed_batch = facts["batch"]
        onnxruntime.set_default_logger_severity(4)
        try:
            content, providers = self._path.read_bytes(), onnxruntime.get_available_providers()
            self._session = onnxruntime.InferenceSession(content, providers=providers)
        except Exception as error:  # onnxruntime has no common kind of error
            raise FormatError(path, f"is no ONNX network that can be run ({_short(error)})") from None

    def run(self, pictures: np.ndarray) -> np.ndarray:
        """(n, d) float32 vectors of (n, 112, 112, 3) uint8 RGB pictures."""
        vectors = []
        step = self._fixed_batch or _BATCH_SIZE
        for start in range(0, len(pictures), step):
            part = pictures[start : start + step]
            count = len(part)
            if self._fixed_batch:
                part = np.concatenate([part, np.zeros((step - count, SIZE, SIZE, 3), np.uint8)])
            vectors.append(self._run_batch(network_input(part, self._channels_first))[:count])
        return np.concatenate(vectors).astype(np.float32)

    def _run_batch(self, pixels):
        try:
            output = self._session.run(None, {self._input: pixels})[0]
        except Exception as error:  # onnxruntime has no common kind of error
            raise FormatError(self._path, f"cannot be run ({_short(error)})") from None
        if output.ndim != 2 or len(output) != len(pixels):
            raise FormatError(self._path, f"returns {output.shape}; expected one vector for each picture")
        return output


def network_input(pictures: np.ndarray, channels_first: bool) -> np.ndarray:
    """(n, 112, 112, 3) uint8 RGB pictures as what the network takes, float32 −1 … 1."""
    pixels = (pictures.astype(np.float32) - 127.5) / 127.5
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)) if channels_first else pixels


def _try_out(path):
    """What is known of a network after it was run in another process on pictures of no faces."""
    if not path.is_file():
        raise UserError(f"{path}: no such file. Give the ONNX file of a face recognition network.")
    return try_out(_TRIAL, path, seconds=_TRIAL_SECONDS, most_bytes=MOST_BYTES)


def _short(error):
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
