"""Every button, mode, key and mouse action of the editor in a real window, by mouse and keyboard alone.

The pictures that the windows showed on the way are left in the test's folder, ``screen_*.png``.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from labelled_faces import write_face
from virtual_desktop import HAS_DISPLAY, Desktop, display_environment, virtual_display, wait_until

from samplelib.faces.aligned_face import SegPolygon, read_metadata

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HAS_DISPLAY or not sys.platform.startswith("linux"), reason="needs Xvfb and xdotool"),
]

SIZE = 200
SQUARE = ((40, 40), (160, 40), (160, 160), (40, 160))
TRIANGLE = ((80, 80), (120, 80), (100, 120))
OUTSIDE = (20, 100)
STORED = SegPolygon(True, np.float32(SQUARE))


class User:
    """A person at the editor: clicks at image points and on buttons, presses keys, looks."""

    def __init__(self, desktop, folder, state_path):
        self.desktop, self.folder, self.state_path = desktop, folder, state_path
        self.pictures = 0

    @property
    def state(self):
        return json.loads(self.state_path.read_text())

    def sees(self, **expected):
        """Wait until the editor's state is the expected one, and return it."""
        state = {}

        def as_expected():
            state.clear()
            state.update(self.state)
            return all(state.get(name) == value for name, value in expected.items())

        try:
            wait_until(as_expected, 60)
        except AssertionError:
            found = {name: state.get(name) for name in expected}
            raise AssertionError(f"expected {expected}, the editor has {found}") from None
        return dict(state)

    def sees_points(self, points):
        """Wait for the polygon in work to have these corners, within two pixels of the screen."""

        def there():
            found = self.state["points"]
            return found is not None and len(found) == len(points) and np.abs(np.subtract(found, points)).max() < 0.7

        wait_until(there, 60)

    def place(self, point):
        """Place on the screen of an image point."""
        state = self.state
        x, y = (np.array(point) - state["look"]) * state["scale"] + state["center"] + state["canvas"]
        return round(x), round(y)

    def move(self, point):
        """Move the mouse to an image point and wait until the editor has seen it there."""
        x, y = self.place(point)
        left, top = self.state["canvas"]
        self.desktop.do("mousemove", x, y)
        wait_until(lambda: self.state["cursor"] == [x - left, y - top], 60)

    def click(self, *points):
        for point in points:
            self.move(point)
            self.desktop.do("click", 1)

    def press(self, *keys):
        self.desktop.do("key", *keys)

    def push(self, name):
        """Click a button."""
        self.desktop.do("mousemove", *self.state["buttons"][name])
        self.desktop.do("click", 1)

    def picture(self, name):
        """Take a picture of the screen."""
        self.pictures += 1
        return self.desktop.picture(self.folder / f"screen_{self.pictures:02d}_{name}.png")

    def sees_color(self, point, color):
        """Wait for the screen to have a colour (R, G, B) within two pixels of an image point."""
        x, y = self.place(point)

        def there():
            picture = self.desktop.picture(self.folder / "screen.png")
            return (picture[y - 2 : y + 3, x - 2 : x + 3] == color[::-1]).all(axis=2).any()

        wait_until(there, 60)


