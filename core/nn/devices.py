"""Choose the devices, the precision and the compilation that networks run with."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from core.errors import UsageError
from core.graphics_cards import Gpu, select_gpus

# The device of JAX on which models run; empty where TensorFlow computes.
_jax_device: list = []

PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


def list_gpus() -> list[Gpu]:
    """The graphics cards that TensorFlow sees."""
    cards = tf.config.list_physical_devices("GPU")
    memory = _memory_by_index() if cards else {}
    found = []
    for index, card in enumerate(cards):
        details = tf.config.experimental.get_device_details(card)
        capability = tuple(details.get("compute_capability") or (0, 0))
        found.append(Gpu(index, details.get("device_name", card.name), memory.get(index, 0.0), capability))
    return found


def build_info() -> dict:
    """What the installed TensorFlow was built with: CUDA, and for which compute capabilities."""
    return dict(tf.sysconfig.get_build_info())


def chosen_gpus(indexes: Sequence[int] | None = None) -> list[Gpu]:
    """The cards of these indexes, or all.

    Raises
    ------
    UsageError
        When one of them is not there; the message lists those that are.
    """
    return select_gpus(list_gpus(), indexes)


def configure(
    cpu_only: bool = False, gpu_indexes: Sequence[int] | None = None, threads: int | None = None
) -> list[Gpu]:
    """Select devices before anything runs on them.

    Parameters
    ----------
    cpu_only : bool
    gpu_indexes : list of int, optional
        Cards to use; all of them if left out.
    threads : int, optional
        Cores for the processor's operations.

    Returns
    -------
    list of Gpu
        The cards in use; memory is taken from them as needed.
    """
    chosen = [] if cpu_only else chosen_gpus(gpu_indexes)
    cards = tf.config.list_physical_devices("GPU")
    with _before_start():
        tf.config.set_visible_devices([cards[gpu.index] for gpu in chosen], "GPU")
        for gpu in chosen:
            tf.config.experimental.set_memory_growth(cards[gpu.index], True)
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
    return chosen


def gpu_of_jax(index: int, device: Any) -> Gpu:
    """What is known of a graphics card that JAX sees."""
    numbers = str(getattr(device, "compute_capability", "0.0")).split(".")
    major, minor = (*(int(number) for number in numbers if number.isdigit()), 0, 0)[:2]
    memory = (device.memory_stats() or {}).get("bytes_limit", 0)
    return Gpu(index, device.device_kind, memory / 2**30, (major, minor))


def uses_gpu() -> bool:
    """Whether a graphics card is in use: there is one, and :func:`configure` has not left it out."""
    if _jax_device:
        return _jax_device[0].platform != "cpu"
    return bool(tf.config.get_visible_devices("GPU"))


def use_jax(device: Any) -> None:
    """Let models that are built from now on run on a device of JAX; None gives them back to TensorFlow."""
    _jax_device[:] = [] if device is None else [device]


def jax_device() -> Any:
    """The device of :func:`use_jax`; None where TensorFlow computes."""
    return _jax_device[0] if _jax_device else None


def training_strategy() -> tf.distribute.Strategy:
    """How training is spread: mirrored over all graphics cards in use, or just one device."""
    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


def make_deterministic(seed: int) -> None:
    """Seed everything and let TensorFlow use only operations that repeat bit by bit. Slower."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Build networks inside the block that compute in float32, bfloat16 or float16.

    Weights, codes and losses stay float32 in every case.
    """
    if name not in PRECISIONS:
        raise UsageError(f"precision is {name!r}: use one of {', '.join(PRECISIONS)}")
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(PRECISIONS[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


# Technical options that every model takes, with what they are when left out. They never change file formats.
TECHNICAL_DEFAULTS = {"precision": "float32", "compile_step": False, "fuse_update": True, "recompute": False}


def technical_option(options: dict, name: str) -> Any:
    """The value of a technical option; ``auto`` stands for what suits the devices.

    ``precision``
        ``float32``, ``bfloat16``, ``float16`` or ``auto``: bfloat16 where every graphics card in use computes it
        fast (compute capability 8 or more), else float32. On processors float32 is faster.
    ``compile_step``
        Compile whole training steps with XLA. ``auto``: on graphics cards only. On processors it is slower.
    ``fuse_update``
        Compile the optimizers' updates with XLA. They are bound by memory traffic on every device.
    ``recompute``
        Compute activations twice to save memory.
    """
    value = options.get(name, TECHNICAL_DEFAULTS[name])
    if value != "auto":
        return value
    if name == "precision":
        gpus = _gpus_in_use()
        return "bfloat16" if gpus and all(gpu.compute_capability >= (8, 0) for gpu in gpus) else "float32"
    return uses_gpu() if name == "compile_step" else TECHNICAL_DEFAULTS[name]


def _gpus_in_use():
    if not uses_gpu():
        return []
    return [gpu_of_jax(0, _jax_device[0])] if _jax_device else list_gpus()


def _memory_by_index():
    """Total memory of each card in GiB, as its driver tells it."""
    program = shutil.which("nvidia-smi")
    if not program:
        return {}
    command = [program, "--query-gpu=index,memory.total", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return {}
    pairs = [line.split(",") for line in lines if line.count(",") == 1]
    return {int(index): float(mebibytes) / 1024 for index, mebibytes in pairs if mebibytes.strip().isdigit()}


@contextlib.contextmanager
def _before_start():
    try:
        yield
    except RuntimeError as error:
        raise UsageError(f"Devices were chosen too late, TensorFlow already runs: {error}") from error
