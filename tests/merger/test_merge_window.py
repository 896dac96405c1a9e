"""Every key of the interactive merger in its real window, pressed by xdotool on a virtual display."""

import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from merge_workspace import Workspace
from virtual_desktop import HAS_DISPLAY, Desktop, display_environment, virtual_display, wait_until

from merger.interactive.state import FrameState, InteractiveMerger
from merger.interactive.window import error_picture, help_picture, mask_view, render
from merger.settings.config import CHOICES, MODES, MergeConfig

HERE = Path(__file__).parent
pytestmark = pytest.mark.skipif(
    not HAS_DISPLAY, reason="needs Xvfb, xdotool and ImageMagick (apt install xvfb xdotool imagemagick)"
)

STEPS = (
    ("w", "erode_mask_modifier", 1), ("e", "blur_mask_modifier", 1), ("r", "motion_blur_power", 1),
    ("u", "output_face_scale", 1), ("y", "blursharpen_amount", 1), ("i", "image_denoise_power", 1),
    ("o", "bicubic_degrade_power", 1), ("p", "color_degrade_power", 1), ("t", "super_resolution_power", 1),
)  # fmt: skip
CYCLES = (("x", "mask_mode"), ("c", "color_transfer_mode"), ("n", "sharpen_mode"), ("b", "two_pass_mode"))
DOWN = {"w": "s", "e": "d", "r": "f", "u": "j", "y": "h", "i": "k", "o": "l", "p": "semicolon", "t": "g"}


@pytest.fixture(scope="module")
def display():
    """A virtual display of this test's own."""
    with virtual_display() as name:
        yield name


