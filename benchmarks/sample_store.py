"""Times samples of a faceset that does not fit into the memory: ``python -m benchmarks sample_store [--faces 50000] [--size 512]``.

One thread draws samples with the defaults of SAEHD for two passes over the faces, once from the pictures and once with
``--sample-store``. Before each pass what the system keeps of the files in memory is dropped, so the disk is really read.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests/training")]

DRAWN = 200


def main():
    """Make faces, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=2000)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--cache-mb", type=int, help="memory for faces; default: what holds a tenth of them")
    parser.add_argument("--seconds", type=float, default=0, help="end a pass after this time; 0 = the whole pass")
    parser.add_argument("--folder", type=Path, help="make the faces here, on the disk to be measured")
    options = parser.parse_args()
    import cv2

    from facelib.face_type import FaceType
    from samplelib.faceset import load_faceset
    from samplelib.training.augment import Augmentation
    from samplelib.training.crop_file import CropFile
    from samplelib.training.face_store import CacheBudget, swap_face_store, swap_layout
    from samplelib.training.samplers import SwapSampleStream

    cv2.setNumThreads(1)
    layout = swap_layout(FaceType.WHOLE_FACE, options.resolution)
    budget = options.faces * layout.face_bytes // 10 if options.cache_mb is None else options.cache_mb * 2**20
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = make_faces(Path(place) / "aligned", options)
        samples = load_faceset(folder)
        print(
            f"{len(samples)} faces of {options.size} px, crops of {options.resolution} px "
            f"({len(samples) * layout.face_bytes / 2**30:.2f} GB), {budget / 2**30:.2f} GB of memory for them\n"
        )
        print(f"{'from':22s} {'pass':>4s} {'samples/s':>10s} {'per s of processor':>20s}")
        crops_folder = Path(place) / "aligned_samples"
        for source in ("pictures", "store"):
            for number in (1, 2):
                crops = CropFile(crops_folder, layout, len(samples), time.time_ns()) if source == "store" else None
                drop_from_memory(folder, crops_folder)
                store = swap_face_store(
                    samples, FaceType.WHOLE_FACE, options.resolution, CacheBudget(budget), crops=crops
                )
                if number == 2:
                    fill(store, budget // layout.face_bytes)
                stream = SwapSampleStream(store, Augmentation(), (1, 2))
                wall, processor = rate(stream, len(samples), options.seconds)
                print(f"{source:22s} {number:4d} {wall:10.0f} {processor:20.0f}", flush=True)
                if crops is not None:
                    crops.close()


def make_faces(folder, options):
    """``options.faces`` files, of which each two hundredth has the same content."""
    from conftest import make_faceset

    make_faceset(folder, min(options.faces, DRAWN), size=options.size)
    drawn = sorted(folder.iterdir())
    for number in range(len(drawn), options.faces):
        shutil.copyfile(drawn[number % DRAWN], folder / f"{number:05d}_0.jpg")
    return folder


def fill(store, count):
    """Faces in memory as after a first pass."""
    for index in range(min(count, len(store))):
        store.get(index)


def rate(stream, count, seconds):
    """Samples a second by wall clock, and by processor time of this thread."""
    start, used = time.perf_counter(), time.thread_time()
    made = 0
    while made < count and not (seconds and time.perf_counter() - start > seconds):
        stream.sample(made)
        made += 1
    return made / (time.perf_counter() - start), made / (time.thread_time() - used)


def drop_from_memory(*folders):
    """Have the files of folders written and read from the disk the next time."""
    if not hasattr(os, "posix_fadvise"):
        return
    for folder in folders:
        for path in folder.iterdir() if folder.is_dir() else ():
            with open(path, "rb") as stream:
                os.fsync(stream.fileno())
                os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


if __name__ == "__main__":
    main()
