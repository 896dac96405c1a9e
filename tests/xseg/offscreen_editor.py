"""The editor's window without a display, driven by Qt's own events."""

import os
import time
from contextlib import contextmanager

from PyQt5.QtCore import QEvent, QPoint, Qt
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication

from core.files.paths import list_images
from core.window.display import display_problem
from xseglib.editor.session import Session
from xseglib.editor.settings import Settings
from xseglib.editor.texts import set_language
from xseglib.editor.window import EditorWindow

MODIFIERS = {"shift": Qt.ShiftModifier, "ctrl": Qt.ControlModifier, "alt": Qt.AltModifier}
KEYS = {"left": Qt.Key_Left, "right": Qt.Key_Right, "`": Qt.Key_QuoteLeft, "~": Qt.Key_AsciiTilde,
        "delete": Qt.Key_Delete, "shift": Qt.Key_Shift, "ctrl": Qt.Key_Control}  # fmt: skip


def application():
    """The one QApplication of the test run, on the offscreen platform; the environment stays as it was."""
    if QApplication.instance() is None:
        before = dict(os.environ)
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
        assert display_problem() is None
        application.kept = QApplication(["XSegEditor"])
        os.environ.clear()
        os.environ.update(before)
    return QApplication.instance()


class Editor:
    """A window with shortcuts for what a user does."""

    def __init__(self, folder, settings=None, files=None):
        application()
        set_language("en")
        self.settings = settings or Settings()
        self.window = EditorWindow(Session(files or list_images(folder, required=True)), self.settings, folder.name)
        if not self.settings.geometry:
            self.window.resize(900, 800)
        self.window.show()
        QTest.qWaitForWindowExposed(self.window)

    @property
    def canvas(self):
        return self.window.canvas

    @property
    def interaction(self):
        return self.canvas.interaction

    @property
    def name(self):
        return self.window.name.text()

    def wait(self, condition, seconds=10.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "the awaited did not happen"
            QApplication.processEvents()
            time.sleep(0.005)

    def loaded(self):
        """Wait for all files to be known."""
        self.wait(lambda: self.window._known == len(self.window.session.images.files))
        self.wait(lambda: self.window.session.face is not None)
        QApplication.processEvents()
        return self

    def down(self, key, *held):
        self._key(QEvent.KeyPress, key, held)

    def up(self, key, *held):
        self._key(QEvent.KeyRelease, key, held)

    def press(self, key, *held):
        """Press and release a key while modifiers are held."""
        self.down(key, *held)
        self.up(key, *held)
        if held:
            self.up(held[0])

    def click(self, point, button=Qt.LeftButton, held=()):
        """Click at an image point."""
        place = self.place(point)
        flags = Qt.NoModifier
        for name in held:
            flags |= MODIFIERS[name]
        QTest.mouseMove(self.canvas, place)
        QTest.mouseClick(self.canvas, button, flags, place)

    def place(self, point):
        x, y = self.interaction.viewport.to_canvas(point)
        return QPoint(round(x), round(y))

    def draw(self, points, close=False):
        for point in points:
            self.click(point)
        if close:
            self.click(points[0])

    def pixel(self, point):
        """(R, G, B) that the canvas shows at an image point."""
        color = self.canvas.grab().toImage().pixelColor(self.place(point))
        return color.red(), color.green(), color.blue()

    def _key(self, kind, key, held):
        flags = Qt.NoModifier
        for name in held:
            flags |= MODIFIERS[name]
        code = KEYS.get(key) or getattr(Qt, f"Key_{key.upper()}")
        QApplication.sendEvent(self.window, QKeyEvent(kind, code, flags, 0, 0, 0, key))
        QApplication.processEvents()


@contextmanager
def editor(folder, **arguments):
    """An editor whose files are all known; closed at the end."""
    opened = Editor(folder, **arguments).loaded()
    try:
        yield opened
    finally:
        opened.window.close()
        QApplication.processEvents()
