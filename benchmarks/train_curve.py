"""Train a small SAEHD on two facesets and show how the reconstruction of held-out faces improves.

Run from the repository: ``python benchmarks/train_curve.py SRC_FOLDER DST_FOLDER [--output FOLDER]``. Prints the
structural dissimilarity (DSSIM) of faces that training never saw, writes ``curve.csv`` and a preview picture, and
fails unless DSSIM fell by the wanted factor between iteration 20 and the end.
"""

import argparse
import csv
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

FIRST_SCORE = 20
OPTIONS = {
    "archi": "df-ud", "ae_dims": 64, "e_dims": 32, "d_dims": 32, "d_mask_dims": 16, "face_type": "f",
    "masked_training": True, "random_warp": True, "random_src_flip": False, "random_dst_flip": False,
    "uniform_yaw": False, "random_hsv_power": 0.0, "ct_mode": "none", "adabelief": True,
}  # fmt: skip


def make_data(options, flags):
    """Batches of both facesets with some faces held out."""
    from models.registry import effective_options
    from models.training.training_data import DataSettings, SwapData

    settings = DataSettings(flags.source, flags.destination, seed=flags.seed, workers=1, holdout=flags.holdout)
    return SwapData(effective_options("SAEHD", options), settings)


def train(model, data, held_out, flags):
    """Run the iterations; returns rows of iteration, loss src, loss dst, DSSIM src, DSSIM dst."""
    from models.training.holdout import score

    rows = []
    started = time.perf_counter()
    for iteration in range(1, flags.iterations + 1):
        loss = model.train_one_iteration(data.next())
        if iteration == FIRST_SCORE or iteration % flags.score_every == 0 or iteration == flags.iterations:
            dssim = score(model, held_out)[:2]
            rows.append((iteration, *map(float, loss), *dssim))
            seconds = (time.perf_counter() - started) / iteration
            print(
                f"iteration {iteration}: loss {loss[0]:.3f} {loss[1]:.3f}, held-out DSSIM src {dssim[0]:.4f} "
                f"dst {dssim[1]:.4f}, {seconds:.2f} s / iteration",
                flush=True,
            )
    return rows


def write_results(rows, model, held_out, folder):
    """The curve as a table and the pages of the preview as pictures."""
    import cv2

    from models.preview.pages import swap_pages, to_uint8

    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "curve.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(("iteration", "loss_src", "loss_dst", "held_out_dssim_src", "held_out_dssim_dst"))
        table.writerows(rows)
    batch = {name: values[:4] for name, values in held_out[0].items()}
    for title, picture in swap_pages("SAEHD", model, batch):
        cv2.imwrite(str(folder / f"preview_{title.replace(' ', '_')}.png"), to_uint8(picture))


def main():
    """Train, print, write; exit code 1 when the improvement is too small."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="folder of aligned source faces")
    parser.add_argument("destination", type=Path, help="folder of aligned destination faces")
    parser.add_argument("--output", type=Path, default=Path("train_curve"))
    parser.add_argument("--iterations", type=int, default=600)
    parser.add_argument("--score-every", type=int, default=100)
    parser.add_argument("--resolution", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--holdout", type=int, default=6, help="faces of each side kept out of training")
    parser.add_argument("--factor", type=float, default=3.0, help="how far DSSIM has to fall")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=JSON", help="override a model option")
    flags = parser.parse_args()

    from models.saehd.model import Saehd

    overrides = {name: json.loads(value) for name, value in (each.split("=", 1) for each in flags.option)}
    options = OPTIONS | {"resolution": flags.resolution, "batch_size": flags.batch_size} | overrides
    data = make_data(options, flags)
    try:
        held_out = data.holdout_batches(8)
        model = Saehd(options, flags.batch_size, seed=flags.seed)
        rows = train(model, data, held_out, flags)
    finally:
        data.close()
    write_results(rows, model, held_out, flags.output)
    first, last = ((row[3] + row[4]) / 2 for row in (rows[0], rows[-1]))
    print(f"Held-out DSSIM fell from {first:.4f} to {last:.4f}: {first / last:.2f} times. Pictures: {flags.output}")
    return 0 if first >= flags.factor * last else 1


if __name__ == "__main__":
    sys.exit(main())
