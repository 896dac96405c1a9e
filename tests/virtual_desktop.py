"""A display of their own for tests that need a real window, and a person at its mouse and keyboard."""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import cv2

HAS_DISPLAY = all(shutil.which(name) for name in ("Xvfb", "xdotool", "import"))


@contextmanager
def virtual_display(size="1400x1024x24"):
    """Start Xvfb on a free display number, which it chooses itself, and yield its name, for example ``":7"``."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp"],
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as stream:
            number = stream.readline().strip()
        assert number, "Xvfb did not start"
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(60)


def display_environment(display, **variables):
    """Environment of a program that shall open its windows on a virtual display, whatever is set outside."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("QT_") and name != "WAYLAND_DISPLAY"
    }
    return {**inherited, "DISPLAY": display, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1", **variables}


def wait_until(condition, seconds=120.0, pause=0.1):
    """Wait for a condition and return what it gave; an AssertionError when it does not come true."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, "the awaited did not happen"
        time.sleep(pause)


class Desktop:
    """Mouse and keyboard of a virtual display."""

    def __init__(self, display):
        self.display = display

    def do(self, *arguments, pause=0.0):
        """Run xdotool with these arguments, give the program ``pause`` seconds, and return what xdotool wrote."""
        done = subprocess.run(
            ["xdotool", *map(str, arguments)],
            check=True, capture_output=True, text=True, timeout=120, env=display_environment(self.display),
        )  # fmt: skip
        time.sleep(pause)
        return done.stdout

    def click(self, x, y, pause=0.1):
        """Left click at a place of the screen."""
        self.do("mousemove", x, y, pause=pause)
        self.do("click", 1, pause=pause)

    def focus(self, title):
        """Wait for the window with this title and give it the keyboard; returns its number."""
        window = self.do("search", "--sync", "--onlyvisible", "--name", title).split()[-1]
        self.do("windowfocus", "--sync", window)
        return window

    def picture(self, path):
        """Screenshot as (H, W, 3) uint8 BGR, by ImageMagick."""
        subprocess.run(["import", "-display", self.display, "-window", "root", str(path)], check=True, timeout=120)
        return cv2.imread(str(path))

    def shows(self, picture, path):
        """Whether a (H, W, 3) uint8 BGR picture is anywhere on the screen, exact to the pixel."""
        difference = cv2.matchTemplate(self.picture(path), picture, cv2.TM_SQDIFF)
        left, top = cv2.minMaxLoc(difference)[2]
        height, width = picture.shape[:2]
        return bool((cv2.imread(str(path))[top : top + height, left : left + width] == picture).all())
