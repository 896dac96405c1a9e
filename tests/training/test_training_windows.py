"""The windows of training on a real display: every key does what it says, and the picture stands there without a tool bar."""

import queue
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from virtual_desktop import HAS_DISPLAY, Desktop, display_environment, virtual_display, wait_until

from models.preview import pages

PROGRAM = Path(__file__).with_name("window_of_training.py")
pytestmark = pytest.mark.skipif(not HAS_DISPLAY, reason="needs Xvfb, xdotool and ImageMagick")
HEAD = 3 * pages.HEAD_LINE_HEIGHT + pages.GRAPH_HEIGHT


@pytest.fixture(scope="module")
def display():
    with virtual_display("900x700x24") as name:
        yield name


@contextmanager
def running(display, what, folder):
    """The program, and a function that waits for the next line it tells.

    OpenCV's Qt loses the news of one window in some twenty that it was mapped, on a busy machine, and then never paints
    it, whatever is drawn. The program is started anew then: what is tested here are the keys and the picture.
    """
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), what], env=display_environment(display), stdout=subprocess.PIPE, text=True
        )
        lines = queue.Queue()
        reader = threading.Thread(target=read_lines, args=(process.stdout, lines))
        reader.start()
        try:
            if is_painted(process, Desktop(display), folder / "opened.png"):
                yield process, lambda lines=lines: lines.get(timeout=120)
                return
        finally:
            process.kill()
            process.wait(60)
            reader.join(60)
    raise AssertionError("no window was painted")


def read_lines(stream, lines):
    """Put each line of a stream into a queue."""
    for line in stream:
        lines.put(line.strip())


def is_painted(process, desktop, path):
    """Whether anything was painted on the screen within 15 seconds after a window was there."""
    title = "Training preview|switch preview type"
    desktop.do("search", "--sync", "--onlyvisible", "--name", title)
    end = time.monotonic() + 15
    while time.monotonic() < end and process.poll() is None:
        if desktop.picture(path).any():
            return True
        time.sleep(0.1)
    return False


def shade_on_screen(process, desktop, path, wanted):
    """Wait until the middle of the shown page has a grey value."""

    def is_there():
        assert process.poll() is None, "the program has ended"
        return any(
            abs(int(value) - wanted) <= 1 for value in desktop.picture(path)[HEAD + 100 : HEAD + 110, 200].ravel()
        )

    wait_until(is_there)


def test_every_key_of_the_preview_window(display, tmp_path):
    desktop = Desktop(display)
    with running(display, "preview", tmp_path) as (process, told):
        desktop.focus("Training preview")
        shade_on_screen(process, desktop, tmp_path / "one.png", 51)
        for key, answers in {
            "s": ["sent save", "page 0 range 0"],
            "b": ["sent backup", "page 0 range 0"],
            "p": ["sent preview", "page 0 range 0"],
            "l": ["page 0 range 5000"],
            "shift+l": ["page 0 range 10000"],
            "space": ["page 1 range 10000"],
            "Right": [],
            "Home": [],
            "x": ["page 1 range 10000"],
        }.items():
            desktop.do("key", key)
            assert [told() for _ in answers] == answers, key
        shade_on_screen(process, desktop, tmp_path / "two.png", 153)
        desktop.do("key", "Return")
        assert [told(), told(), told()] == ["sent stop", "page 1 range 10000", "ended"]
        assert process.wait(60) == 0


def test_keypad_enter_ends_and_the_window_has_no_tool_bar(display, tmp_path):
    desktop = Desktop(display)
    with running(display, "preview", tmp_path) as (process, told):
        window = desktop.focus("Training preview")
        # A window is there a moment before it has its size.
        wait_until(
            lambda: (
                {"WIDTH=420", f"HEIGHT={HEAD + 200}"} <= set(desktop.do("getwindowgeometry", "--shell", window).split())
            )
        )
        desktop.do("key", "KP_Enter")
        assert told() == "sent stop"
        assert process.wait(60) == 0


def test_every_key_of_the_choice_of_the_history_picture(display, tmp_path):
    desktop = Desktop(display)
    with running(display, "choice", tmp_path) as (process, told):
        while not told().startswith("Choose the image"):
            pass
        desktop.focus("switch preview type")
        shade_on_screen(process, desktop, tmp_path / "0.png", 51)
        desktop.do("key", "space")
        shade_on_screen(process, desktop, tmp_path / "1.png", 153)
        desktop.do("key", "p")
        assert told() == "sample 1"
        shade_on_screen(process, desktop, tmp_path / "2.png", 178)
        desktop.do("key", "Return")
        assert told() == "took 1"
        assert process.wait(60) == 0
