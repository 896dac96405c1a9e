"""Seconds per training iteration and peak memory of the standard configurations, as a table.

Run from the repository: ``python benchmarks/train_step.py [NAME ...] [--iterations N] [--threads N]``. Each row runs
in a process of its own on random batches of a fixed size, so that peak memory is that of one model. With
``--against-dfl`` the same step takes turns with DeepFaceLab's arrangement of it (``dfl_arrangement.py``).
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

SWAP = {"ae_dims": 128, "e_dims": 48, "d_dims": 48, "d_mask_dims": 16, "resolution": 128, "face_type": "f"}

# name: (model, options, batch size, seconds of DeepFaceLab 2.0 with fixed batches on a 2-core Xeon with AVX-512)
CONFIGS = {
    "saehd-df-ud-128": ("SAEHD", SWAP | {"archi": "df-ud"}, 4, 0.965),
    "saehd-liae-ud-128": ("SAEHD", SWAP | {"archi": "liae-ud"}, 4, 1.156),
    "saehd-df-ud-64": (
        "SAEHD",
        SWAP | {"archi": "df-ud", "resolution": 64, "ae_dims": 64, "e_dims": 32, "d_dims": 32},
        4,
        0.208,
    ),
    "quick96": ("Quick96", {}, 4, 1.241),
    "amp-128": ("AMP", SWAP | {"inter_dims": 256, "morph_factor": 0.5}, 4, 1.294),
    "xseg-256": ("XSeg", {}, 4, 2.444),
}


def make_model(kind, options, batch_size):
    """A model ready to train."""
    if kind == "SAEHD":
        from models.saehd.model import Saehd as model_class
    elif kind == "AMP":
        from models.amp.model import Amp as model_class
    elif kind == "Quick96":
        from models.quick96.model import Quick96 as model_class
    else:
        from models.xseg.model import XSeg as model_class
    return model_class(options, batch_size, seed=0)


def random_batch(model, batch_size):
    """Noise of the shapes that the model reads, uint8."""
    import numpy as np

    rng = np.random.default_rng(0)
    side = model.resolution
    batch = {}
    for name in model.input_names():
        if name != "channel_masks":
            channels = 1 if name == "mask" or name.endswith(("m", "m_em")) else 3
            batch[name] = rng.integers(0, 256, (batch_size, side, side, channels), dtype=np.uint8)
    return batch


def measure(name, iterations, threads, overrides, as_dfl=False):
    """Build, warm up and time one configuration in this process."""
    import tensorflow as tf

    from core.nn import devices

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    kind, options, batch_size, _ = CONFIGS[name]
    options = options | overrides
    if as_dfl:
        import dfl_arrangement

        dfl_arrangement.apply()
        options["fuse_update"] = False
    started = time.perf_counter()
    with devices.precision(options.get("precision", "float32")):
        model = make_model(kind, options, batch_size)
    batch = random_batch(model, batch_size)
    model.train_one_iteration(batch)
    first = time.perf_counter() - started
    model.train_one_iteration(batch)
    times, processor_times = [], []
    for _ in range(iterations):
        wall, processor = time.perf_counter(), time.process_time()
        model.train_one_iteration(batch)
        times.append(time.perf_counter() - wall)
        processor_times.append(time.process_time() - processor)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "first_iteration_s": first,
        "s_iter": statistics.median(times),
        "fastest_s_iter": min(times),
        "processor_s_iter": statistics.median(processor_times),
        "peak_rss_mb": memory,
    }


def run_in_own_process(name, options, *flags):
    """:func:`measure` in a process of its own."""
    command = [sys.executable, __file__, name, "--in-process", f"--iterations={options.iterations}",
               f"--threads={options.threads}", *(f"--option={each}" for each in options.option), *flags]  # fmt: skip
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def print_rows(names, options):
    """One row a configuration, beside DeepFaceLab's time on another machine."""
    print(
        "| configuration | s / iteration (median) | fastest | processor s | DFL, AVX-512 | peak MB | first iteration s |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in names:
        row = run_in_own_process(name, options)
        print(
            f"| {name} | {row['s_iter']:.3f} | {row['fastest_s_iter']:.3f} | {row['processor_s_iter']:.3f} "
            f"| {CONFIGS[name][3]:.3f} | {row['peak_rss_mb']:.0f} | {row['first_iteration_s']:.1f} |",
            flush=True,
        )


def print_comparison(names, options):
    """Ours and DeepFaceLab's arrangement in turn, on this machine."""
    print(
        "| configuration | ours, s / iteration | DFL's arrangement | ratio | fastest | of fastest | peak MB | peak MB |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        rows = [run_in_own_process(name, options, *flags) for flags in ((), ("--as-dfl",)) * options.rounds]
        ours, theirs = rows[::2], rows[1::2]
        medians = [statistics.median(row["s_iter"] for row in each) for each in (ours, theirs)]
        fastest = [min(row["fastest_s_iter"] for row in each) for each in (ours, theirs)]
        memory = [max(row["peak_rss_mb"] for row in each) for each in (ours, theirs)]
        print(
            f"| {name} | {medians[0]:.3f} | {medians[1]:.3f} | {medians[0] / medians[1]:.2f} "
            f"| {fastest[0]:.3f} / {fastest[1]:.3f} | {fastest[0] / fastest[1]:.2f} "
            f"| {memory[0]:.0f} | {memory[1]:.0f} |",
            flush=True,
        )


def main():
    """Measure every configuration and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[[], *CONFIGS], help="configurations; all of them if left out")
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--threads", type=int, default=0, help="cores; all of them if 0")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=JSON", help="override a model option")
    parser.add_argument(
        "--against-dfl", action="store_true", help="compare with DeepFaceLab's arrangement of the same step"
    )
    parser.add_argument("--rounds", type=int, default=2, help="how often the two take turns")
    parser.add_argument("--as-dfl", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--in-process", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    overrides = {name: json.loads(value) for name, value in (each.split("=", 1) for each in options.option)}
    if options.in_process:
        print(json.dumps(measure(options.names[0], options.iterations, options.threads, overrides, options.as_dfl)))
    elif options.against_dfl:
        print_comparison(options.names or [name for name in CONFIGS if name.startswith("saehd")], options)
    else:
        print_rows(options.names or CONFIGS, options)


if __name__ == "__main__":
    main()
