"""A person at the real window of the manual extractor: every mouse and key action, seen on the screen and in the files."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from virtual_desktop import HAS_DISPLAY, Desktop, display_environment, read_screen, virtual_display, wait_until

import main
from facelib.face_type import FaceType
from facelib.finder_factory import make_finders
from facelib.landmarks import landmarks_of_rectangle
from samplelib.extraction.manual_marking import ManualMarking
from samplelib.extraction.manual_window import draw_view
from samplelib.extraction.pipeline import ExtractSettings
from samplelib.faces.aligned_face import read_metadata

pytestmark = pytest.mark.skipif(not HAS_DISPLAY, reason="needs Xvfb, xdotool and ImageMagick")

ROOT = Path(__file__).parents[2]
SCALE = 1.5
"""Pixels of the window for one of a frame: frames of 300 rows in a view of 800 * 9 / 16."""
OPTIONS = ("--face-type", "full_face", "--image-size", "256", "--jpeg-quality", "90", "--max-faces-from-image", "0")
NOSE = (240, 165)
"""Where the portrait's face is in the window; (160, 110) in the frame."""


@pytest.fixture(scope="module")
def finder():
    """The networks that the program uses."""
    return make_finders("s3fd", FaceType.FULL, by_hand=True)[0][0]


@pytest.fixture
def frames(tmp_path):
    """Seven frames with the portrait, each of another brightness, so that a view tells which frame it shows."""
    folder = tmp_path / "frames"
    folder.mkdir()
    portrait = skimage.data.astronaut()[:300, 60:460, ::-1]
    for number in range(7):
        cv2.imwrite(str(folder / f"{number}.png"), np.clip(portrait.astype(int) + 4 * number, 0, 255).astype(np.uint8))
    return folder


