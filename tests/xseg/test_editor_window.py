"""The editor's window on Qt's offscreen platform: controls, keys, drawing, saving, walking."""

import os
import threading

import numpy as np
import pytest
from labelled_faces import CUT, TRIANGLE, make_faceset, write_face
from offscreen_editor import Editor, editor
from PyQt5.QtCore import QEvent, QPoint, QPointF, QRect, Qt
from PyQt5.QtGui import QKeyEvent, QWheelEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QMessageBox

from core.files.paths import list_images
from samplelib.faces.aligned_face import read_metadata
from xseglib.editor import keys, loading, settings, texts
from xseglib.editor import window as window_module
from xseglib.image_list import read_info
from xseglib.labels import Mode

SQUARE = [(20, 20), (100, 20), (100, 100), (20, 100)]


@pytest.fixture
def plain(tmp_path):
    """Eight faces without labels; 00003 has an applied mask."""
    folder = tmp_path / "aligned"
    folder.mkdir()
    for number in range(8):
        mask = None
        if number == 3:
            mask = np.zeros((256, 256, 1), np.float32)
            mask[:, 128:] = 1
        write_face(folder / f"{number:05d}.jpg", number, mask=mask)
    return folder


@pytest.fixture
def mixed(tmp_path):
    return make_faceset(tmp_path / "aligned", count=12)


def labels_of(folder, number):
    return read_metadata(folder / f"{number:05d}.jpg").polygons


def test_start_shows_first_face_count_and_place(mixed):
    (mixed / "notes.jpg").write_bytes(b"no face")
    with editor(mixed) as opened:
        assert opened.name == "00000.jpg"
        assert opened.window.count.text() == "6 labeled"
        assert opened.window.place.text() == "1/12"
        enabled = {name for name, button in opened.window.buttons.items() if button.isEnabled()}
        assert enabled == {"include", "exclude", "overlay", "red", "green", "blue", "baked", "xseg",
                           "previous", "next", "trash"}  # fmt: skip
        assert opened.window.buttons["include"].isChecked() and opened.window.buttons["green"].isChecked()


def test_every_control_has_its_tip_and_key(plain):
    tips = {
        "include": "Poly include mode ( hot key: Q )",
        "exclude": "Poly exclude mode ( hot key: W )",
        "undo": "Undo point ( hot key: Ctrl+Z )",
        "redo": "Redo point ( hot key: Ctrl+Shift+Z )",
        "delete": "Delete poly ( hot key: Delete )",
        "points": "Add/delete point mode ( HOLD CTRL )",
        "overlay": "View trained XSeg mask overlay face ( hot key: ` )",
        "red": "Poly color scheme red ( hot key: 1 )",
        "green": "Poly color scheme green ( hot key: 2 )",
        "blue": "Poly color scheme blue ( hot key: 3 )",
        "baked": "View baked mask ( hot key: 4 )",
        "xseg": "View trained XSeg mask ( hot key: 5 )",
        "lock": "Lock cursor at the center ( HOLD SHIFT )",
        "previous": "Save and Prev image\nHold SHIFT : accelerate\nHold CTRL : skip non masked ( hot key: A )",
        "next": "Save and Next image\nHold SHIFT : accelerate\nHold CTRL : skip non masked ( hot key: D )",
        "trash": "Move to _trash and Next image ( hot key: X )",
    }
    with editor(plain) as opened:
        shown = {name: button.toolTip() for name, button in opened.window.buttons.items()}
        icons = [button.icon().pixmap(48, 48).toImage() for button in opened.window.buttons.values()]
    assert len({bytes(icon.constBits().asarray(icon.sizeInBytes())) for icon in icons}) == len(icons)
    assert shown == tips


def test_texts_are_translated_completely():
    english, *others = texts._LANGUAGES.values()
    assert all(other.keys() == english.keys() for other in others)
    texts.set_language("ru_RU")
    assert texts.text("labeled") == "размечено"
    texts.set_language("de_DE")
    assert texts.text("labeled") == "labeled"


