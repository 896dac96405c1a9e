"""Steadiness in time: landmarks and target colours filtered along the track of each face."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from core.imagelib.color_transfer import shift_statistics
from merger.compose import Prediction, PreparedFace, face_masks
from merger.frames import Frame
from merger.settings.config import MergeConfig

COLOR_REACH = 12
"""Frames before and after the current one whose colours count."""

_COLOR_SIGMA = COLOR_REACH / 2.0
_LARGEST_STEP = 0.35
_LARGEST_SIZE_CHANGE = 1.35
_LARGEST_COLOR_STEP = 12.0
_SPAN = 2
_NOISE_LEVEL, _SENSITIVITY = 1.9, 0.35
_PARTS = (slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68))


def smooth_landmarks(frames: Sequence[Frame], factor: float) -> list[Frame]:
    """Take the jitter out of the landmarks.

    Parameters
    ----------
    frames : sequence of Frame
        In order.
    factor : float
        How many times smaller the jitter of a still face becomes; 1 changes nothing.

    Notes
    -----
    Each track is filtered forward and backward by :math:`s_t = s_{t-1} + a_t (x_t - s_{t-1})`, which has no lag. The
    gain a is small while the landmarks differ no more than their own noise, and rises to 1 (no smoothing) where a part
    of the face really moves; noise is estimated from second differences. A track ends where a face is missing and where
    it jumps, as at a scene change.
    """
    results = [list(frame.faces) for frame in frames]
    for track in face_tracks([frame.faces for frame in frames]):
        points = np.stack([frames[index].faces[number] for index, number in track]).astype(np.float64)
        for (index, number), smoothed in zip(track, _smooth_track(points, factor), strict=True):
            results[index][number] = smoothed
    return [replace(frame, faces=tuple(faces)) for frame, faces in zip(frames, results, strict=True)]


def face_tracks(faces: Sequence[Sequence[np.ndarray]]) -> list[list[tuple[int, int]]]:
    """Follow faces through consecutive frames.

    Parameters
    ----------
    faces : sequence of sequence of numpy.ndarray
        Landmarks (68, 2) of the faces of each frame.

    Returns
    -------
    list of list of (int, int)
        Tracks of (frame, number of the face in it).
    """
    finished: list = []
    open_tracks: list = []
    for index, landmarks in enumerate(faces):
        remaining, followed = list(open_tracks), []
        open_tracks = []
        for number, points in enumerate(landmarks):
            nearest = min(remaining, key=lambda track: _step(faces[track[-1][0]][track[-1][1]], points), default=None)
            if nearest is not None and not is_cut(faces[nearest[-1][0]][nearest[-1][1]], points):
                remaining.remove(nearest)
                nearest.append((index, number))
                followed.append(nearest)
            else:
                followed.append([(index, number)])
        finished += remaining
        open_tracks = followed
    return finished + open_tracks


def is_cut(before: np.ndarray, after: np.ndarray) -> bool:
    """Whether two landmark sets of consecutive frames cannot be the same face in one scene."""
    ratio = _size(after) / max(_size(before), 1e-9)
    return _step(before, after) > _LARGEST_STEP or not 1 / _LARGEST_SIZE_CHANGE < ratio < _LARGEST_SIZE_CHANGE


def _size(points):
    return float(np.ptp(points, axis=0).max())


def _step(before, after):
    """How far the centre moves, in sizes of the face."""
    return float(np.linalg.norm(after.mean(axis=0) - before.mean(axis=0))) / max(_size(before), 1e-9)


def _smooth_track(points, factor):
    if len(points) < 4 or factor <= 1:
        return points
    gain = _gains(points, smallest_gain(factor))
    return _one_way(_one_way(points, gain)[::-1], gain[::-1])[::-1]


def smallest_gain(factor: float) -> float:
    """Gain of the filter, run forward and backward, that divides the deviation of white noise by ``factor``."""
    low, high = 1e-4, 1.0
    for _ in range(50):
        gain = (low + high) / 2
        rest = (1 - gain) ** 2
        reduction = gain / (2 - gain) * np.sqrt((1 + rest) / (1 - rest))
        low, high = (gain, high) if reduction < 1 / factor else (low, gain)
    return low


def _gains(points, smallest):
    """One gain per frame, (T,): larger where any part of the face moves more than its noise explains."""
    curvature = points[2:] - 2 * points[1:-1] + points[:-2]
    noise = np.median(np.abs(curvature)) / 0.6745 / np.sqrt(6)
    if not noise > 0:
        return np.ones(len(points))
    padded = np.pad(points, ((_SPAN, _SPAN), (0, 0), (0, 0)), mode="edge")
    # Half a span on either side: a move shows from both of its ends.
    excess = np.zeros(len(points))
    for span in range(1, _SPAN + 1):
        forward = padded[_SPAN + span : len(padded) - _SPAN + span] - points
        backward = points - padded[_SPAN - span : len(padded) - _SPAN - span]
        for move in (forward, backward):
            energy = np.stack([np.mean(move[:, part] ** 2, axis=(1, 2)) for part in _PARTS], axis=1)
            excess = np.maximum(excess, (energy / (2 * noise**2)).max(axis=1) - _NOISE_LEVEL)
    return np.clip(smallest + _SENSITIVITY * np.maximum(excess, 0), smallest, 1.0)


def _one_way(points, gain):
    result = points.copy()
    # The start is the mean of the first values while they stand still, so that the first one's noise does not stay.
    still = int(np.argmax(gain > 0.5)) if (gain > 0.5).any() else len(points)
    if still > 1:
        result[0] = points[: min(still, max(2, int(1 / gain[0])))].mean(axis=0)
    for index in range(1, len(points)):
        result[index] = result[index - 1] + gain[index] * (points[index] - result[index - 1])
    return result


@dataclass(frozen=True)
class ColoredFace:
    """A face in a stream: where it is, how the networks see it, and its colour statistics (2, 3) in Lab."""

    landmarks: np.ndarray
    statistics: np.ndarray


def color_statistics(face: PreparedFace, prediction: Prediction, config: MergeConfig) -> np.ndarray:
    """Mean and deviation of the frame's own face inside its mask, in Lab; (2, 3) float64."""
    _, mask = face_masks(face, prediction, config)
    lab = cv2.cvtColor(face.face, cv2.COLOR_BGR2LAB)
    selected = (mask > 0.5).astype(np.uint8)
    mean, deviation = cv2.meanStdDev(lab, mask=selected if selected.any() else None)
    return np.stack([mean[:, 0], deviation[:, 0]])


