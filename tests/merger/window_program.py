"""A real interactive merger with networks that predict at once; prints its state after every key as a JSON line."""

import sys
from pathlib import Path

import cv2
from merge_stubs import first_set_networks, load
from telling_window import TellingWindow

from merger.compose import Motion
from merger.frames import Frame
from merger.interactive.run import InteractiveRun
from merger.interactive.state import FrameState
from merger.output import FolderOutput
from merger.settings.config import MergeConfig

FRAMES = 5


def main(folder):
    inputs = load("merge_inputs.npz")
    for name in ("merged", "mask"):
        (folder / name).mkdir()
    frames = []
    for index in range(FRAMES):
        path = folder / f"{index + 1:05d}.png"
        cv2.imwrite(str(path), inputs["frame_u8"])
        frames.append(Frame(index, path, (inputs["lm_A"],), Motion(30.0, 8.0)))
    output = FolderOutput(folder / "merged", folder / "mask", ["stub", 1])
    states = [FrameState(frame.path.name) for frame in frames]
    start = MergeConfig(is_morphable=True)
    places = (folder / "session.json", folder / "settings.yaml")
    InteractiveRun(frames, states, 0, start, first_set_networks(), output, *places, 1, 2).run(TellingWindow())


main(Path(sys.argv[1]))
