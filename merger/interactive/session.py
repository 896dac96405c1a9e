"""The session of an interactive merge: settings of every frame and where one stopped, as a JSON file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import FormatError
from core.files.paths import atomic_write
from core.records.json_file import LARGE_FILE, fits, json_bytes, read_json
from merger.interactive.session_import import ImportedSession
from merger.interactive.state import FrameState
from merger.settings.config import MergeConfig

FILE_SUFFIX = "_merger_session.json"
_VERSION = 1
_FORM = {
    "iteration": int,
    "current": (str, None),
    "settings": [{str: (str, float, bool)}],
    "frames": [[(str, int, None)]],
}


@dataclass(frozen=True)
class StoredSession:
    """What a session file holds.

    Attributes
    ----------
    iteration : int
        Of the model.
    current : str or None
        File name of the current frame; None when all frames were behind.
    configs : dict
        File name → settings, of the frames that had settings.
    names : tuple of str
        File names of all frames, in order.
    """

    iteration: int
    current: str | None
    configs: dict[str, MergeConfig]
    names: tuple[str, ...]


def session_path(model_dir: Path, model_name: str, model_class: str) -> Path:
    """Where the session of a model lies; DeepFaceLab's own file name stays free."""
    return Path(model_dir) / f"{model_name}_{model_class}{FILE_SUFFIX}"


def write_session(path: Path, frames: Sequence[FrameState], position: int, iteration: int) -> None:
    """Write a session file atomically. Equal settings are stored once."""
    table: dict[MergeConfig, int] = {}
    rows = []
    for frame in frames:
        index = None if frame.config is None else table.setdefault(frame.config, len(table))
        rows.append([frame.name, index])
    content = {
        "version": _VERSION,
        "iteration": iteration,
        "current": frames[position].name if position < len(frames) else None,
        "settings": [config.settings() for config in table],
        "frames": rows,
    }
    atomic_write(path, json_bytes(content, separators=(",", ":")))


def read_session(path: Path, default: MergeConfig) -> StoredSession:
    """Read a session file; ``default`` supplies the face type and missing settings.

    Raises
    ------
    FormatError
        When the file is damaged.
    """
    try:
        content = read_json(path, {"version": int}, LARGE_FILE)
        if content["version"] != _VERSION:
            raise FormatError(path, f"is of version {content['version']}, and only {_VERSION} is known")
        if not fits(content, _FORM):
            raise ValueError
        table = [default.updated(stored) for stored in content["settings"]]
        rows = [(str(name), index) for name, index in content["frames"]]
        if any(index is not None and not 0 <= index < len(table) for _, index in rows):
            raise ValueError
        configs = {name: table[index] for name, index in rows if index is not None}
        return StoredSession(content["iteration"], content["current"], configs, tuple(name for name, _ in rows))
    except FileNotFoundError:
        raise FormatError(path, "no such file") from None
    except (ValueError, TypeError):
        raise FormatError(path, "is not a merger session, or damaged; delete it to begin a new one") from None


def from_imported(imported: ImportedSession, default: MergeConfig) -> StoredSession:
    """A session of DeepFaceLab as ours; landmarks are taken from the aligned faces instead, as they may be newer."""
    names = tuple(frame.name for frame in imported.frames)
    known = {frame.name: default.updated(frame.settings) for frame in imported.frames if frame.settings is not None}
    current = names[imported.to_do[0]] if imported.to_do else None
    return StoredSession(imported.model_iteration, current, known, names)


def resume(
    session: StoredSession,
    names: Sequence[str],
    iteration: int,
    is_merged: Callable[[int, MergeConfig], bool],
) -> tuple[list[FrameState], int]:
    """Frames and position to go on with.

    Parameters
    ----------
    session : StoredSession
    names : sequence of str
        File names of the frames as they are now; frames that the session does not know take the settings of the
        frame before them.
    iteration : int
        Of the model now. A model that was trained further starts at the first frame, and settings are kept.
    is_merged : callable
        Tells of an index and its settings whether the pictures on disk were made with them.
    """
    frames = [FrameState(name, session.configs.get(name)) for name in names]
    position = names.index(session.current) if session.current in names else _first_new(session, names)
    before = next((frame.config for frame in frames if frame.config is not None), None)
    for index, frame in enumerate(frames):
        if frame.config is None and index < position:
            frame.config = before
        before = frame.config or before
        if frame.config is not None and is_merged(index, frame.config):
            frame.merged = frame.config
    return frames, rewind(frames, position, model_changed=iteration != session.iteration)


def rewind(frames: Sequence[FrameState], position: int, model_changed: bool) -> int:
    """Where to go on: before the first frame behind that is not merged (any more); at the start when all are behind."""
    if model_changed:
        for frame in frames:
            frame.merged = None
        return 0
    for index in range(position):
        if not frames[index].done:
            return index if position < len(frames) else 0
    return 0 if position >= len(frames) else position


def _first_new(session, names):
    """All frames of the session are behind: go on with the first frame it does not know."""
    if session.current is not None:
        return 0
    known = set(session.names)
    return next((index for index, name in enumerate(names) if name not in known), len(names))
