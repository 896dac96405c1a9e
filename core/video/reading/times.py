"""When each picture of a video is shown, exactly, and whether that makes a constant frame rate."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from core.console import interact
from core.video.reading.decode import PictureDecoder
from core.video.reading.probe import VideoInfo, probe

_NTSC_BASES = (24, 30, 48, 60, 72, 90, 96, 120, 144, 240)
_ROUNDING = 0.27
_LARGEST_STEP_BACK = 1  # second
# What libavformat tells of times of display in these, it only guesses.
_WITHOUT_DISPLAY_TIMES = ("avi",)

# Seconds by which versions of ffmpeg differ about where a file begins: the priming of its sound.
CLOCK_DIFFERENCE = Fraction(1, 125)

# In some containers a jump lands too late by some seconds.
SEEK_MARGIN = 20


@dataclass(frozen=True)
class Clock:
    """The times of the pictures that a video really shows.

    Attributes
    ----------
    origin : Fraction
        Where the file begins, on its own clock, in seconds; no picture is earlier.
    times : list of Fraction
        One for each picture, in order, strictly rising, in seconds from ``origin``.
    jumps : int
        How often the file's own clock is set back, as where recordings were joined byte by byte.
    """

    origin: Fraction
    times: list[Fraction]
    jumps: int = 0


def read_clock(path: Path, info: VideoInfo | None = None) -> Clock:
    """Decode a video and note when each picture is shown.

    Headers and packets do not tell that: edit lists hide pictures, recordings begin with pictures that nothing
    decodes, and some containers store only the order of decoding.
    """
    state = Path(path).stat()
    return _read_clock(Path(path), state.st_mtime_ns, state.st_size, info or probe(path))


@functools.lru_cache(maxsize=4)
def _read_clock(path, changed, size, info):
    """As :func:`read_clock`; a file that has changed since is read again."""
    shown, stored = [], []
    with PictureDecoder(path, for_times=True) as decoder:
        total = info.expected_frames
        with interact.progress(total, f"Reading the times of {path.name}") as bar:
            for picture in decoder:
                stamp = picture.opaque
                shown.append(None if info.format_name in _WITHOUT_DISPLAY_TIMES else picture.pts)
                stored.append(stamp.decode_time if stamp is not None else None)
                bar.update()
        base, start = Fraction(decoder.stream.time_base), decoder.start
    times = picture_times(shown, stored, base, info.average_fps)
    origin = min(start, times[0]) if times else start
    known = [time for time in shown if time is not None]
    jumps = sum((before - after) * base > _LARGEST_STEP_BACK for before, after in zip(known, known[1:]))
    return Clock(origin, [time - origin for time in times], jumps)


def first_time_from(path: Path, begin: float, rate: Fraction) -> Fraction | None:
    """Time of the first picture at or after ``begin`` seconds from the start of the file, to :data:`CLOCK_DIFFERENCE`.

    None where that is not known without reading the whole file, or there is none.
    """
    with PictureDecoder(path) as decoder:
        base = Fraction(decoder.stream.time_base)
        decoder.seek(decoder.start + Fraction(begin) - SEEK_MARGIN)
        for picture in decoder:
            if picture.pts is None:
                return None
            time = picture.pts * base - decoder.start
            if time >= Fraction(begin) - min(CLOCK_DIFFERENCE, 1 / (4 * rate)):
                return time
    return None


def frame_times(path: Path) -> list[Fraction]:
    """Time of each picture in seconds from the start of the file, in the order of display; see :func:`read_clock`."""
    return read_clock(path).times


def picture_times(
    shown: Sequence[int | None], stored: Sequence[int | None], base: Fraction, rate: Fraction
) -> list[Fraction]:
    """Strictly rising times in seconds of pictures in the order of display.

    Parameters
    ----------
    shown : sequence of int or None
        Time of display of each, in units of ``base``; None where the container gives none.
    stored : sequence of int or None
        Time of decoding of each one's packet. They belong to the pictures as a set: sorted, they are the times of
        display in a container that stores no others (avi, wmv).
    base : Fraction
        Seconds.
    rate : Fraction
        Frames a second, for pictures of which nothing is known.
    """
    if all(time is None for time in shown) and all(time is not None for time in stored):
        shown = sorted(time for time in stored if time is not None)
    step = 1 / rate
    times = _fill(_without_doubles([None if time is None else time * base for time in shown], step), step)
    return _rising(times, step)


def _without_doubles(times, step):
    """Take the time from all but one of the pictures that have the same: the one that fits the frame duration best."""
    single, known = [None] * len(times), []
    for index, time in enumerate(times):
        if time is None:
            continue
        if known and times[known[-1]] == time:
            rival = known.pop()
            before = known[-1] if known else rival
            error = {place: abs(times[before] + (place - before) * step - time) for place in (rival, index)}
            index = min(error, key=error.get)
        known.append(index)
    for index in known:
        single[index] = times[index]
    return single


def _fill(times, step):
    """Give times to those that have none: evenly between the known ones, by the frame duration outside."""
    known = [index for index, time in enumerate(times) if time is not None]
    if not known:
        return [index * step for index in range(len(times))]
    filled = list(times)
    for index in range(known[0]):
        filled[index] = times[known[0]] - (known[0] - index) * step
    for index in range(known[-1] + 1, len(times)):
        filled[index] = times[known[-1]] + (index - known[-1]) * step
    for before, after in zip(known, known[1:]):
        gap = (times[after] - times[before]) / (after - before)
        for index in range(before + 1, after):
            filled[index] = times[before] + (index - before) * gap
    return filled


def _rising(times, step):
    """Move a time that does not lie behind the one before to one frame after it."""
    risen = []
    for time in times:
        risen.append(time if not risen or time > risen[-1] else risen[-1] + step)
    return risen


def at_rate(pictures: Iterable, base: Fraction, rate: Fraction, wanted: int) -> Iterator:
    """Pictures for a constant rate: each one until the next is nearer, so some come several times and some never.

    Parameters
    ----------
    pictures : iterable of av.VideoFrame
    base : Fraction
        Unit of their times in seconds.
    rate : Fraction
        Frames a second where a picture has no time.
    wanted : int
        Frames a second to yield.
    """
    start: Any = None
    time: Any = None
    shown, taken = None, 0
    for picture in pictures:
        follows = None if time is None else time + 1 / rate
        time = picture.pts * base if picture.pts is not None else (follows or Fraction(0))
        start = time if start is None else start
        place = _place(time - start, wanted)
        for _ in range(taken, place):
            yield shown
        shown, taken = picture, max(taken, place)
    if shown is not None:
        for _ in range(taken, max(1, _place(time - start + 1 / rate, wanted))):
            yield shown


def _place(time, rate):
    return int(time * rate + Fraction(1, 2))


def constant_rate(times: list[Fraction], info: VideoInfo) -> Fraction | None:
    """The frame rate on whose grid all ``times`` lie, or None when the frame rate varies.

    A frame may lie off the grid by a quarter of a frame, which covers containers that round to milliseconds.
    """
    if len(times) < 2:
        return info.fps
    average = Fraction(len(times) - 1) / (times[-1] - times[0]) if times[-1] > times[0] else info.fps
    for rate in dict.fromkeys((info.fps, snap_rate(average), average.limit_denominator(1_000_000))):
        if all(abs((time - times[0]) * rate - index) <= _ROUNDING for index, time in enumerate(times)):
            return rate
    return None


def snap_rate(rate: Fraction | float) -> Fraction:
    """The common frame rate nearest to a rounded one: 29.97 → 30000/1001; others stay within 1/1000."""
    candidates = [Fraction(base * 1000, 1001) for base in _NTSC_BASES] + [Fraction(round(rate))]
    candidates += [Fraction(15000, 1001), Fraction(25, 2), Fraction(15, 2)]
    nearest = min(candidates, key=lambda candidate: abs(float(candidate) - rate))
    if abs(float(nearest) - rate) < 0.0055 and nearest > 0:
        return nearest
    return Fraction(rate).limit_denominator(1000)
