"""Times every sorting method against the number of faces: ``python benchmarks/sort.py [--counts 1000 3000 10000]``."""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

SIZE = 256


def make_faces(folder, count):
    """Face pictures as a video gives them: textures that move, turn and change their light, with sensor noise."""
    import cv2
    import numpy as np

    from core.parallel import ordered_map
    from facelib.landmarks import MODEL_3D
    from samplelib.faces.aligned_face import FaceMetadata, save_face

    textures = []
    for seed in range(12):
        generator = np.random.default_rng(seed)
        texture = sum(
            cv2.resize(generator.random((n, n, 3), np.float32), (SIZE * 2, SIZE * 2), interpolation=cv2.INTER_CUBIC)
            for n in (3, 8, 24, 80, 200)
        )
        textures.append(cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX))

    def make(number):
        generator = np.random.default_rng(number)
        time_ = number / 25
        angle, zoom = 6 * np.sin(time_ * 0.9), 0.8 + 0.1 * np.sin(time_ * 0.7)
        matrix = cv2.getRotationMatrix2D((SIZE, SIZE), angle, zoom)
        matrix[:, 2] += [12 * np.sin(time_) - SIZE / 2, 12 * np.cos(time_ * 1.3) - SIZE / 2]
        image = cv2.warpAffine(textures[number // 60 % len(textures)], matrix, (SIZE, SIZE))
        image = image * (0.85 + 0.15 * np.sin(time_ * 2.1)) + generator.normal(0, 1.2, image.shape)
        yaw = 0.9 * np.sin(time_ * 0.37)
        points = (MODEL_3D - MODEL_3D.mean(axis=0)) @ [[np.cos(yaw), 0], [0, 1], [np.sin(yaw), 0]]
        landmarks = points * 0.6 * SIZE / np.ptp(MODEL_3D[:, 1]) + SIZE / 2
        metadata = FaceMetadata(
            "whole_face", landmarks, f"{number:05d}.png", [0, 0, 200 + number % 97, 210], landmarks, matrix
        )
        save_face(folder / f"{number:05d}_0.jpg", np.clip(image, 0, 255).astype(np.uint8), metadata)

    for outcome in ordered_map(make, range(count)):
        if outcome.error:
            raise outcome.error


def main():
    """Sort copies of one faceset by every method, each in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 3000, 10000])
    parser.add_argument("--by", nargs="+", help="methods; all by default")
    options = parser.parse_args()
    from samplelib.sorting.method_names import METHODS

    keys = options.by or [method.key for method in METHODS]
    cases = [
        (key, extra) for key in keys for extra in ((["--similar"], ["--dissimilar"]) if key == "absdiff" else ([],))
    ]
    with tempfile.TemporaryDirectory() as folder:
        faces = Path(folder) / "faces"
        faces.mkdir()
        make_faces(faces, max(options.counts))
        print(f"{'method':28}" + "".join(f"{count:>17} faces" for count in options.counts), flush=True)
        for key, extra in cases:
            times = [_time(faces, count, ["--by", key, *extra]) for count in options.counts]
            print(
                f"{' '.join([key, *extra]):28}" + "".join(f"{wall:>8.1f} s, {cpu:>6.1f} CPU s" for wall, cpu in times),
                flush=True,
            )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"largest memory of any run: {peak:.0f} MiB")


def _time(faces, count, arguments):
    folder = faces.with_name("aligned")
    folder.mkdir()
    for path in sorted(faces.iterdir())[:count]:
        (folder / path.name).hardlink_to(path)
    start = time.perf_counter()
    command = [sys.executable, "main.py", "sort", "--input-dir", folder, "--yes", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    for leftover in (folder, folder.with_name("aligned_trash")):
        shutil.rmtree(leftover, ignore_errors=True)
    return seconds


if __name__ == "__main__":
    main()
