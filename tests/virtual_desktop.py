"""A display of their own for tests that need a real window, and a person at its mouse and keyboard."""

import ctypes
import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import cv2
import numpy as np

HAS_DISPLAY = all(shutil.which(name) for name in ("Xvfb", "xdotool", "import"))


class DisplayName(str):
    """Name of a display, with the process of its server, so that a test can end that."""

    server: subprocess.Popen


@contextmanager
def virtual_display(size="1400x1024x24", memory=None):
    """Start Xvfb on a free display number, which it chooses itself, and yield its name, for example ``":7"``.

    Keys do not repeat however long a busy machine takes to release them. The server does not reset itself when its last
    client leaves (every call of xdotool may be that client), since a program that starts meanwhile would abort.

    The screen is a file in the folder ``memory``, if given, without the mouse: see :func:`read_screen`.
    """
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp", "-r", "-noreset"]
        + ([] if memory is None else ["-fbdir", str(memory), "-nocursor"]),
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as stream:
            number = stream.readline().strip()
        assert number, "Xvfb did not start"
        name = DisplayName(f":{number}")
        name.server = server
        yield name
    finally:
        server.terminate()
        server.wait(60)


def read_screen(memory):
    """(H, W, 3) uint8 BGR picture of what is on a virtual display now; its screen is in the folder ``memory``.

    An X window dump: a header of big-endian numbers, a colour table, then four bytes a pixel.
    """
    data = np.fromfile(memory / "Xvfb_screen0", np.uint8)
    header = data[:100].view(">u4")
    start, height, line = int(header[0] + 12 * header[19]), int(header[5]), int(header[12])
    return data[start : start + height * line].reshape(height, line // 4, 4)[:, : int(header[4]), :3].copy()


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

    def close(self, window):
        """Ask a window to close, as the button in its frame would; there is no window manager that has frames."""
        library = ctypes.CDLL("libX11.so.6")
        library.XOpenDisplay.restype = ctypes.c_void_p
        library.XInternAtom.restype = ctypes.c_ulong
        connection = ctypes.c_void_p(library.XOpenDisplay(self.display.encode()))
        protocols, closing = (
            library.XInternAtom(connection, name, 0) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        )
        # XClientMessageEvent: type, serial, send_event, display, window, message_type, format, data; padded to 24 longs.
        message = (ctypes.c_long * 24)(33, 0, 1, 0, int(window), protocols, 32, closing)
        library.XSendEvent(connection, ctypes.c_ulong(int(window)), 0, ctypes.c_long(0), ctypes.byref(message))
        library.XCloseDisplay(connection)

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
