"""Which frames an extraction has finished: a journal that survives any interruption, and the report at the end."""

import io
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from core.console.interact import warning
from core.errors import FormatError, UserError
from core.files.paths import atomic_write, remove_if_present
from core.records.bounded_read import read_bounded
from core.records.json_file import LARGE_FILE, parse_json_line, read_json
from samplelib.extraction.pipeline import FrameResult
from samplelib.faces.film import REPORT_NAME

JOURNAL_NAME = "extract_journal.jsonl"
_OPTIONS = {
    "face_type?": str,
    "image_size?": int,
    "jpeg_quality?": int,
    "max_faces?": int,
    "min_face_size?": float,
}
_OPTIONS_LINE = {"options": _OPTIONS, "cuts?": bool}
_FRAME_LINE = {"frame": str, "faces": [str], "error?": (str, None), "begins_shot?": bool, "filled?": {str: str}}
_REPORT = {
    "options": _OPTIONS, "unreadable_images": {str: str}, "frames": {str: [str]}, "frame_sizes?": {str: [int]},
    "cuts?": [str], "filled?": {str: {str: str}},
}  # fmt: skip


@dataclass
class ExtractionState:
    """What earlier runs left in an output folder.

    Parameters
    ----------
    options : dict
        Options of the last run (face type, size, …); empty when nothing is known.
    results : dict
        Frame name → :class:`FrameResult` of every finished frame.
    interrupted : bool
        Whether the last run did not reach its end.
    knows_cuts : bool
        Whether it is noted where shots begin; records of earlier versions do not say.
    """

    options: dict = field(default_factory=dict)
    results: dict[str, FrameResult] = field(default_factory=dict)
    interrupted: bool = False
    knows_cuts: bool = True

    @property
    def known(self) -> bool:
        """Whether there is a record at all."""
        return bool(self.options)

    def is_done(self, frame_name: str) -> bool:
        """Whether the frame needs no work. One that could not be read is tried again."""
        result = self.results.get(frame_name)
        return result is not None and result.error is None


def read_state(folder: Path) -> ExtractionState:
    """State of an output folder, from its report and, where a run did not end, its journal."""
    state = ExtractionState()
    _read_report(folder / REPORT_NAME, state)
    journal = folder / JOURNAL_NAME
    if journal.is_file():
        state.interrupted = True
        for entry in _journal_entries(journal):
            if "options" in entry:
                state.options = entry["options"]
                state.knows_cuts = state.knows_cuts and entry.get("cuts", False)
            else:
                result = _result(entry)
                state.results[result.name] = result
    return state


def forget_state(folder: Path) -> None:
    """Remove report and journal, before an extraction that starts afresh."""
    remove_if_present(folder / JOURNAL_NAME)
    remove_if_present(folder / REPORT_NAME)


