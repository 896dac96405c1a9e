"""The merge command with a model that predicts at once; prints its peak memory. Arguments as of main.py merge."""

import os
import sys
from pathlib import Path

import numpy as np
from merge_stubs import load, unit

import main
from facelib.face_type import FaceType
from merger.run import steps, to_video


class StubModel:
    """Mixes what it sees into the stored face, so that every frame's result differs.

    With ``STOP_AFTER_FACES`` in the environment it predicts that many and then waits, so that a run cannot end.
    """

    name, class_name, iteration, resolution, face_type = "stub", "SAEHD", 1, 64, FaceType.FULL
    is_morphable = False

    def __init__(self):
        self.faces_left = int(os.environ.get("STOP_AFTER_FACES", sys.maxsize))
        data = load("merge_inputs.npz")
        self.parts = [unit(data[name]) for name in ("face_u8", "prd_mask_u8", "dst_mask_u8")]

    def predict(self, faces, morph=1.0):
        self.faces_left -= len(faces)
        if self.faces_left < 0:
            os.read(0, 1)  # Nothing comes: the run stands still until it is killed.
        face, *masks = self.parts
        return 0.5 * faces + 0.5 * face, *(np.stack([mask] * len(faces)) for mask in masks)


def peak_kibibytes():
    """Most memory of this program; getrusage would count that of the one which started it too."""
    lines = Path("/proc/self/status").read_text().splitlines() if sys.platform.startswith("linux") else []
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


if __name__ == "__main__":
    to_video.PART_FRAMES = int(os.environ.get("PART_FRAMES", to_video.PART_FRAMES))
    steps.open_model = lambda request: (StubModel(), request)
    steps._record = lambda request, model: None
    if "TELLING_WINDOW" in os.environ:
        import telling_window

        from merger.interactive import window

        window.MergerWindow = telling_window.TellingWindow
    code = main.main(["merge", *sys.argv[1:]])
    print(f"PEAK {peak_kibibytes()}")
    sys.exit(code)
