"""The window of the interactive merger: pictures of its state, and keys."""

import cv2
import numpy as np

from core.window.keys import ESCAPE, Key
from core.window.picture_window import open_window
from merger.interactive.state import HELP, KEY_TABLE, InteractiveMerger

TITLE = "Merger"
KEYS_WITH_SHIFT = frozenset("`-,./0;")
"""Signs that do something else with Shift."""

_TILE, _TILE_LIGHT, _PICTURE_SHARE = 5, 64, 0.75
_EMPTY_SHAPE = (480, 640, 3)
_ICON_SIZE, _SMALL_ICON = 64, 28
_HELP_HEIGHT = 800
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_KEY_COLOR, _TEXT_COLOR, _HEADING_COLOR = (120, 220, 255), (225, 225, 225), (140, 230, 140)
_ALERT_COLOR = (90, 170, 255)
_ALL_DONE = "All frames are merged. Esc ends; , goes back to the last frame."


def render(merger: InteractiveMerger) -> np.ndarray:
    """What the window shows at the moment, (H, W, 3) uint8."""
    if merger.screen == HELP:
        return _with_lines(help_picture().copy(), [])
    picture = _main_picture(merger)
    if merger.waiting:
        _overlay(picture, _sand_clock(), _SMALL_ICON if merger.last_picture is not None else _ICON_SIZE)
    return _with_lines(picture, _notes(merger))


def mask_view(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture darkened, with a chequerboard where the mask is 0."""
    height, width = mask.shape[:2]
    rows, columns = np.arange(height)[:, None] // _TILE, np.arange(width)[None] // _TILE
    chequer = (
        ((rows + columns) % 2).astype(np.float32) * _TILE_LIGHT * (1 - mask.reshape(height, width) / np.float32(255))
    )
    return np.clip(image * np.float32(_PICTURE_SHARE) + chequer[..., None], 0, 255).astype(np.uint8)


_help_cache: list[np.ndarray] = []


def help_picture() -> np.ndarray:
    """The table of keys as a picture."""
    if not _help_cache:
        _help_cache.append(_draw_help())
    return _help_cache[0]


def error_picture(text: str) -> tuple[np.ndarray, np.ndarray]:
    """A black picture that says what is wrong, and its mask."""
    picture = np.zeros(_EMPTY_SHAPE, np.uint8)
    cv2.putText(picture, text, (20, _EMPTY_SHAPE[0] // 2), _FONT, 0.6, _TEXT_COLOR, 1, cv2.LINE_AA)
    return picture, np.zeros(_EMPTY_SHAPE[:2], np.uint8)


class MergerWindow:
    """A window on the merger's state; closing it counts as Esc."""

    def __init__(self):
        self._window = open_window(TITLE, KEYS_WITH_SHIFT)
        self._drawn = None

    def show(self, merger: InteractiveMerger) -> None:
        """Redraw, but only when something has changed."""
        state = (
            merger.screen, merger.scale, merger.mask_view, merger.show_settings, merger.waiting, merger.position,
            id(merger.displayed), id(merger.last_picture), merger.changes, merger.notice, len(merger.failures),
        )  # fmt: skip
        if state == self._drawn:
            return
        self._drawn = state
        self._window.show(render(merger), _title(merger))

    def poll(self, seconds: float) -> list[Key]:
        """The keys pressed within the time."""
        self._window.wait(seconds)
        pressed = list(self._window.keys)
        self._window.keys.clear()
        self._window.mouse.clear()
        return [*pressed, Key(ESCAPE)] if self._window.closed else pressed

    def close(self) -> None:
        """Take the window off the screen."""
        self._window.close()


def _main_picture(merger):
    shown = merger.displayed or merger.last_picture
    if shown is None:
        return np.zeros(_EMPTY_SHAPE, np.uint8)
    image, mask = shown
    picture = mask_view(image, mask) if merger.mask_view else image
    if merger.scale != 1.0:
        height, width = picture.shape[:2]
        size = max(1, round(width * merger.scale)), max(1, round(height * merger.scale))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if merger.scale < 1 else cv2.INTER_LINEAR)
    else:
        picture = picture.copy()
    if merger.show_settings and merger.current is not None and merger.current.config is not None:
        return _with_settings(picture, merger)
    return picture


def _title(merger):
    total = len(merger.frames)
    current = merger.current
    failed = f" - {len(merger.failures)} of {total} failed" if merger.failures else ""
    if current is None:
        return f"{TITLE} - all {total} frames done{failed}"
    changed = " - settings differ from the frame before" if merger.is_marked(merger.position) else ""
    rest = " - processing the remaining frames" if merger.process_remaining else ""
    return f"{TITLE} - {current.name} ({merger.position + 1} of {total}){changed}{rest}{failed}"


