"""Milliseconds and memory of a training step that JAX runs, on a machine that needs nothing but JAX.

    python benchmarks/jax_step.py export FOLDER [--names df-ud-128 ...] [--precisions float32 bfloat16] [--batch-sizes 4 8]
    python benchmarks/jax_step.py run FOLDER [--seconds 10] [--json FILE]

``export`` compiles nothing: it writes each step for NVIDIA cards, with a batch, the state it starts from, and the losses that
TensorFlow gives on this computer. ``run`` needs JAX alone, compiles and times what is in the folder, and compares the losses.
States are large, so they are kept with ``--with-state`` only; without it the weights are drawn anew and the losses not compared.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ENDING = ".jaxstep"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("export", help="write steps; needs TensorFlow and JAX, no card")
    command.add_argument("folder", type=Path)
    command.add_argument(
        "--names", nargs="*", default=["df-ud-128", "df-ud-256", "liae-udt-192", "amp-128", "quick96", "xseg-256"]
    )
    command.add_argument("--precisions", nargs="*", default=["float32", "bfloat16"])
    command.add_argument("--batch-sizes", nargs="*", type=int, default=[8])
    command.add_argument("--with-state", action="store_true", help="keep weights, batch and expected losses")
    command.set_defaults(run=export)
    command = commands.add_parser("run", help="time steps; needs JAX alone")
    command.add_argument("folder", type=Path)
    command.add_argument("--seconds", type=float, default=10.0, help="for each step")
    command.add_argument("--json", type=Path, metavar="FILE")
    command.set_defaults(run=run)
    options = parser.parse_args()
    options.run(options)


# --- where TensorFlow is


def export(options):
    """Write every combination of name, precision and batch size."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["JAX_PLATFORMS"] = "cpu"
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.names:
        for precision in options.precisions:
            for batch_size in options.batch_sizes:
                export_one(name, precision, batch_size, options.folder, options.with_state)


def configuration(name):
    """Class and options of a name: ``<archi>-<resolution>``, ``amp-<resolution>``, ``quick96``, ``xseg-256`` or ``small``."""
    from train_step import SWAP

    if name == "quick96":
        return "Quick96", {}
    if name == "xseg-256":
        return "XSeg", {}
    if name == "small":
        dims = dict.fromkeys(("e_dims", "d_dims", "d_mask_dims"), 16) | {"ae_dims": 32, "resolution": 64}
        return "SAEHD", SWAP | dims | {"archi": "df-ud", "lr_dropout": "y", "clipgrad": True}
    archi, _, resolution = name.rpartition("-")
    sizes = SWAP | {"resolution": int(resolution)}
    if archi == "amp":
        return "AMP", sizes | {"inter_dims": 256, "morph_factor": 0.5}
    return "SAEHD", sizes | {"archi": archi}


