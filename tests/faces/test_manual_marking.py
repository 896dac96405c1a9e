"""Every key and mouse action of the manual extractor: the state behind the window, and its picture."""

import sys

import numpy as np
import pytest

from core.window import display
from core.window.display import display_problem
from core.window.mouse import LEFT_DOWN, MOVE, RIGHT_DOWN, WHEEL_DOWN, WHEEL_UP
from facelib.drawing import BLUE, CYAN, GREEN
from facelib.face_type import FaceType
from facelib.landmarks import MEAN_FACE_68
from samplelib.extraction.manual_marking import ManualMarking
from samplelib.extraction.manual_window import draw_view
from samplelib.extraction.pipeline import ExtractSettings


def answer(marking):
    """Play the network: landmarks in the middle of the wanted rectangle. Returns the request."""
    request = marking.request()
    if request is not None:
        left, top, right, bottom = request.rect
        marking.answer(request, MEAN_FACE_68 * (right - left, bottom - top) + (left, top))
    return request


def marked_at(x, y, frames=3):
    marking = ManualMarking(frames)
    marking.mouse(MOVE, x, y)
    answer(marking)
    return marking


def test_start():
    marking = ManualMarking(2)
    assert (marking.x, marking.y, marking.half_size) == (0, 0, 100)
    assert not marking.locked and marking.accurate and marking.help_shown and marking.landmarks is None
    request = marking.request()
    assert request.rect == (-100, -100, 100, 100) and request.accurate
    assert marking.request() is None  # once


def test_the_rectangle_follows_the_mouse_until_locked():
    marking = marked_at(300, 200)
    assert marking.rect == (200, 100, 400, 300)
    marking.mouse(LEFT_DOWN, 300, 200)
    assert marking.locked and answer(marking).rect == (200, 100, 400, 300)
    marking.mouse(MOVE, 10, 10)
    marking.mouse(WHEEL_UP, 10, 10)
    assert marking.request() is None and (marking.x, marking.half_size) == (300, 100)
    marking.mouse(LEFT_DOWN, 10, 10)
    assert not marking.locked
    marking.mouse(MOVE, 11, 12)
    assert answer(marking).rect == (-89, -88, 111, 112)


def test_the_wheel_changes_the_size_in_steps():
    marking = marked_at(300, 200)
    marking.mouse(WHEEL_UP, 0, 0)
    assert marking.half_size == 110 and answer(marking).rect == (190, 90, 410, 310)
    marking.half_size = 55
    marking.mouse(WHEEL_DOWN, 0, 0)
    assert marking.half_size == 49.5
    marking.half_size = 40
    marking.mouse(WHEEL_UP, 0, 0)
    assert marking.half_size == 41
    for _ in range(60):
        marking.mouse(WHEEL_DOWN, 0, 0)
    assert marking.half_size == 5


def test_failing_networks_leave_the_old_landmarks():
    marking = marked_at(300, 200)
    old = marking.landmarks
    marking.mouse(MOVE, 320, 200)
    marking.answer(marking.request(), None)
    assert marking.landmarks is old


def test_answers_for_another_frame_are_dropped():
    marking = ManualMarking(2)
    request = marking.request()
    marking.key(" ")
    marking.answer(request, MEAN_FACE_68)
    assert marking.landmarks is None


def test_manual_rectangle():
    marking = marked_at(300, 200)
    marking.mouse(LEFT_DOWN, 300, 200)
    answer(marking)
    marking.mouse(RIGHT_DOWN, 300, 200)
    assert marking.rectangle_mode and not marking.locked
    marking.mouse(MOVE, 330, 240)
    assert marking.request() is None
    assert np.allclose(marking.landmarks[30], (300, 200)) and marking.rect == (250, 150, 350, 250)
    assert marking.half_size == 50
    vector = marking.landmarks[45] - marking.landmarks[36]
    assert np.degrees(np.arctan2(vector[1], vector[0])) == pytest.approx(53.13, abs=0.1)
    landmarks = marking.landmarks
    marking.mouse(LEFT_DOWN, 330, 240)
    assert not marking.rectangle_mode and marking.locked and (marking.x, marking.y) == (330, 240)
    assert marking.landmarks is landmarks and marking.request() is None
    marking.key("\r")
    assert marking.faces[0].rect == (250, 150, 350, 250)


def test_right_click_twice_goes_back_to_the_network():
    marking = marked_at(300, 200)
    marking.mouse(RIGHT_DOWN, 300, 200)
    marking.mouse(MOVE, 330, 240)
    marking.mouse(RIGHT_DOWN, 330, 240)
    assert not marking.rectangle_mode and answer(marking) is not None


def test_enter_accepts_even_unlocked():
    marking = marked_at(300, 200)
    marking.key("\r")
    assert marking.index == 1 and marking.faces[0].rect == (200, 100, 400, 300)
    assert marking.left_frames == [0] and not marking.locked
    assert (marking.x, marking.y, marking.half_size) == (300, 200, 100)  # carried over
    assert answer(marking).frame_index == 1