def _notes(merger):
    """Lines below the picture: what a key could not do, what went wrong with the frame, what to do at the end."""
    lines = [merger.notice] if merger.notice else []
    failure = merger.failures.get(merger.position)
    if failure is not None:
        lines.append(f"This frame could not be merged and is copied: {failure}")
    if merger.current is None:
        lines.append(_ALL_DONE)
        if merger.failures:
            names = [merger.frames[index].name for index in sorted(merger.failures)]
            lines.append(f"Not merged: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}")
    elif merger.process_remaining:
        lines.append(f"Frame {merger.position + 1} of {len(merger.frames)}. Esc stops here.")
    return lines


def _with_lines(picture, lines):
    """Lines of text on a dark strip at the bottom of the picture, in letters that fit."""
    for number, line in enumerate(reversed(lines)):
        size = min(0.5, 0.5 * (picture.shape[1] - 16) / max(1, cv2.getTextSize(line, _FONT, 0.5, 1)[0][0]))
        bottom = picture.shape[0] - 22 * number
        strip = picture[max(0, bottom - 22) : bottom]
        strip[:] = strip // 5
        cv2.putText(picture, line, (8, bottom - 7), _FONT, size, _ALERT_COLOR, 1, cv2.LINE_AA)
    return picture


def _with_settings(picture, merger):
    """Frame number and settings in the picture; a small one gets a border, so that nothing is cut off."""
    current = merger.current
    mark = " *" if merger.is_marked(merger.position) else ""
    lines = [f"{merger.position + 1} / {len(merger.frames)}{mark}", *current.config.text(current.name).split("\n")[:-1]]
    left, size, step = _ICON_SIZE + 8, 0.45, 18
    width = max(cv2.getTextSize(line, _FONT, size, 1)[0][0] for line in lines)
    bottom, right = step * len(lines) + 8 - picture.shape[0], left + width + 6 - picture.shape[1]
    if bottom > 0 or right > 0:
        picture = cv2.copyMakeBorder(picture, 0, max(0, bottom), 0, max(0, right), cv2.BORDER_CONSTANT)
    behind = picture[: step * len(lines) + 8, left - 6 : left + width + 6]
    behind[:] = behind // 4
    for number, line in enumerate(lines):
        cv2.putText(picture, line, (left, step + step * number), _FONT, size, _TEXT_COLOR, 1, cv2.LINE_AA)
    return picture


def _draw_help():
    columns, width, line = ((0, 1), (2, 3)), 620, 25
    picture = np.full((_HELP_HEIGHT, 2 * width + 40, 3), 30, np.uint8)
    for column, groups in enumerate(columns):
        left, top = 40 + column * width, 50
        for group in groups:
            heading, rows = KEY_TABLE[group]
            cv2.putText(picture, heading, (left, top), _FONT, 0.6, _HEADING_COLOR, 2, cv2.LINE_AA)
            top += line + 3
            for keys, effect in rows:
                cv2.putText(picture, keys, (left, top), _FONT, 0.5, _KEY_COLOR, 1, cv2.LINE_AA)
                cv2.putText(picture, effect, (left + 110, top), _FONT, 0.5, _TEXT_COLOR, 1, cv2.LINE_AA)
                top += line
            top += line // 2
    return picture


def _sand_clock():
    """A sand-clock, (64, 64, 4) uint8 with alpha."""
    icon = np.zeros((_ICON_SIZE, _ICON_SIZE, 4), np.uint8)
    white, sand = (255, 255, 255, 255), (90, 190, 240, 255)
    cv2.fillPoly(icon, [np.array([(16, 12), (48, 12), (34, 32), (48, 52), (16, 52), (30, 32)], np.int32)], white)
    cv2.fillPoly(icon, [np.array([(22, 20), (42, 20), (33, 31), (31, 31)], np.int32)], sand)
    cv2.fillPoly(icon, [np.array([(32, 40), (42, 49), (22, 49)], np.int32)], sand)
    cv2.rectangle(icon, (12, 7), (52, 12), white, -1)
    cv2.rectangle(icon, (12, 52), (52, 57), white, -1)
    return icon


def _overlay(picture, icon, size):
    """Draw an icon with alpha at the top left, ``size`` pixels high, cut off at the border of a small picture."""
    icon = icon if size == icon.shape[0] else cv2.resize(icon, (size, size), interpolation=cv2.INTER_AREA)
    height, width = min(icon.shape[0], picture.shape[0]), min(icon.shape[1], picture.shape[1])
    part, icon = picture[:height, :width], icon[:height, :width]
    alpha = icon[..., 3:].astype(np.float32) / 255
    part[:] = (icon[..., :3] * alpha + part * (1 - alpha)).astype(np.uint8)
