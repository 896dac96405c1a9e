"""The part of a faceset's report that shows who is where in time."""

import base64
import html

import numpy as np

from core.console.counted import counted
from facelib.track_linking import Track
from samplelib.faces.film import Film, link_samples, read_film
from samplelib.report.faceset_survey import FaceFacts, Survey

STYLE = """
.track { display: flex; gap: 12px; align-items: center; margin: 8px 0; } .track .strip { display: flex; gap: 2px; flex: none; }
.track .strip img { width: 56px; height: 56px; } .track .time { flex: 1; font-size: 12px; } .track svg { display: block; background: #eee; }
"""
_SHOWN = 40
_PICTURES = 6
_PRESENT, _MISSING = "#2a78b8", "#e07b28"


def track_section(surveys: dict[str, Survey]) -> str:
    """HTML of the tracks of each faceset whose extraction tells its frames; empty when none does."""
    films = {side: (survey, film) for side, survey in surveys.items() if (film := read_film(survey.folder)) is not None}
    if not films:
        return ""
    text = (
        "<h2>Tracks</h2><p>Faces that go on from frame to frame. Blue: found; orange: missing in between "
        "(<code>extract --continue --fill-gaps</code> searches there). Jitter: how far landmarks lie from an even movement, in "
        "per cent of the face.</p>"
    )
    for side, (survey, film) in films.items():
        facts = survey.faces
        samples = [survey.samples[face.name] for face in facts]
        likeness = lambda one, other, facts=facts: float(np.float32(facts[one.key].vector) @ facts[other.key].vector)  # noqa: E731
        tracks = link_samples(samples, film, likeness)
        missing = sum(behind.frame - before.frame - 1 for track in tracks for before, behind in track.gaps)
        text += f"<h3>{side}: {counted(len(tracks), 'track')}, {counted(missing, 'face')} missing in between</h3>"
        longest = sorted(tracks, key=lambda track: -len(track.faces))[:_SHOWN]
        text += "".join(_row(track, survey, facts, film) for track in sorted(longest, key=lambda track: track.first))
        if len(tracks) > _SHOWN:
            text += f"<p>… and {counted(len(tracks) - _SHOWN, 'shorter track')}</p>"
    return text


def _row(track: Track, survey: Survey, facts: list[FaceFacts], film: Film):
    chosen = np.unique(np.linspace(0, len(track.faces) - 1, _PICTURES).round().astype(int))
    pictures = "".join(_picture(survey, facts[track.faces[place].key]) for place in chosen)
    missing = sum(behind.frame - before.frame - 1 for before, behind in track.gaps)
    words = [f"{film.names[track.first]} … {film.names[track.last]}", counted(len(track.faces), "face")]
    if missing:
        words.append(f"{missing} missing in {counted(len(track.gaps), 'gap')}")
    if np.isfinite(track.jitter):
        words.append(f"jitter {100 * track.jitter:.2f} %")
    told = html.escape(", ".join(words))
    return (
        f'<div class="track"><div class="strip">{pictures}</div><div class="time">{told}'
        f"{_time_line(track, len(film.names))}</div></div>"
    )


def _picture(survey, face):
    data = base64.b64encode(survey.thumbnail(face)).decode()
    name = html.escape(face.name)
    return f'<img src="data:image/jpeg;base64,{data}" alt="{name}" title="{name}">'


def _time_line(track, count):
    """A strip of all frames of the film, those of the track filled."""
    bars = _bar(track.first, track.last + 1, _PRESENT)
    bars += "".join(_bar(before.frame + 1, behind.frame, _MISSING) for before, behind in track.gaps)
    return f'<svg width="100%" height="10" viewBox="0 0 {count} 10" preserveAspectRatio="none" role="img">{bars}</svg>'


def _bar(start, end, color):
    return f'<rect x="{start}" y="0" width="{end - start}" height="10" fill="{color}"/>'