class Person:
    """Starts the ``extract`` command on a virtual display, works at its window, and sees what it shows."""

    def __init__(self, desktop, finder, frames, folder):
        self._desktop, self._finder, self._folder = desktop, finder, folder
        self._frames = [cv2.imread(str(path)) for path in sorted(frames.iterdir())]
        self.input, self.output, self.debug = frames, folder / "aligned", folder / "aligned_debug"
        self._settings = ExtractSettings(self.output, None, FaceType.FULL, 256)
        self._process = self._place = self._window = None

    def replace(self, number, picture):
        """Give a frame another picture."""
        self._frames[number] = picture
        cv2.imwrite(str(self.input / f"{number}.png"), picture)

    def start(self, *arguments):
        """Run ``extract`` until its window is open; by name, the largest, as Qt has small ones of the same name."""
        command = [sys.executable, "main.py", "extract", "--input-dir", self.input, "--output-dir", self.output]
        command += [*arguments, "--manual-window-size", "800"]
        self._process = subprocess.Popen(
            list(map(str, command)), cwd=ROOT, env=display_environment(self._desktop.display), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        wait_until(lambda: self._find_window() or self._process.poll() is not None, 300)
        assert self._process.poll() is None, self._process.stdout.read()
        self._desktop.do("windowfocus", "--sync", self._window)

    def _find_window(self):
        search = ["xdotool", "search", "--onlyvisible", "--name", "Manual pass"]
        environment = display_environment(self._desktop.display)
        for number in subprocess.run(search, env=environment, capture_output=True, text=True).stdout.split():
            lines = self._desktop.do("getwindowgeometry", "--shell", number).split()
            geometry = {name: int(value) for name, _, value in (line.partition("=") for line in lines)}
            if (geometry["WIDTH"], geometry["HEIGHT"]) == (600, 450):
                self._window, self._place = number, (geometry["X"], geometry["Y"])
        return self._window

    def move(self, x, y):
        """Put the mouse on a pixel of the window."""
        self._desktop.do("mousemove", self._place[0] + x, self._place[1] + y)

    def click(self, button, times=1):
        """1 and 3 are the left and the right button, 4 and 5 the wheel up and down."""
        self._desktop.do("click", "--repeat", times, "--delay", 20, button)

    def press(self, key):
        self._desktop.do("key", key)

    def close_window(self):
        self._desktop.close(self._window)

    def landmarks(self, number, rect, accurate=True):
        """What the network finds in a rectangle of a frame."""
        return self._finder.align_rect(self._frames[number], rect, accurate)

    def view(self, number, x, y, half_size, locked=False, help_shown=True, accurate=True, landmarks=None):
        """What the window has to show of frame ``number``, pointed at in (x, y) of the frame."""
        marking = ManualMarking(1)
        marking.x, marking.y, marking.half_size = x, y, half_size
        marking.locked, marking.help_shown = locked, help_shown
        marking.rect = square(x, y, half_size)
        marking.landmarks = self.landmarks(number, marking.rect, accurate) if landmarks is None else landmarks
        return draw_view(self._frames[number], marking, self._settings, SCALE)

    def sees(self, *state, **more):
        """Wait until the window shows that state, pixel for pixel."""
        expected, (left, top) = self.view(*state, **more), self._place

        def shown():
            picture = read_screen(self._folder)[top : top + 450, left : left + 600]
            return picture.shape == expected.shape and (picture != expected).any(axis=2).sum() <= 8

        try:
            wait_until(shown, 60, 0.03)
        except AssertionError:
            cv2.imwrite(str(self._folder / "expected.png"), expected)
            cv2.imwrite(str(self._folder / "screen.png"), read_screen(self._folder))
            raise AssertionError(f"not on the screen: {state} {more}; see {self._folder}") from None

    def has(self, *names):
        """Wait until the output folder holds just these face pictures."""
        wait_until(lambda: self.faces() == sorted(names), 60, 0.03)

    def faces(self):
        return sorted(path.name for path in self.output.glob("*.jpg"))

    def end(self):
        """What the program printed; it has to end by itself."""
        text, _ = self._process.communicate(timeout=120)
        assert self._process.returncode == 0, text
        return text

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait(60)


def square(x, y, half_size):
    return (int(x - half_size), int(y - half_size), int(x + half_size), int(y + half_size))


@pytest.fixture
def person(finder, frames, tmp_path):
    with virtual_display("800x600x24", tmp_path) as display:
        person = Person(Desktop(display), finder, frames, tmp_path)
        try:
            yield person
        finally:
            person.stop()


def test_every_action_in_the_real_window(person):
    person.start("--detector", "manual", *OPTIONS, "--output-debug")
    _point_size_and_lock(person)
    _help_and_accuracy(person)
    person.press("Escape")  # no key of the window
    person.press("Return")  # accepted, though not locked
    person.has("0_0.jpg")
    person.sees(1, 160, 110, 99)  # place and size are carried over
    person.press("space")
    person.sees(2, 160, 110, 99)
    assert person.faces() == ["0_0.jpg"] and (person.debug / "1.jpg").exists()
    _back_and_on(person)
    _rectangle_by_hand(person)
    _small_rectangle_and_q(person)
    text = person.end()
    assert "Images found:        5\nFaces detected:      4\n" in text
    assert "2 frames were not looked at" in text
    assert person.faces() == ["0_0.jpg", "2_0.jpg", "3_0.jpg", "4_0.jpg"]
    assert sorted(path.name for path in person.debug.iterdir()) == [f"{number}.jpg" for number in range(5)]
    for number in (0, 2):
        metadata = read_metadata(person.output / f"{number}_0.jpg")
        assert metadata.source_rect.tolist() == [61, 11, 259, 209] and metadata.face_type == "full_face"
        assert np.allclose(metadata.source_landmarks, person.landmarks(number, (61, 11, 259, 209)), atol=0.1)


def _point_size_and_lock(person):
    """Mouse, wheel and left button, on frame 0."""
    person.move(*NOSE)
    person.sees(0, 160, 110, 100)
    person.click(5)
    person.sees(0, 160, 110, 90)
    person.click(4)
    person.sees(0, 160, 110, 99)
    person.click(1)
    person.sees(0, 160, 110, 99, locked=True)
    person.move(400, 300)
    person.click(4, times=3)
    person.click(1)  # neither the mouse nor the wheel did anything while it was locked
    person.sees(0, 160, 110, 99)
    person.move(399, 300)
    person.sees(0, 266, 200, 99)
    person.move(*NOSE)
    person.sees(0, 160, 110, 99)


def _help_and_accuracy(person):
    """H and A, in either case, on frame 0."""
    person.press("h")
    person.sees(0, 160, 110, 99, help_shown=False)
    person.press("shift+h")
    person.sees(0, 160, 110, 99)
    rough, fine = (person.view(0, 162, 110, 99, accurate=accurate) for accurate in (False, True))
    assert (rough != fine).any(axis=2).sum() > 100
    person.press("a")
    person.move(243, 165)
    person.sees(0, 162, 110, 99, accurate=False)
    person.press("shift+a")
    person.move(*NOSE)
    person.sees(0, 160, 110, 99)


def _back_and_on(person):
    """Comma and full stop, with Shift too, on frames 1 to 3: a locked face is kept, one that is shown unlocked is not."""
    person.click(1)
    person.sees(2, 160, 110, 99, locked=True)
    person.press("period")
    person.has("0_0.jpg", "2_0.jpg")
    person.sees(3, 160, 110, 99)
    person.press("comma")  # frame 3 is left without a face, and frame 2 is shown as it was marked
    person.sees(2, 160, 110, 99, locked=True)
    assert (person.debug / "3.jpg").exists() and person.faces() == ["0_0.jpg", "2_0.jpg"]
    person.click(1)
    person.sees(2, 160, 110, 99)
    person.press("shift+comma")
    person.has("0_0.jpg")
    person.sees(1, 160, 110, 99)
    person.press("shift+period")
    person.sees(2, 160, 110, 99)
    person.click(1)
    person.sees(2, 160, 110, 99, locked=True)
    person.press("period")
    person.has("0_0.jpg", "2_0.jpg")
    person.sees(3, 160, 110, 99)


def _rectangle_by_hand(person):
    """Right button, on frame 3: from the nose, 60 pixels far; a second time it goes back to the network."""
    drawn = landmarks_of_rectangle((160, 110), np.array([36, 48]))
    person.click(3)
    person.move(240 + 54, 165 + 72)
    person.sees(3, 160, 110, 60, landmarks=drawn)
    person.click(3)
    person.sees(3, 160, 110, 60)
    person.click(3)
    person.move(240 + 54, 165 + 72 + 3)
    longer = np.array([36, 50])
    person.sees(3, 160, 110, np.hypot(*longer), landmarks=landmarks_of_rectangle((160, 110), longer))
    person.move(240 + 54, 165 + 72)
    person.sees(3, 160, 110, 60, landmarks=drawn)
    person.click(1)
    person.sees(3, 160, 110, 60, locked=True, landmarks=drawn)
    person.press("KP_Enter")
    person.has("0_0.jpg", "2_0.jpg", "3_0.jpg")
    metadata = read_metadata(person.output / "3_0.jpg")
    assert metadata.source_rect.tolist() == [100, 50, 220, 170]
    assert np.allclose(metadata.source_landmarks, drawn, atol=0.1)
    person.sees(4, 196, 158, 60)  # the mouse is where the rectangle ended


def _small_rectangle_and_q(person):
    """Wheel below 40 pixels: the place is shown enlarged. Then Q, on frame 4 of 7."""
    person.move(*NOSE)
    person.sees(4, 160, 110, 60)
    sizes = [60.0]
    for _ in range(5):
        sizes.append(sizes[-1] - (sizes[-1] / 10 if sizes[-1] > 40 else 1))
    assert sizes[3] > 40 > sizes[4]
    person.click(5, times=5)
    person.sees(4, 160, 110, sizes[5])
    person.click(4)
    person.sees(4, 160, 110, sizes[4])
    person.click(1)
    person.sees(4, 160, 110, sizes[4], locked=True)
    person.press("shift+q")


def test_re_extracting_in_the_real_window(person):
    """The frames whose debug picture was deleted are shown; face 0 is written anew; closing the window is Q."""
    arguments = ["--input-dir", person.input, "--output-dir", person.output, *OPTIONS]
    assert main.main(["extract", *map(str, arguments), "--detector", "embedded", "--output-debug"]) == 0
    before = {path.name: path.read_bytes() for path in person.output.glob("*.jpg")}
    (person.output / "2_1.jpg").write_bytes(before["2_0.jpg"])
    for number in (2, 3, 5):
        (person.debug / f"{number}.jpg").unlink()
    person.start("--manual-output-debug-fix", *OPTIONS[2:])
    person.move(*NOSE)
    person.sees(2, 160, 110, 100)
    person.press("Return")
    person.sees(3, 160, 110, 100)
    person.click(5)
    person.sees(3, 160, 110, 90)
    person.click(1)
    person.sees(3, 160, 110, 90, locked=True)
    person.press("comma")
    person.sees(2, 160, 110, 100, locked=True)
    person.press("period")
    person.sees(3, 160, 110, 90, locked=True)
    person.close_window()
    text = person.end()
    assert "Found 3 images." in text and "Images found:        2\nFaces detected:      2\n" in text
    after = {path.name: path.read_bytes() for path in person.output.glob("*.jpg")}
    assert sorted(after) == sorted([*before, "2_1.jpg"]) and after["2_1.jpg"] == before["2_0.jpg"]
    assert {name for name in before if after[name] != before[name]} == {"2_0.jpg", "3_0.jpg"}
    assert read_metadata(person.output / "2_0.jpg").source_rect.tolist() == [60, 10, 260, 210]
    assert read_metadata(person.output / "3_0.jpg").source_rect.tolist() == [70, 20, 250, 200]
    assert read_metadata(person.output / "3_0.jpg").face_type == "full_face"
    assert (person.debug / "3.jpg").exists() and not (person.debug / "5.jpg").exists()


def test_manual_fix_in_the_real_window(person):
    """After the automatic pass the window opens for the frame without a face, and for no other."""
    for number in range(2, 7):
        (person.input / f"{number}.png").unlink()
    person.replace(1, np.full((300, 400, 3), 120, np.uint8))
    person.start("--detector", "embedded", *OPTIONS, "--no-output-debug", "--manual-fix")
    assert person.faces() == ["0_0.jpg"]
    person.move(*NOSE)
    person.sees(1, 160, 110, 100)
    person.press("Return")
    text = person.end()
    assert "Performing manual fix for 1 image..." in text and "Images found:        2\nFaces detected:      2\n" in text
    assert person.faces() == ["0_0.jpg", "1_0.jpg"]
    assert read_metadata(person.output / "1_0.jpg").source_rect.tolist() == [60, 10, 260, 210]


@pytest.mark.skipif(shutil.which("setxkbmap") is None, reason="needs setxkbmap")
@pytest.mark.parametrize("layout", ["de", "cz", "ru", "fr"])
def test_the_keys_of_the_window_on_every_layout(person, layout):
    h, full_stop, q = (
        43,
        60,
        38 if layout == "fr" else 24,
    )  # keycodes, which name places; q is where it is typed, or on a US board
    subprocess.run(["setxkbmap", "-display", person._desktop.display, layout], check=True, timeout=60)
    person.start("--detector", "manual", *OPTIONS)
    person.move(*NOSE)
    person.sees(0, 160, 110, 100)
    person.press(h)
    person.sees(0, 160, 110, 100, help_shown=False)
    person.click(1)
    person.press(full_stop)  # a locked face is kept
    person.has("0_0.jpg")
    person.press(q)
    assert "Faces detected:      1\n" in person.end()
