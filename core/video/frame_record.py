"""A note beside extracted frames of the video that they came from, by which frames that can be made again are known."""

import os
from collections.abc import Iterable
from pathlib import Path

from core.errors import FormatError
from core.files.paths import atomic_write
from core.records.json_file import LARGE_FILE, json_bytes, read_json

RECORD_NAME = ".extracted_frames.json"
_FORM = {"video": str, "size": int, "frames": {str: [int]}}


def write_record(folder: Path, video: Path, frames: Iterable[Path]) -> None:
    """Note video and frames, which keep size and time when they are renamed into ``folder`` afterwards."""
    content = {
        "about": "Frames of this folder that can be extracted again, as they were written.",
        "video": str(Path(video).absolute()),
        "size": os.stat(video).st_size,
        "frames": {frame.name: _stamp(frame) for frame in frames},
    }
    atomic_write(Path(folder) / RECORD_NAME, json_bytes(content))


def can_be_extracted_again(folder: Path, frames: Iterable[Path]) -> bool:
    """Whether all ``frames`` are as they were extracted, and the video that they came from is still there."""
    try:
        content = read_json(Path(folder) / RECORD_NAME, _FORM, LARGE_FILE)
        if os.stat(content["video"]).st_size != content["size"]:
            return False
        return all(content["frames"].get(frame.name) == _stamp(frame) for frame in frames)
    except (OSError, ValueError, FormatError):
        return False


def _stamp(path):
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns]