def test_space_and_dot_without_lock_give_no_face():
    for key in (" ", "."):
        marking = marked_at(300, 200)
        marking.key(key)
        assert marking.index == 1 and marking.faces == {} and marking.left_frames == [0]


def test_dot_and_comma_keep_a_locked_face_and_take_it_back():
    marking = marked_at(300, 200)
    marking.mouse(LEFT_DOWN, 300, 200)
    answer(marking)
    marking.key(".")
    assert marking.index == 1 and 0 in marking.faces and not marking.locked
    marking.mouse(MOVE, 50, 60)
    answer(marking)
    marking.key(",")
    assert marking.index == 0 and marking.locked and 1 not in marking.faces
    assert (marking.x, marking.y, marking.half_size) == (300, 200, 100) and marking.request() is None
    marking.mouse(LEFT_DOWN, 300, 200)  # unlock: the face is given up unless it is kept again
    marking.key(".")
    assert marking.faces == {} and marking.index == 1


def test_comma_at_the_first_frame_does_nothing():
    marking = marked_at(300, 200)
    marking.key(",")
    assert marking.index == 0 and marking.landmarks is not None and not marking.left_frames


def test_frames_with_a_face_are_passed_over_after_enter():
    marking = marked_at(300, 200)
    marking.key("\r")
    marking.key(" ")
    answer(marking)
    marking.mouse(LEFT_DOWN, 300, 200)
    answer(marking)
    marking.key(",")  # keeps frame 2, goes to frame 1, which has none
    marking.key(",")  # frame 0
    assert marking.index == 0 and marking.locked
    marking.key("\r")
    assert marking.index == 1
    answer(marking)
    marking.key("\r")
    assert marking.finished and sorted(marking.faces) == [0, 1, 2]


def test_q_leaves_the_rest_without_faces():
    marking = marked_at(300, 200)
    marking.mouse(LEFT_DOWN, 300, 200)
    marking.key("q")
    assert marking.finished and list(marking.faces) == [0] and marking.left_frames == [0]
    marking = marked_at(300, 200)
    marking.key("q")
    assert marking.finished and marking.faces == {}
    marking.key("\r")
    assert marking.faces == {}


def test_help_and_accuracy():
    marking = marked_at(300, 200)
    marking.key("h")
    marking.key("a")
    assert not marking.help_shown and not marking.accurate and marking.request() is None
    marking.mouse(MOVE, 301, 200)
    assert not marking.request().accurate


@pytest.fixture
def settings(tmp_path):
    return ExtractSettings(tmp_path, None, FaceType.WHOLE_FACE, 256)


def test_view_has_help_rectangle_and_coloured_landmarks(settings):
    frame = np.full((400, 600, 3), 100, np.uint8)
    marking = marked_at(300, 250)
    view = draw_view(frame, marking, settings, 1.5)
    assert view.shape == (600, 900, 3)
    assert (view[:100] == 255).all(axis=2).any()
    assert (view == GREEN).all(axis=2).any() and not (view == CYAN).all(axis=2).any()
    assert tuple(view[int(150 * 1.5), 500]) == (255, 0, 0)
    marking.key("h")
    marking.mouse(LEFT_DOWN, 300, 250)
    view = draw_view(frame, marking, settings, 1.5)
    assert not (view[:100] == 255).all(axis=2).any() and (view == CYAN).all(axis=2).any()


def test_view_enlarges_a_small_rectangle(settings):
    frame = np.full((400, 600, 3), 100, np.uint8)
    frame[190:210, 290:310] = (10, 200, 30)
    marking = marked_at(300, 200)
    marking.key("h")
    marking.half_size, marking.landmarks, marking.rect = 20, None, None
    view = draw_view(frame, marking, settings, 1.0)
    rows, columns = np.nonzero((view == (10, 200, 30)).all(axis=2))
    assert np.ptp(rows) == pytest.approx(100, abs=8) and np.ptp(columns) == pytest.approx(100, abs=8)
    assert (rows.mean(), columns.mean()) == pytest.approx((200, 300), abs=4)
    marking.rect, marking.help_shown = (280, 180, 320, 220), True
    view = draw_view(frame, marking, settings, 1.0)
    rows, columns = np.nonzero((view == BLUE).all(axis=2))  # around the place, as large as it is shown
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((100, 300, 200, 400), abs=2)
    assert (view[:20, :400] == 255).all(axis=2).any()  # the help is not enlarged


@pytest.mark.parametrize("face_type", [FaceType.MARK_ONLY, FaceType.HEAD])
def test_view_of_all_kinds(tmp_path, face_type):
    marking = marked_at(300, 200)
    settings = ExtractSettings(tmp_path, None, face_type, 256)
    assert draw_view(np.zeros((90, 600, 3), np.uint8), marking, settings, 1.0).shape == (90, 600, 3)


def test_displays_that_are_not_there(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", "")
    assert "DISPLAY is not set" in display_problem()
    monkeypatch.setenv("DISPLAY", ":4711")
    assert ":4711 does not answer" in display_problem()
    monkeypatch.setattr(display.importlib.util, "find_spec", lambda name: None)
    assert "pip install PyQt5" in display_problem()
