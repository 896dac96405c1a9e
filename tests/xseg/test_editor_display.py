"""The editor in a real window: a virtual display, a mouse and a keyboard."""

import os
import re
import signal
import sys

import numpy as np
import pytest
from labelled_faces import make_faceset, run_main, write_face
from virtual_desktop import HAS_DISPLAY, Desktop, virtual_display, wait_until
from xvfb_display import running_program

from core.window import display as window_display
from samplelib.faces.aligned_face import read_metadata

needs_display = pytest.mark.skipif(
    not HAS_DISPLAY or not sys.platform.startswith("linux"), reason="needs Xvfb, xdotool and ImageMagick"
)


@pytest.fixture(scope="module")
def display():
    with virtual_display("1280x1000x24") as name:
        yield name


def shown(desktop, path):
    """Whether the window covers the upper left of the screen."""
    return tuple(desktop.picture(path)[5, 40]) != (0, 0, 0)


def wait_for_the_line_to_the_mouse(desktop, point, path):
    """The editor takes events in turn: once its line runs from the last point to the mouse, it knows all points."""
    desktop.do("mousemove", 550, 600)
    x, y = (point[0] + 550) // 2, (point[1] + 600) // 2
    wait_until(lambda: (desktop.picture(path)[y - 2 : y + 3, x - 2 : x + 3] == (0, 192, 0)).all(axis=2).any())


@needs_display
def test_a_session_with_mouse_and_keyboard(display, tmp_path):
    folder = tmp_path / "aligned"
    folder.mkdir()
    for number in range(8):
        write_face(folder / f"{number:05d}.jpg", number, size=200)
    desktop = Desktop(display)
    with running_program(display, tmp_path / "configuration", "xseg", "editor", "--input-dir", folder) as process:
        wait_until(lambda: shown(desktop, tmp_path / "screen.png"))
        corners = [(450, 250), (650, 250), (650, 450), (450, 450)]
        for x, y in corners:
            desktop.click(x, y)
        desktop.click(*corners[0])
        desktop.do("key", "d")
        labelled = folder / "00000.jpg"
        wait_until(lambda: read_metadata(labelled).polygons)
        for x, y in corners[:3]:
            desktop.click(x, y)
        desktop.do("key", "ctrl+z")
        desktop.click(600, 500)
        desktop.do("keydown", "shift")
        desktop.do("mousemove_relative", "--", 30, 30)
        desktop.do("keyup", "shift")
        desktop.do("key", "Right")
        wait_until(lambda: read_metadata(folder / "00001.jpg").polygons)
        desktop.do("key", "a")
        desktop.do("key", "4")
        wait_until(lambda: desktop.picture(tmp_path / "screen.png")[350, 550].tolist() == [255, 255, 255])
        picture = desktop.picture(tmp_path / "screen.png")
        desktop.do("key", "2")
        desktop.do("key", "d")
        desktop.do("key", "d")
        desktop.do("key", "x")
        wait_until(lambda: (tmp_path / "aligned_trash" / "00003.jpg").exists())
        for x, y in corners:
            desktop.click(x, y)
        wait_for_the_line_to_the_mouse(desktop, corners[-1], tmp_path / "screen.png")
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 0, output
    assert output.startswith("Running XSeg editor.\n") and "3 labeled\nDone." in output
    for name, count in (("00000", 4), ("00001", 3), ("00004", 4)):
        (polygon,) = read_metadata(folder / f"{name}.jpg").polygons
        assert polygon.include and len(polygon.points) == count
    points = read_metadata(labelled).polygons[0].points
    sides = points[[1, 2, 3, 0]] - points
    np.testing.assert_allclose(np.abs(sides).max(axis=1), np.abs(sides).max(), rtol=0.02)
    assert picture[350, 550].tolist() == [255, 255, 255] and picture[200, 400].tolist() == [0, 0, 0]
    assert (tmp_path / "configuration" / "deepfacelab-tf2" / "mask_editor.json").exists()


@needs_display
def test_the_queue_is_walked_in_its_order(display, tmp_path):
    folder = make_faceset(tmp_path / "aligned", count=4)
    queue = tmp_path / "aligned_xseg_queue.json"
    queue.write_text('{"faces": [{"name": "00003.jpg"}, {"name": "gone.jpg"}, {"name": "00001.jpg"}]}')
    desktop = Desktop(display)
    program = ["xseg", "editor", "--input-dir", folder, "--queue"]
    with running_program(display, tmp_path / "configuration", *program) as process:
        wait_until(lambda: shown(desktop, tmp_path / "screen.png"))
        for x, y in [(450, 250), (650, 250), (650, 450)]:
            desktop.click(x, y)
        desktop.do("key", "d")
        wait_until(lambda: read_metadata(folder / "00003.jpg").polygons)
        for x, y in [(450, 250), (650, 250), (650, 450)]:
            desktop.click(x, y)
        wait_for_the_line_to_the_mouse(desktop, (650, 450), tmp_path / "screen.png")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(read_metadata(folder / "00001.jpg").polygons) == 1


