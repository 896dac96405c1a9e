"""Where a network runs that is not trained: by which engine, and on which device."""

import importlib.metadata
import importlib.util
from dataclasses import dataclass

TENSORFLOW, ONNX, AUTO, JAX = "tensorflow", "onnx", "auto", "jax"
ENGINES = (AUTO, ONNX, TENSORFLOW)
TRAINING_ENGINES = (TENSORFLOW, JAX)

# ONNX Runtime's names of its execution providers, the fastest first, by the names of our flag.
PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "migraphx": "MIGraphXExecutionProvider",
    "rocm": "ROCMExecutionProvider",
    "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "openvino": "OpenVINOExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
CPU = "cpu"

# Packages by which TensorFlow reaches cards of other makers than NVIDIA.
_PLUGINS = ("tensorflow-rocm", "tensorflow-metal", "intel-extension-for-tensorflow")


@dataclass(frozen=True)
class Place:
    """An engine with one device.

    Parameters
    ----------
    engine : 'tensorflow' or 'onnx'
    provider : str
        A key of :data:`PROVIDERS`; of ONNX Runtime only.
    index : int, optional
        Of the device among those of the provider; None leaves the choice to it.
    device : str, optional
        TensorFlow's name of the device, for example ``"GPU:1"``; None leaves the choice to it.
    """

    engine: str = TENSORFLOW
    provider: str = CPU
    index: int | None = None
    device: str | None = None

    @property
    def is_onnx(self) -> bool:
        """Whether ONNX Runtime is the engine."""
        return self.engine == ONNX

    def __str__(self) -> str:
        if not self.is_onnx:
            return "TensorFlow"
        return (
            "ONNX Runtime on the processor" if self.provider == CPU else f"ONNX Runtime with {PROVIDERS[self.provider]}"
        )


DEFAULT_PLACE = Place()


def installed_providers() -> list[str]:
    """The keys of :data:`PROVIDERS` that the installed ONNX Runtime offers, the fastest first; empty without one."""
    if importlib.util.find_spec("onnxruntime") is None:
        return []
    try:
        import onnxruntime
    except ImportError:
        return []
    available = set(onnxruntime.get_available_providers())
    return [key for key, name in PROVIDERS.items() if name in available]


def has_tensorflow() -> bool:
    """Whether TensorFlow is installed; does not load it."""
    return importlib.util.find_spec("tensorflow") is not None


def has_jax() -> bool:
    """Whether JAX is installed; does not load it."""
    return importlib.util.find_spec("jax") is not None


def has_tensorflow_plugin() -> bool:
    """Whether a build or plugin of TensorFlow for cards of AMD, Apple or Intel is installed."""
    for name in _PLUGINS:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        return True
    return False