def export_one(name, precision, batch_size, folder, with_state):
    """Write one step, and beside it the state and the losses if wanted."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import jax
    import jax.export
    from train_step import make_model, random_batch

    from core.nn import devices
    from core.nn.jax_engine import JaxEngine, as_jax

    kind, model_options = configuration(name)
    model_options = model_options | {"precision": precision}
    started = time.perf_counter()
    devices.use_jax(jax.devices()[0])
    model = make_model(kind, model_options, batch_size)
    engine = JaxEngine(model.state_variables(), jax.devices()[0])
    state, batch = engine.state_to_send(), random_batch(model, batch_size)
    if "channel_masks" in model.input_names():
        batch["channel_masks"] = model.draw_channel_masks(batch_size)
    step = jax.jit(as_jax(engine.pure(model._train, changes=True)), donate_argnums=0)
    shapes = jax.tree.map(lambda value: jax.ShapeDtypeStruct(np.shape(value), np.asarray(value).dtype), (state, batch))
    exported = jax.export.export(step, platforms=["cuda"])(*shapes)
    path = folder / f"{name} {precision} batch {batch_size}{ENDING}"
    path.write_bytes(exported.serialize())
    if with_state:
        devices.use_jax(None)
        plain = make_model(kind, model_options, batch_size)
        for key, variable in plain.state_variables().items():
            variable.assign(state[key])
        losses = [plain.train_one_iteration(dict(batch)) for _ in range(3)]
        np.savez_compressed(path.with_suffix(".npz"), losses=losses, **{f"state {k}": v for k, v in state.items()},
                 **{f"batch {k}": v for k, v in batch.items()})  # fmt: skip
    print(f"{path.name}: {path.stat().st_size >> 10} KiB in {time.perf_counter() - started:.0f} s", flush=True)


# --- where only JAX is


def run(options):
    """Time every step of the folder and print a table."""
    import jax

    device = jax.devices()[0]
    print(f"JAX {jax.__version__} on {device.device_kind}\n")
    print("| step | first call s | ms a step | images/s | memory MiB | loss against TensorFlow's on a processor |")
    print("|---|---|---|---|---|---|")
    rows = []
    for path in sorted(options.folder.glob(f"*{ENDING}")):
        row = run_one(path, options.seconds)
        rows.append(row)
        print(
            "| {name} | {first:.1f} | {ms:.2f} | {images:.0f} | {memory:.0f} | {difference} |".format(**row), flush=True
        )
    if options.json:
        options.json.write_text(json.dumps({"device": device.device_kind, "steps": rows}, indent=1), encoding="utf-8")


def run_one(path, seconds):
    """Numbers of one step."""
    import jax
    from jax import export as jax_export

    exported = jax_export.deserialize(bytearray(path.read_bytes()))
    (state_shapes, batch_shapes), _ = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    stored = path.with_suffix(".npz")
    expected = None
    if stored.exists():
        values = np.load(stored)
        state, batch = ({key: values[f"{part} {key}"] for key in shapes} for part, shapes in
                        (("state", state_shapes), ("batch", batch_shapes)))  # fmt: skip
        expected = values["losses"]
    else:
        state, batch = drawn_state(state_shapes), drawn_batch(batch_shapes)
    state, batch = jax.device_put((state, batch))
    started = time.perf_counter()
    step = jax.jit(exported.call, donate_argnums=0).lower(state, batch).compile()
    state, losses = step(state, batch)
    found = [np.asarray(losses).mean(axis=1)]
    first = time.perf_counter() - started
    for _ in range(2):
        state, losses = step(state, batch)
        found.append(np.asarray(losses).mean(axis=1))
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        state, losses = step(state, batch)
        np.asarray(losses)  # fetched in every step, as training does
        times.append(time.perf_counter() - began)
    analysis = step.memory_analysis()
    count = next(iter(batch.values())).shape[0]
    difference = "" if expected is None else f"{np.abs(np.array(found) / expected - 1).max():.1e}"
    if not np.isfinite(np.asarray(losses)).all():
        difference = "NOT FINITE"
    return {
        "name": path.stem, "first": first, "ms": 1e3 * statistics.median(times), "fastest_ms": 1e3 * min(times),
        "images": 2 * count / statistics.median(times),
        "memory": (analysis.temp_size_in_bytes + analysis.argument_size_in_bytes) / 2**20, "difference": difference,
    }  # fmt: skip


def drawn_state(shapes):
    """Random kernels, everything else one, and moments of zero."""
    random = np.random.default_rng(0)
    state = {}
    for key, shape in shapes.items():
        if key.endswith("weight:0") and "_opt/" not in key and len(shape.shape) > 1:
            spread = np.sqrt(2 / np.prod(shape.shape[:-1]))
            state[key] = (random.standard_normal(shape.shape) * spread).astype(shape.dtype)
        else:
            is_moment = "_opt/" in key and not key.endswith("loss_scale")
            state[key] = np.full(shape.shape, 0 if is_moment else 1, shape.dtype)
    return state


def drawn_batch(shapes):
    """Noise, uint8; masks of channels of ones."""
    random = np.random.default_rng(0)
    return {
        key: random.integers(0, 256, shape.shape, dtype=np.uint8) if shape.dtype == np.uint8 else np.ones(shape.shape, shape.dtype)
        for key, shape in shapes.items()
    }  # fmt: skip


if __name__ == "__main__":
    main()