def test_drawn_label_is_saved_by_next_and_shown_by_previous(plain):
    with editor(plain) as opened:
        opened.draw(SQUARE, close=True)
        assert opened.interaction.mode is Mode.EDIT
        opened.press("d")
        assert opened.name == "00001.jpg" and opened.window.count.text() == "1 labeled"
        (stored,) = labels_of(plain, 0)
        assert stored.include and np.abs(stored.points - SQUARE).max() < 0.2
        opened.press("a")
        assert opened.name == "00000.jpg" and opened.interaction.labels.stored() == (stored,)
        before = (plain / "00000.jpg").stat().st_mtime_ns
        opened.press("d")
        opened.press("a")
        assert (plain / "00000.jpg").stat().st_mtime_ns == before
        opened.click((60, 20))
        opened.press("delete")
        opened.press("d")
        assert labels_of(plain, 0) == () and opened.window.count.text() == "0 labeled"


def test_unfinished_drawings(plain):
    with editor(plain) as opened:
        opened.draw(SQUARE[:2])
        opened.press("d")
        opened.draw(SQUARE[:3])
        opened.press("d")
        opened.draw(SQUARE[:3])
    assert labels_of(plain, 0) == ()
    assert len(labels_of(plain, 1)) == 1
    assert len(labels_of(plain, 2)) == 1, "closing the window saves"


def test_include_exclude_and_what_they_bake_to(plain):
    with editor(plain) as opened:
        opened.draw(SQUARE, close=True)
        opened.click((60, 60))
        opened.press("w")
        assert opened.window.buttons["exclude"].isChecked()
        opened.draw([(50, 50), (80, 50), (65, 80)], close=True)
        opened.press("4")
        assert opened.interaction.mode is Mode.VIEW_BAKED
        assert opened.pixel((30, 30)) == (255, 255, 255)
        assert opened.pixel((65, 60)) == (0, 0, 0) and opened.pixel((10, 10)) == (0, 0, 0)
        assert not opened.window.buttons["include"].isEnabled()
        opened.press("2")
        assert opened.interaction.mode is Mode.NONE
        opened.press("d")
        assert opened.interaction.include
        opened.window.buttons["exclude"].click()
        opened.draw(SQUARE, close=True)
        opened.press("d")
    assert [polygon.include for polygon in labels_of(plain, 0)] == [True, False]
    assert [polygon.include for polygon in labels_of(plain, 1)] == [False]


def test_views_colour_and_overlay_stay_from_image_to_image(plain):
    with editor(plain) as opened:
        opened.press("3")
        opened.press("5")
        assert opened.window.message.text() == "This face has no applied mask." and opened.window.message.isVisible()
        opened.press("d")
        assert not opened.window.message.isVisible()
        opened.press("d")
        opened.press("d")
        assert opened.name == "00003.jpg" and opened.interaction.mode is Mode.VIEW_XSEG
        assert opened.pixel((100, 60)) == (255, 255, 255) and opened.pixel((20, 60)) == (0, 0, 0)
        assert opened.window.buttons["xseg"].isChecked()
        opened.press("3")
        full = opened.pixel((20, 60)), opened.pixel((110, 60))
        opened.press("`")
        dark = opened.pixel((20, 60)), opened.pixel((110, 60))
        np.testing.assert_allclose(dark[0], np.array(full[0]) / 2, atol=2)
        assert dark[1] == full[1]
        opened.press("~", "shift")
        assert opened.pixel((20, 60)) == full[0]
        opened.press("`")
        opened.press("d")
        opened.press("a")
        assert opened.pixel((20, 60)) == dark[0]
        assert opened.canvas.color == "blue" and opened.window.buttons["overlay"].isChecked()


def test_colours_outline_and_hover(plain):
    with editor(plain) as opened:
        opened.draw(SQUARE, close=True)
        opened.click((60, 60))
        for key, color in (("1", (192, 0, 0)), ("2", (0, 192, 0)), ("3", (0, 0, 192))):
            opened.press(key)
            assert opened.pixel((60, 20)) == color
        plain_pixel = opened.pixel((60, 60))
        QTest.mouseMove(opened.canvas, opened.place((60, 20)))
        expected = np.array(plain_pixel) * (1 - 72 / 255) + np.array((0, 0, 192)) * 72 / 255
        np.testing.assert_allclose(opened.pixel((60, 60)), expected, atol=2)


def test_undo_redo_keys_and_buttons(plain):
    with editor(plain) as opened:
        assert not opened.window.buttons["undo"].isEnabled()
        opened.draw(SQUARE[:3])
        opened.press("z", "ctrl")
        assert len(opened.interaction.labels.current.points) == 2
        opened.press("z", "ctrl", "shift")
        assert len(opened.interaction.labels.current.points) == 3
        opened.window.buttons["undo"].click()
        opened.window.buttons["undo"].click()
        opened.window.buttons["redo"].click()
        assert len(opened.interaction.labels.current.points) == 2
        opened.press("z", "ctrl")
        opened.press("z", "ctrl")
        assert opened.interaction.labels.polygons == () and opened.interaction.mode is Mode.NONE


