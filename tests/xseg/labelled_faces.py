"""Synthetic aligned faces with labels and masks, and stand-ins for networks, shared by the mask tests."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from facelib.landmarks import MEAN_FACE_2D
from samplelib.faces.aligned_face import FaceMetadata, SegPolygon, save_face

ROOT = Path(__file__).parents[2]
TRIANGLE = SegPolygon(True, np.array([[20, 20], [90, 25], [50, 100]], np.float32))
CUT = SegPolygon(False, np.array([[40, 40], [60, 40], [50, 60]], np.float32))


def face_landmarks(size):
    """(68, 2) landmarks of an upright face that fills the middle of a square picture."""
    inner = np.asarray(MEAN_FACE_2D, np.float64)
    turn = np.linspace(np.pi, 0, 17)
    jaw = np.column_stack([0.5 + 0.55 * np.cos(turn), 0.25 + 0.85 * np.sin(turn)])
    return (np.vstack([jaw, inner]) * 0.5 + 0.25) * size


def face_picture(size, number=0):
    """(size, size, 3) uint8: an oval "face" that lies a little elsewhere and is coloured differently per number."""
    generator = np.random.default_rng(number)
    image = np.full((size, size, 3), generator.integers(20, 90, 3), np.uint8)
    center, axes, angle = oval(size, number)
    cv2.ellipse(image, center, axes, angle, 0, 360, tuple(map(int, generator.integers(120, 240, 3))), -1, cv2.LINE_AA)
    return image


def oval(size, number):
    """Centre, half axes and turn of the face in :func:`face_picture`."""
    generator = np.random.default_rng(1000 + number)
    center = tuple(int(value) for value in size * (0.5 + generator.uniform(-0.06, 0.06, 2)))
    return center, (int(size * generator.uniform(0.25, 0.33)), int(size * 0.38)), float(generator.uniform(-20, 20))


def oval_label(size, number):
    """The label that belongs to :func:`face_picture`."""
    center, axes, angle = oval(size, number)
    return SegPolygon(True, cv2.ellipse2Poly(center, axes, round(angle), 0, 360, 12)[:-1].astype(np.float32))


def write_face(path, number=0, size=128, polygons=(), mask=None, face_type="whole_face"):
    """Write an aligned face and return its path."""
    landmarks = face_landmarks(size)
    matrix = np.array([[0.5, 0, 10], [0, 0.5, 20]])
    metadata = FaceMetadata(
        face_type, landmarks, f"{path.stem}.png", None, (landmarks - matrix[:, 2]) / 0.5, matrix, tuple(polygons)
    )
    if mask is not None:
        metadata = metadata.with_xseg_mask(mask)
    save_face(path, face_picture(size, number), metadata)
    return path


def make_faceset(folder, count=6, **arguments):
    """Folder of faces 00000.jpg …; every second one has a label, every third an applied mask."""
    folder.mkdir(parents=True, exist_ok=True)
    mask = np.zeros((256, 256, 1), np.float32)
    mask[60:200, 80:180] = 1
    for number in range(count):
        labels = [TRIANGLE, CUT] if number % 2 == 0 else []
        write_face(
            folder / f"{number:05d}.jpg", number, polygons=labels, mask=mask if number % 3 == 0 else None, **arguments
        )
    return folder


def run_main(*arguments, stdin="", environment=None):
    """Run ``main.py`` and return the finished process with its texts."""
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **(environment or {})},
    )


def start_main(*arguments):
    """Start ``main.py`` and return the running process, which collects its texts."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def run_here(*arguments):
    """Run ``main.py`` inside of the test's process, which has TensorFlow loaded already; returns the exit code."""
    from main import main

    return main([str(argument) for argument in arguments])


class StubPredictor:
    """Masks without a network: bright enough is inside. Counts its batches."""

    def __init__(self, threshold=0.42):
        self.threshold, self.batches = threshold, []

    def predict(self, images):
        assert images.dtype == np.float32 and images.shape[1:] == (256, 256, 3)
        assert images.min() >= -0.2 and images.max() <= 1.2
        self.batches.append(len(images))
        return (images.mean(axis=3, keepdims=True) > self.threshold).astype(np.float32) * 0.9
