"""A real interactive merger with networks that predict at once; prints its state after every key as a JSON line."""

import json
import sys
from pathlib import Path

import cv2
from merge_stubs import first_set_networks, load

from merger.compose import Motion
from merger.config import MergeConfig
from merger.frames import Frame
from merger.interactive import FrameState
from merger.interactive_run import InteractiveRun
from merger.output import FolderOutput
from merger.window import MergerWindow

FRAMES = 5


def say(**values):
    print("STATE " + json.dumps(values), flush=True)


class TellingWindow(MergerWindow):
    """Says when the current frame is on the screen after a key."""

    told = pressed = None

    def show(self, merger):
        super().show(merger)
        if not merger.waiting and self.told != self.pressed:
            self.told = self.pressed
            config = merger.current.config.settings() if merger.current else None
            say(
                key=self.pressed[1],
                position=merger.position,
                config=config,
                screen=merger.screen,
                scale=merger.scale,
                mask_view=merger.mask_view,
                settings_shown=merger.show_settings,
                displayed=merger.displayed is not None,
            )

    def poll(self, milliseconds):
        key = super().poll(milliseconds)
        if key is not None:
            self.pressed = (self.pressed[0] + 1 if self.pressed else 1, "".join(key[:1]) + (" shift" if key[1] else ""))
        return key


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
