"""Reads the merger sessions that DeepFaceLab itself left in a model folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import FormatError
from core.pickles import safe_pickle

SESSION_SUFFIX = "_merger_session.dat"
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class ImportedFrame:
    """One frame of a session.

    Parameters
    ----------
    name : str
        File name, without folder.
    is_done : bool
    settings : dict or None
        Attributes of the frame's configuration as plain values (``mode``, ``mask_mode``, ``erode_mask_modifier`` …;
        ``face_type`` is a number); None when it has none yet.
    landmarks : list of numpy.ndarray
        (68, 2) float64 each, one per face; as they were when the session was made.
    motion_degrees, motion_power : float
    """

    name: str
    is_done: bool
    settings: dict[str, Any] | None
    landmarks: list[np.ndarray]
    motion_degrees: float
    motion_power: float


@dataclass(frozen=True)
class ImportedSession:
    """A session: its frames, the indexes still to do (the first is the current one) and done, the model's iteration."""

    frames: list[ImportedFrame]
    to_do: list[int]
    done: list[int]
    model_iteration: int


def read_session(path: Any) -> ImportedSession:
    """Read a ``<model>_merger_session.dat``.

    Raises
    ------
    FormatError
        When it is missing, damaged, unsafe, or not complete.
    """
    stored = safe_pickle.load(path, safe_pickle.SESSION_CLASSES, most_bytes=_MOST_BYTES)
    if not isinstance(stored, dict):
        raise FormatError(path, "is not a merger session")
    frames = stored.get("frames")
    if not isinstance(frames, list):
        raise FormatError(path, "holds no frames")
    return ImportedSession(
        frames=[_frame(path, number, frame) for number, frame in enumerate(frames)],
        to_do=_indexes(path, "frames_idxs", stored.get("frames_idxs"), len(frames)),
        done=_indexes(path, "frames_done_idxs", stored.get("frames_done_idxs"), len(frames)),
        model_iteration=int(_number(path, "model_iter", stored.get("model_iter"))),
    )


def session_path(model_dir: Any, model_file_prefix: str) -> Path:
    """Where DeepFaceLab keeps the session of a model, for example of ``face_SAEHD``."""
    return Path(model_dir) / f"{model_file_prefix}{SESSION_SUFFIX}"


def _frame(path, number, frame):
    attributes = _attributes(path, number, "Frame", frame)
    info = _attributes(path, number, "FrameInfo", attributes.get("frame_info"))
    file = info.get("filepath")
    if not isinstance(file, safe_pickle.StoredPath) or not file.name:
        raise FormatError(path, f"frame {number} has no file name")
    configuration = attributes.get("cfg")
    return ImportedFrame(
        name=file.name,
        is_done=bool(attributes.get("is_done")),
        settings=None if configuration is None else _settings(path, number, configuration),
        landmarks=_landmarks(path, number, info.get("landmarks_list") or []),
        motion_degrees=_number(path, "motion_deg", info.get("motion_deg", 0)),
        motion_power=_number(path, "motion_power", info.get("motion_power", 0)),
    )


def _attributes(path, number, class_name, value):
    if not isinstance(value, safe_pickle.Holder) or value.class_name != class_name:
        raise FormatError(path, f"frame {number} is incomplete ({class_name} expected)")
    return value.attributes


def _settings(path, number, configuration):
    settings = {}
    for key, value in _attributes(path, number, "MergerConfigMasked", configuration).items():
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, (str, bool, int, float)) or value is None:
            settings[key] = value
    return settings


def _landmarks(path, number, stored):
    try:
        arrays = [np.array(item, np.float64).reshape(68, 2) for item in stored]
    except (TypeError, ValueError, OverflowError):
        raise FormatError(path, f"frame {number} has unusable landmarks") from None
    if not all(np.isfinite(array).all() for array in arrays):
        raise FormatError(path, f"frame {number} has landmarks that are not finite")
    return arrays


def _number(path, key, value):
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise FormatError(path, f"{key} is not a number")
    return float(value)


def _indexes(path, key, stored, count):
    whole = isinstance(stored, (list, tuple)) and all(isinstance(index, (int, np.integer)) for index in stored)
    if not whole or any(not 0 <= index < count for index in stored):
        raise FormatError(path, f"{key} does not fit its {count} frames")
    return [int(index) for index in stored]
