"""The built-in viewer: the sheet as a picture, and the window under a virtual display."""

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from virtual_desktop import HAS_DISPLAY, Desktop, display_environment, virtual_display, wait_until

from core.errors import NothingToDo, UserError
from core.window import keys
from core.window.keys import Key
from core.window.mouse import LEFT_DOWN, RIGHT_DOWN, MouseEvent
from samplelib.contact_sheet import CAPTION, COLUMNS, FOOT, ROWS, TILE, Viewer, contact_sheet, show_folder
from samplelib.faces.aligned_face import FaceMetadata, save_face
from samplelib.packs import packed_faceset

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
    assert sheet.shape == (ROWS * (TILE + CAPTION) + FOOT, COLUMNS * TILE, 3)
    for number in range(11):
        row, column = divmod(number, COLUMNS)
        middle = sheet[row * (TILE + CAPTION) + TILE // 2, column * TILE + TILE // 2]
        assert tuple(middle) == ((60, 60, 60) if number == 2 else COLOURS[number % 3])
    assert sheet[TILE : TILE + CAPTION, :TILE].max() > 150, "the name is written under it"


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(NothingToDo, match="no images"):
        show_folder(tmp_path)


def _packed(folder):
    """A folder that holds only a pack of two faces of one person and one of another."""
    for person, names in {"ann": ("00001_0", "00010_0"), "bob": ("00002_0",)}.items():
        for number, name in enumerate(names):
            path = folder / person / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            metadata = FaceMetadata("whole_face", np.full((68, 2), 20.0), f"{name}.png")
            save_face(path, np.full((32, 32, 3), COLOURS[number], np.uint8), metadata)
    packed_faceset.delete_originals(packed_faceset.pack_faceset(folder, persons=True))
    for left in [path for path in folder.iterdir() if path.is_dir()]:
        shutil.rmtree(left)
    return folder


def test_a_packed_faceset_is_shown(tmp_path, capsys):
    viewer = Viewer(_packed(tmp_path / "aligned"))
    assert [picture.name for picture in viewer.visible()] == ["ann/00001_0.jpg", "ann/00010_0.jpg", "bob/00002_0.jpg"]
    sheet = viewer.picture()
    for number, color in enumerate((COLOURS[0], COLOURS[1], COLOURS[0])):
        np.testing.assert_allclose(sheet[TILE // 2, number * TILE + TILE // 2], color, atol=12)
    viewer.type("bob")
    assert [picture.name for picture in viewer.visible()] == ["bob/00002_0.jpg"] and "packed faceset" in viewer.foot()
    viewer.mouse(at(0, LEFT_DOWN))
    np.testing.assert_allclose(viewer.picture()[400, 576], COLOURS[0], atol=12)
    viewer.mouse(at(0, LEFT_DOWN))
    before = (tmp_path / "aligned" / "faceset.pak").read_bytes()
    viewer.mouse(at(0, RIGHT_DOWN))
    viewer.key(Key(keys.DELETE))
    assert not viewer.marked and "main.py util --unpack-faceset --input-dir " in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "aligned").iterdir()] == ["faceset.pak"]
    assert (tmp_path / "aligned" / "faceset.pak").read_bytes() == before


def test_a_damaged_pack_is_said_in_one_line(tmp_path):
    (tmp_path / "faceset.pak").write_bytes(b"")
    with pytest.raises(UserError, match="faceset.pak: "):
        show_folder(tmp_path)


def at(number, kind):
    """A press of the mouse on the picture with this number on the page."""
    return MouseEvent(kind, number % COLUMNS * TILE + 20, number // COLUMNS * (TILE + CAPTION) + 20)


def test_names_are_filtered_as_one_types(tmp_path):
    folder = _pictures(tmp_path / "aligned", 60)
    for number in (3, 50):
        (folder / f"{number:05d}_0.png").rename(folder / f"{number:05d}_1.png")
    viewer = Viewer(folder)
    assert viewer.pages == 2
    viewer.key(Key(" "))
    viewer.type("_1")
    assert [path.name for path in viewer.visible()] == ["00003_1.png", "00050_1.png"] and viewer.page == 0
    viewer.key(Key(keys.BACKSPACE)), viewer.key(Key(keys.BACKSPACE))
    assert len(viewer.paths) == 60
    viewer.type("zz")
    assert viewer.visible() == [] and "page 1 of 1, 0 pictures" in viewer.foot()
    viewer.key(Key(keys.ESCAPE))
    assert viewer.filter == "" and not viewer.closing
    viewer.key(Key(keys.ESCAPE))
    assert viewer.closing


def test_marked_pictures_go_to_the_trash_and_come_back(tmp_path):
    folder = _pictures(tmp_path / "aligned", 5)
    viewer, contents = Viewer(folder), {path.name: path.read_bytes() for path in folder.iterdir()}
    (tmp_path / "aligned_trash").mkdir()
    (tmp_path / "aligned_trash" / "00001_0.png").write_bytes(b"of an earlier day")
    for number in (1, 3, 4, 4, 9):
        viewer.mouse(at(number, RIGHT_DOWN))
    assert sorted(path.name for path in viewer.marked) == ["00001_0.png", "00003_0.png"]
    viewer.key(Key(keys.DELETE))
    assert [path.name for path in viewer.paths] == ["00000_0.png", "00002_0.png", "00004_0.png"]
    assert sorted(path.name for path in (tmp_path / "aligned_trash").iterdir()) == [
        "00001_0.png", "00001_0_1.png", "00003_0.png",
    ]  # fmt: skip
    viewer.key(Key(keys.UNDO))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == contents and len(viewer.paths) == 5
    assert [path.read_bytes() for path in (tmp_path / "aligned_trash").iterdir()] == [b"of an earlier day"]
    viewer.mouse(at(2, LEFT_DOWN))
    assert viewer.enlarged.name == "00002_0.png"
    viewer.mouse(at(0, LEFT_DOWN))
    assert viewer.enlarged is None


@pytest.mark.skipif(not HAS_DISPLAY, reason="needs Xvfb, xdotool and ImageMagick")
def test_window_pages_enlarges_and_closes(tmp_path):
    folder = _pictures(tmp_path / "aligned", 60)
    screen = tmp_path / "screen.png"
    pages = Viewer(folder), Viewer(folder)
    pages[1].key(Key(" "))
    first_page, second_page = (viewer.picture() for viewer in pages)
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
            desktop.do("key", "--window", window, "5", "9", "underscore")
            pages[0].type("59_")
            wait_until(lambda: desktop.shows(pages[0].picture(), screen))
            desktop.do("key", "--window", window, "Escape")
            wait_until(lambda: desktop.shows(first_page, screen))
            desktop.do("key", "q")
            assert viewer.wait(60) == 0
        finally:
            viewer.kill()
            viewer.wait(60)
    text = (tmp_path / "out").read_text()
    assert "60 pictures on 2 pages" in text and "Done." in text
