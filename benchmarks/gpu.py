"""What a graphics card gives, and which switches pay: ``bash benchmarks/gpu.sh [--quick] [--output DIR]``.

Needs a TensorFlow that sees the card, and nothing else. Every row is a process of its own, so that memory is that of one model and a
row that does not fit ends alone ("out of memory"). Written are ``gpu.md``, a table to read or to send, and ``gpu.json``.

Training: seconds a step, pictures a second (both sides) and peak memory of the card, for the standard configurations and three large
ones, in each of these ways:

=============  ==========================================================================================================
float32        plain float32: TensorFloat-32 off
tf32           float32 with TensorFloat-32, which is TensorFlow's default and the program's
bfloat16       ``precision=bfloat16``
… xla          the same with ``compile_step=y``
… fixed layout the same with TensorFlow's layout optimizer off, so that convolutions stay channels last
… prefetched   the batch lies on the card already: what a transfer ahead of the step would give at most
… no fetch     losses stay on the card and are read once at the end: what fetching them only when shown would give at most
=============  ==========================================================================================================

Then extraction and merge as the commands run, on made frames of 1920x1080.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

LARGE = {"e_dims": 80, "d_dims": 80, "d_mask_dims": 24, "face_type": "wf"}
LARGE_CONFIGS = {
    "saehd-df-ud-224": ("SAEHD", LARGE | {"archi": "df-ud", "resolution": 224, "ae_dims": 256}, 16),
    "saehd-liae-udt-320": ("SAEHD", LARGE | {"archi": "liae-udt", "resolution": 320, "ae_dims": 384}, 12),
    "saehd-df-udt-512": ("SAEHD", LARGE | {"archi": "df-udt", "resolution": 512, "ae_dims": 384}, 8),
}
WAYS = {
    "float32": {},
    "tf32": {},
    "bfloat16": {"precision": "bfloat16"},
    "tf32 xla": {"compile_step": True},
    "bfloat16 xla": {"precision": "bfloat16", "compile_step": True},
    "tf32 fixed layout": {},
    "tf32 prefetched": {},
    "tf32 no fetch": {},
}
WARM_STEPS, STEPS = 3, 20
MISSING, OUT_OF_MEMORY = "-", "out of memory"


def main():
    """Run every row and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("gpu_benchmark"), help="folder for gpu.md and gpu.json")
    parser.add_argument("--configs", nargs="+", choices=list(configurations()), help="all of them by default")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--frames", type=int, default=120, help="of extraction and merge; 0 leaves them out")
    parser.add_argument(
        "--quick", action="store_true", help="one small configuration and few frames, to see that all runs"
    )
    parser.add_argument("--in-process", nargs=2, metavar=("CONFIG", "WAY"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.in_process:
        print(json.dumps(measure(*options.in_process)))
        return
    names = options.configs or list(configurations())
    if options.quick:
        names, options.frames = ["saehd-df-ud-64"], 6
    result = {"machine": machine(), "training": [], "steps": []}
    print_machine(result["machine"])
    print(
        f"{'configuration':22s}{'way':20s}{'s / step':>10s}{'pictures/s':>12s}{'peak MB':>9s}{'first step s':>14s}",
        flush=True,
    )
    for name in names:
        for way in options.ways:
            row = {"configuration": name, "way": way, **in_own_process(name, way)}
            result["training"].append(row)
            print(training_line(row), flush=True)
    if options.frames:
        for row in time_commands(options.frames):
            result["steps"].append(row)
            print(
                f"{row['command']:22s}{row['seconds']:8.1f} s for {row['frames']} frames: {row['rate']:.1f} frames/s",
                flush=True,
            )
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "gpu.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    (options.output / "gpu.md").write_text(markdown(result), encoding="utf-8")
    print(f"\nWritten: {options.output / 'gpu.md'}, {options.output / 'gpu.json'}")


def configurations():
    """Name: (kind of model, options, batch size)."""
    from train_step import CONFIGS

    return {name: (kind, values, size) for name, (kind, values, size, _) in CONFIGS.items()} | LARGE_CONFIGS


def measure(name, way):
    """Time one configuration in one way, in this process."""
    import numpy as np
    import tensorflow as tf
    from train_step import make_model, random_batch

    from core.nn import devices

    devices.configure()
    tf.config.experimental.enable_tensor_float_32_execution(way != "float32")
    if way.endswith("fixed layout"):
        tf.config.optimizer.set_experimental_options({"layout_optimizer": False})
    kind, values, batch_size = configurations()[name]
    values = values | WAYS[way]
    started = time.perf_counter()
    with devices.precision(values.get("precision", "float32")):
        model = make_model(kind, values, batch_size)
    batch = random_batch(model, batch_size)
    if way.endswith(("prefetched", "no fetch")):
        batch = {key: tf.constant(value) for key, value in batch.items()}

    def step():
        if way.endswith("no fetch"):
            return model._train_function(batch)
        return model.train_one_iteration(batch)

    np.array(step())
    first = time.perf_counter() - started
    for _ in range(WARM_STEPS):
        last = step()
    np.array(last)
    times, start = [], time.perf_counter()
    for _ in range(STEPS):
        before = time.perf_counter()
        last = step()
        times.append(time.perf_counter() - before)
    np.array(last)
    whole = (time.perf_counter() - start) / STEPS
    seconds = whole if way.endswith("no fetch") else statistics.median(times)
    pictures = batch_size * sum(key in ("target_src", "target_dst", "image") for key in model.input_names())
    return {
        "seconds": seconds,
        "pictures_per_second": pictures / seconds,
        "peak_mb": peak_memory(tf),
        "first_step": first,
    }


def peak_memory(tf):
    """Of the first card, or of the process where there is none."""
    if tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_own_process(name, way):
    """:func:`measure` in a process of its own; ``failed`` says why there are no numbers."""
    command = [sys.executable, __file__, "--in-process", name, way]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "OOM" in done.stderr or "ResourceExhausted" in done.stderr or "out of memory" in done.stderr.lower():
        return {"failed": OUT_OF_MEMORY}
    return {"failed": (done.stderr.strip().splitlines() or ["ended without a word"])[-1][:200]}


def time_commands(count):
    """Extraction and merge of made frames, as the user runs them."""
    from extract import make_frames

    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        frames, aligned, model = place / "frames", place / "frames" / "aligned", place / "model"
        frames.mkdir()
        make_frames(frames, argparse.Namespace(width=1920, height=1080, frames=count, format="png"))
        yield timed("extract", count, "extract", "--input-dir", frames, "--output-dir", aligned, "--detector", "embedded",
                    "--face-type", "wf", "--no-output-debug", "--max-faces-from-image", 0, "--image-size", 512)  # fmt: skip
        sides = ["--training-data-src-dir", aligned, "--training-data-dst-dir", aligned]
        run("train", "--model", "SAEHD", "--model-dir", model, *sides, "--force-model-name", "new", "--no-preview",
            "--silent-start", "--set", "resolution=256", "--set", "batch_size=2", "--target-iter", 1)  # fmt: skip
        yield timed("merge", count, "merge", "--model", "SAEHD", "--model-dir", model, "--force-model-name", "new",
                    "--input-dir", frames, "--aligned-dir", aligned, "--output-dir", place / "merged",
                    "--output-mask-dir", place / "merged_mask", "--non-interactive")  # fmt: skip


def timed(name, count, *words):
    """A row: how long a command takes."""
    start = time.perf_counter()
    run(*words)
    seconds = time.perf_counter() - start
    return {"command": name, "frames": count, "seconds": seconds, "rate": count / seconds}


def run(*words):
    """A command of the program without a terminal."""
    command = [sys.executable, str(ROOT / "main.py"), *map(str, words)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(
            f"{' '.join(command)}\nended with code {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
        )


def machine():
    """What the numbers were measured on; asked in a process of its own, which leaves the card free."""
    ask = (
        "import json, tensorflow as tf; from core.nn import devices; "
        "print(json.dumps([tf.__version__, [[g.name, round(g.memory_gib, 1), list(g.compute_capability)] for g in devices.list_gpus()], "
        "{k: str(v) for k, v in devices.build_info().items()}]))"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    version, cards, build = json.loads(done.stdout.splitlines()[-1])
    return {
        "tensorflow": version,
        "cards": cards,
        "build": build,
        "system": platform.platform(),
        "cores": os.cpu_count(),
    }


def print_machine(known):
    cards = (
        ", ".join(f"{name} ({memory} GB)" for name, memory, _ in known["cards"]) or "no graphics card: the processor"
    )
    print(f"{cards}; TensorFlow {known['tensorflow']}, {known['system']}, {known['cores']} cores\n", flush=True)


def cells(row):
    """Numbers of a row of training as texts."""
    if "failed" in row:
        return [row["failed"], MISSING, MISSING, MISSING]
    return [
        f"{row['seconds']:.4f}",
        f"{row['pictures_per_second']:.1f}",
        f"{row['peak_mb']:.0f}",
        f"{row['first_step']:.1f}",
    ]


def training_line(row):
    first, *rest = cells(row)
    widths = (12, 9, 14)
    return f"{row['configuration']:22s}{row['way']:20s}{first:>10s}" + "".join(
        f"{text:>{w}s}" for text, w in zip(rest, widths)
    )


def markdown(result):
    """The tables as Markdown."""
    known = result["machine"]
    cards = ", ".join(
        f"{name} ({memory} GB, {'.'.join(map(str, version))})" for name, memory, version in known["cards"]
    )
    lines = [
        f"{cards or 'no graphics card'}; TensorFlow {known['tensorflow']} (CUDA {known['build'].get('cuda_version', 'none')}), "
        f"{known['system']}, {known['cores']} cores",
        "",
        "| configuration | way | s / step | pictures/s | peak MB | first step, s |",
        "|---|---|---|---|---|---|",
        *(f"| {' | '.join([row['configuration'], row['way'], *cells(row)])} |" for row in result["training"]),
    ]
    if result["steps"]:
        lines += ["", "| command | frames | s | frames/s |", "|---|---|---|---|"]
        lines += [f"| {r['command']} | {r['frames']} | {r['seconds']:.1f} | {r['rate']:.1f} |" for r in result["steps"]]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
