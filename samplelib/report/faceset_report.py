"""One page about the facesets of source and destination: what they hold, what is missing, what looks wrong."""

import base64
import html
from pathlib import Path

import numpy as np

from core.console import interact
from core.files.paths import atomic_write
from core.files.trash import rename_aside
from samplelib.faces.faceset_types import types_text
from samplelib.report.faceset_survey import FaceFacts, Survey, survey_faceset
from samplelib.report.svg_charts import COLORS, heat_map, histogram
from samplelib.report.track_section import STYLE as TRACK_STYLE
from samplelib.report.track_section import track_section

YAW_EDGES = np.arange(-90, 91, 10)
PITCH_EDGES = np.arange(-60, 61, 10)
NAMES = {"src": "source", "dst": "destination"}

_TITLE = "<title>Faceset report</title>"
_SHEET = 24
_MOST_SUSPECTS = 48
_FEWEST_FACES = 3
_FEW = 0.1

# Poses that are named when the source lacks them: words, and a test of (yaw, pitch) in degrees.
REGIONS = (
    ("yaw over 60° to the left", lambda yaw, pitch: yaw > 60),
    ("yaw of 30…60° to the left", lambda yaw, pitch: (yaw > 30) & (yaw <= 60)),
    ("yaw of 30…60° to the right", lambda yaw, pitch: (yaw < -30) & (yaw >= -60)),
    ("yaw over 60° to the right", lambda yaw, pitch: yaw < -60),
    ("pitch over 20° up", lambda yaw, pitch: pitch > 20),
    ("pitch over 20° down", lambda yaw, pitch: pitch < -20),
    ("a nearly frontal view (yaw and pitch within 15°)", lambda yaw, pitch: (abs(yaw) <= 15) & (abs(pitch) <= 15)),
)

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 24px auto; max-width: 1180px; padding: 0 16px; }
h1 { font-size: 24px; } h2 { font-size: 19px; margin-top: 34px; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; } td, th { padding: 3px 14px 3px 0; text-align: left; vertical-align: top; }
.sides { display: flex; flex-wrap: wrap; gap: 24px; } .sheet { display: flex; flex-wrap: wrap; gap: 6px; }
figure { margin: 0; width: 96px; font-size: 11px; overflow-wrap: anywhere; } figure img { display: block; width: 96px; }
.gap { background: #fff3e3; border-left: 4px solid #e07b28; padding: 4px 10px; margin: 5px 0; }
.fine { background: #eef8ee; border-left: 4px solid #4a4; padding: 4px 10px; }
"""


def write_report(output: Path, source: Path | None = None, destination: Path | None = None) -> dict[str, Survey]:
    """Look at one or two facesets and write the page; it needs no other file. Only an earlier page is replaced.

    Returns
    -------
    dict
        ``"src"`` and ``"dst"``, as far as given, to what was found.
    """
    folders = {"src": source, "dst": destination}
    surveys = {side: survey_faceset(folder) for side, folder in folders.items() if folder is not None}
    if output.is_file() and _TITLE.encode() not in output.read_bytes():
        interact.info(f"{output.name} was no report; it is called {rename_aside(output).name} now.")
    atomic_write(output, page(surveys).encode("utf-8", "backslashreplace"))
    return surveys


def find_gaps(surveys: dict[str, Survey]) -> list[str]:
    """What the destination shows and the source does not, or hardly, in one sentence each."""
    if set(surveys) != {"src", "dst"}:
        return []
    gaps, surveys = [], {side: survey.without_suspects() for side, survey in surveys.items()}
    if not all(survey.faces for survey in surveys.values()):
        return []
    poses = {side: (survey.column("yaw"), survey.column("pitch")) for side, survey in surveys.items()}
    for words, inside in REGIONS:
        have, want = (int(inside(*poses[side]).sum()) for side in ("src", "dst"))
        share_of_source = have / len(surveys["src"].faces)
        share_wanted = want / len(surveys["dst"].faces)
        if want >= _FEWEST_FACES and (have == 0 or share_of_source < _FEW * share_wanted):
            gaps.append(f"dst has {_faces(want)} with {words}, src {'none' if have == 0 else f'only {have}'}.")
    for name, words in (("brightness", "brighter"), ("source_side", "larger in their frames")):
        source, wanted = (surveys[side].column(name) for side in ("src", "dst"))
        source, wanted = source[np.isfinite(source)], wanted[np.isfinite(wanted)]
        if not len(source) or not len(wanted):
            continue
        below, above = int((wanted < source.min() * 0.9).sum()), int((wanted > source.max() * 1.1).sum())
        if name == "brightness" and below >= _FEWEST_FACES:
            gaps.append(f"dst has {_faces(below)} darker than any of src.")
        if above >= _FEWEST_FACES:
            gaps.append(f"dst has {_faces(above)} {words} than any of src.")
    return gaps


def coverage(survey: Survey) -> np.ndarray:
    """(pitch bins, yaw bins) counts of faces; poses beyond the edges count in the outermost bins."""
    yaw, pitch = survey.column("yaw"), survey.column("pitch")
    known = np.isfinite(yaw) & np.isfinite(pitch)
    yaw = np.clip(yaw[known], YAW_EDGES[0], YAW_EDGES[-1])
    pitch = np.clip(pitch[known], PITCH_EDGES[0], PITCH_EDGES[-1])
    return np.histogram2d(pitch, yaw, (PITCH_EDGES, YAW_EDGES))[0].astype(int)


def page(surveys: dict[str, Survey]) -> str:
    """The whole page as HTML."""
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">' + _TITLE,
        f"<style>{_STYLE}{TRACK_STYLE}</style></head><body><h1>Faceset report</h1>",
        _overview(surveys),
        _poses(surveys),
        track_section(surveys),
        _spread(surveys),
        _suspects(surveys),
        _sheets(surveys),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _overview(surveys):
    rows = [
        ("Folder", lambda survey: html.escape(str(survey.folder))),
        ("Faces", lambda survey: str(len(survey.faces))),
        ("Frames", lambda survey: str(len({face.frame for face in survey.faces if face.frame}) or "unknown")),
        ("Picture size", lambda survey: _sizes(survey)),
        ("Face type", lambda survey: html.escape(types_text(face.face_type for face in survey.faces))),
        ("Face in its frame", lambda survey: _median(survey.column("source_side"), "{:.0f} px (median)")),
        ("Sharpness", lambda survey: _median(survey.column("sharpness"), "{:.2f} of 1 (median)")),
        ("Brightness", lambda survey: _median(survey.column("brightness"), "{:.2f} of 1 (median)")),
        ("Applied mask", lambda survey: str(sum(face.has_mask for face in survey.faces))),
        ("Drawn labels", lambda survey: str(sum(face.has_labels for face in survey.faces))),
        ("Suspected wrong", lambda survey: str(len(survey.suspects))),
    ]
    head = "".join(f'<th style="color:{COLORS[side]}">{side} ({NAMES[side]})</th>' for side in surveys)
    body = "".join(
        f"<tr><th>{name}</th>" + "".join(f"<td>{value(survey)}</td>" for survey in surveys.values()) + "</tr>"
        for name, value in rows
    )
    return f"<table><tr><th></th>{head}</tr>{body}</table>"


def _poses(surveys):
    counts = {side: coverage(survey) for side, survey in surveys.items()}
    largest = max(int(values.max()) for values in counts.values())
    maps = "".join(
        f"<div><h3>{side}</h3>"
        + heat_map(values, YAW_EDGES, PITCH_EDGES, largest, COLORS[side], f"yaw and pitch of {side}")
        + "</div>"
        for side, values in counts.items()
    )
    text = f'<h2>Head poses</h2><p>Yaw across, pitch (up is up) down; point at a cell for its count.</p><div class="sides">{maps}</div>'
    if len(surveys) == 2:
        gaps = find_gaps(surveys)
        text += "".join(f'<div class="gap">{html.escape(gap)}</div>' for gap in gaps)
        if not gaps:
            text += '<p class="fine">Everything that dst shows, src shows too.</p>'
    return text


def _spread(surveys):
    charts = (
        ("sharpness", 0, 1, "sharpness inside the face", ""),
        ("brightness", 0, 1, "brightness inside the face", ""),
        ("hue", 0, 360, "hue inside the face", "°"),
        ("saturation", 0, 1, "saturation inside the face", ""),
    )
    drawn = "".join(
        histogram({side: survey.column(name) for side, survey in surveys.items()}, low, high, 40, label, unit)
        for name, low, high, label, unit in charts
    )
    return f'<h2>Sharpness, light and colour</h2><div class="sides">{drawn}</div>'


def _suspects(surveys):
    text = "<h2>Suspected wrong faces</h2>"
    for side, survey in surveys.items():
        text += f"<h3>{side}: {len(survey.suspects)}</h3>"
        shown = survey.suspects[:_MOST_SUSPECTS]
        text += _sheet(survey, [(face, reason) for face, reason in shown])
        if len(survey.suspects) > len(shown):
            text += f"<p>… and {len(survey.suspects) - len(shown)} more</p>"
    return text


def _sheets(surveys):
    text = "<h2>Least and most sharp faces</h2>"
    for side, survey in surveys.items():
        ranked = sorted(survey.faces, key=lambda face: face.sharpness)
        for title, faces in (("least", ranked[:_SHEET]), ("most", ranked[: -_SHEET - 1 : -1])):
            text += f"<h3>{side}, {title} sharp</h3>"
            text += _sheet(survey, [(face, f"{face.sharpness:.2f}") for face in faces])
    return text


def _sheet(survey: Survey, faces: list[tuple[FaceFacts, str]]):
    figures = []
    for face, note in faces:
        data = base64.b64encode(survey.thumbnail(face)).decode()
        name = html.escape(face.name)
        figures.append(
            f'<figure><img src="data:image/jpeg;base64,{data}" alt="{name}">{name}<br>{html.escape(note)}</figure>'
        )
    return f'<div class="sheet">{"".join(figures)}</div>'


def _sizes(survey):
    sides = sorted({face.side for face in survey.faces})
    return f"{sides[0]} px" if len(sides) == 1 else f"{sides[0]}…{sides[-1]} px"


def _median(values, form):
    values = values[np.isfinite(values)]
    return form.format(np.median(values)) if len(values) else "unknown"


def _faces(count):
    return f"{count} face{'' if count == 1 else 's'}"
