"""The built-in viewer: the sheet as a picture, and the window under a virtual display."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

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


@pytest.mark.skipif(not all(map(shutil.which, ("Xvfb", "xdotool"))), reason="needs Xvfb and xdotool")
def test_window_pages_enlarges_and_closes(tmp_path):
    folder = _pictures(tmp_path / "aligned", 60)
    number = 400 + os.getpid() % 500
    display = subprocess.Popen(["Xvfb", f":{number}", "-screen", "0", "1280x1024x24"], stderr=subprocess.DEVNULL)
    environment = {**os.environ, "DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb"}
    try:
        time.sleep(1)
        command = [sys.executable, "main.py", "view", "--input-dir", folder, "--built-in"]
        with open(tmp_path / "out", "w") as out:
            viewer = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=subprocess.STDOUT)

        def press(*actions):
            subprocess.run(["xdotool", *actions], env=environment, check=True)
            time.sleep(0.7)

        search = ["xdotool", "search", "--name", "^View"]
        for _ in range(100):
            if subprocess.run(search, env=environment, capture_output=True).stdout.strip():
                break
            assert viewer.poll() is None, (tmp_path / "out").read_text()
            time.sleep(0.3)
        window = subprocess.run(search, env=environment, capture_output=True, text=True).stdout.split()[0]
        time.sleep(1)
        press("windowfocus", window)
        press("key", "--window", window, "space")
        press("mousemove", "--window", window, "50", "60", "click", "1")
        press("key", "--window", window, "space")
        press("key", "--window", window, "q")
        assert viewer.wait(20) == 0
        text = (tmp_path / "out").read_text()
        assert "60 pictures on 2 pages" in text and "00040_0.png" in text and "Done." in text
    finally:
        viewer.kill()
        display.kill()
