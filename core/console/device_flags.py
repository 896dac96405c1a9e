"""The flags by which every step that runs networks is told its devices and its engine."""

import argparse

from core.engines import AUTO, ENGINES, PROVIDERS, TENSORFLOW, TRAINING_ENGINES


def add_device_flags(parser: argparse.ArgumentParser, several: bool = True) -> None:
    """Add ``--cpu-only`` and ``--force-gpu-idxs``, which becomes a list of int; ``several`` allows more than one."""
    parser.add_argument("--cpu-only", action="store_true", help="do not use graphics cards")
    parser.add_argument(
        "--force-gpu-idxs",
        metavar="I,J" if several else "I",
        type=gpu_indexes if several else one_gpu_index,
        help="graphics cards to use, by index, instead of the question"
        if several
        else "graphics card to use, by index",
    )


def add_engine_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--engine`` and ``--provider``, for steps that run networks without training them."""
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default=AUTO,
        help="what runs the networks: ONNX Runtime, TensorFlow, or whichever reaches the graphics card (auto)",
    )
    parser.add_argument(
        "--provider",
        choices=tuple(PROVIDERS),
        help="execution provider of ONNX Runtime; the fastest that is installed by default",
    )


def add_training_engine_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--engine`` for training."""
    parser.add_argument(
        "--engine",
        choices=TRAINING_ENGINES,
        default=TENSORFLOW,
        help="what trains: TensorFlow, or JAX, which reaches cards that TensorFlow's builds have no kernels for",
    )


def gpu_indexes(text: str) -> list[int]:
    """``argparse`` type: ``"0,1"`` to ``[0, 1]``."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is no list of indexes separated by commas, such as 0,1")
    return [int(part) for part in parts]


def one_gpu_index(text: str) -> list[int]:
    """``argparse`` type: ``"1"`` to ``[1]``."""
    indexes = gpu_indexes(text)
    if len(indexes) > 1:
        raise argparse.ArgumentTypeError(f"{text!r}: this step uses one graphics card")
    return indexes
