"""The persons of a faceset: a page that shows them, and a file in which they are given names."""

import base64
import html
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from core.console import interact
from core.console.counted import counted
from core.errors import UserError
from core.files.imageio import encode_image
from core.files.paths import atomic_write, natural_key
from core.files.trash import rename_aside
from core.parallel import ordered_map
from samplelib.faces.film import link_samples, read_film
from samplelib.faces.grouping import group_tracks
from samplelib.faces.persons import CAST_NAME, Embedding, open_embedding, read_cast
from samplelib.faces.sample import Sample
from samplelib.faceset import load_faceset

PAGE_NAME = "cast.html"
_TITLE = "<title>Cast</title>"
_NUMBERED = re.compile(r"person \d+")
_TYPICAL = 12  # pictures of a person that the file lists and the page shows
_THUMBNAIL = 96
_HEAD = """# The persons of this faceset, as "facesettool cast" found them; cast.html shows them. Change their names: "extract --keep NAME"
# and "merge --keep NAME" take them, and the next run of "facesettool cast" keeps them.
"""
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 24px auto; max-width: 1280px; padding: 0 16px; }
h1 { font-size: 24px; } h2 { font-size: 18px; margin: 26px 0 4px; } p { margin: 2px 0 6px; }
.sheet { display: flex; flex-wrap: wrap; gap: 4px; } .sheet img { width: 96px; height: 96px; }
svg { display: block; background: #eee; margin: 4px 0; }
"""


@dataclass(frozen=True)
class Person:
    """Somebody in a faceset.

    Parameters
    ----------
    name : str
    faces : list of Sample
        From the most to the least typical.
    frames : list of str
        Names of the frames that show the person, in natural order.
    """

    name: str
    faces: list[Sample]
    frames: list[str]


def find_persons(folder: Path, likeness: float | None = None, embedding: Embedding | None = None) -> list[Person]:
    """Persons of a faceset, the most frequent first; names of an earlier run stay with the persons whose pictures it lists.

    Parameters
    ----------
    folder : Path
        Face pictures, or a packed faceset.
    likeness : float, optional
        Least mean likeness of the faces, or tracks, of a person.
    embedding : Embedding, optional

    Raises
    ------
    UserError
        When there is no face.
    """
    embedding = open_embedding() if embedding is None else embedding
    interact.info(f"Faces are told apart by: {embedding.description}")
    samples, vectors = [], []

    def look(sample):
        return embedding.embed([embedding.crop(sample.read_bgr(), sample.metadata.landmarks)])[0]

    found = load_faceset(folder)
    with interact.progress(len(found), "Looking at faces") as bar:
        for outcome in ordered_map(look, found):
            bar.update()
            if outcome.error is None:
                samples.append(outcome.item)
                vectors.append(outcome.value)
            elif isinstance(outcome.error, UserError):
                interact.warning(f"{outcome.item.name}: {outcome.error}. It is left out.")
            else:
                raise outcome.error
    if not samples:
        raise UserError(f"{folder}: none of the faces could be looked at.")
    known, film = np.stack(vectors), read_film(folder)
    tracks = (
        [] if film is None else link_samples(samples, film, lambda one, other: float(known[one.key] @ known[other.key]))
    )
    faces_of_tracks = [np.array([face.key for face in track.faces]) for track in tracks]
    groups = group_tracks(known, faces_of_tracks, embedding.threshold if likeness is None else likeness)
    return _named([[samples[index] for index in members] for members in groups], folder)


def write_cast(folder: Path, persons: list[Person]) -> tuple[Path, Path]:
    """Write the page and the file of names into the faceset's folder; returns both paths.

    A file of names that were given by hand and that nobody has now is kept under another name, and so is a page of others.
    """
    _keep_what_would_be_lost(folder, persons)
    listed = [{"name": person.name, "pictures": [face.name for face in person.faces[:_TYPICAL]]} for person in persons]
    text = _HEAD + yaml.safe_dump({"persons": listed}, allow_unicode=True, sort_keys=False, width=120)
    atomic_write(folder / CAST_NAME, text.encode())
    atomic_write(folder / PAGE_NAME, _page(persons).encode("utf-8", "backslashreplace"))
    return folder / PAGE_NAME, folder / CAST_NAME


def _keep_what_would_be_lost(folder, persons):
    names, page = folder / CAST_NAME, folder / PAGE_NAME
    if names.is_file():
        lost = [name for name in read_cast(names) if not _NUMBERED.fullmatch(name)]
        lost = [name for name in lost if name not in {person.name for person in persons}]
        if lost:
            interact.warning(
                f"Nobody is found for {', '.join(lost)}, perhaps because the faces have other names now; the file of names as it "
                f"was is kept as {rename_aside(names).name}."
            )
    if page.is_file() and _TITLE.encode() not in page.read_bytes():
        interact.info(f"{page.name} was no cast; it is called {rename_aside(page).name} now.")


def _named(groups, folder):
    """Persons with the names of the earlier run, each given once; new ones are numbered."""
    earlier = read_cast(folder / CAST_NAME) if (folder / CAST_NAME).is_file() else {}
    owners = {picture: name for name, pictures in earlier.items() for picture in pictures}
    names: list[str] = []
    for faces in groups:
        votes = [owners[face.name] for face in faces if face.name in owners]
        known = max(set(votes), key=votes.count) if votes else None
        if known is None or known in names:
            known = next(f"person {number}" for number in range(len(names) + 1, 10**9)
                         if f"person {number}" not in names and f"person {number}" not in earlier)  # fmt: skip
        names.append(known)
    return [Person(name, faces, _frames_of(faces)) for name, faces in zip(names, groups)]


def _frames_of(faces):
    return sorted({face.metadata.source_filename or face.name for face in faces}, key=natural_key)


def _page(persons):
    frames = sorted({frame for person in persons for frame in person.frames}, key=natural_key)
    places = {frame: number for number, frame in enumerate(frames)}
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">' + _TITLE,
        f"<style>{_STYLE}</style></head><body><h1>Cast</h1>",
        f"<p>{counted(len(persons), 'person')} in {counted(len(frames), 'frame')}. Names are given in {CAST_NAME}.</p>",
    ]
    for person in persons:
        span = f"{person.frames[0]} … {person.frames[-1]}" if len(person.frames) > 1 else person.frames[0]
        told = f"{counted(len(person.faces), 'face')} in {counted(len(person.frames), 'frame')}: {span}"
        parts.append(f"<h2>{html.escape(person.name)}</h2><p>{html.escape(told)}</p>")
        parts.append(_time_line([places[frame] for frame in person.frames], len(frames)))
        parts.append(f'<div class="sheet">{"".join(map(_figure, person.faces[:_TYPICAL]))}</div>')
    return "\n".join([*parts, "</body></html>\n"])


def _time_line(places, count):
    """A strip of all frames with those of a person filled."""
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][1]:
            runs[-1][1] = place + 1
        else:
            runs.append([place, place + 1])
    bars = "".join(f'<rect x="{start}" y="0" width="{end - start}" height="10" fill="#2a78b8"/>' for start, end in runs)
    return f'<svg width="100%" height="10" viewBox="0 0 {count} 10" preserveAspectRatio="none" role="img">{bars}</svg>'


def _figure(face):
    small = cv2.resize(face.read_bgr(), (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    data = base64.b64encode(encode_image(small, ".jpg", 80)).decode()
    name = html.escape(face.name)
    return f'<img src="data:image/jpeg;base64,{data}" alt="{name}" title="{name}">'
