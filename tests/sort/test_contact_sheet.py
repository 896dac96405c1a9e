"""The built-in viewer: the sheet as a picture, and the window under a virtual display."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from virtual_desktop import HAS_DISPLAY, Desktop, display_environment, virtual_display, wait_until

from core.errors import NothingToDo
from samplelib.contact_sheet import CAPTION, COLUMNS, ROWS, TILE, contact_sheet, show_folder

ROOT = Path(__file__).parents[2]
COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200)]


def _pictures(folder, count):
    folder.mkdir()
    for number in range(count):
        size = (90, 90 if number % 2 else 150)
        cv2.imwrite(str(folder / f"{number:05d}_0.png"), np.full((*size, 3), COLOURS[number % 3], np.uint8))
    return folder


def test_sheet_shows_each_picture_in_its_place(tmp_path):
    folder = _pictures(tmp_path / "aligned", 11)
    (folder / "00002_0.png").write_bytes(b"broken")
    sheet = contact_sheet(sorted(folder.iterdir()))
    assert sheet.shape == (ROWS * (TILE + CAPTION), COLUMNS * TILE, 3)
    for number in range(11):
        row, column = divmod(number, COLUMNS)
        middle = sheet[row * (TILE + CAPTION) + TILE // 2, column * TILE + TILE // 2]
        assert tuple(middle) == ((60, 60, 60) if number == 2 else COLOURS[number % 3])
    assert sheet[TILE : TILE + CAPTION, :TILE].max() > 150, "the name is written under it"


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(NothingToDo, match="no images"):
        show_folder(tmp_path)


@pytest.mark.skipif(not HAS_DISPLAY, reason="needs Xvfb, xdotool and ImageMagick")
def test_window_pages_enlarges_and_closes(tmp_path):
    folder = _pictures(tmp_path / "aligned", 60)
    paths, screen = sorted(folder.iterdir()), tmp_path / "screen.png"
    first_page, second_page = contact_sheet(paths[:40]), contact_sheet(paths[40:])
    command = [sys.executable, "main.py", "view", "--input-dir", folder, "--built-in"]
    with virtual_display("1280x1024x24") as display, open(tmp_path / "out", "w") as out:
        desktop = Desktop(display)
        environment = display_environment(display, QT_QPA_PLATFORM="xcb")
        viewer = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            window = desktop.focus("^View")
            wait_until(lambda: desktop.shows(first_page, screen))
            desktop.do("key", "--window", window, "space")
            wait_until(lambda: desktop.shows(second_page, screen))
            desktop.do("mousemove", "--window", window, "50", "60", "click", "1")
            wait_until(lambda: "00040_0.png" in (tmp_path / "out").read_text())
            wait_until(lambda: not desktop.shows(second_page, screen))
            desktop.do("key", "--window", window, "space")
            wait_until(lambda: desktop.shows(second_page, screen))
            desktop.do("key", "--window", window, "Left")
            wait_until(lambda: desktop.shows(first_page, screen))
            desktop.do("key", "--window", window, "shift+s", "Right")
            wait_until(lambda: desktop.shows(second_page, screen))
            desktop.do("key", "--window", window, "q")
            assert viewer.wait(60) == 0
        finally:
            viewer.kill()
            viewer.wait(60)
    text = (tmp_path / "out").read_text()
    assert "60 pictures on 2 pages" in text and "Done." in text
