"""What happens during a run, as lines for other programs (JSON) and for a log file.

Each line of the JSON file is one object with ``time`` (seconds since 1970) and ``event``; ``docs/events.schema.json``
describes them. Nothing is written until :func:`open_files` was called.
"""

import contextlib
import json
import math
import sys
import threading
import time
from pathlib import Path
from typing import Any

from core.errors import UserError

_lock = threading.Lock()
_files: dict[str, Any] = {"json": None, "log": None}


def open_files(json_path: Path | None = None, log_path: Path | None = None) -> None:
    """Append events to ``json_path`` and log lines to ``log_path``; either may be None."""
    for kind, path in (("json", json_path), ("log", log_path)):
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _files[kind] = open(path, "a", encoding="utf-8", errors="backslashreplace", buffering=1)  # noqa: SIM115 - open for the whole run
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror}).") from None


def close_files() -> None:
    """Close both files, if open."""
    for kind in _files:
        _close(kind)


def emit(event: str, **fields) -> None:
    """Write one event, for example ``emit("progress", step="Extracting faces", done=3, total=80)``."""
    if _files["json"] is not None:
        _write("json", _to_json({"time": round(time.time(), 3), "event": event, **fields}))


def log(level: str, text: str) -> None:
    """Record a console line: in the log file with the time of day, and as a ``message`` event."""
    if _files["log"] is not None and text:
        _write("log", f"{time.strftime('%Y-%m-%d %H:%M:%S')} {level:7s} {text}")
    if text:
        emit("message", level=level, text=text)


def _write(kind, line):
    """Append a line; long work does not end because its log takes no more, for example on a full disk."""
    with _lock:
        stream = _files[kind]
        if stream is None:
            return
        try:
            stream.write(line + "\n")
        except OSError as error:
            print(
                f"Warning: {stream.name}: cannot be written any more ({error.strerror}). The run goes on.",
                file=sys.stderr,
                flush=True,
            )
            _close(kind)


def _close(kind):
    stream, _files[kind] = _files[kind], None
    if stream is not None:
        with contextlib.suppress(OSError):
            stream.close()


def _to_json(fields):
    """One line of JSON; a number that JSON does not have (a loss that is not a number) becomes null."""
    try:
        return json.dumps(fields, default=str, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(fields), default=str, ensure_ascii=False)


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
