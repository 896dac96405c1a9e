"""The interactive merger as a state machine: which frame has which settings, and what each key does. No windows here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from core.window.keys import ESCAPE, TAB
from merger.settings.config import CYCLE_KEYS, RANGES, SETTINGS, MergeConfig
from merger.settings.setting import Keys

HELP, MAIN = "help", "main"

_SMALLEST_SCALE, _LARGEST_SCALE, _SCALE_STEP = 0.1, 4.0, 0.1
_WIDEST_UNSCALED = 1368


@dataclass
class FrameState:
    """One frame.

    Attributes
    ----------
    name : str
        File name.
    config : MergeConfig or None
        Its settings; None until the forward step reaches it.
    merged : MergeConfig or None
        The settings under which its pictures on disk were made.
    in_work : MergeConfig or None
        The settings under which it is being merged at the moment.
    shown : bool
        Whether the result has been shown since it was last made.
    picture : tuple of numpy.ndarray or None
        Merged frame and mask, kept while the frame is near.
    """

    name: str
    config: MergeConfig | None = None
    merged: MergeConfig | None = None
    in_work: MergeConfig | None = None
    shown: bool = False
    picture: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def done(self) -> bool:
        return self.config is not None and self.merged == self.config


class InteractiveMerger:
    """State of an interactive merge.

    Frames before ``position`` are behind, the frame at ``position`` is the current one, unless all are behind.

    Parameters
    ----------
    frames : sequence of FrameState
    default : MergeConfig
        Settings of the first frame if it has none.
    window : int
        How many frames from the current one on are prepared in advance.
    position : int
        Current frame.
    on_text : callable
        Gets the settings text whenever it has to be printed.
    load_picture : callable
        Gets the index of a finished frame whose pictures are not in memory; returns (frame, mask) or None.
    lacks : callable
        Gets settings that a key would make; returns why they cannot be used here (a network that is missing), or None.

    Attributes
    ----------
    displayed : tuple of numpy.ndarray or None
        Merged frame and mask of the current frame, once it is ready.
    last_picture : tuple of numpy.ndarray or None
        The same of the frame that was ready last, to be shown until the current one is.
    notice : str
        What the last key could not do, and why; empty if nothing.
    failures : dict of int to str
        Frames that could not be merged, and why.
    """

    def __init__(
        self,
        frames: Sequence[FrameState],
        default: MergeConfig,
        window: int,
        position: int = 0,
        on_text: Callable[[str], None] = print,
        load_picture: Callable[[int], tuple[np.ndarray, np.ndarray] | None] = lambda index: None,
        lacks: Callable[[MergeConfig], str | None] = lambda config: None,
    ):
        self.frames = list(frames)
        self.window, self.position = max(1, window), position
        self.screen, self.scale, self.mask_view, self.show_settings = HELP, 1.0, False, False
        self.process_remaining = self.quitting = False
        self.displayed: tuple[np.ndarray, np.ndarray] | None = None
        self.last_picture: tuple[np.ndarray, np.ndarray] | None = None
        self.notice = ""
        self.failures: dict[int, str] = {}
        self.changes = 0
        self.exports: list[bool] = []
        self._on_text, self._load_picture, self._lacks = on_text, load_picture, lacks
        self._scale_known = False
        if self.frames and self.frames[0].config is None:
            self.frames[0].config = default
        if self.current is not None and self.current.config is None:
            self._fill_configs(self.frames[position - 1].config or default)

    @property
    def current(self) -> FrameState | None:
        return self.frames[self.position] if self.position < len(self.frames) else None

    @property
    def pending(self) -> range:
        """Indices of the current frame and those after it."""
        return range(self.position, len(self.frames))

    @property
    def waiting(self) -> bool:
        """Whether the sand-clock is shown."""
        current = self.current
        return self.quitting or self.process_remaining or (current is not None and not (current.done and current.shown))

    def wanted(self) -> list[int]:
        """Frames to start merging now: near, with settings, neither merged nor in work."""
        if self.quitting:
            return []
        near = (self.frames[index] for index in self._near())
        return [
            index
            for index, frame in zip(self._near(), near, strict=True)
            if frame.config is not None and not frame.done and frame.in_work is None
        ]

    def started(self, index: int) -> MergeConfig:
        """Note that a frame is being merged; returns the settings to use."""
        frame = self.frames[index]
        frame.in_work, frame.merged = frame.config, None
        return cast(MergeConfig, frame.config)

    def finished(self, index: int, picture: tuple[np.ndarray, np.ndarray] | None, failure: str | None = None) -> None:
        """Note that a frame is merged and written, or why it is only copied.

        It counts only if its settings are still the same.
        """
        frame = self.frames[index]
        if failure is None:
            self.failures.pop(index, None)
        else:
            self.failures[index] = failure
        frame.merged, frame.in_work = frame.in_work, None
        frame.picture = picture if frame.done and index in self._near() else None
        frame.shown = False
        self.changes += 1

    def tick(self) -> bool:
        """Show the current frame when it is ready, and step on while the rest is processed; True if anything changed."""
        current = self.current
        if self.process_remaining:
            if current is None:
                self.process_remaining = False
                return True
            if current.done:
                self._forward()
                return True
            return False
        if current is None or not current.done or current.shown:
            return False
        if current.picture is None:
            current.picture = self._load_picture(self.position)
        if current.picture is None:
            current.merged = None
            return True
        current.shown = True
        self.displayed = self.last_picture = current.picture
        self._set_first_scale(current.picture[0])
        self._on_text(cast(MergeConfig, current.config).text(current.name))
        return True

    def accepts(self, character: str) -> bool:
        """Whether a key can do its work now; one that moves on waits until the current frame is merged."""
        is_ready = self.current is None or self.current.done or self.process_remaining
        return is_ready or character not in _NAVIGATION or self.screen == HELP

    def key(self, character: str, shift: bool = False) -> None:
        """Handle a key. Letters come in lower case with ``shift``."""
        if self.quitting:
            return
        self.notice = ""
        if character == ESCAPE:
            if self.process_remaining:
                self.process_remaining = False
            else:
                self.quitting = True
        elif character == TAB:
            self.screen = MAIN if self.screen == HELP else HELP
        elif self.screen == MAIN:
            self._main_key(character, shift)

    def _main_key(self, character, shift):
        if character in "-=":
            step = _SCALE_STEP if character == "=" else -_SCALE_STEP
            self.scale = round(min(max(self.scale + step, _SMALLEST_SCALE), _LARGEST_SCALE), 1)
        elif character == "v":
            self.mask_view = not self.mask_view
        elif character == "7":
            self.show_settings = not self.show_settings
        elif character in ("0", ")"):
            self.exports.append(character == ")" or shift)
        elif character in _NAVIGATION:
            if not (character == "." and shift):
                self.process_remaining = False
            _NAVIGATION[character](self, shift)
        else:
            self._setting_key(character, shift)

    def _setting_key(self, character, shift):
        current = self.current
        if current is None or current.config is None:
            return
        changed, self.notice = self._usable(current.config, character, shift)
        if changed is current.config:
            return
        self.process_remaining = False
        current.config, current.shown = changed, False
        self.changes += 1
        self._on_text(changed.text(current.name))

    def _usable(self, config, character, shift):
        """Settings after a key, and why others were passed over: keys that go through a list skip what lacks a network."""
        changed, notice = config.after_key(character, shift), ""
        while changed is not config and (reason := self._lacks(changed)) and not self._lacks(config):
            notice = reason
            further = changed.after_key(character, shift) if character in CYCLE_KEYS else config
            changed = config if further == config else further
        return changed, notice

    def _next(self, shift):
        if self.current is not None and self.current.done:
            self._forward()
        if shift and self.current is not None:
            self.process_remaining = True
            self.displayed = None

    def _override_next(self, shift):
        if self.current is None or not self.current.done:
            return
        last = len(self.frames) if shift else self.position + 2
        for frame in self.frames[self.position + 1 : last]:
            frame.config = None
        self._forward()

    def _previous(self, shift):
        if self.current is not None and not self.current.done:
            return
        if self.position > 0:
            self._backward(0 if shift else self.position - 1)

    def _override_previous(self, shift):
        current = self.current
        if self.position == 0 or (current is not None and not current.done):
            return
        target = 0 if shift else self.position - 1
        if current is not None:
            config = current.config
        else:
            config = self.frames[-1].config
        for frame in self.frames[target : self.position]:
            if frame.config != config:
                frame.config, frame.shown, frame.picture = config, False, None
        self._backward(target)

    def _jump(self, shift):
        """To the next (with shift previous) frame whose settings differ from those of the frame before it."""
        if self.current is not None and not self.current.done:
            return
        if shift:
            before = [index for index in range(self.position) if self.is_marked(index)]
            if self.position > 0:
                self._backward(before[-1] if before else 0)
            return
        while self.current is not None and self.current.done:
            self._forward()
            if self.is_marked(self.position):
                return

    def _interpolate(self, shift):
        """Let the numbers run from the last frame with other settings to the current one, and go back there."""
        if self.current is None or self.current.config is None or self.position < 2:
            return
        end = self.position
        start = end - 1
        while start > 0 and not self.is_marked(start):
            start -= 1
        first, last = self.frames[start].config, self.frames[end].config
        if first is None or end - start < 2:
            return
        for index in range(start + 1, end):
            share = (index - start) / (end - start)
            values = {
                name: round(getattr(first, name) + share * (getattr(last, name) - getattr(first, name)))
                for name in RANGES
            }
            self.frames[index].config = first.replace(**values)
            self.frames[index].picture = None
        self._backward(start)

    def is_marked(self, index: int) -> bool:
        """Whether a frame has other settings than the frame before it."""
        if not 0 < index < len(self.frames):
            return False
        config, before = self.frames[index].config, self.frames[index - 1].config
        return config is not None and before is not None and config != before

    def _forward(self):
        left = self.frames[self.position]
        if self.position == len(self.frames) - 1:
            self.last_picture = left.picture or self._load_picture(self.position) or self.last_picture
        elif left.picture is not None:
            self.last_picture = left.picture
        left.picture, left.shown = None, False
        self.position += 1
        self._fill_configs(left.config)
        self._enter()

    def _backward(self, target):
        for frame in self.frames[target + self.window :]:
            frame.picture = None
        self.position = target
        self._enter()

    def _enter(self):
        self.displayed = None
        self.changes += 1
        if self.current is not None:
            self.current.shown = False
        elif self.process_remaining:
            self.process_remaining = False

    def _fill_configs(self, before):
        for index in self._near():
            frame = self.frames[index]
            if frame.config is None:
                frame.config, frame.shown = before, False
            before = frame.config

    def _near(self):
        return range(self.position, min(self.position + self.window, len(self.frames)))

    def _set_first_scale(self, picture):
        if not self._scale_known:
            self._scale_known = True
            if picture.shape[1] > _WIDEST_UNSCALED:
                self.scale = _WIDEST_UNSCALED / picture.shape[1]


_NAVIGATION = {
    ".": InteractiveMerger._next,
    "/": InteractiveMerger._override_next,
    ",": InteractiveMerger._previous,
    "m": InteractiveMerger._override_previous,
    "]": lambda merger, shift: merger._jump(False),
    "[": lambda merger, shift: merger._jump(True),
    "\\": InteractiveMerger._interpolate,
}


def _setting_keys():
    """Keys and effect of every setting but the mode, in the order of the table."""
    for name, known in SETTINGS.items():
        if known.keys is not None and name != "mode":
            yield " / ".join(known.keys.signs.upper()), known.keys.effect


KEY_TABLE = (
    ("General", (
        ("Tab", "switch between this page and the picture"),
        ("Esc", "stop; the session is saved"),
        ("- / +", "picture smaller / larger"),
        ("V", "show the mask"),
        ("7", "show frame number and settings in the picture"),
        ("0", "write settings of all frames to a YAML file (Shift: linear)"),
    )),
    ("Frames", (
        (", / .", "previous / next frame"),
        ("Shift + ,", "first frame"),
        ("Shift + .", "process the remaining frames"),
        ("M", "give the settings to the previous frame"),
        ("/", "give the settings to the next frame"),
        ("Shift + M", "give the settings to all frames back to the first"),
        ("Shift + /", "give the settings to all frames up to the last"),
        ("[ / ]", "jump back / on to a change of settings"),
        ("\\", "let the numbers run from the last change to here"),
    )),
    ("Mode", tuple(zip(cast(Keys, SETTINGS["mode"].keys).signs, SETTINGS["mode"].choices or ()))),
    ("Settings (Shift: steps of 5)", tuple(_setting_keys())),
)  # fmt: skip
"""Keys for the help screen and the documentation: groups of (keys, effect)."""
