"""How long saving holds up training: ``python benchmarks/train_save.py [--saves 5] [--option NAME=VALUE ...]``.

Trains a SAEHD of about 25 million parameters (df-ud, 128) with AdaBelief on batches of noise and saves it again and again,
as the trainer does: the state is copied between two iterations (the pause), then written while training goes on.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

OPTIONS = {
    "archi": "df-ud", "resolution": 128, "ae_dims": 128, "e_dims": 48, "d_dims": 48, "d_mask_dims": 16,
    "face_type": "f", "adabelief": True,
}  # fmt: skip
GOAL_SECONDS = 0.3
MEBIBYTE = 2**20


def make_model(folder, options, batch_size):
    """A saved model with networks and optimizer state, and a batch for it."""
    from train_step import random_batch

    from models.base import SavedModel
    from models.registry import effective_options

    saved = SavedModel(folder, "SAEHD", "benchmark")
    saved.data.options = effective_options("SAEHD", {**OPTIONS, "batch_size": batch_size, **options})
    saved.build(True, seed=0)
    return saved, random_batch(saved.network, batch_size)


def parameter_count(saved):
    """Parameters of the networks, and numbers in all files together."""
    networks = sum(network.count_params() for network in saved.network.networks.values())
    slots = sum(math.prod(slot.shape) for o in saved.network.optimizers.values() for slot in o.named_slots().values())
    return networks, networks + slots


def measure(saved, batch, saves, between):
    """Train and save in turn.

    Returns
    -------
    dict of list
        Seconds: ``pause`` of each save, ``writing`` until the files are in place, ``iteration`` without and
        ``iteration_while_saving`` with a save going on.
    """
    from models.saved.saving import BackgroundSaver

    def train():
        start = time.perf_counter()
        losses = saved.network.train_one_iteration(batch)
        saved.data.iteration += 1
        saved.data.loss_history.append([float(value) for value in losses])
        return time.perf_counter() - start

    for _ in range(2):
        train()
    saver, seconds = BackgroundSaver(saved), {"pause": [], "writing": [], "iteration": [], "iteration_while_saving": []}
    for number in range(saves + 1):
        seconds["iteration"] += [train() for _ in range(between)]
        finished = []
        start = time.perf_counter()
        saver.save(lambda finished=finished: finished.append(time.perf_counter()))
        pause = time.perf_counter() - start
        while not finished:
            seconds["iteration_while_saving"].append(train())
            saver.check()
        saver.wait()
        if number:  # The first one finds no files and memory that is not there yet.
            seconds["pause"].append(pause)
            seconds["writing"].append(finished[0] - start)
            print(f"save {number}: training paused for {pause:.3f} s", flush=True)
    return seconds


def main():
    """Build, measure, print a table; fails when a pause was longer than the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saves", type=int, default=4)
    parser.add_argument("--between", type=int, default=2, help="iterations between saves")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=JSON", help="override a model option")
    parser.add_argument("--folder", type=Path, help="where the model is written; else the folder for temporary files")
    flags = parser.parse_args()
    options = {name: json.loads(value) for name, value in (each.split("=", 1) for each in flags.option)}
    with tempfile.TemporaryDirectory(dir=flags.folder) as folder:
        saved, batch = make_model(Path(folder), options, flags.batch)
        networks, numbers = parameter_count(saved)
        seconds = measure(saved, batch, flags.saves, flags.between)
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / MEBIBYTE
    print(f"\n{networks / 1e6:.1f} M parameters, {numbers / 1e6:.1f} M with optimizer state, {size:.0f} MiB on disk\n")
    print(f"{'seconds':26s} {'median':>8s} {'longest':>8s} {'count':>6s}")
    for name, label in (
        ("pause", "pause of training"),
        ("writing", "until files are in place"),
        ("iteration", "iteration"),
        ("iteration_while_saving", "iteration while saving"),
    ):
        values = seconds[name]
        print(f"{label:26s} {statistics.median(values):8.3f} {max(values):8.3f} {len(values):6d}")
    longest = max(seconds["pause"])
    print(f"\ngoal: pauses under {GOAL_SECONDS} s; {'met' if longest < GOAL_SECONDS else 'NOT met'} ({longest:.3f} s)")
    return 0 if longest < GOAL_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
