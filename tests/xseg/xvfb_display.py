"""A display of their own for tests that need a real window."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import cv2
from labelled_faces import ROOT

HAS_DISPLAY = all(shutil.which(name) for name in ("Xvfb", "xdotool", "import"))


@contextmanager
def virtual_display(size="1280x1000x24"):
    """Start Xvfb on a free display number and yield its name, for example ``":7"``."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as stream:
            yield f":{stream.readline().strip()}"
    finally:
        server.terminate()
        server.wait(10)


class Desktop:
    """Mouse and keyboard of a virtual display."""

    def __init__(self, display):
        self.display = display

    def do(self, *arguments, pause=0.1):
        """Run xdotool with these arguments and give the program time to react."""
        subprocess.run(["xdotool", *map(str, arguments)], check=True, env={**os.environ, "DISPLAY": self.display})
        time.sleep(pause)

    def click(self, x, y):
        """Left click at a place of the screen."""
        self.do("mousemove", x, y)
        self.do("click", 1)

    def picture(self, path):
        """Screenshot as (H, W, 3) uint8 BGR, by ImageMagick."""
        subprocess.run(["import", "-display", self.display, "-window", "root", str(path)], check=True)
        return cv2.imread(str(path))


@contextmanager
def running_program(display, configuration: Path, *arguments):
    """Run ``main.py`` with a window on a display and yield the process."""
    environment = {
        **os.environ,
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "XDG_CONFIG_HOME": str(configuration),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(10)


def wait_until(condition, seconds=20.0):
    """Wait for a condition; an AssertionError when it does not come true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("the awaited did not happen")
