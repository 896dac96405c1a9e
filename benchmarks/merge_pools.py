"""Compares threads with processes for the image work of a merge. Run on a quiet machine: python benchmarks/merge_pools.py

Prints milliseconds a frame by the clock, best of several rounds, for one thread, and for N threads and N processes.
"""

import multiprocessing
import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

import merge as stages

from merger.settings.config import COLOR_TRANSFER_MODES, MergeConfig

FRAMES, ROUNDS = 12, 4
_state = {}


def main(workers):
    """Print one row per setting and size of prediction."""
    print(
        f"{'':19}{'one thread':>12}{f'{workers} threads':>16}{f'{workers} processes':>16}   ms a frame (times faster)"
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.png"
        path.write_bytes(stages.encode_image(stages.make_frame()[0], ".png"))
        for size in stages.SIZES:
            for name, mode, transfer in stages.CASES:
                one, threads, processes = measure((str(path), size, mode, transfer), workers)
                print(f"{name:15}{size:4}{one:12.1f}", end="")
                print("".join(f"{value:9.1f} ({one / value:3.1f})" for value in (threads, processes)), flush=True)


def measure(case, workers):
    """Milliseconds a frame of the three pools, in turns, so that a busy moment does not hit one of them alone."""
    prepare(*case)
    spawn = multiprocessing.get_context("spawn")
    with (
        ThreadPoolExecutor(1) as one,
        ThreadPoolExecutor(workers) as threads,
        ProcessPoolExecutor(workers, spawn, prepare, case) as processes,
    ):
        pools = (one, threads, processes)
        for pool in pools:
            list(pool.map(work, range(2 * workers)))
        rounds = [[timed(pool) for pool in pools] for _ in range(ROUNDS)]
    return [min(column) for column in zip(*rounds, strict=True)]


def timed(pool):
    start = time.perf_counter()
    list(pool.map(work, range(FRAMES)))
    return (time.perf_counter() - start) / FRAMES * 1000


def prepare(path, size, mode, transfer):
    """What each process needs to merge the frame at ``path``."""
    cv2.setNumThreads(1)
    config = MergeConfig(mode=mode, color_transfer_mode=COLOR_TRANSFER_MODES.index(transfer))
    _state["case"] = Path(path), stages.make_frame()[1], config, stages.FixedNetworks(size)


def work(number):
    """Read, prepare, predict, compose and write one frame."""
    path, landmarks, config, networks = _state["case"]
    folder = path.parent / f"{os.getpid()}_{number}"
    folder.mkdir(exist_ok=True)
    target = folder / path.name
    if not target.exists():
        target.hardlink_to(path)
    stages.one_frame(target, landmarks, config, networks)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
