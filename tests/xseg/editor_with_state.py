"""The mask editor as it is, but it writes what it shows to a file. Run by test_editor_every_control.py."""

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2  # noqa: F401  (before Qt: on import it points Qt to its own plugins, which the editor's start undoes)
from PyQt5.QtCore import QPoint, QTimer

import main
from xseglib.editor import loading, window
from xseglib.image_list import read_info


def state(editor):
    """Everything that a test asks for, as plain values."""
    center = {
        name: _on_screen(button, QPoint(button.width() // 2, button.height() // 2))
        for name, button in editor.buttons.items()
    }
    found = {
        "buttons": center,
        "enabled": sorted(name for name, button in editor.buttons.items() if button.isEnabled()),
        "checked": sorted(name for name, button in editor.buttons.items() if button.isChecked()),
        "canvas": _on_screen(editor.canvas, QPoint(0, 0)),
        "name_label": _on_screen(editor.name, QPoint(editor.name.width() // 2, editor.name.height() // 2)),
        "name": editor.name.text(), "place": editor.place.text(), "count": editor.count.text(),
        "message": editor.message.text() if editor.message.isVisible() else "",
        "loading": editor.loading.isVisible(),
        "color": editor.canvas.color, "overlay": editor.canvas.overlay,
    }  # fmt: skip
    interaction = editor.canvas.interaction
    if interaction is not None:
        current = interaction.labels.current
        found |= {
            "mode": interaction.mode.value, "include": interaction.include, "locked": interaction.is_locked,
            "adds": interaction.adds_and_deletes, "panning": interaction.is_panning,
            "polygons": [[polygon.include, polygon.points] for polygon in interaction.labels.polygons],
            "points": None if current is None else current.points,
            "scale": float(interaction.viewport.scale), "look": list(map(float, interaction.viewport.look_point)),
            "center": list(map(float, interaction.viewport.center)),
            "cursor": None if interaction.cursor is None else list(map(float, interaction.cursor)),
        }  # fmt: skip
    return found


def _on_screen(widget, point):
    place = widget.mapToGlobal(point)
    return [place.x(), place.y()]


def write_state(editor, path):
    """Replace the file in one step."""
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(state(editor), stream)
    os.replace(temporary, path)


class WatchedWindow(window.EditorWindow):
    """The editor's window with a clock that writes its state."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._clock = QTimer(self)
        self._clock.timeout.connect(lambda: write_state(self, os.environ["EDITOR_STATE"]))
        self._clock.start(30)


def unhurried(path):
    """What the scanner asks for each file, slow enough for the splash to be seen."""
    time.sleep(float(os.environ["EDITOR_SCAN_SECONDS"]))
    return read_info(path)


if __name__ == "__main__":
    scanner = loading.Scanner
    window.Scanner = lambda files: scanner(files, unhurried)
    window.EditorWindow = WatchedWindow
    sys.exit(main.main(sys.argv[1:]))
