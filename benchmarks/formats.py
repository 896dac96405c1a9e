"""Measures, in processor time, how quickly face data, packed facesets and loss histories are read. Run: python benchmarks/formats.py"""

import resource
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from core import safe_pickle
from core.imageio import read_image
from samplelib import aligned_face, packed_faceset
from samplelib.aligned_face import FaceMetadata

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
        measure_pack(Path(folder) / "faceset.pak", path.read_bytes()[:5000], rng)
    losses = rng.random((1_000_000, 2)).tolist()
    start = time.process_time()
    data = safe_pickle.dumps(losses)
    written = time.process_time()
    safe_pickle.loads(data, "losses")
    print(f"one million losses: written in {written - start:.2f} s, read in {time.process_time() - written:.2f} s")


def measure_pack(path, blob, rng):
    config = [
        {
            "sample_type": 1,
            "filename": f"{number:05d}_0.jpg",
            "face_type": 4,
            "shape": (1024, 1024, 3),
            "landmarks": points,
            "seg_ie_polys": {"polys": []},
            "xseg_mask": None,
            "xseg_mask_compressed": np.frombuffer(blob[:3000], np.uint8),
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
    start = time.process_time()
    samples = packed_faceset.open_pack(path)
    seconds = time.process_time() - start
    print(
        f"pack of {len(samples)} faces, {path.stat().st_size // 2**20} MiB, index {index_size} MiB: open {seconds:.2f} s"
    )
    print(
        f"  peak memory before {before // 1024} MiB, after {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"
    )
    report("  face data of one, from the index", best(lambda: samples[FACES // 2].load_training_metadata()))


def alternate(path, metadata):
    """Write metadata that differs from what is there."""
    current = aligned_face.read_metadata(path).face_type
    aligned_face.write_metadata(path, metadata.replace(face_type="head" if current != "head" else "whole_face"))


def best(function, repeats=300):
    """Shortest of several mean processor times, in seconds."""
    shortest = float("inf")
    for _ in range(7):
        start = time.process_time()
        for _ in range(repeats):
            function()
        shortest = min(shortest, (time.process_time() - start) / repeats)
    return shortest


def report(what, seconds):
    print(f"{what}: {seconds * 1e3:.3f} ms")


if __name__ == "__main__":
    main()