def test_points_are_moved_added_and_deleted_when_coming_back(plain):
    write_face(plain / "00000.jpg", polygons=[TRIANGLE])
    with editor(plain) as opened:
        opened.press("d")
        opened.press("a")
        opened.click((55, 22.5))
        assert opened.interaction.mode is Mode.EDIT
        QTest.mousePress(opened.canvas, Qt.LeftButton, Qt.NoModifier, opened.place((20, 20)))
        QTest.mouseMove(opened.canvas, opened.place((15, 10)))
        QTest.mouseRelease(opened.canvas, Qt.LeftButton, Qt.NoModifier, opened.place((10, 5)))
        opened.down("ctrl")
        assert opened.window.buttons["points"].isChecked()
        opened.click((50, 15), held=["ctrl"])
        opened.up("ctrl")
        assert not opened.window.buttons["points"].isChecked()
        opened.window.buttons["points"].click()
        opened.click((90, 25))
        opened.press("d")
    (label,) = labels_of(plain, 0)
    assert len(label.points) == 3
    np.testing.assert_allclose(label.points[0], (10, 5), atol=0.3)
    np.testing.assert_allclose(label.points[1], (50, 15), atol=0.3)
    np.testing.assert_allclose(label.points[2], TRIANGLE.points[2], atol=0.01)


def test_lock_by_key_and_button(plain):
    with editor(plain) as opened:
        opened.click((30, 30))
        QTest.mouseMove(opened.canvas, opened.place((80, 90)))
        opened.down("shift")
        assert opened.window.buttons["lock"].isChecked() and opened.interaction.is_locked
        np.testing.assert_allclose(opened.interaction.viewport.look_point, (80, 90), atol=0.2)
        opened.up("shift")
        assert not opened.window.buttons["lock"].isChecked()
        opened.window.buttons["lock"].click()
        opened.down("q")
        opened.up("q")
        assert opened.interaction.is_locked


def test_wheel_zooms_at_the_cursor_and_middle_button_pans(plain):
    with editor(plain) as opened:
        place = opened.place((30, 40))
        for turn in (120, 120, -120):
            event = QWheelEvent(
                QPointF(place), QPointF(opened.canvas.mapToGlobal(place)), QPoint(), QPoint(0, turn),
                Qt.NoButton, Qt.NoModifier, Qt.NoScrollPhase, False,
            )  # fmt: skip
            QApplication.sendEvent(opened.canvas, event)
            assert (opened.place((30, 40)) - place).manhattanLength() <= 1
        assert opened.interaction.viewport.scale > opened.interaction.viewport.fit_scale
        look = opened.interaction.viewport.look_point.copy()
        QTest.mousePress(opened.canvas, Qt.MiddleButton, Qt.NoModifier, QPoint(200, 200))
        QTest.mouseMove(opened.canvas, QPoint(240, 180))
        assert opened.canvas.cursor().shape() == Qt.ClosedHandCursor
        QTest.mouseRelease(opened.canvas, Qt.MiddleButton, Qt.NoModifier, QPoint(240, 180))
        moved = look - opened.interaction.viewport.look_point
        np.testing.assert_allclose(moved, np.array([40, -20]) / opened.interaction.viewport.scale, atol=1e-6)
        opened.click((60, 60), Qt.RightButton)
        assert opened.interaction.mode is Mode.NONE
        opened.press("d")
        assert opened.interaction.viewport.scale == opened.interaction.viewport.fit_scale


def test_walking_with_keys_arrows_and_modifiers(mixed):
    with editor(mixed) as opened:
        opened.press("right")
        assert opened.name == "00001.jpg"
        opened.press("left")
        opened.press("left")
        assert opened.name == "00000.jpg"
        opened.press("d", "shift")
        assert opened.name == "00005.jpg"
        opened.press("a", "ctrl")
        assert opened.name == "00004.jpg"
        visited = []
        while not visited or visited[-1] != opened.name:
            visited.append(opened.name)
            opened.press("d", "ctrl")
        assert visited == ["00004.jpg", "00006.jpg", "00008.jpg", "00010.jpg"]
        opened.press("a", "ctrl", "shift")
        assert opened.name == "00009.jpg"
        opened.press("d", "shift")
        assert opened.name == "00011.jpg" and opened.window.place.text() == "12/12"
        opened.press("d")
        assert opened.name == "00011.jpg"
        QTest.mouseClick(opened.window.buttons["previous"], Qt.LeftButton)
        assert opened.name == "00010.jpg"
        QTest.mouseClick(opened.window.buttons["next"], Qt.LeftButton)
        assert opened.name == "00011.jpg"


