"""Which faces belong to which frame, and how they move."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import UserError
from facelib.alignment import face_matrix, transform_points
from facelib.face_type import FaceType
from merger.compose import Motion

_MOTION_SIZE = 256
_MOTION_POINT = (127, 127)


@dataclass(frozen=True)
class Frame:
    """A frame to merge.

    Attributes
    ----------
    index : int
        Position in the sequence, from 0.
    path : Path
        The picture; only its name counts for frames of a video.
    faces : tuple of numpy.ndarray
        Landmarks (68, 2) of each face, in pixels of the frame.
    motion : Motion
    """

    index: int
    path: Path
    faces: tuple[np.ndarray, ...] = ()
    motion: Motion = Motion()

    @property
    def stem(self) -> str:
        return self.path.stem


def match_faces(paths: Sequence[Path], samples: Iterable) -> tuple[list[Frame], bool]:
    """Give each frame the faces that were cut out of it.

    Parameters
    ----------
    paths : sequence of Path
        Frames in order. A face belongs to the frame whose name without extension equals that of its source file.
    samples : iterable
        Faces with ``name`` and ``metadata`` (``samplelib.faces.sample.Sample``), in order.

    Returns
    -------
    frames : list of Frame
        Without motion.
    single : bool
        Whether no frame has more than one face.

    Raises
    ------
    UserError
        When two frames have the same name, so that their results would overwrite each other.
    """
    _require_distinct(paths)
    by_stem: dict[str, list] = {}
    for sample in interact.track(list(samples), "Collecting alignments"):
        metadata = sample.metadata
        if metadata.source_filename and metadata.source_landmarks is not None:
            by_stem.setdefault(Path(metadata.source_filename).stem, []).append((sample.name, metadata))
    frames = []
    for index, path in enumerate(paths):
        found = by_stem.get(path.stem, ())
        frames.append(Frame(index, path, tuple(metadata.source_landmarks for _, metadata in found)))
    single = _report_several(by_stem)
    _report_unmatched(by_stem, {path.stem for path in paths}, any(frame.faces for frame in frames))
    return frames, single


def with_motion(frames: Sequence[Frame], subpixel: bool = False) -> list[Frame]:
    """The frames with direction and speed of their first face, measured between its two neighbours.

    Parameters
    ----------
    frames : sequence of Frame
    subpixel : bool
        Keep the fraction of a pixel of the face's centre. DeepFaceLab rounds it, so that slow motion jumps.
    """
    centres = [_centre(frame.faces[0], subpixel) if frame.faces else None for frame in frames]
    result = []
    for index, frame in enumerate(frames):
        before, after = centres[max(index - 1, 0)], centres[min(index + 1, len(frames) - 1)]
        motion = Motion()
        if before is not None and after is not None and centres[index] is not None:
            x, y = after - before
            degrees = float(-np.degrees(np.arctan2(y, x))) if x or y else 0.0
            motion = Motion(degrees, float(np.hypot(x, y)))
        result.append(Frame(frame.index, frame.path, frame.faces, motion))
    return result


def _centre(landmarks, subpixel):
    matrix = face_matrix(landmarks, _MOTION_SIZE, FaceType.FULL)
    point = transform_points(np.array([_MOTION_POINT], np.float64), matrix, invert=True)[0]
    return point if subpixel else np.rint(point)


def _require_distinct(paths):
    seen = {}
    for path in paths:
        if path.stem in seen:
            raise UserError(
                f"{path}: there is also {seen[path.stem].name}, and both would be merged to {path.stem}.png. "
                "Remove or rename one of them."
            )
        seen[path.stem] = path


def _report_several(by_stem):
    several = {stem: found for stem, found in by_stem.items() if len(found) > 1}
    if not several:
        return True
    interact.info(
        "Warning: multiple faces detected. Only one alignment file should refer one source file.\n"
        + "\n".join(
            f"alignment {name} refers to {Path(metadata.source_filename).name} "
            for found in several.values()
            for name, metadata in found
        )
        + "\nIt is strongly recommended to process the faces separatelly.\n"
        "Use 'recover original filename' to determine the exact duplicates.\n"
        "Warning: multiple faces detected. Motion blur will not be used."
    )
    return False


def _report_unmatched(by_stem, stems, any_match):
    if not by_stem:
        interact.warning("the aligned folder has no face that names its source frame; all frames are copied.")
        return
    missing = sorted(set(by_stem) - stems)
    if not any_match:
        interact.warning(
            f"the aligned faces name {counted(len(by_stem), 'frame')} ({missing[0]} …), none of which is in the input "
            "folder; all frames are copied. Is it the right aligned folder?"
        )
    elif missing:
        interact.warning(
            f"{counted(len(missing), 'frame', 'are')} named by aligned faces and not in the input folder ({missing[0]} …)."
        )
