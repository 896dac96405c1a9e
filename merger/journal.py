"""Which frames are merged already and with which settings, so that an interrupted run goes on."""

import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from core.console import interact
from core.errors import FormatError, UserError
from core.records.bounded_read import read_bounded
from core.records.json_file import LARGE_FILE, json_bytes, parse_json_line

JOURNAL_NAME = "merged_frames.jsonl"
_LINE = {"stem": str, "key": str, "frame": ([int], None), "mask": ([int], None)}


class Journal:
    """A file beside the merged frames with one line per finished frame; the last line of a frame counts.

    A line is added after both pictures of a frame are in place, so a run that is killed at any moment repeats at most
    the frames in work. A torn last line is ignored. Lines without key tell which frames were in work, so that the
    pictures that a killed run leaves, and copies of frames that failed, are known as the program's own.

    Parameters
    ----------
    output_dir, mask_dir : Path
        Folders of the merged frames and masks.
    """

    def __init__(self, output_dir: Path, mask_dir: Path):
        self.output_dir, self.mask_dir = Path(output_dir), Path(mask_dir)
        self.path = self.output_dir / JOURNAL_NAME
        self._torn = False
        self._lock = threading.Lock()
        self._entries = self._read()

    def outputs(self, stem: str) -> tuple[Path, Path]:
        """Paths of merged frame and mask."""
        return self.output_dir / f"{stem}.png", self.mask_dir / f"{stem}.png"

    def is_done(self, stem: str, key: str) -> bool:
        """Whether the frame is merged with just these settings and its files are there."""
        entry = self._entries.get(stem)
        return entry is not None and entry["key"] == key and all(path.is_file() for path in self.outputs(stem))

    def is_foreign(self, stem: str) -> bool:
        """Whether a picture is in the way that was not written by a merge, or was changed since."""
        entry = self._entries.get(stem)
        if entry is not None and not entry["key"]:
            return False
        for name, path in zip(("frame", "mask"), self.outputs(stem), strict=True):
            if path.exists() and (entry is None or entry[name] != _stamp(path)):
                return True
        return False

    def begin(self, stem: str) -> None:
        """Note that the pictures of a frame are going to be written; may be called from several threads."""
        self._append({"stem": stem, "key": "", "frame": None, "mask": None})

    def add(self, stem: str, key: str) -> None:
        """Note a finished frame."""
        frame, mask = self.outputs(stem)
        self._append({"stem": stem, "key": key, "frame": _stamp(frame), "mask": _stamp(mask)})

    def _append(self, entry):
        line = json_bytes(entry) + b"\n"
        with self._lock:
            self._entries[entry["stem"]] = entry
            self._write_line(line)

    def _write_line(self, line):
        try:
            with open(self.path, "ab") as stream:
                stream.write(b"\n" + line if self._torn else line)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror or error}).") from None
        self._torn = False

    def _read(self):
        entries = {}
        try:
            content = read_bounded(self.path, LARGE_FILE)
        except FileNotFoundError:
            return entries
        except FormatError as error:
            interact.warning(f"{error}; all frames are merged again.")
            return entries
        self._torn = bool(content) and not content.endswith(b"\n")
        for line in content.split(b"\n"):
            entry = parse_json_line(line, _LINE)
            if entry is not None:
                entries[entry["stem"]] = {name: entry[name] for name in _LINE}
        if content and not entries:
            interact.warning(f"{self.path}: is damaged; all frames are merged again.")
        return entries


def frame_key(*parts: Any) -> str:
    """A short text that changes when anything that a merged frame depends on changes."""
    text = json.dumps(parts, sort_keys=True, default=_jsonable)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def file_stamp(path: Path) -> list[int]:
    """Size and time of a file, as part of a :func:`frame_key`."""
    return _stamp(path)


def _stamp(path):
    try:
        status = os.stat(path)
    except OSError:
        return [0, 0]
    return [status.st_size, status.st_mtime_ns]


def _jsonable(value):
    return value.tolist() if hasattr(value, "tolist") else str(value)
