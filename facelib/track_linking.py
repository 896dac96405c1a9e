"""Links the faces of a film into tracks: one person's face from frame to frame, as far as it can be told by place, size and likeness."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

LONGEST_GAP = 25
"""Frames that a face may be missing for before its track ends."""

# All in sides of the face. A face moves by at most so much from one frame to the next, and by so much more for each that is missing.
_MOST_MOVED, _MORE_MOVED, _MOST_EVER = 0.6, 0.1, 2.0
_MOST_GROWN = 1.8
_IMPOSSIBLE = 1e6
_SHARE_OF_SPEED = 0.7  # of the last movement that goes on
_LONGEST_SPEED = 3  # frames over which a movement is measured


@dataclass(frozen=True)
class SeenFace:
    """A face in a frame.

    Parameters
    ----------
    frame : int
        Number of the frame.
    landmarks : numpy.ndarray
        (68, 2) in pixels of the frame.
    key : object
        Tells the face from all others, for example the name of its picture.
    """

    frame: int
    landmarks: np.ndarray
    key: Any

    @property
    def center(self) -> np.ndarray:
        """(x, y) of the middle of its box."""
        return (self.landmarks.min(axis=0) + self.landmarks.max(axis=0)) / 2

    @property
    def side(self) -> float:
        """Longer side of its box in pixels."""
        return max(float(np.ptp(self.landmarks, axis=0).max()), 1.0)


@dataclass(frozen=True)
class Track:
    """Faces that are one, in the order of their frames; never two of one frame."""

    faces: tuple[SeenFace, ...]

    @property
    def first(self) -> int:
        """Number of its first frame."""
        return self.faces[0].frame

    @property
    def last(self) -> int:
        """Number of its last frame."""
        return self.faces[-1].frame

    @property
    def gaps(self) -> list[tuple[SeenFace, SeenFace]]:
        """Faces before and behind each run of frames in which it is missing."""
        return [(one, other) for one, other in zip(self.faces, self.faces[1:]) if other.frame - one.frame > 1]

    @property
    def jitter(self) -> float:
        """How far landmarks lie from the middle of the frames around, in parts of the face's side: median; NaN where unknown.

        A face that moves evenly has none.
        """
        values = [
            np.linalg.norm(face.landmarks - (before.landmarks + behind.landmarks) / 2, axis=1).mean() / face.side
            for before, face, behind in zip(self.faces, self.faces[1:], self.faces[2:])
            if behind.frame - before.frame == 2
        ]
        return float(np.median(values)) if values else float("nan")


def link_faces(
    faces: Iterable[SeenFace],
    shot_of: Callable[[int], Any] = lambda frame: 0,
    likeness: Callable[[SeenFace, SeenFace], float] | None = None,
    longest_gap: int = LONGEST_GAP,
) -> list[Track]:
    """Tracks of a film, in the order of their first frames.

    Faces go to the tracks so that the sum of their distances from where the tracks would be is the least. Where more than one
    track could take a face, or more than one face a track, likeness counts as well.

    Parameters
    ----------
    faces : iterable of SeenFace
    shot_of : callable
        Something that is equal for all frames of a shot; no track goes from one shot to another.
    likeness : callable, optional
        Of two faces, up to 1.
    longest_gap : int
        Frames that a face may be missing for.
    """
    by_frame: dict[int, list[SeenFace]] = {}
    for face in faces:
        by_frame.setdefault(face.frame, []).append(face)
    open_tracks: list[list[SeenFace]] = []
    done: list[list[SeenFace]] = []
    for frame in sorted(by_frame):
        shot = shot_of(frame)
        alive = [
            track
            for track in open_tracks
            if frame - track[-1].frame <= longest_gap + 1 and shot_of(track[-1].frame) == shot
        ]
        kept = {id(track) for track in alive}
        done += [track for track in open_tracks if id(track) not in kept]
        found = by_frame[frame]
        taken = _assigned(alive, found, likeness)
        for number, face in enumerate(found):
            if number in taken:
                alive[taken[number]].append(face)
            else:
                alive.append([face])
        open_tracks = alive
    tracks = [Track(tuple(track)) for track in (*done, *open_tracks)]
    return sorted(tracks, key=lambda track: (track.first, -track.faces[0].side))


def shots_of(cuts: Iterable[int]) -> Callable[[int], int]:
    """For :func:`link_faces`: the number of the shot that a frame is in, when a new one begins at each of these frames."""
    starts = np.array(sorted(cuts), np.int64)
    return lambda frame: int(np.searchsorted(starts, frame, side="right"))


def between(before: SeenFace, behind: SeenFace, frame: int) -> np.ndarray:
    """(68, 2) landmarks of a face in a frame between two others, as if it moved evenly."""
    share = (frame - before.frame) / (behind.frame - before.frame)
    return before.landmarks * (1 - share) + behind.landmarks * share


def _assigned(tracks, faces, likeness) -> Mapping[int, int]:
    """Index of the track that takes a face, by the index of the face."""
    if not tracks or not faces:
        return {}
    cost = np.array([[_distance(track, face) for face in faces] for track in tracks])
    possible = cost < _IMPOSSIBLE
    if likeness is not None:
        doubtful = possible & ((possible.sum(axis=0) > 1)[None] | (possible.sum(axis=1) > 1)[:, None])
        for row, column in zip(*np.nonzero(doubtful)):
            cost[row, column] += 1 - likeness(tracks[row][-1], faces[column])
    if cost.size == 1:
        return {0: 0} if possible[0, 0] else {}
    from scipy.optimize import linear_sum_assignment  # takes as long to load as 100 frames to search

    rows, columns = linear_sum_assignment(cost)
    return {int(column): int(row) for row, column in zip(rows, columns) if possible[row, column]}


def _distance(track, face):
    """From where the track would be in the face's frame, in sides of the face, with the change of size; or impossible."""
    last = track[-1]
    missing = face.frame - last.frame - 1
    growth = face.side / last.side
    if not 1 / _MOST_GROWN <= growth <= _MOST_GROWN:
        return _IMPOSSIBLE
    moved = face.center - last.center
    offset = min(np.hypot(*moved), np.hypot(*(moved - _speed(track) * (missing + 1)))) / max(face.side, last.side)
    if offset > min(_MOST_MOVED + _MORE_MOVED * missing, _MOST_EVER):
        return _IMPOSSIBLE
    return float(offset + abs(np.log(growth)))


def _speed(track):
    """Pixels that the face has moved in a frame lately."""
    recent = [face for face in track[-_LONGEST_SPEED:] if track[-1].frame - face.frame <= _LONGEST_SPEED]
    if len(recent) < 2:
        return np.zeros(2)
    return (recent[-1].center - recent[0].center) / (recent[-1].frame - recent[0].frame) * _SHARE_OF_SPEED
