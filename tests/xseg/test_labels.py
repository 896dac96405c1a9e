"""Drawing, editing and undo of labels, without a window."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.files.imageio import read_bgr
from samplelib.faces.aligned_face import SegPolygon, read_metadata, write_metadata
from xseglib.labels import Labels, Mode, Polygon, labels_differ

CORNERS = [(1.0, 1.0), (9.0, 1.0), (5.0, 9.0)]


def drawn(count, include=True, labels=None):
    labels = labels or Labels()
    labels.start_polygon(include, CORNERS[0])
    for point in (CORNERS + [(2.0, 8.0), (0.5, 4.0)])[1:count]:
        labels.add_point(point)
    return labels


def test_drawing_and_closing():
    labels = drawn(3)
    assert labels.mode is Mode.DRAW
    labels.close()
    assert labels.mode is Mode.EDIT and labels.selected == 0
    assert labels.polygons == (Polygon(True, tuple(CORNERS)),)


def test_two_points_do_not_close_and_are_dropped_when_left():
    labels = drawn(2)
    labels.close()
    assert labels.mode is Mode.DRAW
    labels.leave()
    assert labels.mode is Mode.NONE and labels.polygons == () and labels.stored() == ()


def test_three_points_are_kept_without_closing():
    labels = drawn(3)
    labels.leave()
    assert len(labels.stored()) == 1 and labels.stored()[0].points.dtype == np.float32


def test_undo_and_redo_points_while_drawing():
    labels = drawn(3)
    labels.undo()
    assert labels.mode is Mode.DRAW and labels.current.points == tuple(CORNERS[:2])
    labels.redo()
    assert labels.current.points == tuple(CORNERS)
    labels.undo()
    labels.add_point((7, 7))
    assert not labels.can_redo and labels.current.points[-1] == (7.0, 7.0)
    for _ in range(3):
        labels.undo()
    assert labels.mode is Mode.NONE and labels.polygons == () and not labels.can_undo
    labels.redo()
    assert labels.mode is Mode.DRAW and labels.current.points == (CORNERS[0],)


def test_every_edit_of_a_polygon_can_be_undone():
    labels = drawn(4)
    labels.close()
    before = labels.polygons
    labels.move_point(0, (3, 3))
    labels.move_point(0, (4, 4), first=False)
    assert labels.current.points[0] == (4.0, 4.0)
    labels.undo()
    assert labels.polygons == before and labels.mode is Mode.EDIT
    labels.insert_point(1, (5, 0))
    assert labels.current.points[1] == (5.0, 0.0)
    labels.undo()
    labels.delete_point(2)
    assert len(labels.current.points) == 3
    labels.delete_point(0)
    assert labels.polygons == () and labels.mode is Mode.NONE
    labels.undo()
    labels.undo()
    assert labels.polygons == before
    labels.delete_polygon()
    assert labels.polygons == () and labels.mode is Mode.NONE
    labels.undo()
    assert labels.polygons == before and labels.selected == 0


def test_undo_after_closing_goes_on_drawing():
    labels = drawn(3)
    labels.close()
    labels.undo()
    assert labels.mode is Mode.DRAW and len(labels.current.points) == 2


def test_includes_stand_first_and_the_selection_follows():
    labels = Labels([SegPolygon(False, np.array(CORNERS)), SegPolygon(True, np.array(CORNERS) + 20)])
    assert [polygon.include for polygon in labels.polygons] == [True, False]
    labels.start_polygon(True, (0, 0))
    assert labels.selected == 1 and [polygon.include for polygon in labels.polygons] == [True, True, False]
    labels.leave()
    labels.start_polygon(False, (0, 0))
    assert labels.selected == 2


def test_views_and_the_way_back():
    labels = drawn(2)
    labels.view(Mode.VIEW_BAKED)
    assert labels.mode is Mode.VIEW_BAKED and labels.polygons == ()
    labels.view(Mode.VIEW_XSEG)
    assert labels.mode is Mode.VIEW_XSEG
    labels.undo()
    assert labels.mode is Mode.DRAW and len(labels.current.points) == 2
    labels.redo()
    assert labels.mode is Mode.NONE
    labels.view(Mode.VIEW_BAKED)
    labels.view(Mode.NONE)
    assert labels.mode is Mode.NONE


def test_a_view_goes_on_from_the_image_before():
    assert Labels([], Mode.VIEW_XSEG).mode is Mode.VIEW_XSEG


def test_edits_need_their_mode():
    labels = Labels([], Mode.VIEW_BAKED)
    with pytest.raises(ValueError):
        labels.start_polygon(True, (1, 1))
    with pytest.raises(ValueError):
        drawn(3).delete_polygon()


def test_added_polygons_are_one_edit():
    labels = Labels()
    labels.add_polygons([Polygon(True, tuple(CORNERS)), Polygon(False, tuple(CORNERS))])
    assert len(labels.polygons) == 2
    labels.undo()
    assert labels.polygons == ()


def test_baking_cuts_excludes_out():
    labels = Labels(
        [
            SegPolygon(False, np.array([(2, 2), (4, 2), (4, 4), (2, 4)])),
            SegPolygon(True, np.array([(0, 0), (9, 0), (9, 9), (0, 9)])),
        ]
    )
    assert labels.baked(10, 10).sum() == 100 - 9


def test_differences():
    first = (SegPolygon(True, np.array(CORNERS, np.float32)),)
    assert not labels_differ(first, Labels(first).stored())
    assert labels_differ(first, ())
    assert labels_differ(first, (SegPolygon(False, first[0].points),))
    assert labels_differ(first, (SegPolygon(True, first[0].points + 0.25),))
    assert labels_differ(first, (SegPolygon(True, first[0].points[:2]),))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=40), st.randoms(use_true_random=False))
def test_undoing_everything_brings_back_the_file_and_redoing_the_edits(actions, random):
    loaded = [SegPolygon(True, np.array(CORNERS)), SegPolygon(False, np.array(CORNERS) + 3)]
    labels = Labels(loaded)
    for action in actions:
        point = (random.random() * 20, random.random() * 20)
        if action < 4 and labels.mode is Mode.NONE:
            labels.start_polygon(action % 2 == 0, point)
        elif action < 4 and labels.mode is Mode.DRAW:
            labels.add_point(point)
        elif action == 4:
            labels.leave()
        elif action == 5:
            labels.close()
        elif action == 6 and labels.mode is Mode.NONE and labels.polygons:
            labels.select(random.randrange(len(labels.polygons)))
        elif action == 7 and labels.mode is Mode.EDIT:
            labels.move_point(0, point)
        elif action == 8 and labels.mode is Mode.EDIT:
            labels.delete_point(0)
        elif action == 9 and labels.mode is Mode.EDIT:
            labels.insert_point(1, point)
    labels.leave()
    final = labels.polygons
    assert [polygon.include for polygon in final] == sorted((polygon.include for polygon in final), reverse=True)
    while labels.can_undo:
        labels.undo()
    assert labels.polygons == Labels(loaded).polygons
    while labels.can_redo:
        labels.redo()
    labels.leave()
    assert labels.polygons == final


GOLDEN = Path(__file__).parents[1] / "golden" / "formats"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text(encoding="utf-8"))["aligned"]


@pytest.mark.parametrize("name", [name for name, facts in EXPECTED.items() if "label_mask" in facts])
def test_labels_of_files_written_by_deepfacelab_round_trip(name, tmp_path):
    source = GOLDEN / name
    metadata = read_metadata(source)
    labels = Labels(metadata.polygons)
    assert not labels_differ(metadata.polygons, labels.stored())

    facts = EXPECTED[name]["label_mask"]
    baked = labels.baked(*EXPECTED[name]["shape"][:2])
    assert abs(int(baked.sum()) - facts["ones"]) <= facts["ones_tolerance"]

    copy = tmp_path / "face.jpg"
    copy.write_bytes(source.read_bytes())
    labels.start_polygon(True, (10, 11.5))
    labels.add_point((20, 11))
    labels.add_point((15, 30.25))
    labels.leave()
    write_metadata(copy, metadata.replace(polygons=labels.stored()))
    assert not labels_differ(read_metadata(copy).polygons, labels.stored())
    labels.undo()
    labels.undo()
    labels.undo()
    write_metadata(copy, read_metadata(copy).replace(polygons=labels.stored()))
    assert read_metadata(copy) == metadata
    np.testing.assert_array_equal(read_bgr(copy), read_bgr(source))
