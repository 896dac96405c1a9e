"""A workspace with frames and aligned faces, and the merge command run on it."""

import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from merge_stubs import load

from facelib.alignment import face_matrix, transform_points
from facelib.face_type import FaceType
from merger.journal import JOURNAL_NAME
from samplelib.faces.aligned_face import FaceMetadata, save_face

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
INPUTS = load("merge_inputs.npz")


def interrupt(process, how, is_time):
    """Send a signal to a merge that cannot end by itself as soon as ``is_time()``; returns what it wrote.

    The limit ends only a test that would hang.
    """
    end = time.monotonic() + 300
    while not is_time():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError(f"the run did not come so far: {process.communicate()[0]}")
        time.sleep(0.005)
    process.send_signal(how)
    return process.communicate(timeout=300)[0]


class Workspace:
    """Frames, aligned faces and output folders."""

    def __init__(self, folder, count, without=()):
        self.folder, self.frames = folder, folder / "frames"
        self.merged, self.masks, self.model = folder / "merged", folder / "merged_mask", folder / "model"
        for path in (self.frames / "aligned", self.model):
            path.mkdir(parents=True)
        for index in range(count):
            frame = np.roll(INPUTS["frame_u8"], index, axis=1)
            cv2.imwrite(str(self.frames / f"{index + 1:05d}.png"), frame)
            if index not in without:
                self.add_face(frame, f"{index + 1:05d}.png", INPUTS["lm_A"] + [3 * np.sin(index / 2), 0])

    def add_face(self, frame, source, landmarks):
        matrix = face_matrix(landmarks, 96, FaceType.FULL)
        face = cv2.warpAffine(frame, matrix, (96, 96))
        in_face = transform_points(landmarks, matrix)
        metadata = FaceMetadata("full_face", in_face, source, np.array([0, 0, 9, 9]), landmarks, matrix)
        save_face(self.frames / "aligned" / f"{Path(source).stem}_0.jpg", face, metadata)

    def arguments(self, *extra):
        return [
            *("--input-dir", self.frames, "--output-dir", self.merged, "--output-mask-dir", self.masks),
            *("--model-dir", self.model, "--model", "SAEHD", *extra),
        ]

    def start(self, *extra, program=HERE / "merge_program.py", **variables):
        environment = {**os.environ, "PYTHONPATH": f"{HERE}:{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
        command = [sys.executable, str(program), *map(str, extra)]
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )  # fmt: skip

    def merge(self, *extra, answers=""):
        process = self.start(*self.arguments(*extra))
        output, _ = process.communicate(answers, timeout=600)
        return process.returncode, output

    def noted(self):
        """How many frames the journal of the run calls done."""
        path = self.merged / JOURNAL_NAME
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        entries = [json.loads(line) for line in lines if line]
        return len({entry["stem"] for entry in entries if entry["key"]})

    def results(self):
        files = [*self.merged.glob("0*.png"), *self.masks.glob("0*.png")]
        return {f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
