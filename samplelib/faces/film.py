"""The film that a faceset was extracted from: its frames in order, where shots begin, and its faces as tracks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import FormatError
from core.records.json_file import LARGE_FILE, read_json
from facelib.track_linking import SeenFace, Track, link_faces, shots_of
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.faces.sample import Sample

REPORT_NAME = "extract_report.json"
"""What an extraction writes beside its faces."""

_FORM = {"frames": {str: [str]}, "cuts": [str]}


@dataclass(frozen=True)
class Film:
    """Frames of a film.

    Parameters
    ----------
    names : tuple of str
        In order.
    cuts : tuple of int
        Numbers of the frames with which a shot begins.
    """

    names: tuple[str, ...]
    cuts: tuple[int, ...] = ()

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Number of each frame by its name."""
        return {name: number for number, name in enumerate(self.names)}


def read_film(folder: Path) -> Film | None:
    """The film of an extracted faceset, from its report; None where there is none that tells the cuts."""
    try:
        report = read_json(folder / REPORT_NAME, _FORM, LARGE_FILE)
    except (OSError, FormatError):
        return None
    cuts = set(report["cuts"])
    names = tuple(report["frames"])
    return Film(names, tuple(number for number, name in enumerate(names) if name in cuts))


def seen_face(metadata: FaceMetadata, film: Film, key: Any) -> SeenFace | None:
    """A face with its place in the film; None when its frame or its place in it are not known."""
    if metadata.source_filename not in film.numbers or metadata.source_landmarks is None:
        return None
    landmarks = np.asarray(metadata.source_landmarks, np.float64)
    if landmarks.shape != (68, 2) or not np.isfinite(landmarks).all():
        return None
    return SeenFace(film.numbers[metadata.source_filename], landmarks, key)


def link_samples(
    samples: Sequence[Sample], film: Film, likeness: Callable[[SeenFace, SeenFace], float] | None = None
) -> list[Track]:
    """Tracks of a faceset; the key of each face is its number in ``samples``, whatever its file is called by now."""
    seen = [seen_face(sample.metadata, film, number) for number, sample in enumerate(samples)]
    return link_faces([face for face in seen if face is not None], shots_of(film.cuts), likeness)
