"""Faces of a film become tracks: one person's from frame to frame, through gaps and past others, never through a cut."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facelib.landmarks import MEAN_FACE_68
from facelib.track_linking import SeenFace, between, link_faces, shots_of

SHAPE = np.asarray(MEAN_FACE_68, np.float64)


def face(frame, x, y=300.0, side=100.0, key=None):
    return SeenFace(frame, SHAPE * side + (x, y), (frame, key))


def keys(track):
    return {seen.key[1] for seen in track.faces}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(5, 40))
def test_every_face_is_in_one_track_and_no_track_has_two_of_a_frame(seed, persons, frames):
    random = np.random.default_rng(seed)
    seen = [
        face(frame, *random.uniform(0, 900, 2), random.uniform(40, 200), person)
        for frame in range(frames)
        for person in range(persons)
        if random.uniform() < 0.8
    ]
    tracks = link_faces(seen)
    assert sorted(each.key for track in tracks for each in track.faces) == sorted(each.key for each in seen)
    for track in tracks:
        numbers = [each.frame for each in track.faces]
        assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("speed", [0, 4, 30])
def test_one_face_that_moves_is_one_track(speed):
    [track] = link_faces([face(frame, 100 + speed * frame) for frame in range(30)])
    assert (track.first, track.last, len(track.faces), track.gaps) == (0, 29, 30, [])


def test_two_side_by_side_stay_apart():
    seen = [face(frame, x + 3 * frame, key=name) for frame in range(40) for name, x in (("a", 0), ("b", 130))]
    assert [keys(track) for track in link_faces(seen)] == [{"a"}, {"b"}]


def test_a_gap_is_bridged_and_a_long_one_ends_the_track():
    seen = [face(frame, 100 + 5 * frame) for frame in (*range(10), *range(16, 20), *range(60, 70))]
    tracks = link_faces(seen)
    assert [(track.first, track.last) for track in tracks] == [(0, 19), (60, 69)]
    [(before, behind)] = tracks[0].gaps
    assert (before.frame, behind.frame) == (9, 16)
    np.testing.assert_allclose(between(before, behind, 12), face(12, 160).landmarks)


def test_a_cut_ends_a_track_even_where_a_face_is_at_the_same_place():
    tracks = link_faces([face(frame, 100) for frame in range(20)], shots_of([8, 15]))
    assert [(track.first, track.last) for track in tracks] == [(0, 7), (8, 14), (15, 19)]


def test_faces_of_very_different_size_are_not_one():
    assert len(link_faces([face(0, 100, side=100), face(1, 100, side=220)])) == 2


def crossing(hidden):
    """a goes right and b goes left; while they are at one place, b is hidden."""
    seen = []
    for frame in range(60):
        seen.append(face(frame, 100 + 10 * frame, key="a"))
        if frame not in hidden:
            seen.append(face(frame, 700 - 10 * frame, key="b"))
    return seen


def test_persons_who_cross_are_told_apart_by_likeness():
    alike = lambda one, other: 1.0 if one.key[1] == other.key[1] else 0.0  # noqa: E731
    tracks = link_faces(crossing(range(26, 35)), likeness=alike)
    assert [keys(track) for track in tracks] == [{"a"}, {"b"}]
    assert [len(track.gaps) for track in tracks] == [0, 1]


def test_likeness_is_asked_only_where_place_leaves_a_doubt():
    asked = []
    seen = [face(frame, x, key=x) for frame in range(20) for x in (0, 500)]
    link_faces(seen, likeness=lambda one, other: asked.append(one) or 1.0)
    assert not asked
    link_faces(crossing(range(26, 35)), likeness=lambda one, other: asked.append(one.frame) or 1.0)
    assert asked and min(asked) > 15 and max(asked) < 45


def test_jitter_is_the_distance_from_an_even_movement():
    even = link_faces([face(frame, 100 + 7 * frame) for frame in range(9)])[0]
    assert even.jitter == pytest.approx(0, abs=1e-12)
    shaken = link_faces([face(frame, 100 + 7 * frame + (2 if frame % 2 else -2)) for frame in range(9)])[0]
    side = shaken.faces[0].side
    assert shaken.jitter == pytest.approx(4 / side)
    assert np.isnan(link_faces([face(0, 0), face(1, 0)])[0].jitter)


def test_nothing_gives_no_track():
    assert link_faces([]) == []