@needs_display
def test_a_folder_without_faces_ends_with_a_message(display, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no face")
    with running_program(display, tmp_path, "xseg", "editor", "--input-dir", tmp_path) as process:
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 3 and "none of its pictures is an aligned face" in output


def test_no_display_packed_empty_and_missing_folders(tmp_path):
    folder = make_faceset(tmp_path / "aligned", count=2)
    without = {"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""}
    result = run_main("xseg", "editor", "--input-dir", folder, environment=without)
    assert result.returncode == 1 and "there is no display" in result.stderr and "Traceback" not in result.stderr
    refused = run_main("xseg", "editor", "--input-dir", folder, environment={**without, "DISPLAY": ":987"})
    assert refused.returncode == 1 and "the display :987 does not answer" in refused.stderr
    (folder / "faceset.pak").write_bytes(b"")
    packed = run_main("xseg", "editor", "--input-dir", folder)
    assert packed.returncode == 1 and "Unpack it first" in packed.stderr and "Done." not in packed.stdout
    assert run_main("xseg", "editor", "--input-dir", tmp_path / "none").returncode == 1
    (tmp_path / "empty").mkdir()
    assert run_main("xseg", "editor", "--input-dir", tmp_path / "empty").returncode == 3


def test_what_opencv_leaves_in_the_environment_is_dropped_and_opengl_left_out(monkeypatch):
    folder = os.sep.join(("", "site", "cv2", "qt", "plugins"))
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", folder)
    monkeypatch.setenv("QT_QPA_FONTDIR", "/my/fonts")
    monkeypatch.delenv("QT_XCB_GL_INTEGRATION", raising=False)
    window_display.display_problem()
    assert "QT_QPA_PLATFORM_PLUGIN_PATH" not in os.environ and os.environ["QT_QPA_FONTDIR"] == "/my/fonts"
    assert os.environ["QT_XCB_GL_INTEGRATION"] == "none"
    monkeypatch.setenv("QT_XCB_GL_INTEGRATION", "xcb_glx")
    window_display.display_problem()
    assert os.environ["QT_XCB_GL_INTEGRATION"] == "xcb_glx"


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these always have one")
@pytest.mark.parametrize(
    ("variables", "there"),
    [
        ({}, False),
        ({"DISPLAY": ":1"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"QT_QPA_PLATFORM": "offscreen"}, True),
        ({"QT_QPA_PLATFORM": "xcb"}, False),
        ({"QT_QPA_PLATFORM": "wayland-egl"}, False),
        ({"QT_QPA_PLATFORM": "xcb:gl", "DISPLAY": ":1"}, True),
    ],
)
def test_a_platform_of_qt_alone_is_no_desktop(monkeypatch, variables, there):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert window_display.has_display() is there


def test_a_missing_library_is_named_with_the_packages(monkeypatch):
    def missing(name):
        raise OSError("libxcb-icccm.so.4: cannot open shared object file")

    monkeypatch.setenv("DISPLAY", ":1")
    monkeypatch.setattr(window_display.ctypes, "CDLL", missing)
    assert re.search(r"libxcb-icccm\.so\.4.*apt-get install libxcb-icccm4", window_display.display_problem())


@needs_display
def test_a_small_screen_shows_the_whole_window_which_remembers_its_place(tmp_path):
    (tmp_path / "aligned").mkdir()
    write_face(tmp_path / "aligned" / "00000.jpg", 0, size=200)

    def places(desktop):
        window = desktop.do("search", "--sync", "--onlyvisible", "--name", "XSeg").split()[-1]
        lines = desktop.do("getwindowgeometry", "--shell", window).split()
        found = dict(line.split("=") for line in lines if "=" in line)
        return window, tuple(int(found[name]) for name in ("X", "Y", "WIDTH", "HEIGHT"))

    with virtual_display("1280x720x24") as display:
        desktop = Desktop(display)
        arguments = (display, tmp_path / "configuration", "xseg", "editor", "--input-dir", tmp_path / "aligned")
        with running_program(*arguments) as process:
            wait_until(lambda: shown(desktop, tmp_path / "screen.png"))
            window, (left, top, width, height) = places(desktop)
            assert left >= 0 and top >= 0 and left + width <= 1280 and top + height <= 720
            desktop.do("windowsize", "--sync", window, 1000, 620)
            desktop.do("windowmove", "--sync", window, 60, 70)
            wait_until(lambda: places(desktop)[1] == (60, 70, 1000, 620))
            desktop.close(window)
            assert process.wait(60) == 0
        with running_program(*arguments) as process:
            wait_until(lambda: places(desktop)[1] == (60, 70, 1000, 620))
            desktop.close(places(desktop)[0])
            assert process.wait(60) == 0
