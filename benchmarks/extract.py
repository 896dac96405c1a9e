"""Frames per second and processor time by stage of an extraction, on made frames with one face.

    python benchmarks/extract.py [--width 1920 --height 1080] [--frames 60] [--detector embedded|s3fd] [--made-weights]

Every stage is first run by itself on one thread, which gives its processor time for each frame, then the whole pipeline
runs as the ``extract`` command runs it. On a computer that has other work to do, the processor time is the number to
go by: cores divided by the sum of the stages is the rate that the computer reaches when it is idle.

``--made-weights`` measures S3FD and FAN without their weight files: the networks get random weights (with which S3FD sees
nothing), FAN gets one box a frame. Four frames are enough for that; on two cores it takes one to two minutes.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import skimage.data

from core.files.imageio import read_bgr
from core.parallel import cpu_count
from facelib.face_type import FaceType
from facelib.finder_factory import NETWORK_BATCH_SIZE, make_finders
from samplelib.extraction.pipeline import ExtractSettings, SourceFrame, extract_frames, frames_of_files, write_frame


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frames", type=int, help="60; with --made-weights 4")
    parser.add_argument("--format", choices=("png", "jpg"), default="jpg")
    parser.add_argument("--detector", choices=("embedded", "s3fd"), default="embedded")
    parser.add_argument("--image-size", type=int, default=512)
    parser.add_argument("--made-weights", action="store_true")
    options = parser.parse_args()
    options.frames = options.frames or (4 if options.made_weights else 60)
    if options.made_weights:
        measure_made_networks(options)
        return
    finders, batch_size = make_finders(options.detector, FaceType.WHOLE_FACE)
    with tempfile.TemporaryDirectory() as folder:
        paths = make_frames(Path(folder), options)
        settings = ExtractSettings(Path(folder) / "aligned", None, FaceType.WHOLE_FACE, options.image_size)
        settings.output_folder.mkdir()
        print(f"{options.width}×{options.height} {options.format}, {len(paths)} frames, {cpu_count()} cores")
        measure_stages(paths, finders[0], settings)
        for follow in (False, True) if finders[0].can_follow else (False,):
            measure_pipeline(paths, finders, settings, batch_size, follow)


def make_frames(folder, options):
    """A photograph of a face that wanders over a noisy background."""
    random = np.random.default_rng(0)
    portrait = skimage.data.astronaut()[:300, 60:400, ::-1]
    side = options.height // 2
    face = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    background = cv2.resize(
        random.integers(60, 160, (options.height // 8, options.width // 8, 3), np.uint8),
        (options.width, options.height),
    )
    paths = []
    for number in range(options.frames):
        frame = background.copy()
        left = (options.width - side) * number // max(1, options.frames - 1)
        top = int((options.height - side) * (0.5 + 0.4 * np.sin(number / 5)))
        frame[top : top + side, left : left + side] = face
        paths.append(folder / f"{number:05d}.{options.format}")
        cv2.imwrite(str(paths[-1]), frame)
    return paths


def measure_stages(paths, finder, settings):
    """Print the processor time of each stage for one frame."""
    sample = paths[:: max(1, len(paths) // 12)]
    finder.find([read_bgr(sample[0])])
    images, boxes, found = [], [], []
    stages = {
        "load": lambda: images.extend(map(read_bgr, sample)),
        "detect": lambda: boxes.extend(finder.detector.detect([image])[0] for image in images),
        "align": lambda: finder.aligner.align(images[:1], [boxes[0]]) and [
            finder.aligner.align([image], [rects]) for image, rects in zip(images[1:], boxes[1:])
        ],
        "find (both)": lambda: found.extend(finder.find([image])[0] for image in images),
        "cut and write": lambda: [
            write_frame(SourceFrame(path.name, None), image, faces, settings)
            for path, image, faces in zip(sample, images, found)
        ],
    }  # fmt: skip
    total = 0.0
    for name, stage in stages.items():
        start = time.process_time()
        stage()
        milliseconds = (time.process_time() - start) * 1000 / len(sample)
        total += milliseconds if name not in ("detect", "align") else 0
        print(f"  {name:14s} {milliseconds:7.1f} ms of processor time a frame")
    print(f"  {'together':14s} {total:7.1f} ms, so at most {1000 * cpu_count() / total:.1f} frames/s on these cores")


def measure_pipeline(paths, finders, settings, batch_size, follow):
    """Print the rate of the whole pipeline; with ``follow`` as the command does by default with the embedded finder."""
    start, used = time.perf_counter(), time.process_time()
    results = list(extract_frames(frames_of_files(paths), finders, settings, batch_size, follow=follow))
    seconds, used = time.perf_counter() - start, time.process_time() - used
    faces = sum(len(result.files) for result in results)
    print(
        f"  pipeline{', faces followed' if follow else ''}: {len(results) / seconds:.1f} frames/s by the clock, {faces} faces; "
        f"{used * 1000 / len(results):.1f} ms of processor time a frame"
    )


def measure_made_networks(options):
    """Print the time of S3FD and of FAN for batches of frames, with weights that only have the right shapes."""
    from core.networks.weight_files import write_weights
    from core.nn.weights import network_to_dict
    from facelib.aligners.fan import FanAligner
    from facelib.aligners.fan_network import FanNetwork
    from facelib.detectors.s3fd import S3fdDetector
    from facelib.detectors.s3fd_network import S3fdNetwork

    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, network, side in (("S3FD", S3fdNetwork(), 128), ("FAN", FanNetwork(), 256)):
            network(np.zeros((1, side, side, 3), np.float32))
            weights = network_to_dict(network)
            for key in weights:
                if key.endswith("_conf/bias:0"):
                    weights[key][-1] = -100
            files.append(Path(folder) / f"{name}.npy")
            write_weights(files[-1], weights)
        detector, aligner = S3fdDetector(files[0]), FanAligner(files[1])
    box = (options.width // 4, options.height // 4, options.width // 2, options.height // 2 + options.height // 4)
    image = np.random.default_rng(0).integers(0, 256, (options.height, options.width, 3), np.uint8)
    stages = {
        "S3FD": lambda images, boxes: detector.detect(images),
        "FAN, one crop a face": aligner.align,
        "FAN, five crops a face": aligner.align_accurately,
    }
    print(f"{options.width}×{options.height}, {cpu_count()} cores, random weights, the better of two runs")
    print(f"  {'milliseconds a frame':24s} {'batch':>5s} {'by the clock':>13s} {'of processor time':>18s}")
    for name, stage in stages.items():
        stage([image], [[box]])
        for batch_size in sorted({1, min(NETWORK_BATCH_SIZE, options.frames)}):
            clock, used = best_of_two(stage, [image] * batch_size, [[box]] * batch_size)
            print(f"  {name:24s} {batch_size:5d} {clock / batch_size:13.1f} {used / batch_size:18.1f}", flush=True)


def best_of_two(function, *arguments):
    """Milliseconds by the clock and of processor time, each the smaller of two calls."""
    times = []
    for _ in range(2):
        clock, used = time.perf_counter(), time.process_time()
        function(*arguments)
        times.append((time.perf_counter() - clock, time.process_time() - used))
    return [1000 * min(seconds) for seconds in zip(*times)]


if __name__ == "__main__":
    main()
