"""Faces that were missed between two frames of their track: searched again at their place, and put in."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue

import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import UserError
from core.parallel import ordered_map
from facelib.face_finder import FaceFinder, FoundFace
from facelib.gap_search import GapSearch
from facelib.track_linking import SeenFace, Track, between
from facelib.tracks import thumbnail, thumbnails_agree
from samplelib.extraction.journal import ExtractionJournal, ExtractionState
from samplelib.extraction.pipeline import ExtractSettings, FrameResult, SourceFrame, add_face, even_sized

INTERPOLATE = "interpolate"
FOUND, INTERPOLATED = "found", "interpolated"

# What is found in a gap of the one person who is kept may be turned or blurred: so much of the likeness is enough.
_SHARE_OF_LIKENESS = 0.7


@dataclass
class Filled:
    """What became of the gaps: number of faces that were missing, found, and interpolated; and the new faces."""

    missing: int = 0
    found: int = 0
    interpolated: int = 0
    faces: tuple[SeenFace, ...] = ()


@dataclass(frozen=True)
class _Gap:
    before: SeenFace
    behind: SeenFace

    @property
    def missing(self):
        return range(self.before.frame + 1, self.behind.frame)


def fill_gaps(
    tracks: Sequence[Track],
    frames: Callable[[], Iterable[SourceFrame]],
    finders: list[FaceFinder],
    settings: ExtractSettings,
    state: ExtractionState,
    journal: ExtractionJournal,
    interpolate: bool = False,
) -> Filled:
    """Search the faces that are missing between two frames of a track and write those that are found.

    Parameters
    ----------
    tracks : sequence of Track
    frames : callable
        Returns all frames of the film, in order.
    finders : list of FaceFinder
        As many frames are searched at the same time.
    settings : ExtractSettings
    state : ExtractionState
        Its results say of frames what was done; changed through the journal.
    journal : ExtractionJournal
        Is told of each frame in which a face was put, with ``found`` or ``interpolated``.
    interpolate : bool
        Where no face is seen, put it where it would be if it moved evenly.
    """
    gaps = [_Gap(*gap) for track in tracks for gap in track.gaps]
    if not state.knows_cuts:
        gaps = _within_a_shot(gaps, frames)
    by_frame: dict[int, list[_Gap]] = {}
    for gap in gaps:
        for number in gap.missing:
            by_frame.setdefault(number, []).append(gap)
    filled = Filled(missing=sum(map(len, by_frame.values())))
    if not by_frame:
        return filled
    known = _known_faces(tracks, by_frame)
    free: SimpleQueue[FaceFinder] = SimpleQueue()
    for finder in finders:
        free.put(finder)

    def search(frame):
        try:
            image = even_sized(frame.load())
        except UserError:
            return None, []  # It was told when the frame was to be extracted.
        finder = free.get()
        try:
            return image, _search(
                GapSearch(finder), frame.number, image, by_frame[frame.number], known, settings, interpolate
            )
        finally:
            free.put(finder)

    new: list[SeenFace] = []
    wanted = (frame for frame in _up_to(frames(), max(by_frame)) if frame.number in by_frame)
    with interact.progress(len(by_frame), "Searching missed faces") as bar:
        for outcome in ordered_map(search, wanted, len(finders)):
            if outcome.error is not None:
                raise outcome.error
            frame, (image, faces) = outcome.item, outcome.value
            beside = list(known.get(frame.number, ()))
            for face, how in faces:

                def note(name, frame=frame, image=image, how=how):
                    earlier = state.results.get(frame.name, FrameResult(frame.name, size=image.shape[1::-1]))
                    files = (*earlier.files, *(() if name in earlier.files else (name,)))
                    journal.record(replace(earlier, files=files, filled={**earlier.filled, name: how}))

                name = add_face(frame, image, face, beside, settings, note)
                if name is None:
                    continue
                beside.append(face)
                new.append(SeenFace(frame.number, face.landmarks, settings.output_folder / name))
                filled.found += how == FOUND
                filled.interpolated += how == INTERPOLATED
            bar.update()
    filled.faces = tuple(new)
    return filled


def tell(filled: Filled) -> None:
    """Say what was missing and what was found."""
    left = filled.missing - filled.found - filled.interpolated
    interact.info(
        f"Faces missing between two frames of a track: {filled.missing}. Found: {filled.found}, interpolated: "
        f"{filled.interpolated}, left out: {left}."
        + (f" {counted(left, 'face')} may be hidden there; --fill-gaps=interpolate puts them in." if left else "")
    )


def _search(search, number, image, gaps, known, settings, interpolate):
    """(face, how) of each gap that covers a frame, as far as there is something to put in."""
    result: list[tuple[FoundFace, str]] = []
    for gap in gaps:
        expected = _expected(gap, number)
        others = [*known.get(number, ()), *(face for face, _ in result)]
        face = search.find(image, expected, others)
        if face is not None and _is_wanted(image, face, settings):
            result.append((face, FOUND))
        elif interpolate:
            result.append((expected, INTERPOLATED))
    return result


def _is_wanted(image, face, settings):
    if settings.person is None:
        return True
    return settings.person.likeness_of(image, face.landmarks) >= _SHARE_OF_LIKENESS * settings.person.likeness


def _expected(gap, number):
    """The face as it would be if it moved evenly; its box is that of the landmarks, up to the hair line."""
    landmarks = between(gap.before, gap.behind, number)
    return FoundFace(_box_of(landmarks), landmarks)


def _box_of(landmarks):
    (left, top), (right, bottom) = landmarks.min(axis=0), landmarks.max(axis=0)
    top -= 0.2 * (bottom - top)
    return tuple(int(value) for value in np.rint((left, top, right, bottom)))


def _known_faces(tracks, frames):
    """Every face that lies in one of the frames, by frame."""
    known: dict[int, list[FoundFace]] = {}
    for track in tracks:
        for face in track.faces:
            if face.frame in frames:
                known.setdefault(face.frame, []).append(FoundFace(_box_of(face.landmarks), face.landmarks))
    return known


def _within_a_shot(gaps, frames):
    """The gaps that no cut lies in, from the frames themselves."""
    needed = {number for gap in gaps for number in range(gap.before.frame, gap.behind.frame + 1)}
    if not needed:
        return gaps
    cuts, before = set(), (-1, None)
    for frame in _up_to(frames(), max(needed)):
        if frame.number not in needed:
            continue
        try:
            now = thumbnail(even_sized(frame.load()))
        except UserError:
            now = None
        if frame.number == before[0] + 1 and not (
            now is not None and before[1] is not None and thumbnails_agree(before[1], now)
        ):
            cuts.add(frame.number)
        before = frame.number, now
    return [gap for gap in gaps if not cuts.intersection(range(gap.before.frame + 1, gap.behind.frame + 1))]


def _up_to(frames, last):
    for frame in frames:
        yield frame
        if frame.number >= last:
            return
