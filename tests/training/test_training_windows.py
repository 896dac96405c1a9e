"""The windows of training on a real display: every key does what it says, and the picture stands there without a tool bar."""

import queue
import shutil
import subprocess
import sys
import threading
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
def running(display, what):
    """The program, and a function that waits for the next line it tells."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), what], env=display_environment(display), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines = queue.Queue()
    reader = threading.Thread(target=read_lines, args=(process.stdout, lines))
    reader.start()
    try:
        yield process, lambda: lines.get(timeout=120)
    finally:
        process.kill()
        process.wait(60)
        reader.join(60)


def read_lines(stream, lines):
    """Put each line of a stream into a queue."""
    for line in stream:
        lines.put(line.strip())


def shade_on_screen(process, desktop, path, wanted):
    """Wait until a grey value fills a good part of the screen, as the pages of the program do."""

    def is_there():
        assert process.poll() is None, "the program has ended"
        return (abs(desktop.picture(path).astype(int) - wanted) <= 1).all(axis=2).sum() > 50_000

    wait_until(is_there)


def test_every_key_of_the_preview_window(display, tmp_path):
    desktop = Desktop(display)
    with running(display, "preview") as (process, told):
        desktop.focus("Training preview")
        shade_on_screen(process, desktop, tmp_path / "one.png", 51)
        for key, answers in {
            "s": ["sent save", "page 0 range 0"],
            "b": ["sent backup", "page 0 range 0"],
            "p": ["sent preview", "page 0 range 0"],
            "l": ["page 0 range 5000"],
            "shift+l": ["page 0 range 10000"],
            "space": ["page 1 range 10000"],
            "Right": ["page 1 range 10000"],
            "Home": ["page 1 range 10000"],
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
    with running(display, "preview") as (process, told):
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
    with running(display, "choice") as (process, told):
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


def test_training_goes_on_when_the_display_goes_away(tmp_path):
    with virtual_display("900x700x24") as name, running(name, "preview") as (process, told):
        shade_on_screen(process, Desktop(name), tmp_path / "one.png", 51)
        name.server.kill()
        assert "The window system failed: the connection to the display broke." in told()
        assert told() == "Warning: Training goes on without its window. Ctrl+C saves and ends it."
        process.stdin.write("the target is reached\n")
        process.stdin.flush()
        assert process.wait(60) == 0


@pytest.mark.skipif(shutil.which("setxkbmap") is None, reason="needs setxkbmap")
@pytest.mark.parametrize("layout", ["de", "cz", "ru", "fr"])
def test_letters_of_the_preview_count_by_place_on_every_layout(tmp_path, layout):
    s, b, p, ell, space, enter = 39, 56, 33, 46, 65, 36  # keycodes, which name places
    with virtual_display("900x700x24") as name:
        desktop = Desktop(name)
        subprocess.run(["setxkbmap", "-display", name, layout], check=True, timeout=60)
        with running(name, "preview") as (process, told):
            desktop.focus("Training preview")
            shade_on_screen(process, desktop, tmp_path / "one.png", 51)
            for place, answers in {
                s: ["sent save", "page 0 range 0"],
                b: ["sent backup", "page 0 range 0"],
                p: ["sent preview", "page 0 range 0"],
                ell: ["page 0 range 5000"],
                space: ["page 1 range 5000"],
            }.items():
                desktop.do("key", place)
                assert [told() for _ in answers] == answers, place
            desktop.do("key", enter)
            assert told() == "sent stop"
            assert process.wait(60) == 0
