"""A page about merged frames: where no face is, where it jumps in place, size, colour or sharpness, and where it is cut off."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import FormatError
from core.files.imageio import encode_image, read_bgr, read_image
from core.files.paths import atomic_write
from core.files.trash import rename_aside
from core.parallel import ordered_map
from facelib.tracks import thumbnail, thumbnails_agree

ENDING = "_report.html"

_TITLE = "<title>Merge report</title>"
_WORK_SIDE = 640  # pictures are measured at this size
_WORST, _THUMBNAIL = 50, 240
_INSIDE = 128  # of a mask: what counts as face
_FEWEST_PIXELS = 30
# What is just not to be seen, so that a value of twice as much is: place in sides of the face, size as a ratio, colour in Lab.
LIMITS = {"place": 0.03, "size": 0.06, "colour": 2.0, "sharpness": 0.35}
WORDS = {
    "place": "jumps",
    "size": "changes its size",
    "colour": "changes its colour",
    "sharpness": "changes its sharpness",
}
_FOUND_FROM = 2.0
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 24px auto; max-width: 1280px; padding: 0 16px; }
h1 { font-size: 24px; } h2 { font-size: 19px; margin-top: 30px; } td, th { padding: 2px 14px 2px 0; text-align: left; }
.frame { display: flex; gap: 6px; align-items: center; margin: 6px 0; font-size: 13px; } svg { display: block; background: #f6f6f6; }
"""


@dataclass(frozen=True)
class MergedFrame:
    """What was measured of one merged frame.

    Parameters
    ----------
    name : str
    small : numpy.ndarray
        The frame before the merge, (18, 32) float32; tells cuts.
    center : numpy.ndarray or None
        (x, y) of the face in working pixels; None for a frame without one.
    side : float
        Square root of the face's area.
    colour, original_colour : numpy.ndarray
        Mean Lab of the face in the merged frame, and of the same place before.
    sharpness, original_sharpness : float
        Mean size of the Laplacian at the same places.
    is_cut_off : bool
        Whether the face reaches the border of the frame.
    """

    name: str
    small: np.ndarray = field(repr=False)
    center: np.ndarray | None = None
    side: float = 0.0
    colour: np.ndarray = field(default_factory=lambda: np.zeros(3))
    original_colour: np.ndarray = field(default_factory=lambda: np.zeros(3))
    sharpness: float = 0.0
    original_sharpness: float = 0.0
    is_cut_off: bool = False


@dataclass(frozen=True)
class Finding:
    """A frame that somebody should look at: its place, how bad it is (from 1 on it can be seen), and why."""

    index: int
    score: float
    reasons: tuple[str, ...]


def measure_frame(frame: Path, merged: Path, mask: Path) -> MergedFrame:
    """Measure a merged frame.

    Raises
    ------
    FormatError
        When one of the pictures cannot be read.
    """
    before, after, face = read_bgr(frame), read_bgr(merged), read_image(mask)
    face = face if face.ndim == 2 else face[..., 0]
    small, (height, width) = thumbnail(before), after.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    before, after, face = (cv2.resize(each, size, interpolation=cv2.INTER_AREA) for each in (before, after, face))
    inside = face >= _INSIDE
    if np.count_nonzero(inside) < _FEWEST_PIXELS:
        return MergedFrame(frame.name, small)
    rows, columns = np.nonzero(inside)
    border = inside[0].any() or inside[-1].any() or inside[:, 0].any() or inside[:, -1].any()
    return MergedFrame(
        frame.name,
        small,
        np.array([columns.mean(), rows.mean()]),
        float(np.sqrt(len(rows))),
        _lab(after)[inside].mean(axis=0),
        _lab(before)[inside].mean(axis=0),
        _detail(after, inside),
        _detail(before, inside),
        bool(border),
    )


def findings(frames: Sequence[MergedFrame]) -> list[Finding]:
    """Frames to look at, the worst first.

    A value counts by how far it lies from the middle of its two neighbours, less what the original changes there by itself; neighbours are
    frames of the same shot with a face.
    """
    found = []
    for index, frame in enumerate(frames):
        if frame.center is None:
            if _between_faces(frames, index):
                found.append(Finding(index, _FOUND_FROM, ("has no face, though the frames around have",)))
            continue
        scores = _jumps(frames, index)
        reasons = [WORDS[name] for name, score in scores.items() if score >= _FOUND_FROM]
        if frame.is_cut_off:
            reasons.append("is cut off by the border of the frame")
        if reasons:
            found.append(Finding(index, max([1.0, *scores.values()]), tuple(reasons)))
    return sorted(found, key=lambda finding: (-finding.score, finding.index))


def write_report(output: Path, triples: Sequence[tuple[Path, Path, Path]]) -> list[Finding]:
    """Measure all merged frames and write the page.

    Parameters
    ----------
    output : Path
        An earlier report is replaced, another file is renamed.
    triples : sequence of (Path, Path, Path)
        Frame, merged frame, mask.
    """
    measured: list[tuple[MergedFrame, tuple[Path, Path, Path]]] = []
    with interact.progress(len(triples), "Looking at merged frames") as bar:
        for outcome in ordered_map(lambda triple: measure_frame(*triple), triples):
            bar.update()
            if isinstance(outcome.error, FormatError):
                interact.warning(f"{outcome.error}. It is left out of the report.")
                continue
            if outcome.error is not None:
                raise outcome.error
            measured.append((outcome.value, outcome.item))
    frames = [frame for frame, _ in measured]
    found = findings(frames)
    if output.is_file() and _TITLE.encode() not in output.read_bytes():
        interact.info(f"{output.name} was no report of a merge; it is called {rename_aside(output).name} now.")
    page = _page(frames, found, [triple for _, triple in measured])
    atomic_write(output, page.encode("utf-8", "backslashreplace"))
    return found