def smooth_colors(stream: Iterable[tuple], reach: int = COLOR_REACH) -> Iterator[tuple]:
    """Filter colour statistics along face tracks, with a look-ahead of ``reach`` frames.

    Parameters
    ----------
    stream : iterable of (item, list of ColoredFace)
        One entry per frame, in order.

    Yields
    ------
    (item, list of numpy.ndarray)
        The filtered statistics of each face. At most ``2 * reach + 1`` items are held.
    """
    held: deque = deque()
    ahead = 0
    iterator = iter(stream)
    ended = False
    position = 0
    while True:
        while not ended and ahead <= reach:
            entry = next(iterator, None)
            if entry is None:
                ended = True
                break
            held.append(entry)
            ahead += 1
        if ahead == 0:
            return
        yield held[position][0], [_filtered(held, position, number) for number in range(len(held[position][1]))]
        ahead -= 1
        position += 1
        if position > reach:
            held.popleft()
            position -= 1


def filtered_colors(frames: Sequence[Sequence[ColoredFace]], position: int) -> list[np.ndarray]:
    """The filtered statistics of each face of the frame at ``position``; frames at most ``COLOR_REACH`` away count."""
    held = [(None, faces) for faces in frames]
    return [_filtered(held, position, number) for number in range(len(frames[position]))]


def _filtered(held, position, number):
    start = held[position][1][number]
    total, weight = start.statistics.copy(), 1.0
    for direction in (-1, 1):
        last = start
        index = position + direction
        while 0 <= index < len(held) and abs(index - position) <= COLOR_REACH:
            follower = _follow(last, held[index][1])
            if follower is None:
                break
            share = np.exp(-0.5 * ((index - position) / _COLOR_SIGMA) ** 2)
            total += share * follower.statistics
            weight += share
            last = follower
            index += direction
    return total / weight


def _follow(last, faces):
    """The face of the neighbouring frame that belongs to the same track and light."""
    nearest = min(faces, key=lambda face: _step(last.landmarks, face.landmarks), default=None)
    if nearest is None or is_cut(last.landmarks, nearest.landmarks):
        return None
    if np.abs(nearest.statistics[0] - last.statistics[0]).max() > _LARGEST_COLOR_STEP:
        return None
    return nearest


def steadied(face: PreparedFace, statistics: np.ndarray, filtered: np.ndarray) -> PreparedFace:
    """The face with its colours, which colour transfer aims at, moved to the filtered statistics."""
    return replace(face, face=shift_statistics(face.face, statistics, filtered))