def test_a_held_key_repeats_until_any_release_or_loss_of_focus(plain):
    with editor(plain) as opened:
        opened.down("d")
        assert opened.name == "00001.jpg"
        QTest.qWait(150)
        assert opened.name == "00001.jpg"
        opened.wait(lambda: opened.name >= "00003.jpg")
        opened.up("shift")
        name = opened.name
        QTest.qWait(400)
        assert opened.name == name
        opened.down("a")
        name = opened.name
        opened.window.isActiveWindow = lambda: False
        QApplication.sendEvent(opened.window, QEvent(QEvent.ActivationChange))
        QTest.qWait(400)
        assert opened.name == name


def test_trash_takes_what_is_shown(mixed):
    with editor(mixed) as opened:
        opened.press("d")
        opened.press("d")
        opened.press("x", "shift")
        assert opened.name == "00003.jpg" and opened.window.count.text() == "5 labeled"
        assert opened.window.place.text() == "3/11"
        trash = mixed.parent / "aligned_trash"
        assert [path.name for path in trash.iterdir()] == ["00002.jpg"]
        assert read_metadata(trash / "00002.jpg").polygons == (TRIANGLE, CUT)
        while opened.window.session.face is not None:
            opened.window.buttons["trash"].click()
        assert list_images(mixed) == [] and len(list_images(trash)) == 12
        opened.press("x")
        opened.press("d")
        assert opened.name == "" and not opened.window.buttons["include"].isEnabled()


def test_a_file_that_cannot_be_written_keeps_the_editor_there(plain, monkeypatch):
    questions = []

    def answer(parent, title, question):
        questions.append(question)
        return QMessageBox.Yes if len(questions) > 1 else QMessageBox.No

    monkeypatch.setattr(window_module.QMessageBox, "question", answer)
    os.chmod(plain / "00000.jpg", 0o444)
    with editor(plain) as opened:
        opened.draw(SQUARE, close=True)
        opened.press("d")
        assert opened.name == "00000.jpg" and len(opened.interaction.labels.polygons) == 1
        assert "00000.jpg: is read-only" in opened.window.message.text() and opened.window.message.isVisible()
        opened.window.close()
        assert opened.window.isVisible() and "is read-only" in questions[0]
    assert labels_of(plain, 0) == () and len(questions) == 2


def test_files_that_vanish_or_break_while_the_editor_runs(plain):
    with editor(plain) as opened:
        (plain / "00001.jpg").unlink()
        (plain / "00002.jpg").write_bytes(b"broken")
        opened.press("d")
        assert opened.name == "00003.jpg" and "00002.jpg" in opened.window.message.text()
        opened.draw(SQUARE, close=True)
        (plain / "00003.jpg").unlink()
        opened.press("d")
        assert opened.name == "00004.jpg" and "00003.jpg is gone" in opened.window.message.text()
        assert opened.window.count.text() == "0 labeled" and not (plain / "00003.jpg").exists()


def test_other_data_written_meanwhile_is_kept(plain):
    from samplelib.faces.aligned_face import write_metadata

    with editor(plain) as opened:
        metadata = read_metadata(plain / "00000.jpg")
        write_metadata(plain / "00000.jpg", metadata.with_xseg_mask(np.ones((256, 256, 1), np.float32)))
        opened.draw(SQUARE, close=True)
        opened.press("d")
    assert read_metadata(plain / "00000.jpg").xseg_mask is not None and len(labels_of(plain, 0)) == 1


def test_the_applied_mask_becomes_polygons(plain):
    with editor(plain) as opened:
        opened.press("g")
        assert opened.window.message.text() == "This face has no applied mask."
        for _ in range(3):
            opened.press("d")
        opened.press("g")
        (polygon,) = opened.interaction.labels.polygons
        baked = opened.interaction.labels.baked(128, 128)
        assert polygon.include and baked[:, 66:].all() and not baked[:, :62].any()
        opened.press("z", "ctrl")
        assert opened.interaction.labels.polygons == ()


