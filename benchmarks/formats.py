"""Measures how quickly face data, packed facesets and loss histories are read. Run: python benchmarks/formats.py"""

import resource
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.files.imageio import read_image
from core.pickles import safe_pickle
from samplelib.faces import aligned_face
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.packs import packed_faceset

FACES = 50_000


def main():
    """Print one line per measurement."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "face.jpg"
        metadata = FaceMetadata(
            "whole_face",
            rng.random((68, 2)) * 1024,
            "00001.png",
            [100, 100, 500, 500],
            rng.random((68, 2)) * 1920,
            rng.random((2, 3)),
        )
        smooth = np.kron(rng.integers(0, 256, (64, 64, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        aligned_face.save_face(path, smooth, metadata, 100)
        print(f"face picture of 1024 px, {path.stat().st_size // 1024} KiB")
        report("  read its face data", best(lambda: aligned_face.read_metadata(path)))
        report("  decode its pixels", best(lambda: read_image(path), 10))
        report("  replace its face data", best(lambda: alternate(path, metadata), 20))
        for mask in (None, path.read_bytes()[:3000]):
            measure_pack(Path(folder) / "faceset.pak", path.read_bytes()[:5000], mask, rng)
    losses = rng.random((1_000_000, 2)).tolist()
    start = time.process_time()
    data = safe_pickle.dumps(losses)
    written = time.process_time()
    safe_pickle.loads(data, "losses")
    print(f"one million losses: written in {written - start:.2f} s, read in {time.process_time() - written:.2f} s")


def measure_pack(path, blob, mask, rng):
    config = [
        {
            "sample_type": 1,
            "filename": f"{number:05d}_0.jpg",
            "face_type": 4,
            "shape": (1024, 1024, 3),
            "landmarks": points,
            "seg_ie_polys": {"polys": []},
            "xseg_mask": None,
            "xseg_mask_compressed": mask if mask is None else np.frombuffer(mask, np.uint8),
            "eyebrows_expand_mod": 1.0,
            "source_filename": f"{number:05d}.png",
            "person_name": None,
        }
        for number, points in enumerate((rng.random((FACES, 68, 2)) * 1024).tolist())
    ]
    index = safe_pickle.dumps(config)
    del config
    offsets = np.arange(FACES + 1, dtype="<u8") * len(blob)
    with open(path, "wb") as stream:
        stream.write(struct.pack("<QQ", 1, len(index)) + index + offsets.tobytes())
        for _ in range(FACES):
            stream.write(blob)
    index_size = len(index) // 2**20
    del index, offsets
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    samples, times = None, []
    for _ in range(3):
        samples = None
        start, clock = time.process_time(), time.perf_counter()
        samples = packed_faceset.open_pack(path)
        times.append((time.process_time() - start, time.perf_counter() - clock))
    print(
        f"pack of {len(samples)} faces {'without' if mask is None else 'with'} masks, {path.stat().st_size // 2**20} MiB, "
        f"index {index_size} MiB"
    )
    print(f"  open: {min(times)[0]:.2f} s processor time, {min(clock for _, clock in times):.2f} s by the clock")
    print(
        f"  peak memory before {before // 1024} MiB, after {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"
    )
    report("  face data of one, from the index", best(lambda: samples[FACES // 2].load_training_metadata()))


def alternate(path, metadata):
    """Write metadata that differs from what is there."""
    current = aligned_face.read_metadata(path).face_type
    aligned_face.write_metadata(path, metadata.replace(face_type="head" if current != "head" else "whole_face"))


def best(function, repeats=300):
    """Shortest of several means, in seconds: processor time and time by the clock."""
    shortest = [float("inf"), float("inf")]
    for _ in range(7):
        start, clock = time.process_time(), time.perf_counter()
        for _ in range(repeats):
            function()
        taken = time.process_time() - start, time.perf_counter() - clock
        shortest = [min(least, value / repeats) for least, value in zip(shortest, taken)]
    return shortest


def report(what, seconds):
    print(f"{what}: {seconds[0] * 1e3:.3f} ms processor time, {seconds[1] * 1e3:.3f} ms by the clock")


if __name__ == "__main__":
    main()