def _lab(picture):
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)


def _detail(picture, inside):
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F))[inside].mean())


def _jumps(frames, index) -> dict[str, float]:
    """How far a frame lies from its two neighbours, in units of what is just not to be seen; 0 where one is missing."""
    if not 0 < index < len(frames) - 1:
        return dict.fromkeys(LIMITS, 0.0)
    before, frame, after = frames[index - 1 : index + 2]
    shots = thumbnails_agree(before.small, frame.small) and thumbnails_agree(frame.small, after.small)
    if before.center is None or after.center is None or not shots:
        return dict.fromkeys(LIMITS, 0.0)
    values = {
        "place": float(np.linalg.norm(frame.center - (before.center + after.center) / 2)) / frame.side,
        "size": abs(float(np.log(frame.side / np.sqrt(before.side * after.side)))),
        "colour": max(0.0, _off(before, frame, after, "colour") - _off(before, frame, after, "original_colour")),
        "sharpness": max(
            0.0, _ratio(before, frame, after, "sharpness") - _ratio(before, frame, after, "original_sharpness")
        ),
    }
    return {name: value / LIMITS[name] for name, value in values.items()}


def _off(before, frame, after, name):
    first, value, last = (getattr(each, name) for each in (before, frame, after))
    return float(np.linalg.norm(value - (first + last) / 2))


def _ratio(before, frame, after, name):
    first, value, last = (max(getattr(each, name), 1e-3) for each in (before, frame, after))
    return abs(float(np.log(value / np.sqrt(first * last))))


def _between_faces(frames, index):
    """Whether the frames right before and behind show a face and belong to the same shot."""
    if not 0 < index < len(frames) - 1:
        return False
    before, frame, after = frames[index - 1 : index + 2]
    shots = thumbnails_agree(before.small, frame.small) and thumbnails_agree(frame.small, after.small)
    return before.center is not None and after.center is not None and shots


def _page(frames, found, triples):
    empty = [frame.name for frame in frames if frame.center is None]
    counts = {words: sum(words in finding.reasons for finding in found) for words in WORDS.values()}
    rows = [
        ("Frames", str(len(frames))),
        ("without a face", f"{len(empty)}{': ' + _ranges(empty) if empty else ''}"),
        ("with a face that is cut off by the border", str(sum(frame.is_cut_off for frame in frames))),
        *((f"in which the face {words}", str(count)) for words, count in counts.items()),
    ]
    table = "".join(f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">' + _TITLE,
        f"<style>{_STYLE}</style></head><body><h1>Merge report</h1><table>{table}</table>",
        "<h2>Over time</h2><p>How far each frame lies from its neighbours; the line is where it can be seen.</p>",
        _curves(frames),
        f"<h2>Frames to look at: {len(found)}</h2>",
        "<p>Original, result and mask; the worst first.</p>" if found else "<p>None.</p>",
        *(_row(frames[finding.index], finding, triples[finding.index]) for finding in found[:_WORST]),
    ]
    if len(found) > _WORST:
        parts.append(f"<p>… and {len(found) - _WORST} more</p>")
    return "\n".join([*parts, "</body></html>\n"])


def _ranges(names):
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")


def _curves(frames):
    """One strip for each kind of jump."""
    scores = [_jumps(frames, index) for index in range(len(frames))]
    height, count = 60, max(2, len(frames))
    strips = []
    for name in LIMITS:
        points = " ".join(f"{place},{height - min(score[name], 6) * 10:.1f}" for place, score in enumerate(scores))
        line = height - _FOUND_FROM * 10
        strips.append(
            f'<p>{name}</p><svg width="100%" height="{height}" viewBox="0 0 {count - 1} {height}" preserveAspectRatio="none" role="img">'
            f'<line x1="0" x2="{count - 1}" y1="{line}" y2="{line}" stroke="#e07b28" vector-effect="non-scaling-stroke"/>'
            f'<polyline points="{points}" fill="none" stroke="#2a78b8" vector-effect="non-scaling-stroke"/></svg>'
        )
    return "".join(strips)


def _row(frame, finding, triple):
    pictures = "".join(_picture(path) for path in triple)
    words = html.escape(f"{frame.name}: {', '.join(finding.reasons)} ({finding.score:.1f})")
    return f'<div class="frame">{pictures}<div>{words}</div></div>'


def _picture(path):
    image = read_bgr(path)
    scale = _THUMBNAIL / image.shape[1]
    small = cv2.resize(image, (_THUMBNAIL, max(1, round(image.shape[0] * scale))), interpolation=cv2.INTER_AREA)
    data = base64.b64encode(encode_image(small, ".jpg", 80)).decode()
    return f'<img src="data:image/jpeg;base64,{data}" alt="{html.escape(path.name)}">'


def tell(output: Path, found: Sequence[Finding]) -> None:
    """Say where the page is and how much there is to look at."""
    interact.info(f"{counted(len(found), 'frame')} to look at: {output}")
