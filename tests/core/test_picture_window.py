"""The picture window on a real display: keys of several layouts, sizes of screens, the mouse, zoom, a display that goes away."""

import json
import queue
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from virtual_desktop import HAS_DISPLAY, Desktop, display_environment, virtual_display, wait_until

PROGRAM = Path(__file__).with_name("window_program.py")
pytestmark = pytest.mark.skipif(not HAS_DISPLAY, reason="needs Xvfb, xdotool and ImageMagick")
# Key codes of X11: full stop, comma, slash, 1, minus, q and the key left of 1, at their places on a US keyboard.
STOP, COMMA, SLASH, ONE, Q, LEFT_OF_ONE = 60, 59, 61, 10, 24, 49


class Trial:
    """The program, and what it tells."""

    def __init__(self, display, kind, size, environment):
        self.desktop = Desktop(display)
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), kind, *map(str, size)], text=True,
            env=display_environment(display, **environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self._told = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.kind = self.next()["window"]
        self.window = self.desktop.focus("Trial")

    def _read(self):
        for line in self.process.stdout:
            self._told.put(json.loads(line))

    def next(self):
        return self._told.get(timeout=120)

    def next_key(self):
        """The next key; what the mouse did is passed over."""
        while "key" not in (told := self.next()):
            pass
        return told["key"], told["shift"]

    def press(self, key):
        self.desktop.do("key", key)
        return self.next_key()

    def size(self):
        lines = self.desktop.do("getwindowgeometry", "--shell", self.window).split()
        geometry = dict(line.split("=") for line in lines)
        return int(geometry["WIDTH"]), int(geometry["HEIGHT"])


@contextmanager
def trial(display, kind="plain", size=(640, 360), **environment):
    running = Trial(display, kind, size, environment)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait(60)
        running._reader.join(60)
        running.process.stdout.close()
        running.process.stderr.close()


@pytest.fixture(scope="module")
def display():
    with virtual_display("1280x720x24") as name:
        yield name


@pytest.mark.skipif(shutil.which("setxkbmap") is None, reason="needs setxkbmap")
@pytest.mark.parametrize("layout", ["us", "de", "cz", "it", "es", "fr", "ru"])
def test_places_mean_the_same_on_every_layout(layout):
    with virtual_display("800x600x24") as display:
        subprocess.run(["setxkbmap", "-display", display, layout], check=True, timeout=60)
        with trial(display) as window:
            assert window.press(STOP) == (".", False)
            assert window.press(f"shift+{STOP}") == (".", True)
            if layout != "fr":  # where this place has a semicolon
                assert window.press(COMMA) == (",", False)
            assert window.press(f"shift+{COMMA}") == (",", True)
            assert window.press(f"shift+{SLASH}") == ("/", True)
            assert window.press(Q) == ("a" if layout == "fr" else "q", False)
            assert window.press(f"shift+{Q}") == ("a" if layout == "fr" else "q", True)
            one = f"shift+{ONE}" if layout == "cz" else ONE  # where it types a plus without Shift
            assert window.press(one) == ("1", False)
            for name, character in (("Return", "\r"), ("Escape", "\x1b"), ("Tab", "\t"), ("space", " ")):
                assert window.press(name) == (character, False)


@pytest.mark.parametrize("kind", ["plain", "opencv"])
def test_mouse_and_keys_of_both_windows(display, kind):
    with trial(display, kind) as window:
        assert window.kind == {"plain": "QtWindow", "opencv": "OpenCvWindow"}[kind]
        assert window.press("w") == ("w", False)
        assert window.press("KP_Enter") == ("\r", False)
        assert window.press("Right") == ("right", False)
        window.desktop.do("mousemove", "--window", window.window, 100, 50)
        window.desktop.do("click", 1)
        while (told := window.next())["mouse"] != "left":
            assert told["mouse"] == "move"
        assert (told["x"], told["y"]) == (100, 50)


def test_a_picture_larger_than_the_screen_is_shown_whole(display, tmp_path):
    with trial(display, size=(2560, 1440)) as window:
        wait_until(lambda: window.size() == (1216, 684))
        wait_until(lambda: picture_on(window, tmp_path) is not None)
        screen = picture_on(window, tmp_path)
        red = np.flatnonzero(screen[360, :, 2] > 200)
        assert (
            abs(red[0] - 32) <= 1 and abs(red[-1] - 639) <= 2
        )  # the left half of the picture, in the middle of the screen
        window.desktop.do("mousemove", 32 + 608, 18 + 342, "click", 1)
        while (told := window.next()).get("mouse") != "left":
            pass
        assert abs(told["x"] - 1280) <= 2 and abs(told["y"] - 720) <= 2


def picture_on(window, folder):
    """A screenshot, once the picture is painted."""
    screen = window.desktop.picture(folder / "screen.png")
    return screen if (screen[..., 2] > 200).sum() > 100_000 else None


def test_a_screen_of_double_density_shows_the_picture_twice_as_large(display):
    with trial(display, size=(400, 300), QT_SCALE_FACTOR="2") as window:
        wait_until(lambda: window.size() == (800, 600))
        window.desktop.do("mousemove", "--window", window.window, 400, 300, "click", 1)
        while (told := window.next()).get("mouse") != "left":
            pass
        assert (told["x"], told["y"]) == (200, 150)


def test_wheel_zooms_and_f_fills_the_screen(display, tmp_path):
    with trial(display, "zooms") as window:
        wait_until(lambda: picture_on(window, tmp_path) is not None)
        window.desktop.do("mousemove", "--window", window.window, 10, 180)
        before = window.desktop.picture(tmp_path / "before.png")
        window.desktop.do("click", "--repeat", 8, "--delay", 20, 4)

        def only_the_left_is_seen():
            seen = window.desktop.picture(tmp_path / "zoomed.png")
            return (seen[300:420, 330:950, 2] > 200).all() and (seen != before).any()

        wait_until(only_the_left_is_seen)
        window.desktop.do("key", "f")
        wait_until(lambda: window.size() == (1280, 720))
        window.desktop.do("key", "Escape")
        wait_until(lambda: window.size() != (1280, 720))
        assert window.press("s") == ("s", False)


def test_a_display_that_goes_away_is_said():
    with virtual_display("800x600x24") as name, trial(name) as window:
        wait_until(lambda: window.size() == (640, 360))
        name.server.kill()
        window.process.wait(120)
        assert window.process.returncode == 1
        assert "The window system failed: the connection to the display broke." in window.process.stderr.read()
