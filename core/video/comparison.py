"""A video that shows an original and what was made of it, side by side or one through the other."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import FormatError
from core.video.frames import open_writer, read_frames
from core.video.steps import pace_of, read_reference
from core.video.writing.encoders import EncoderSettings

_LINE = 2
_DIFFERENCE_TIMES = 4
_LABEL_SHARE = 0.04  # height of a label's letters in the height of a picture
_LEAST_LABEL = 12


def arranged(pictures: Sequence[np.ndarray], layout: str, labels: Sequence[str] = ()) -> np.ndarray:
    """One picture of an original and its results.

    Parameters
    ----------
    pictures : sequence of numpy.ndarray
        (H, W, 3) uint8 of one size, the original first.
    layout : str
        ``beside`` and ``above``: one after the other. ``wipe``: equal strips of one picture, with white lines between. ``difference``:
        what each result changed, four times as strong.
    labels : sequence of str
        One for each picture, or none. A wipe, whose strips lie in one picture, shows none.
    """
    if layout == "wipe":
        return _wiped(pictures)
    shown, names = list(pictures), list(labels)
    if layout == "difference":
        changed = [cv2.absdiff(pictures[0], picture) for picture in pictures[1:]]
        shown, names = [cv2.convertScaleAbs(each, alpha=_DIFFERENCE_TIMES) for each in changed], names[1:]
    if names:
        shown = [_with_label(picture, name) for picture, name in zip(shown, names, strict=True)]
    return np.concatenate(shown, axis=0 if layout == "above" else 1)


def _wiped(pictures):
    width, count = pictures[0].shape[1], len(pictures)
    result = pictures[0].copy()
    for number, picture in enumerate(pictures[1:], 1):
        start = width * number // count
        result[:, start:] = picture[:, start:]
        result[:, start : start + _LINE] = 255
    return result


def compare_videos(
    original: Path,
    results: Sequence[Path],
    output: Path,
    settings: EncoderSettings,
    layout: str = "beside",
    with_sound: bool = True,
    labels: Sequence[str] = (),
    metadata: dict[str, str] | None = None,
    caption: str | None = None,
) -> int:
    """Make a video of an original and its results, frame by frame; returns the number of frames.

    Parameters
    ----------
    original : Path
        Gives pace and sound.
    results : sequence of Path
        Of the same frames; of another size they are scaled to the original's.
    output : Path
    settings : EncoderSettings
    layout : str
        See :func:`arranged`.
    with_sound : bool
    labels : sequence of str
        Written into the pictures of original and results; empty for none.
    metadata : dict, optional
        Tags of the container.
    caption : str, optional
        Of the progress bar.

    Raises
    ------
    FormatError
        When a video has no frame, or its pictures change their size.
    """
    reference = read_reference(original)
    groups = _groups(original, results)
    first = next(groups, None)
    if first is None:
        raise FormatError(original, "and its results have no frame in common")
    picture = arranged(first, layout, labels)
    count = len(reference.times)
    fps, times = pace_of(reference, count, output.suffix.lower())
    sound = reference.sound if with_sound else None
    size = (picture.shape[1], picture.shape[0])
    writer = open_writer(
        output, fps, size, settings, reference.colour(False), reference.info.display_pixel_aspect, sound, times, metadata, count,
        caption or f"Writing {output.name}",
    )  # fmt: skip
    written = 1
    with writer:
        writer.write(picture)
        for group in groups:
            writer.write(arranged(group, layout, labels))
            written += 1
    return written


def _groups(original: Path, results: Sequence[Path]) -> Iterator[list[np.ndarray]]:
    """The pictures of each frame, all of the original's size, up to the end of the shortest video."""
    size, told, paths = None, False, (original, *results)
    for number, pictures in enumerate(zip_longest(*(read_frames(path, keep_hdr=False) for path in paths))):
        ended = [path.name for path, picture in zip(paths, pictures) if picture is None]
        if ended:
            interact.warning(
                f"{', '.join(ended)}: ends after {counted(number, 'frame')}, before the others; so does the comparison."
            )
            return
        size = pictures[0].shape if size is None else size
        if pictures[0].shape != size:
            raise FormatError(original, "changes the size of its pictures; cut it where that happens")
        scaled = [
            picture if picture.shape == size else cv2.resize(picture, size[1::-1], interpolation=cv2.INTER_AREA)
            for picture in pictures
        ]
        if not told and any(picture.shape != size for picture in pictures):
            told = True
            interact.info(f"Results of another size are scaled to {size[1]}x{size[0]}.")
        yield scaled


def _with_label(picture, label):
    """A copy with a text in its lower left corner, white on black."""
    height = max(_LEAST_LABEL, round(picture.shape[0] * _LABEL_SHARE))
    scale = cv2.getFontScaleFromHeight(cv2.FONT_HERSHEY_SIMPLEX, height)
    place, copy = (height // 2, picture.shape[0] - height // 2), picture.copy()
    for colour, thickness in (((0, 0, 0), max(3, height // 4)), ((255, 255, 255), max(1, height // 12))):
        cv2.putText(copy, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)
    return copy
