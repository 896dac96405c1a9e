"""How far the landmarks of faces are from what the face mesh sees, and from those of the frames before and after."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UserError
from core.files.imageio import read_bgr
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.sorting.face_scores import Measured, measure, read_face

# Given to a face in which the mesh sees none at all.
NO_FACE = 9.99

_LAST_NUMBER = re.compile(r"(\d+)(?!.*\d)")
# A face of the next frame is the same one when it moved by less than this part of its size, and grew by less.
_SAME_PLACE, _SAME_SIZE = 0.25, 1.25


def landmark_errors(paths: Sequence[Path]) -> Measured:
    """Error of each face, in distances between the eyes: the larger of :func:`mesh_error` and :func:`time_errors`."""
    from facelib.aligners.embedded import EmbeddedAligner

    aligner = EmbeddedAligner(workers=1)

    def look(path):
        metadata = read_face(path)
        return metadata, mesh_error(read_bgr(path), metadata, aligner)

    measured = measure(look, paths, "Comparing landmarks")
    in_time = time_errors([metadata for metadata, _ in measured.values])
    for number, (_, error) in enumerate(measured.values):
        measured.values[number] = max(error, float(in_time[number]))
    return measured


def mesh_error(image: np.ndarray, metadata: FaceMetadata, aligner: Any) -> float:
    """Mean distance of the inner landmarks (17…67) to those of the aligner, in distances between the eyes.

    The jaw is left out: aligners disagree about it where hair or the turned head hides it.
    """
    stored = metadata.landmarks
    eyes = eye_distance(stored)
    if not eyes > 0:
        raise UserError("the eyes of its landmarks lie in one place")
    low, high = stored.min(axis=0), stored.max(axis=0)
    found = aligner.align_one(image, (*np.trunc(low).astype(int), *np.ceil(high).astype(int)), accurate=False)
    if found is None:
        return NO_FACE
    return float(np.linalg.norm(found[17:] - stored[17:], axis=1).mean() / eyes)


def time_errors(faces: Sequence[FaceMetadata]) -> np.ndarray:
    """Distance of each face's landmarks to the middle between those of the neighbour frames; 0 where there are none.

    Neighbours are faces of the frames numbered one less and one more that lie in the same place (faces of another
    video in the same folder do not, as a rule). Steady motion costs
    nothing; a face whose neighbours are themselves far apart is not judged more strictly than that.
    """
    by_frame = defaultdict(list)
    for index, face in enumerate(faces):
        frame = _clip_and_number(face)
        if frame is not None:
            by_frame[frame].append(index)
    errors = np.zeros(len(faces))
    for (clip, number), indices in by_frame.items():
        for index in indices:
            points = faces[index].source_landmarks
            before, after = (_nearest(faces, by_frame.get((clip, number + step), ()), points) for step in (-1, 1))
            if before is None or after is None:
                continue
            eyes = eye_distance((before + after) / 2)
            if eyes > 0:
                apart = np.linalg.norm(after - before, axis=1).mean() / 2
                aside = np.linalg.norm(points - (before + after) / 2, axis=1).mean()
                errors[index] = max(0.0, aside - apart) / eyes
    return errors


def eye_distance(landmarks: np.ndarray) -> float:
    """Distance in pixels between the middles of the eyes."""
    return float(np.linalg.norm(landmarks[36:42].mean(axis=0) - landmarks[42:48].mean(axis=0)))


def _clip_and_number(face):
    if face.source_landmarks is None or not face.source_filename:
        return None
    stem = Path(face.source_filename).stem
    found = _LAST_NUMBER.search(stem)
    return (stem[: found.start()], int(found.group(1))) if found else None


def _nearest(faces, candidates, points):
    """Landmarks of the candidate in the same place and of the same size, or None."""
    size = np.linalg.norm(np.ptp(points, axis=0))
    best, best_distance = None, _SAME_PLACE * size
    for candidate in candidates:
        other = faces[candidate].source_landmarks
        ratio = np.linalg.norm(np.ptp(other, axis=0)) / size if size > 0 else 0
        distance = np.linalg.norm(other.mean(axis=0) - points.mean(axis=0))
        if distance < best_distance and 1 / _SAME_SIZE < ratio < _SAME_SIZE:
            best, best_distance = other, distance
    return best