def test_the_name_is_copied_by_a_click(plain):
    with editor(plain) as opened:
        QTest.mouseClick(opened.window.name, Qt.LeftButton)
        assert QApplication.clipboard().text() == "00000.jpg"


def test_thumbnails_show_neighbours(plain):
    with editor(plain) as opened:
        strip = opened.window.bottom.strip
        opened.wait(lambda: sum(picture is not None for picture in strip._cells.values()) == 5)
        assert sorted(strip._cells) == [0, 1, 2, 3, 4]
        for _ in range(4):
            opened.press("d")
        opened.wait(lambda: sum(picture is not None for picture in strip._cells.values()) == 8)
        assert sorted(strip._cells) == [-4, -3, -2, -1, 0, 1, 2, 3]
        image = strip.grab().toImage()
        assert image.pixelColor(image.width() - 5, image.height() // 2).getRgb()[:3] == (0, 0, 0)


def test_splash_until_the_first_face_is_there(plain, monkeypatch):
    gate = threading.Event()

    def slow(path):
        gate.wait(10)
        return read_info(path)

    monkeypatch.setattr(window_module, "Scanner", lambda files: loading.Scanner(files, slow))
    opened = Editor(plain)
    assert opened.window.loading.isVisible() and opened.window.loading.size() == opened.window.size()
    opened.window.resize(1000, 850)
    assert opened.window.loading.size() == opened.window.size()
    opened.press("d")
    assert opened.window.session.face is None
    gate.set()
    opened.loaded()
    assert not opened.window.loading.isVisible() and opened.name == "00000.jpg"
    opened.window.close()


def test_settings_live_on(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "settings_path", lambda: tmp_path / "configuration" / "editor.json")
    with editor(plain) as opened:
        opened.press("1")
        opened.press("`")
        opened.window.resize(760, 560)
        size = opened.window.width(), opened.window.height()
    settings.save_settings(opened.settings)
    again = settings.load_settings()
    assert (again.color, again.overlay) == ("red", True)
    with editor(plain, settings=again) as opened:
        assert opened.canvas.color == "red" and opened.canvas.overlay
        assert opened.window.buttons["red"].isChecked()
        assert (opened.window.width(), opened.window.height()) == size
    (tmp_path / "configuration" / "editor.json").write_text('{"geometry": "###", "color": 3, "overlay": "yes"}')
    damaged = settings.load_settings()
    assert damaged.geometry_bytes() == b"" and damaged.color == "green" and damaged.overlay is False
    (tmp_path / "configuration" / "editor.json").write_text("{")
    assert settings.load_settings() == settings.Settings()


def event(code, scan_code, modifiers=Qt.NoModifier):
    return QKeyEvent(QEvent.KeyPress, code, modifiers, scan_code, 0, 0)


@pytest.mark.skipif(os.name == "nt", reason="scan codes of X11")
def test_keys_of_other_layouts():
    cyrillic_ve, cyrillic_ef = 0x412, 0x424
    assert keys.key_name(event(cyrillic_ve, 40)) == "D"
    assert keys.key_name(event(cyrillic_ef, 38)) == "A"
    assert keys.key_name(event(Qt.Key_Ampersand, 10)) == "1"
    assert keys.key_name(event(Qt.Key_Dead_Circumflex, 49)) == "`"
    assert keys.key_name(event(Qt.Key_E, 40)) is None
    assert keys.key_name(event(Qt.Key_A, 24)) == "A"
    assert keys.key_name(event(Qt.Key_F5, 71)) is None


def test_a_window_that_was_on_a_larger_screen_fits_this_one(plain, monkeypatch):
    """On 1280 × 720 nothing is cut off."""
    with editor(plain) as opened:
        opened.window.setGeometry(300, 200, 1500, 1200)
    room = QRect(4, 36, 1272, 680)
    monkeypatch.setattr(window_module.EditorWindow, "_room", lambda self: room)
    with editor(plain, settings=opened.settings) as again:
        assert room.contains(again.window.geometry())
        frame = again.window.rect()
        for name, button in again.window.buttons.items():
            assert frame.contains(QRect(button.mapTo(again.window, QPoint(0, 0)), button.size())), name


def test_settings_lie_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("DFL_CONFIG_DIR", str(tmp_path / "own"))
    settings.save_settings(settings.Settings(color="blue"))
    assert (tmp_path / "own" / "mask_editor.json").is_file() and settings.load_settings().color == "blue"
