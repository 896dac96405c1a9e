"""Mouse and modifier keys on the canvas: modes, hit tests, zoom, pan and lock, without a window."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samplelib.faces.aligned_face import SegPolygon
from xseglib.interaction import Interaction
from xseglib.labels import Labels, Mode
from xseglib.viewport import Viewport, hit_edge, hit_point, hit_wire, nearest_edge

SQUARE = np.array([(20, 20), (80, 20), (80, 80), (20, 80)], np.float64)


class Pointer:
    """A mouse pointer that may, or may not, be moved by the program."""

    def __init__(self, can_warp=True):
        self.place, self.can_warp = np.zeros(2), can_warp

    def warp(self, position):
        if self.can_warp:
            self.place = np.array(position)
        return self.place


def make(polygons=(), canvas=(400, 300), pointer=None):
    pointer = pointer or Pointer()
    labels = Labels([SegPolygon(include, points) for include, points in polygons])
    return Interaction(labels, Viewport((100, 100), canvas), pointer.warp)


def click(interaction, image_point):
    position = interaction.viewport.to_canvas(image_point)
    interaction.press_left(position)
    interaction.release_left(position)


def draw(interaction, points):
    for point in points:
        click(interaction, point)


def test_presses_draw_and_the_first_point_closes():
    interaction = make()
    draw(interaction, SQUARE)
    assert interaction.mode is Mode.DRAW
    np.testing.assert_allclose(interaction.labels.current.points, SQUARE)
    interaction.move(interaction.viewport.to_canvas((21, 21)))
    assert interaction.closes_polygon()
    click(interaction, (21, 21))
    assert interaction.mode is Mode.EDIT and len(interaction.labels.current.points) == 4


def test_a_last_point_near_the_first_does_not_block_closing():
    interaction = make()
    draw(interaction, [(50, 50), (80, 50), (50, 53)])
    click(interaction, (50, 51.2))
    assert interaction.mode is Mode.EDIT and len(interaction.labels.current.points) == 3


def test_include_and_exclude():
    interaction = make()
    interaction.include = False
    draw(interaction, SQUARE)
    click(interaction, SQUARE[0])
    assert interaction.labels.polygons[0].include is False


def test_selecting_and_unselecting():
    interaction = make([(True, SQUARE)])
    click(interaction, (50, 20.5))
    assert interaction.mode is Mode.EDIT
    click(interaction, (50, 50))
    assert interaction.mode is Mode.NONE
    click(interaction, (50, 50))
    assert interaction.mode is Mode.DRAW and len(interaction.labels.polygons) == 2


def test_moving_a_point_is_one_edit():
    interaction = make([(True, SQUARE)])
    click(interaction, (50, 20))
    start = interaction.viewport.to_canvas((21, 20))
    interaction.press_left(start)
    for step in range(1, 6):
        interaction.move(start + step * 3)
    interaction.wheel(1, start)
    assert interaction.viewport.scale == 3
    interaction.release_left(start + 30)
    np.testing.assert_allclose(interaction.labels.current.points[0], (30, 30))
    interaction.undo()
    np.testing.assert_allclose(interaction.labels.current.points[0], (20, 20))


def test_a_press_on_an_edge_does_nothing_when_moving():
    interaction = make([(True, SQUARE)])
    click(interaction, (50, 20))
    click(interaction, (80, 50))
    assert interaction.mode is Mode.EDIT and len(interaction.labels.current.points) == 4
    assert not interaction.is_dragging


def test_control_inserts_and_deletes_points():
    interaction = make([(True, SQUARE)])
    click(interaction, (50, 20))
    interaction.hold(False, True)
    click(interaction, (50, 21))
    np.testing.assert_allclose(interaction.labels.current.points[1], (50, 20))
    click(interaction, (20, 50))
    np.testing.assert_allclose(interaction.labels.current.points[-1], (20, 50))
    click(interaction, (50, 20))
    assert len(interaction.labels.current.points) == 5
    for point in ((20, 20), (80, 20), (80, 80)):
        click(interaction, point)
    assert interaction.mode is Mode.NONE and interaction.labels.polygons == ()
    interaction.hold(False, False)
    interaction.undo()
    assert interaction.mode is Mode.EDIT and not interaction.adds_and_deletes


def test_a_button_setting_survives_other_keys_and_ends_with_the_mode():
    interaction = make([(True, SQUARE)])
    interaction.set_add_delete(True)
    assert not interaction.adds_and_deletes
    click(interaction, (50, 20))
    interaction.set_add_delete(True)
    interaction.hold(True, False)
    interaction.hold(False, False)
    assert interaction.adds_and_deletes
    interaction.delete_polygon()
    assert len(interaction.labels.polygons) == 1
    interaction.set_add_delete(False)
    interaction.delete_polygon()
    assert interaction.labels.polygons == () and interaction.mode is Mode.NONE


def test_leaving_edit_ends_adding_and_deleting():
    interaction = make([(True, SQUARE)])
    click(interaction, (50, 20))
    interaction.set_add_delete(True)
    interaction.finish()
    click(interaction, (50, 20))
    assert interaction.mode is Mode.EDIT and not interaction.adds_and_deletes


@pytest.mark.parametrize("can_warp", [True, False])
def test_lock_at_the_centre(can_warp):
    pointer = Pointer(can_warp)
    interaction = make(pointer=pointer)
    center = interaction.viewport.center
    draw(interaction, [(20, 30)])
    pointer.place = interaction.viewport.to_canvas((40, 60))
    interaction.move(pointer.place)
    interaction.hold(True, False)
    assert interaction.is_locked
    np.testing.assert_allclose(interaction.viewport.look_point, (40, 60))
    np.testing.assert_allclose(interaction.cursor, center)
    scale = interaction.viewport.scale
    for _ in range(3):
        pointer.place = pointer.place + (6, -3)
        interaction.move(pointer.place)
    np.testing.assert_allclose(interaction.viewport.look_point, (40 + 18 / scale, 60 - 9 / scale))
    interaction.press_left(pointer.place)
    np.testing.assert_allclose(interaction.labels.current.points[-1], interaction.viewport.look_point)
    interaction.hold(False, False)
    assert not interaction.is_locked


def test_lock_by_button_ends_with_drawing():
    interaction = make()
    interaction.set_lock(True)
    assert not interaction.is_locked
    draw(interaction, SQUARE[:3])
    interaction.set_lock(True)
    interaction.hold(False, True)
    interaction.hold(False, False)
    assert interaction.is_locked
    interaction.finish()
    draw(interaction, [(5, 5)])
    assert interaction.mode is Mode.DRAW and not interaction.is_locked


def test_nothing_is_edited_in_a_view_but_pan_and_zoom_work():
    interaction = make([(True, SQUARE)])
    interaction.view(Mode.VIEW_BAKED)
    click(interaction, (50, 20))
    assert interaction.mode is Mode.VIEW_BAKED and len(interaction.labels.polygons) == 1
    interaction.press_middle((100, 100))
    interaction.move((130, 85))
    assert interaction.is_panning
    interaction.release_middle((130, 85))
    np.testing.assert_allclose(interaction.viewport.look_point, (50 - 10, 50 + 5))
    interaction.wheel(1, (10, 10))
    assert interaction.viewport.scale > 3
    interaction.view(Mode.NONE)
    assert interaction.mode is Mode.NONE


def test_hover_tells_what_a_press_would_do():
    interaction = make([(True, SQUARE), (False, SQUARE + 2)])
    interaction.move(interaction.viewport.to_canvas((50, 21)))
    assert interaction.wire_under_cursor() == 1
    interaction.leave_canvas()
    assert interaction.wire_under_cursor() is None
    click(interaction, (50, 21))
    interaction.move(interaction.viewport.to_canvas((50, 23)))
    assert interaction.edge_under_cursor().index == 0 and interaction.point_under_cursor() is None
    interaction.move(interaction.viewport.to_canvas((82, 82)))
    assert interaction.point_under_cursor() == 2 and interaction.edge_under_cursor() is None


def test_fit_scale_follows_the_canvas_until_the_first_zoom():
    viewport = Viewport((200, 100), (400, 300))
    assert viewport.scale == 1.5
    viewport.resize((800, 700))
    assert viewport.scale == 3.5
    viewport.zoom(1, (0, 0))
    assert viewport.scale == pytest.approx(3.5 + 0.2 + 0.35)
    viewport.resize((100, 100))
    assert viewport.scale == pytest.approx(4.05)


def test_zooming_out_of_a_large_image_ends_at_the_fitting_scale():
    viewport = Viewport((2000, 2000), (500, 500))
    viewport.zoom(-1, (250, 250))
    assert viewport.scale == 0.25
    viewport.zoom(1, (250, 250))
    assert viewport.scale == pytest.approx(0.475)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((-1, 1)), st.integers(0, 399), st.integers(0, 299)), max_size=30),
    st.integers(10, 3000),
    st.integers(10, 3000),
)
def test_zoom_keeps_the_image_point_under_the_cursor(turns, width, height):
    viewport = Viewport((width, height), (400, 300))
    for direction, x, y in turns:
        before, scale = viewport.to_image((x, y)), viewport.scale
        viewport.zoom(direction, (x, y))
        np.testing.assert_allclose(viewport.to_image((x, y)), before, atol=1e-6)
        np.testing.assert_allclose(viewport.to_canvas(viewport.to_image((5, 7))), (5, 7), atol=1e-6)
        assert (viewport.scale - scale) * direction >= 0
        assert min(1, viewport.fit_scale) <= viewport.scale <= max(20, viewport.fit_scale)


def test_hit_tests():
    points = [(0, 0), (100, 0), (4, 0)]
    assert hit_point(points, (2, 1)) == 2
    assert hit_point(points, (2, 1), prefer_first=True) == 0
    assert hit_point(points, (100, 8)) == 1 and hit_point(points, (100, 8.1)) is None
    assert hit_point([], (0, 0)) is None
    assert nearest_edge(points[:2], (0, 0)) is None
    edge = hit_edge(SQUARE, (50, 25))
    assert edge.index == 0 and edge.distance == 5
    np.testing.assert_allclose(edge.projection, (50, 20))
    closing = hit_edge(SQUARE, (18, 50))
    assert closing.index == 3
    np.testing.assert_allclose(nearest_edge(SQUARE, (100, 100)).projection, (80, 80))
    assert hit_edge(SQUARE, (50, 50)) is None
    assert hit_wire([SQUARE, SQUARE + 3, SQUARE[:2]], (50, 21)) == 1
    assert hit_wire([SQUARE], (50, 50)) is None
