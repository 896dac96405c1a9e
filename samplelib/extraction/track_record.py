"""The faces of an extraction as tracks: who is where in time, for the report and for the search in gaps."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from core.errors import FormatError, UserError
from core.files.imageio import read_bgr
from core.files.paths import list_images
from core.parallel import ordered_map
from facelib.track_linking import SeenFace, Track, link_faces, shots_of
from samplelib.faces import aligned_face
from samplelib.faces.film import Film, seen_face

_PERCENT_DIGITS = 2


def faces_of_folder(folder: Path, film: Film) -> list[SeenFace]:
    """Every face picture of a folder that comes from a frame of the film; ``key`` is its path.

    Pictures may have been renamed or sorted: what counts is the frame in their metadata.
    """
    seen = []
    for outcome in ordered_map(aligned_face.read_header, list_images(folder)):
        if isinstance(outcome.error, FormatError):
            continue
        if outcome.error is not None:
            raise outcome.error
        face = None if outcome.value[1] is None else seen_face(outcome.value[1], film, outcome.item)
        if face is not None:
            seen.append(face)
    return seen


def tracks_of(seen: Sequence[SeenFace], film: Film) -> list[Track]:
    """Tracks of faces whose keys are the paths of their pictures."""
    return link_faces(seen, shots_of(film.cuts), likeness_of_pictures())


def likeness_of_pictures() -> Callable[[SeenFace, SeenFace], float]:
    """How much two faces are one person, by their pictures. The network is opened when it is first asked."""
    vectors: dict[Path, np.ndarray | None] = {}
    opened: list = []

    def vector_of(path):
        if path not in vectors:
            if not opened:
                from samplelib.faces.persons import open_embedding

                opened.append(open_embedding())
            vectors[path] = _vector(opened[0], path)
        return vectors[path]

    def likeness(one, other):
        pair = vector_of(one.key), vector_of(other.key)
        return 0.0 if pair[0] is None or pair[1] is None else float(pair[0] @ pair[1])

    return likeness


def _vector(embedding, path):
    """Who is on a face picture; None when nobody can tell, as for landmarks that lie in one place."""
    try:
        metadata = aligned_face.read_metadata(path)
        if metadata is None:
            return None
        return embedding.embed([embedding.crop(read_bgr(path), metadata.landmarks)])[0]
    except UserError:
        return None


def track_entries(tracks: Sequence[Track], film: Film) -> list[dict]:
    """What the report says of each track.

    Returns
    -------
    list of dict
        ``first`` and ``last`` frame, number of ``faces``, ``gaps`` as [first, last] missing frame, ``jitter_percent`` of
        the face's side (None for a track without three frames in a row), and ``pictures``, which are names of face pictures.
    """
    names = film.names
    return [
        {
            "first": names[track.first],
            "last": names[track.last],
            "faces": len(track.faces),
            "gaps": [[names[before.frame + 1], names[behind.frame - 1]] for before, behind in track.gaps],
            "jitter_percent": None if np.isnan(track.jitter) else round(100 * track.jitter, _PERCENT_DIGITS),
            "pictures": [Path(face.key).name for face in track.faces],
        }
        for track in tracks
    ]
