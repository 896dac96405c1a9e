"""A window that shows a picture and collects keys and mouse events.

Qt itself rather than ``cv2.imshow``: under Linux the windows of OpenCV enlarge their content with the mouse wheel.
"""

import ctypes
import importlib.util
import os
import socket
import sys
import time
from pathlib import Path

import cv2  # noqa: F401  (before Qt: when it loads, it points Qt to its own plugins)
import numpy as np

from core.console.native_output import silenced

MOVE, LEFT_DOWN, RIGHT_DOWN, WHEEL_UP, WHEEL_DOWN = "move", "left", "right", "wheel up", "wheel down"

_SYSTEM_PACKAGES = (
    "libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 "
    "libxkbcommon-x11-0"
)


def display_problem() -> str | None:
    """Why no window can be opened here, or None. Qt itself would end the program."""
    # Qt's OpenGL part would load LLVM a second time beside TensorFlow's, which ends the program with a crash.
    os.environ.setdefault("QT_XCB_GL_INTEGRATION", "none")
    for name in ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR"):
        if f"{os.sep}cv2{os.sep}" in os.environ.get(name, ""):
            del os.environ[name]
    if importlib.util.find_spec("PyQt5") is None:
        return "PyQt5 is missing (pip install PyQt5)"
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM", "xcb") != "xcb":
        return None
    display = os.environ.get("DISPLAY", "")
    if not display:
        return None if os.environ.get("WAYLAND_DISPLAY") else "there is no display (DISPLAY is not set)"
    if display.startswith(":") and not _answers(display):
        return f"the display {display} does not answer"
    package = Path(importlib.util.find_spec("PyQt5").origin).parent
    for plugin in package.glob("Qt*/plugins/platforms/libqxcb.so"):
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            return f"a system library is missing ({error}; on Debian and Ubuntu: apt-get install {_SYSTEM_PACKAGES})"
    return None


class PictureWindow:
    """A window of fixed content size.

    Parameters
    ----------
    title : str

    Attributes
    ----------
    keys : list of str
        Characters pressed since the list was last emptied, in lower case; Enter is ``"\\r"``.
    mouse : list of tuple
        (kind, x, y) since the list was last emptied; of moves in a row only the last one.
    closed : bool
        Whether the user has closed the window.
    """

    def __init__(self, title: str):
        from PyQt5 import QtCore, QtGui, QtWidgets

        self.keys: list[str] = []
        self.mouse: list[tuple[str, int, int]] = []
        self.closed = False
        self._gui = QtGui
        with silenced():
            self._application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([title])
        self._widget = _make_widget(self, QtCore, QtGui, QtWidgets)
        self._widget.setWindowTitle(title)

    def show(self, picture: np.ndarray) -> None:
        """Show a (H, W, 3) uint8 BGR picture."""
        height, width = picture.shape[:2]
        self._widget.pixels = np.ascontiguousarray(picture)
        self._widget.image = self._gui.QImage(
            self._widget.pixels.data, width, height, 3 * width, self._gui.QImage.Format_BGR888
        )
        self._widget.setFixedSize(width, height)
        self._widget.update()
        if not self._widget.isVisible() and not self.closed:
            self._widget.show()
            self._widget.activateWindow()

    def wait(self, seconds: float) -> None:
        """Handle what the system delivers, for ``seconds`` or until there is a key or a mouse event."""
        end = time.monotonic() + seconds
        while True:
            self._application.processEvents()
            if self.keys or self.mouse or self.closed or time.monotonic() >= end:
                return
            time.sleep(0.002)

    def close(self) -> None:
        """Take the window off the screen."""
        self._widget.hide()
        self._widget.deleteLater()
        self._application.processEvents()


def _make_widget(window, core, gui, widgets):
    """The Qt widget; a function because Qt is only loaded when a window is wanted."""

    class View(widgets.QWidget):
        image = pixels = None

        def __init__(self):
            super().__init__()
            self.setMouseTracking(True)
            self.setFocusPolicy(core.Qt.StrongFocus)
            self._notches = 0

        def paintEvent(self, _):
            if self.image is not None:
                gui.QPainter(self).drawImage(0, 0, self.image)

        def mouseMoveEvent(self, event):
            if window.mouse and window.mouse[-1][0] == MOVE:
                window.mouse.pop()
            window.mouse.append((MOVE, event.x(), event.y()))

        def mousePressEvent(self, event):
            kind = {core.Qt.LeftButton: LEFT_DOWN, core.Qt.RightButton: RIGHT_DOWN}.get(event.button())
            if kind:
                window.mouse.append((kind, event.x(), event.y()))

        def mouseDoubleClickEvent(self, event):
            self.mousePressEvent(event)

        def wheelEvent(self, event):
            self._notches += event.angleDelta().y()
            while abs(self._notches) >= 120:
                up = self._notches > 0
                self._notches -= 120 if up else -120
                place = event.position()
                window.mouse.append((WHEEL_UP if up else WHEEL_DOWN, int(place.x()), int(place.y())))
            event.accept()

        def keyPressEvent(self, event):
            if event.key() in (core.Qt.Key_Return, core.Qt.Key_Enter):
                window.keys.append("\r")
            elif event.text():
                window.keys.append(event.text().lower())

        def closeEvent(self, event):
            window.closed = True
            event.accept()

    return View()


def _answers(display):
    """Whether an X server listens on a local display such as ``:0``."""
    number = display[1:].split(".")[0]
    for address in (f"/tmp/.X11-unix/X{number}", f"\0/tmp/.X11-unix/X{number}"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            try:
                connection.connect(address)
                return True
            except OSError:
                continue
    return False