@pytest.fixture
def user(tmp_path):
    """An open editor on twelve faces: 00006 and 00009 have a label, 00003 has an applied mask."""
    folder = tmp_path / "aligned"
    folder.mkdir()
    mask = np.zeros((256, 256, 1), np.float32)
    mask[50:200, 80:180] = 1
    for number in range(12):
        labels = [STORED] if number in (6, 9) else []
        applied = mask if number == 3 else None
        write_face(folder / f"{number:05d}.jpg", number, size=SIZE, polygons=labels, mask=applied)
    with virtual_display("1280x1000x24") as display:
        environment = display_environment(
            display, QT_QPA_PLATFORM="xcb", XDG_CONFIG_HOME=str(tmp_path / "configuration"), LANG="C.UTF-8",
            EDITOR_STATE=str(tmp_path / "state.json"), EDITOR_SCAN_SECONDS="0.4",
        )  # fmt: skip
        program = [sys.executable, str(Path(__file__).with_name("editor_with_state.py"))]
        with subprocess.Popen(
            [*program, "xseg", "editor", "--input-dir", str(folder)],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            person = User(Desktop(display), tmp_path, tmp_path / "state.json")
            person.process, person.faces = process, folder
            try:
                wait_until(person.state_path.exists)
                person.picture("splash")
                person.sees(count="2 labeled", loading=False, name="00000.jpg", place="1/12", mode="none")
                yield person
            finally:
                process.kill()


def labels_of(user, number):
    return read_metadata(user.faces / f"{number:05d}.jpg").polygons


def test_drawing_and_editing(user):
    _draw_with_undo_and_lock(user)
    _edit_points(user)
    _select_delete_and_bring_back(user)


def _draw_with_undo_and_lock(user):
    user.click(*SQUARE)
    user.sees_points(SQUARE)
    user.move((100, 100))
    user.sees_color((100 - 30, 100 + 30), (0, 192, 0))
    assert {"undo", "lock"} <= set(user.sees(mode="draw")["enabled"])
    user.picture("drawing")
    user.press("ctrl+z")
    user.sees_points(SQUARE[:3])
    user.press("ctrl+shift+z")
    user.sees_points(SQUARE)
    user.push("undo")
    user.push("undo")
    user.sees_points(SQUARE[:2])
    user.push("redo")
    user.push("redo")
    user.sees_points(SQUARE)
    user.move((70, 110))
    user.desktop.do("keydown", "shift")
    assert "lock" in user.sees(locked=True)["checked"]
    before = user.state["look"]
    assert np.abs(np.subtract(before, (70, 110))).max() < 1
    user.desktop.do("mousemove_relative", "--", 20, 10)
    wait_until(lambda: np.subtract(user.state["look"], before).max() > 1)
    user.picture("locked")
    user.desktop.do("keyup", "shift")
    user.sees(locked=False)
    user.push("lock")
    assert "lock" in user.sees(locked=True)["checked"]
    user.push("lock")
    user.sees(locked=False)
    user.move(SQUARE[0])
    user.picture("first_point")
    user.click(SQUARE[0])
    user.sees(mode="edit")
    user.sees_points(SQUARE)


def _edit_points(user):
    user.move(SQUARE[0])
    user.desktop.do("mousedown", 1)
    user.move((30, 30))
    user.picture("point_dragged")
    user.desktop.do("mouseup", 1)
    user.sees_points([(30, 30), *SQUARE[1:]])
    user.desktop.do("keydown", "ctrl")
    assert "points" in user.sees(adds=True)["checked"]
    user.move((160, 100))
    user.picture("point_to_be_added")
    user.click((160, 100))
    user.sees_points([(30, 30), SQUARE[1], (160, 100), *SQUARE[2:]])
    user.picture("point_to_be_deleted")
    user.click((160, 100))
    user.sees_points([(30, 30), *SQUARE[1:]])
    user.desktop.do("keyup", "ctrl")
    user.sees(adds=False)
    user.push("points")
    user.sees(adds=True)
    user.click((100, 160))
    user.sees_points([(30, 30), *SQUARE[1:3], (100, 160), SQUARE[3]])
    user.push("points")
    user.sees(adds=False)
    user.press("ctrl+z")
    user.sees_points([(30, 30), *SQUARE[1:]])


def _select_delete_and_bring_back(user):
    user.click(OUTSIDE)
    user.sees(mode="none")
    user.move((160, 80))
    user.picture("hover")
    user.click((160, 80))
    user.sees(mode="edit")
    user.press("Delete")
    user.sees(mode="none", polygons=[])
    user.press("ctrl+z")
    assert len(user.sees(mode="edit")["polygons"]) == 1
    user.push("delete")
    user.sees(mode="none", polygons=[])
    user.press("ctrl+z")
    user.sees(mode="edit")
    user.press("d")
    user.sees(name="00001.jpg", count="3 labeled")
    (stored,) = labels_of(user, 0)
    np.testing.assert_allclose(stored.points[0], (30, 30), atol=0.7)


def test_kinds_colours_and_views(user):
    user.click(*SQUARE, SQUARE[0])
    user.sees(mode="edit")
    user.click(OUTSIDE)
    user.press("w")
    assert "exclude" in user.sees(include=False, mode="none")["checked"]
    user.press("q")
    assert "include" in user.sees(include=True)["checked"]
    user.push("exclude")
    user.sees(include=False)
    user.push("include")
    user.sees(include=True)
    user.press("w")
    user.click(*TRIANGLE, TRIANGLE[0])
    user.sees(mode="edit")
    user.click(OUTSIDE)
    user.sees(mode="none")
    for key, color, value in (("1", "red", (192, 0, 0)), ("2", "green", (0, 192, 0)), ("3", "blue", (0, 0, 192))):
        user.press(key)
        assert color in user.sees(color=color)["checked"]
        user.sees_color((100, 40), value)
        user.picture(color)
    for color in ("red", "green"):
        user.push(color)
        user.sees(color=color)
    for view in (lambda: user.press("4"), lambda: user.push("baked")):
        view()
        assert "baked" in user.sees(mode="view_baked")["checked"]
        user.sees_color((60, 60), (255, 255, 255))
        user.sees_color((100, 95), (0, 0, 0))
        user.picture("baked")
        user.press("3")
        user.sees(mode="none", color="blue")
    user.press("5")
    user.sees(mode="view_xseg", message="This face has no applied mask.")
    user.press("d", "d", "d")
    user.sees(mode="view_xseg", name="00003.jpg", message="")
    user.sees_color((100, 100), (255, 255, 255))
    user.sees_color((20, 20), (0, 0, 0))
    user.picture("applied_mask")
    user.push("green")
    user.sees(mode="none", color="green")
    user.push("xseg")
    user.sees(mode="view_xseg")
    user.press("2")
    for switch in (lambda: user.press("grave"), lambda: user.press("asciitilde"), lambda: user.push("overlay")):
        before = user.sees(mode="none")["overlay"]
        switch()
        assert ("overlay" in user.sees(overlay=not before)["checked"]) == (not before)
    user.picture("overlay")
    user.press("g")
    wait_until(lambda: len(user.state["polygons"]) == 1)
    user.picture("outline_of_the_applied_mask")
    user.press("d")
    user.sees(count="4 labeled", name="00004.jpg")
    assert [polygon.include for polygon in labels_of(user, 0)] == [True, False]
    assert len(labels_of(user, 3)) == 1


def test_zoom_pan_and_the_right_button(user):
    fitting = user.state["scale"]
    user.move((50, 60))
    place = user.place((50, 60))
    user.desktop.do("click", "--repeat", 3, 4)
    wait_until(lambda: user.state["scale"] > fitting + 1)
    assert np.abs(np.subtract(user.place((50, 60)), place)).max() <= 1
    user.picture("zoomed")
    near = user.state["scale"]
    user.desktop.do("click", 5)
    wait_until(lambda: user.state["scale"] < near)
    assert np.abs(np.subtract(user.place((50, 60)), place)).max() <= 1
    look, scale = np.array(user.state["look"]), user.state["scale"]
    user.desktop.do("mousedown", 2)
    user.sees(panning=True)
    user.desktop.do("mousemove_relative", "--", -80, 40)
    wait_until(lambda: np.abs(np.subtract(user.state["look"], look) - np.array([80, -40]) / scale).max() < 0.5)
    user.picture("panned")
    user.desktop.do("mouseup", 2)
    user.sees(panning=False)
    user.desktop.do("click", 3)
    user.press("d")
    state = user.sees(name="00001.jpg", mode="none")
    assert state["scale"] == fitting
    assert labels_of(user, 0) == ()


def test_walking_trash_and_closing(user):
    for keys, name in (
        ("d", 1), ("Right", 2), ("a", 1), ("Left", 0), ("shift+d", 5), ("ctrl+d", 6), ("ctrl+d", 9),
        ("ctrl+a", 6), ("shift+a", 1), ("ctrl+shift+d", 2),
    ):  # fmt: skip
        user.press(keys)
        user.sees(name=f"{name:05d}.jpg", place=f"{name + 1}/12")
    user.push("next")
    user.sees(name="00003.jpg")
    user.push("previous")
    user.sees(name="00002.jpg")
    user.picture("thumbnails")
    user.desktop.do("keydown", "d")
    user.sees(name="00011.jpg")
    user.desktop.do("keyup", "d")
    user.desktop.do("mousemove", *user.state["buttons"]["previous"])
    user.desktop.do("mousedown", 1)
    user.sees(name="00000.jpg")
    user.desktop.do("mouseup", 1)
    user.desktop.do("mousemove", *user.state["name_label"])
    user.desktop.do("click", 1)
    wait_until(lambda: "00000.jpg" in user.state["message"])
    user.picture("name_copied")
    user.desktop.do("mousemove", *user.state["buttons"]["trash"])
    user.desktop.do("click", 1)
    user.sees(name="00001.jpg", place="1/11")
    user.press("x")
    user.sees(name="00002.jpg", place="1/10")
    trash = user.faces.with_name("aligned_trash")
    assert sorted(path.name for path in trash.iterdir()) == ["00000.jpg", "00001.jpg"]
    user.click(*SQUARE[:3])
    user.sees_points(SQUARE[:3])
    user.process.send_signal(signal.SIGINT)
    output = user.process.communicate(timeout=60)[0]
    assert user.process.returncode == 0, output
    assert "3 labeled\nDone." in output and len(labels_of(user, 2)) == 1
    assert os.path.exists(user.folder / "configuration" / "deepfacelab-tf2" / "mask_editor.json")
