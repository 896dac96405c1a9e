"""Seconds from the program's start to the first iteration of a training, and its peak memory.

    python benchmarks/train_start.py [NAME ...]

Each row is a real ``main.py train`` of two iterations on drawn faces, in a process of its own. ``processor`` is its processor time
until it has ended.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CONFIGS = {
    "df-ud-128": ("SAEHD", ("resolution=128", "archi=df-ud", "face_type=f", "batch_size=4")),
    "liae-ud-128": ("SAEHD", ("resolution=128", "archi=liae-ud", "face_type=f", "batch_size=4")),
    "Quick96": ("Quick96", ("batch_size=4",)),
    "AMP-128": ("AMP", ("resolution=128", "face_type=f", "batch_size=4")),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[[], *CONFIGS], help="configurations; all of them if left out")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        draw_faces(Path(folder))
        print(f"{'configuration':14s} {'first iteration':>15s} {'processor':>10s} {'peak memory':>12s}")
        for name in options.names or CONFIGS:
            seconds, processor, mebibytes = train(Path(folder), name, *CONFIGS[name])
            print(f"{name:14s} {seconds:13.1f} s {processor:8.1f} s {mebibytes:8.0f} MiB", flush=True)


def draw_faces(folder):
    """Two facesets of eight pictures."""
    import numpy as np
    import skimage.data

    from facelib.alignment import face_matrix, transform_points, warp_face
    from facelib.face_type import FaceType
    from facelib.finder_factory import make_finders
    from samplelib.faces.aligned_face import FaceMetadata, save_face

    picture = np.ascontiguousarray(skimage.data.astronaut()[:, :, ::-1])
    [[face, *_]] = make_finders("embedded", FaceType.FULL)[0][0].find([picture])
    for side in ("src", "dst"):
        (folder / side).mkdir()
        for number in range(8):
            points = face.landmarks + [number, 0]
            matrix = face_matrix(points, 256, FaceType.FULL)
            metadata = FaceMetadata(
                "full_face", transform_points(points, matrix), f"{number:05d}.png", np.array(face.rect), points, matrix
            )  # fmt: skip
            save_face(folder / side / f"{number:05d}_0.jpg", warp_face(picture, matrix, 256), metadata)


def train(folder, name, model, settings):
    """(seconds to the first iteration, processor seconds in all, peak MiB)."""
    command = [sys.executable, str(ROOT / "main.py"), "train", "--training-data-src-dir", folder / "src", "--training-data-dst-dir",
               folder / "dst", "--model-dir", folder / "model", "--model", model, "--force-model-name", name, "--no-preview",
               "--yes", "--set", "target_iter=2"]  # fmt: skip
    for setting in settings:
        command += ["--set", setting]
    start, first = time.perf_counter(), None
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if first is None and re.search(r"\[#0*1\]", line):
            first = time.perf_counter() - start
    _, status, usage = os.wait4(process.pid, 0)
    if status or first is None:
        sys.exit("".join(lines[-20:]))
    return first, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
