"""Times the samples that training is fed with: ``python benchmarks/samples.py [--faces 64] [--size 256] [--resolution 128]``.

Per setting: samples a second on one thread, from faces in memory and with decoding: on average by wall clock, by processor
time, and by that in the fastest stretch of 20 samples, which other programs on the machine disturb least. Then the whole loader.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/training")]

STRETCH = 20
WARM_ITERATIONS = 3
MODEL = {
    "archi": "df-ud", "ae_dims": 64, "e_dims": 32, "d_dims": 32, "d_mask_dims": 16, "face_type": "wf", "batch_size": 4,
    "random_warp": True, "masked_training": True, "adabelief": True,
}  # fmt: skip
SETTINGS = {
    "warp": {},
    "warp, flip, hsv": {"flip": True, "hsv_power": 0.05},
    "no warp": {"warp": False},
    "warp, rct": {"ct_mode": "rct"},
    "warp, lct": {"ct_mode": "lct"},
    "warp, mkl": {"ct_mode": "mkl"},
    "warp, idt": {"ct_mode": "idt"},
    "warp, sot": {"ct_mode": "sot"},
}


def main():
    """Make faces, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=64)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--iterations", type=int, default=30, help="of the model that waits for samples; 0 = none")
    parser.add_argument("--faceset", type=Path, help="use this faceset instead of drawn faces")
    options = parser.parse_args()
    import cv2

    from samplelib.faceset import load_faceset

    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        samples = load_faceset(options.faceset) if options.faceset else drawn_faces(Path(folder), options)
        print(f"{len(samples)} faces of {samples[0].shape[0]} px, samples of {options.resolution} px\n")
        print(f"{'setting':18s} {'from':8s} {'samples/s':>10s} {'per s of processor':>20s} {'fastest stretch':>16s}")
        for name, setting in SETTINGS.items():
            for source, budget in (("memory", 10**9), ("files", 0)):
                if source == "files" and name != "warp":
                    continue
                stream = make_stream(samples, options.resolution, budget, setting)
                wall, processor, fastest = rate(stream, options.seconds, warm=len(samples) if budget else 0)
                print(f"{name:18s} {source:8s} {wall:10.0f} {processor:20.0f} {fastest:16.0f}")
        time_loader(samples, options)
        if options.iterations:
            time_waiting(options.faceset or Path(folder) / "faces", options)


def drawn_faces(folder, options):
    from conftest import make_faceset

    from samplelib.faceset import load_faceset

    return load_faceset(make_faceset(folder / "faces", options.faces, size=options.size))


def make_stream(samples, resolution, budget, setting):
    from facelib.face_type import FaceType
    from samplelib.training.augment import Augmentation
    from samplelib.training.face_store import CacheBudget, plain_picture_store, swap_face_store
    from samplelib.training.samplers import SwapSampleStream

    store = swap_face_store(samples, FaceType.WHOLE_FACE, resolution, CacheBudget(budget))
    partners = plain_picture_store(samples, resolution, CacheBudget(budget)) if "ct_mode" in setting else None
    return SwapSampleStream(store, Augmentation(**setting), (1, 2), None, partners)


def rate(stream, seconds, warm=0):
    """Samples a second: by wall clock, by processor time of this thread, and by processor time in the fastest stretch."""
    for place in range(warm):
        stream.sample(place)
    place, start, used, fastest = warm, time.perf_counter(), time.thread_time(), 0.0
    while time.perf_counter() - start < seconds:
        stretch = time.thread_time()
        for _ in range(STRETCH):
            stream.sample(place)
            place += 1
        fastest = max(fastest, STRETCH / (time.thread_time() - stretch))
    return (place - warm) / (time.perf_counter() - start), (place - warm) / (time.thread_time() - used), fastest


def time_loader(samples, options):
    """How many samples a second the threads of a loader make together."""
    from samplelib.training.samplers import BatchLoader, default_worker_count, swap_batch_maker

    streams = [make_stream(samples, options.resolution, 10**9, {}) for _ in range(2)]
    loader = BatchLoader(swap_batch_maker(*streams, 8))
    for _ in range(len(samples) // 8 + 1):
        loader.next()
    batches, start = 0, time.perf_counter()
    while time.perf_counter() - start < options.seconds:
        loader.next()
        batches += 1
    loader.close()
    pace = batches * 16 / (time.perf_counter() - start)
    print(f"\nloader with {default_worker_count()} threads, batches of 2 x 8: {pace:.0f} samples/s")


def time_waiting(folder, options):
    """Train a small SAEHD on the faces and print which part of its iterations went by without a batch."""
    from models.registry import effective_options
    from models.saehd.model import Saehd
    from models.training.training_data import DataSettings, SwapData

    settings = effective_options("SAEHD", {**MODEL, "resolution": options.resolution})
    data = SwapData(settings, DataSettings(folder, folder))
    network = Saehd(settings, settings["batch_size"], seed=0)
    for _ in range(WARM_ITERATIONS):
        network.train_one_iteration(data.next())
    waited, start = data.loader.waited_seconds, time.perf_counter()
    for _ in range(options.iterations):
        network.train_one_iteration(data.next())
    seconds, waited = time.perf_counter() - start, data.loader.waited_seconds - waited
    data.close()
    print(
        f"SAEHD {MODEL['archi']} {options.resolution}, batch {MODEL['batch_size']}, {options.iterations} iterations of "
        f"{seconds / options.iterations:.3f} s: waited for samples {waited / seconds:.2%} of the time"
    )


if __name__ == "__main__":
    main()