class ExtractionJournal:
    """Context manager: writes a line for each finished frame, and the report when the run has reached its end.

    A line is written after all files of the frame are on disk, so that a frame which the journal names is complete.

    Parameters
    ----------
    folder : Path
        Output folder.
    options : dict
        Options of this run, for the next one.
    state : ExtractionState
        What earlier runs did; extended by this one.
    """

    def __init__(self, folder: Path, options: dict, state: ExtractionState):
        self._path, self._report = folder / JOURNAL_NAME, folder / REPORT_NAME
        self._options, self._state = options, state
        self._stream: io.FileIO | None = None

    def __enter__(self) -> "ExtractionJournal":
        results = self._state.results.values() if self._path.is_file() else ()
        lines = [{"options": self._options, "cuts": self._state.knows_cuts}, *map(_entry, results)]
        atomic_write(self._path, "".join(json.dumps(line) + "\n" for line in lines).encode())
        self._stream = open(self._path, "ab", buffering=0)
        return self

    def record(self, result: FrameResult) -> None:
        """Note a finished frame; a later note of the same frame replaces the earlier one."""
        assert self._stream is not None, "the journal is open"
        try:
            self._stream.write((json.dumps(_entry(result)) + "\n").encode())
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written ({error.strerror}).") from None
        self._state.results[result.name] = result

    def finish(self, frame_names: Iterable[str], tracks: list[dict] | None = None) -> None:
        """Write the report, in the order of ``frame_names`` followed by frames of earlier runs; end the journal.

        ``tracks`` is what the report says of them (:func:`samplelib.extraction.track_record.track_entries`).
        """
        results = self._state.results
        ordered = {name: results[name] for name in frame_names if name in results}
        ordered |= {name: result for name, result in results.items() if name not in ordered}
        report = {
            "options": self._options,
            "images_found": len(ordered),
            "faces_detected": sum(len(result.files) for result in ordered.values()),
            "frames_without_faces": [name for name, result in ordered.items() if not result.files and not result.error],
            "unreadable_images": {name: result.error for name, result in ordered.items() if result.error},
            "frames": {name: list(result.files) for name, result in ordered.items()},
            "frame_sizes": {name: list(result.size) for name, result in ordered.items() if result.size},
            "cuts": [name for name, result in ordered.items() if result.begins_shot],
            "filled": {name: result.filled for name, result in ordered.items() if result.filled},
            "tracks": tracks or [],
        }
        if not self._state.knows_cuts:
            del report["cuts"]
        assert self._stream is not None, "the journal is open"
        os.fsync(self._stream.fileno())
        atomic_write(self._report, json.dumps(report, indent=1).encode())
        self._stream.close()
        self._stream = None
        remove_if_present(self._path)

    def __exit__(self, *exception):
        if self._stream is not None:
            self._stream.close()


def _entry(result):
    entry = {"frame": result.name, "faces": list(result.files)}
    if result.size is not None:
        entry["size"] = list(result.size)
    if result.error is not None:
        entry["error"] = result.error
    if result.begins_shot:
        entry["begins_shot"] = True
    if result.filled:
        entry["filled"] = result.filled
    return entry


def _result(entry):
    files = tuple(str(name) for name in entry["faces"])
    return FrameResult(
        str(entry["frame"]),
        files,
        entry.get("error"),
        _size(entry.get("size")),
        entry.get("begins_shot", False),
        entry.get("filled", {}),
    )


def _size(stored):
    """(width, height) from a list of two numbers; None for anything else, such as a record of an earlier version."""
    if isinstance(stored, list) and len(stored) == 2 and all(type(number) is int for number in stored):
        return stored[0], stored[1]
    return None


def _journal_entries(path):
    """Whole lines only: the last one may have been cut off when the run was killed or the disk was full."""
    try:
        content = read_bounded(path, LARGE_FILE)
    except FormatError as error:
        warning(f"{error}; going by the face pictures instead.")
        return
    damaged = 0
    for line in content.split(b"\n")[:-1]:
        entry = parse_json_line(line, (_FRAME_LINE, _OPTIONS_LINE))
        if entry is not None and _are_names(entry.get("faces", ())):
            yield entry
        damaged += entry is None
    if damaged:
        warning(f"{path}: {damaged} lines are damaged; their frames are extracted again.")


def _are_names(files):
    """Whether all are names in the folder itself: files that a record names may be replaced."""
    return all(os.path.basename(name) == name not in ("", ".", "..") and "\0" not in name for name in files)


def _read_report(path, state):
    if not path.is_file():
        return
    try:
        report = read_json(path, _REPORT, LARGE_FILE)
        if not all(map(_are_names, report["frames"].values())):
            raise FormatError(path, "a name in it is a path")
    except FormatError as error:
        warning(f"{path}: is damaged ({error.problem}); going by the face pictures instead.")
        return
    sizes, cuts, filled = report.get("frame_sizes", {}), set(report.get("cuts", ())), report.get("filled", {})
    state.knows_cuts = "cuts" in report
    for name, files in report["frames"].items():
        size = _size(sizes.get(name))
        problem = report["unreadable_images"].get(name)
        state.results[name] = FrameResult(name, tuple(files), problem, size, name in cuts, filled.get(name, {}))
    state.options = report["options"]
