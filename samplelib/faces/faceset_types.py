"""How many faces of a faceset are of which face type, in words."""

from collections import Counter
from collections.abc import Iterable

from core.console import interact


def types_text(face_types: Iterable[str]) -> str:
    """``whole_face`` for faces of one type, ``8 whole_face, 3 head`` for mixed ones, most frequent first."""
    counts = Counter(face_types)
    if len(counts) < 2:
        return next(iter(counts), "")
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def mention_mixed_types(face_types: Iterable[str], place: str, consequence: str) -> None:
    """Warn when faces of one set are of several types.

    Parameters
    ----------
    face_types : iterable of str
        One for each face.
    place : str
        The folder.
    consequence : str
        What is done with them, as a sentence.
    """
    face_types = list(face_types)
    if len(set(face_types)) > 1:
        interact.warning(f"{place}: faces of several types: {types_text(face_types)}. {consequence}")
