"""Measures the merge of 1080p frames with a network that costs nothing. Run: python benchmarks/merge.py

Prints milliseconds of processor time per frame and stage, on one core, for the usual settings and two sizes of prediction.
"""

import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from core.files.imageio import encode_image, read_bgr
from core.files.paths import atomic_write
from facelib.landmarks import MEAN_FACE_2D
from merger.compose import Motion, compose_frame, prepare_face
from merger.predictor import predict_faces
from merger.settings.config import COLOR_TRANSFER_MODES, MergeConfig

CASES = (
    ("overlay none", "overlay", "None"),
    ("overlay rct", "overlay", "rct"),
    ("overlay idt", "overlay", "idt"),
    ("overlay sot-m", "overlay", "sot-m"),
    ("seamless rct", "seamless", "rct"),
)
SIZES = (128, 256)
FACE_HEIGHT = 420
ROUNDS = 5
STAGES = ("read", "prepare", "predict", "compose", "write")


def main():
    """Print one row per setting and size."""
    cv2.setNumThreads(1)
    frame, landmarks = make_frame()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "frame.png"
        path.write_bytes(encode_image(frame, ".png"))
        print(f"{'':24}" + "".join(f"{stage:>9}" for stage in STAGES) + f"{'without write':>15}")
        for size in SIZES:
            networks = FixedNetworks(size)
            for name, mode, transfer in CASES:
                config = MergeConfig(mode=mode, color_transfer_mode=COLOR_TRANSFER_MODES.index(transfer))
                times = np.min([one_frame(path, landmarks, config, networks) for _ in range(ROUNDS)], axis=0)
                row = "".join(f"{milliseconds:9.1f}" for milliseconds in times)
                print(f"{name:18} {size:4} {row} {times[:-1].sum():14.1f}")


def one_frame(path, landmarks, config, networks):
    """Milliseconds of each stage."""
    marks = [time.process_time()]

    def mark(value):
        marks.append(time.process_time())
        return value

    frame = mark(read_bgr(path))
    face = mark(prepare_face(frame, landmarks, config, networks.resolution))
    predictions = mark(predict_faces([face], [config], networks))
    image, mask = mark(compose_frame(frame, [(face, predictions[0])], config, Motion()))
    atomic_write(path.with_name("merged.png"), encode_image(image, ".png"))
    mark(atomic_write(path.with_name("mask.png"), encode_image(mask, ".png")))
    return np.diff(marks) * 1000


class FixedNetworks:
    """Predicts a smooth face and an elliptic mask at once."""

    def __init__(self, size):
        self.resolution = size
        y, x = np.mgrid[0:size, 0:size] / size
        face = np.stack([0.4 + 0.2 * x, 0.5 + 0.2 * y, 0.6 + 0.1 * np.sin(9 * x)], axis=-1).astype(np.float32)
        self._face = face + np.random.default_rng(0).normal(0, 0.03, face.shape).astype(np.float32)
        self._mask = np.clip((0.2 - (x - 0.5) ** 2 - (y - 0.5) ** 2) * 20, 0, 1).astype(np.float32)

    def predict(self, faces, morph):
        return self._face[None], self._mask[None], self._mask[None]


def make_frame():
    """A 1080p picture with soft shapes and grain, and the landmarks of a face in its middle."""
    rng = np.random.default_rng(0)
    frame = cv2.resize(rng.random((27, 48, 3), np.float32), (1920, 1080), interpolation=cv2.INTER_CUBIC) * 255
    frame += rng.normal(0, 4, frame.shape)
    points = np.asarray(MEAN_FACE_2D, np.float64)
    jaw = np.stack([np.linspace(-0.2, 1.2, 17), 0.2 + np.sin(np.linspace(0, np.pi, 17))], axis=1)
    points = np.concatenate([jaw, points[-51:]])
    return np.clip(frame, 0, 255).astype(np.uint8), points * FACE_HEIGHT * 0.8 + (800, 330)


if __name__ == "__main__":
    main()
