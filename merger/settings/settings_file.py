"""Settings files (YAML): one value for all frames, or keyframes between which a value runs or holds.

A file looks like this; numbers of frames count from 0, in the order of the frames::

    mode: overlay
    color_transfer_mode: rct
    erode_mask_modifier: {0: 10, 120: 40}
    blur_mask_modifier: {interpolation: hold, 0: 20, 300: 60}
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.console import interact
from core.files.paths import atomic_write
from core.files.trash import rename_aside
from core.records.file_value import describe
from core.records.yaml_file import Limits, read_yaml
from merger.settings.config import RANGES, SETTING_NAMES, MergeConfig, parse_value, readable_value

INTERPOLATIONS = ("linear", "hold")
_INTERPOLATION = "interpolation"
_LIMITS = Limits(size=8_000_000, values=400_000, depth=3)  # a setting may change at every frame of a film


@dataclass(frozen=True)
class Track:
    """Values of one setting at some frames, in order; ``linear`` says whether it runs between them or holds."""

    frames: tuple[int, ...]
    values: tuple[Any, ...]
    linear: bool = False

    def at(self, frame: int) -> Any:
        """The value at a frame; the first one before the first key, the last one after the last."""
        after = bisect_right(self.frames, frame)
        if after == 0:
            return self.values[0]
        if after == len(self.frames) or not self.linear:
            return self.values[after - 1]
        start, end = self.frames[after - 1], self.frames[after]
        first, second = self.values[after - 1], self.values[after]
        return round(first + (second - first) * (frame - start) / (end - start))


@dataclass(frozen=True)
class Settings:
    """The settings of a whole run: a base, fixed values, and tracks of keyframes."""

    base: MergeConfig = MergeConfig()
    tracks: Mapping[str, Track] = field(default_factory=dict)

    def at(self, frame: int) -> MergeConfig:
        """The settings of one frame."""
        if not self.tracks:
            return self.base
        return self.base.replace(**{name: track.at(frame) for name, track in self.tracks.items()})


def read_settings(path: Path) -> tuple[dict[str, Any], dict[str, Track]]:
    """Read a settings file.

    Returns
    -------
    values : dict
        Fixed settings by name, in stored form.
    tracks : dict
        Keyframed settings by name.

    Raises
    ------
    FormatError
        When the file is no YAML mapping of settings.
    UsageError
        When a setting or a value is unknown.
    """
    root = read_yaml(path, "settings file", _LIMITS)
    values, tracks = {}, {}
    for name, value in root.mapping(expected="settings, one `name: value` per line").items():
        if value.is_mapping():
            tracks[name] = _track(name, value)
        else:
            values[name] = parse_value(name, value.data, f"{path}: ")
    return values, tracks


def settings_text(configs: Sequence[MergeConfig], names: Sequence[str] = (), linear: bool = False) -> str:
    """Settings of all frames as the text of a settings file.

    Parameters
    ----------
    configs : sequence of MergeConfig
        One per frame, in order.
    names : sequence of str, optional
        Names of the frames, put into the heading.
    linear : bool
        Number settings run between the frames at which they change, instead of holding.
    """
    import yaml

    lines = ["# Settings of a merge; frames count from 0."]
    if names:
        lines.append(f"# Frame 0 is {names[0]}, frame {len(names) - 1} is {names[-1]}.")
    for name in SETTING_NAMES:
        values = [getattr(config, name) for config in configs]
        keys = [index for index, value in enumerate(values) if index == 0 or value != values[index - 1]]
        readable = {key: readable_value(name, values[key]) for key in keys}
        if len(keys) == 1:
            content = readable[0]
        else:
            content = {_INTERPOLATION: "linear" if linear and name in RANGES else "hold", **readable}
        dumped = yaml.safe_dump(
            {name: content}, default_flow_style=None if len(keys) > 1 else False, width=10**6, sort_keys=False
        )
        lines.append(dumped.strip())
    return "\n".join(lines) + "\n"


def write_settings(
    path: Path,
    configs: Sequence[MergeConfig],
    names: Sequence[str] = (),
    linear: bool = False,
    own: bytes | None = None,
) -> bytes:
    """Write a settings file; see :func:`settings_text`.

    A file that is there gets another name, because somebody may have edited it, unless it holds the same, or what this
    run has written before (``own``).

    Returns
    -------
    bytes
        What was written.
    """
    data = settings_text(configs, names, linear).encode()
    if path.is_file() and path.read_bytes() not in (data, own):
        interact.info(f"The settings that were in {path.name} are in {rename_aside(path).name} now.")
    atomic_write(path, data)
    return data


def _track(name, value):
    keys = {key: node.data for key, node in value.data.items()}
    interpolation = keys.pop(_INTERPOLATION, "linear")
    if interpolation not in INTERPOLATIONS:
        raise value.error(f"interpolation must be linear or hold, not {describe(interpolation)}")
    if not keys or not all(isinstance(key, int) and not isinstance(key, bool) and key >= 0 for key in keys):
        raise value.error("keyframes must be numbers of frames (0, 1 …) with their values")
    frames = tuple(sorted(keys))
    values = tuple(parse_value(name, keys[frame], f"{value.file}: frame {frame}: ") for frame in frames)
    return Track(frames, values, interpolation == "linear" and name in RANGES)