class Program:
    """A merger with a telling window in a process of its own, driven by keys."""

    def __init__(self, process, display):
        self.process, self.desktop = process, Desktop(display)
        self.text, self.rest = "", b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(process.stdout, selectors.EVENT_READ)
        self.state("the window did not open")
        self.window = self.desktop.focus("^Merger")

    def key(self, key):
        self.desktop.do("key", str(key))

    def press(self, key):
        """Press a key; returns the state once the picture is up to date."""
        self.key(key)
        return self.state(f"no answer to the key {key}")

    def state(self, complaint, seconds=120):
        end = time.monotonic() + seconds
        while True:
            line, separator, rest = self.rest.partition(b"\n")
            if separator:
                self.rest = rest
                if line.startswith(b"STATE "):
                    return json.loads(line[6:])
                self.text += line.decode() + "\n"
                continue
            if not self.selector.select(end - time.monotonic()):
                pytest.fail(complaint)
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"{complaint}: the program ended: {self.text}{self.rest.decode()}"
            self.rest += data

    def shows(self, picture):
        """Wait until the window shows this picture, exact to the pixel."""
        wait_until(lambda: self.desktop.shows(picture, self.folder / "screen.png"))

    def merged(self, number):
        """The merged frame and mask on disk."""
        name = f"{number + 1:05d}.png"
        mask = cv2.imread(str(self.folder / "mask" / name), cv2.IMREAD_GRAYSCALE)
        return cv2.imread(str(self.folder / "merged" / name)), mask

    def leave(self, by_button=False):
        """Press Esc, or close the window by its button, and wait for the end; returns what the program has written."""
        if by_button:
            self.desktop.close(self.window)
        else:
            self.key("Escape")
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.rest += data
        text = self.text + self.rest.decode()
        assert self.process.wait(timeout=120) == 0, text
        return text

    def end(self):
        """Make sure that nothing runs on."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def program(display, tmp_path_factory):
    folder = tmp_path_factory.mktemp("window")
    process = subprocess.Popen(
        [sys.executable, str(HERE / "window_program.py"), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=display_environment(display, PYTHONPATH=f"{HERE}:{HERE.parents[1]}"),
    )
    program = Program(process, display)
    program.folder = folder
    yield program
    program.end()


def test_keys_in_the_window(program):
    program.shows(help_picture())
    for key in ("w", "shift+period", "v", "0"):
        state = program.press(key)
        assert state["screen"] == "help" and state["config"] == MergeConfig().settings()
    assert [program.press("Tab")["screen"] for _ in range(2)] == ["main", "help"]
    state = program.press("Tab")
    assert state["screen"] == "main" and state["displayed"] and state["config"] == MergeConfig().settings()
    for number, mode in enumerate(MODES):
        state = program.press(("grave", "1", "2", "3", "4", "5", "6")[number])
        assert state["config"]["mode"] == mode
    assert program.press("asciitilde")["config"]["mode"] == "original"
    _press_in_hist_match(program)
    plain = program.press("1")["config"]
    for key in ("Left", "Right", "Home", "F3", "Delete", "Shift_L", "Control_L"):
        program.key(key)
    for key in ("z", "shift+z", "q", "shift+q", "a", "shift+a", "d"):
        assert program.press(key)["config"] == plain
    for key, name, step in STEPS:
        assert program.press(key)["config"][name] == step
        assert program.press(f"shift+{key}")["config"][name] == 6 * step
        program.press("colon" if key == "p" else f"shift+{DOWN[key]}")
        assert program.press(DOWN[key])["config"][name] == 0
    for key, name in CYCLES:
        first, count = getattr(MergeConfig(), name), len(CHOICES[name])
        for number in range(1, count + 1):
            state = program.press(key if number % 2 else f"shift+{key}")
            assert state["config"][name] == (first + number) % count
    assert program.press("9")["config"]["pre_sharpen_power"] == 1
    assert program.press("8")["config"]["pre_sharpen_power"] == 0
    assert program.press("asterisk")["config"]["morph_power"] == 99
    assert program.press("parenleft")["config"]["morph_power"] == 100
    assert program.press("shift+x")["displayed"]
    program.shows(program.merged(0)[0])
    for _ in range(len(CHOICES["mask_mode"]) - 1):
        program.press("x")


def _press_in_hist_match(program):
    assert program.press("2")["config"]["hist_match_threshold"] == 238
    assert program.press("q")["config"]["hist_match_threshold"] == 239
    assert program.press("shift+q")["config"]["hist_match_threshold"] == 244
    assert program.press("a")["config"]["hist_match_threshold"] == 243
    assert program.press("shift+a")["config"]["hist_match_threshold"] == 238
    assert program.press("z")["config"]["masked_hist_match"] is False
    assert program.press("shift+z")["config"]["masked_hist_match"] is True
    assert program.press("4")["config"]["hist_match_threshold"] == 238
    assert program.press("q")["config"]["hist_match_threshold"] == 239
    assert program.press("a")["config"]["hist_match_threshold"] == 238
    assert program.press("z")["config"]["masked_hist_match"] is True


def test_moving_and_viewing_in_the_window(program):
    keys = ("equal", "plus", "KP_Add", "minus", "underscore", "KP_Subtract")
    for key, scale in zip(keys, (1.1, 1.2, 1.3, 1.2, 1.1, 1.0), strict=True):
        assert program.press(key)["scale"] == scale
    assert program.press("v")["mask_view"] is True
    program.shows(mask_view(*program.merged(0)))
    assert program.press("shift+v")["mask_view"] is False
    assert program.press("7")["settings_shown"] is True
    assert program.press("7")["settings_shown"] is False
    first = program.press("w")["config"]
    assert program.press("period")["position"] == 1
    assert program.press("e")["config"]["blur_mask_modifier"] == 1
    state = program.press("slash")
    assert state["position"] == 2 and state["config"]["blur_mask_modifier"] == 1
    assert program.press("comma")["position"] == 1
    assert program.press("d")["config"] == first
    assert program.press("m")["position"] == 0
    assert program.press("bracketright")["position"] == 2
    assert program.press("bracketleft")["position"] == 0
    program.press("period")
    assert program.press("shift+w")["config"]["erode_mask_modifier"] == 6
    assert program.press("shift+m")["config"]["erode_mask_modifier"] == 6
    state = program.press("shift+slash")
    assert state["position"] == 1 and state["config"]["erode_mask_modifier"] == 6
    state = program.press("shift+period")
    assert state["position"] == 5 and not state["displayed"]
    assert program.press("comma")["position"] == 4
    assert program.press("shift+w")["config"]["erode_mask_modifier"] == 11
    assert program.press("backslash")["position"] == 0
    folder = program.folder
    program.press("parenright")
    wait_until((folder / "settings.yaml").exists)
    stored = yaml.safe_load((folder / "settings.yaml").read_text())
    assert stored["erode_mask_modifier"] == {"interpolation": "linear", 0: 6, 1: 7, 2: 8, 3: 10, 4: 11}
    assert [program.press("period")["position"] for _ in range(3)] == [1, 2, 3]
    assert program.press("shift+comma")["position"] == 0
    program.press("shift+period")
    program.press("0")
    program.leave()
    assert sorted(path.name for path in (folder / "merged").glob("*.png")) == [f"{n + 1:05d}.png" for n in range(5)]
    stored = yaml.safe_load((folder / "settings.yaml").read_text())
    assert stored["erode_mask_modifier"] == {"interpolation": "hold", 0: 6, 1: 7, 2: 8, 3: 10, 4: 11}
    session = json.loads((folder / "session.json").read_text())
    assert session["current"] is None and len(session["frames"]) == 5


def test_the_command_opens_the_window_and_goes_on_with_its_session(display, tmp_path):
    workspace = Workspace(tmp_path, 4)
    config = tmp_path / "keyframes.yaml"
    config.write_text("erode_mask_modifier: {0: 0, 3: 30}\n")

    def run(keys, *extra):
        arguments = workspace.arguments("--interactive", "--workers", "2", *extra)
        process = workspace.start(*arguments, **display_environment(display, TELLING_WINDOW="1"))
        process.stdin.close()
        program = Program(process, display)
        try:
            for key in keys:
                program.press(key)
            return program.leave(by_button=len(keys) > 3)
        finally:
            program.end()

    run(("Tab", "shift+period", "shift+comma", "v"), "--config", config)
    assert len(workspace.results()) == 8
    session = json.loads((workspace.model / "stub_SAEHD_merger_session.json").read_text())
    erode = [session["settings"][index]["erode_mask_modifier"] for _, index in session["frames"]]
    assert erode == [0, 10, 20, 30] and session["current"] == "00001.png"
    output = run(("Tab", "period", "w"), "--use-session")
    assert "Using saved session from model/stub_SAEHD_merger_session.json" in output
    assert "erode_mask_modifier: 11" in output


@pytest.mark.skipif(shutil.which("setxkbmap") is None, reason="needs setxkbmap")
@pytest.mark.parametrize("layout", ["de", "cz", "ru", "fr"])
def test_frames_are_walked_and_processed_on_every_layout(layout, tmp_path):
    """By place: full stop walks, and Shift with it processes the rest, which types ":" on half of these layouts."""
    tab, e, full_stop = 23, 26, 60  # keycodes, which name places
    workspace = Workspace(tmp_path, 3)
    with virtual_display() as display:
        subprocess.run(["setxkbmap", "-display", display, layout], check=True, timeout=60)
        arguments = workspace.arguments("--interactive", "--workers", "2")
        process = workspace.start(*arguments, **display_environment(display, TELLING_WINDOW="1"))
        process.stdin.close()
        program = Program(process, display)
        try:
            assert program.press(tab)["screen"] == "main"
            before = program.press(full_stop)
            assert before["position"] == 1
            assert program.press(e)["config"]["blur_mask_modifier"] == before["config"]["blur_mask_modifier"] + 1
            assert program.press(f"shift+{full_stop}")["position"] == 3
            program.leave()
        finally:
            program.end()
    assert len(workspace.results()) == 6


def test_pictures_of_the_window():
    page = help_picture()
    assert page.shape[0] == 800 and (page > 100).sum() > 20_000
    image, mask = np.full((20, 20, 3), 100, np.uint8), np.zeros((20, 20), np.uint8)
    mask[10:] = 255
    view = mask_view(image, mask)
    assert (view[0, 0] == 75).all() and (view[0, 5] == 139).all() and (view[12, 5] == 75).all()
    assert error_picture("no")[0].any()


def test_settings_in_the_picture_stand_before_a_dark_ground():
    white = np.full((400, 600, 3), 255, np.uint8), np.full((400, 600), 255, np.uint8)
    merger = InteractiveMerger([FrameState("1.png")], MergeConfig(), 1, 0, lambda text: None)
    for key in ("\t", "7"):
        merger.key(key)
    merger.started(0), merger.finished(0, white), merger.tick()
    picture = render(merger)
    behind = picture[:, 72:, 0] == 255 // 4
    assert behind.mean() > 0.2 and (picture[:, 300:] == 255).all() and (picture[:, :64] == 255).all()
    assert ((picture > 200) & (picture < 255)).sum() > 5000
