"""A picture window made of Qt."""

import sys
from collections.abc import Collection
from typing import cast

import numpy as np
from PyQt5 import QtCore, QtGui, QtWidgets

from core.window import keys
from core.window.display import handle_messages
from core.window.mouse import LEFT_DOWN, MOVE, RIGHT_DOWN, WHEEL_DOWN, WHEEL_UP, MouseEvent

_SCREEN_SHARE = 0.95
_NOTCH = 120  # eighths of a degree that one step of a mouse wheel turns
_ROUNDING = 1e-6  # so that a whole pixel stays one
_ZOOM_STEP, _MOST_ZOOM = 1.25, 16.0
_BACKGROUND = QtGui.QColor(24, 24, 24)
_NAMED_KEYS = {
    QtCore.Qt.Key_Return: keys.ENTER, QtCore.Qt.Key_Enter: keys.ENTER, QtCore.Qt.Key_Escape: keys.ESCAPE,
    QtCore.Qt.Key_Tab: keys.TAB, QtCore.Qt.Key_Backtab: keys.TAB, QtCore.Qt.Key_Left: keys.LEFT,
    QtCore.Qt.Key_Right: keys.RIGHT, QtCore.Qt.Key_PageUp: keys.PAGE_UP, QtCore.Qt.Key_PageDown: keys.PAGE_DOWN,
    QtCore.Qt.Key_Home: keys.HOME, QtCore.Qt.Key_End: keys.END, QtCore.Qt.Key_Delete: keys.DELETE,
    QtCore.Qt.Key_Backspace: keys.BACKSPACE,
}  # fmt: skip
# Keys that never mean anything by their place.
_SILENT_KEYS = {
    QtCore.Qt.Key_Shift, QtCore.Qt.Key_Control, QtCore.Qt.Key_Alt, QtCore.Qt.Key_AltGr, QtCore.Qt.Key_Meta,
    QtCore.Qt.Key_CapsLock, QtCore.Qt.Key_NumLock, QtCore.Qt.Key_ScrollLock,
}  # fmt: skip


def application() -> QtWidgets.QApplication:
    """The one application of the process, made when there is none."""
    found = QtWidgets.QApplication.instance()
    if found is None:
        handle_messages()
        QtWidgets.QApplication.setAttribute(QtCore.Qt.AA_EnableHighDpiScaling)
        QtWidgets.QApplication.setAttribute(QtCore.Qt.AA_UseHighDpiPixmaps)
        found = QtWidgets.QApplication([sys.argv[0] or "window"])
    return cast(QtWidgets.QApplication, found)


class QtWindow:
    """See :class:`core.window.picture_window.PictureWindow`, and :func:`core.window.picture_window.open_window`."""

    def __init__(self, title: str, with_shift: Collection[str] = (), zooms: bool = False):
        self._application = application()
        self.keys: list[keys.Key] = []
        self.mouse: list[MouseEvent] = []
        self.typed = ""
        self.closed = False
        self._view = _View(self, with_shift, zooms)
        self._view.setWindowTitle(title)
        self._shown_size: tuple[int, int] | None = None
        self._loop, self._timer = QtCore.QEventLoop(), QtCore.QTimer()
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._loop.quit)

    def show(self, picture: np.ndarray, title: str | None = None) -> None:
        """Show a (H, W, 3) uint8 BGR picture; a window that the user has not resized takes its size."""
        if self.closed:
            return
        if title is not None:
            self._view.setWindowTitle(title)
        self._view.take(picture)
        size = picture.shape[1], picture.shape[0]
        if size != self._shown_size:
            self._shown_size = size
            self._view.fit_window()
        if not self._view.isVisible():
            self._view.show()
            self._view.activateWindow()

    def wait(self, seconds: float) -> None:
        """Handle what the system delivers, for ``seconds`` or until there is a key, a mouse event or the window's end."""
        self._application.processEvents()
        if not (self.keys or self.mouse or self.closed):
            self._timer.start(max(0, int(seconds * 1000)))
            self._loop.exec_()
            self._timer.stop()

    def interrupt(self) -> None:
        """End a wait: something has come."""
        self._loop.quit()

    def close(self) -> None:
        """Take the window off the screen."""
        self._view.hide()
        self._view.deleteLater()
        self._application.processEvents()


class _View(QtWidgets.QWidget):
    """The widget: the picture as large as fits, or as the wheel has zoomed it."""

    def __init__(self, window, with_shift, zooms):
        super().__init__()
        self._window, self._with_shift, self._zooms = window, with_shift, zooms
        self._pixels, self._image = None, None
        self._notches, self._zoom, self._centre, self._drag = 0, 1.0, QtCore.QPointF(0.5, 0.5), None
        self._own_size = None  # that it gave itself
        self._geometry = None  # before it filled the screen
        self.setMouseTracking(True)
        self.setFocusPolicy(QtCore.Qt.StrongFocus)
        self.setAttribute(QtCore.Qt.WA_OpaquePaintEvent)
        self.setMinimumSize(80, 60)

    def take(self, picture):
        """Show this picture from now on."""
        self._pixels = np.ascontiguousarray(picture)
        height, width = picture.shape[:2]
        self._image = QtGui.QImage(self._pixels.data, width, height, 3 * width, QtGui.QImage.Format_BGR888)
        self.update()

    def fit_window(self):
        """Give the window the size of the picture, or what the screen has room for, unless the user has chosen one."""
        if self.isMaximized() or self._geometry is not None or (self._own_size not in (None, self.size())):
            return
        screen = QtWidgets.QApplication.primaryScreen() if self.windowHandle() is None else self.windowHandle().screen()
        room = screen.availableGeometry()
        most = QtCore.QSize(int(room.width() * _SCREEN_SHARE), int(room.height() * _SCREEN_SHARE))
        size = self._image.size()
        if size.width() > most.width() or size.height() > most.height():
            size = size.scaled(most, QtCore.Qt.KeepAspectRatio)
        size = size.expandedTo(self.minimumSize())
        self.resize(size)
        self._own_size = size
        place = QtCore.QRect(QtCore.QPoint(0, 0), size)
        place.moveCenter(room.center())
        self.move(place.topLeft())

    def paintEvent(self, _):
        painter = QtGui.QPainter(self)
        painter.fillRect(self.rect(), _BACKGROUND)
        if self._image is not None:
            target = self._place()
            painter.setRenderHint(QtGui.QPainter.SmoothPixmapTransform, target.width() < 4 * self._image.width())
            painter.drawImage(target, self._image)

    def _place(self):
        """Where the picture lies in the window, in the window's pixels (QRectF)."""
        size = QtCore.QSizeF(self._image.size()).scaled(QtCore.QSizeF(self.size()), QtCore.Qt.KeepAspectRatio)
        size = size * self._zoom
        left = self.width() / 2 - self._centre.x() * size.width()
        top = self.height() / 2 - self._centre.y() * size.height()
        return QtCore.QRectF(QtCore.QPointF(left, top), size)

    def _in_picture(self, point):
        """A place of the window in pixels of the picture, inside it."""
        target = self._place()
        x = (point.x() - target.left()) * (self._image.width() / target.width()) + _ROUNDING
        y = (point.y() - target.top()) * (self._image.height() / target.height()) + _ROUNDING
        return int(min(max(x, 0), self._image.width() - 1)), int(min(max(y, 0), self._image.height() - 1))

    def _note(self, kind, point):
        if self._image is None:
            return
        events = self._window.mouse
        if kind == MOVE and events and events[-1].kind == MOVE:
            events.pop()
        events.append(MouseEvent(kind, *self._in_picture(point)))
        self._window.interrupt()

    def mouseMoveEvent(self, event):
        if self._drag is not None and event.buttons() & QtCore.Qt.LeftButton:
            self._pan(event.localPos() - self._drag)
            self._drag = event.localPos()
        self._note(MOVE, event.localPos())

    def mousePressEvent(self, event):
        if self._zooms and self._zoom > 1 and event.button() == QtCore.Qt.LeftButton:
            self._drag = event.localPos()
        kind = {QtCore.Qt.LeftButton: LEFT_DOWN, QtCore.Qt.RightButton: RIGHT_DOWN}.get(event.button())
        if kind:
            self._note(kind, event.localPos())

    def mouseReleaseEvent(self, _):
        self._drag = None

    def mouseDoubleClickEvent(self, event):
        self.mousePressEvent(event)

    def wheelEvent(self, event):
        self._notches += event.angleDelta().y()
        while abs(self._notches) >= _NOTCH:
            up = self._notches > 0
            self._notches -= _NOTCH if up else -_NOTCH
            if self._zooms:
                self._zoom_at(event.position(), _ZOOM_STEP if up else 1 / _ZOOM_STEP)
            else:
                self._note(WHEEL_UP if up else WHEEL_DOWN, event.position())
        event.accept()

    def _zoom_at(self, point, factor):
        """Zoom so that what is under the mouse stays there."""
        before = self._place()
        share = QtCore.QPointF(
            (point.x() - before.left()) / before.width(), (point.y() - before.top()) / before.height()
        )
        self._zoom = min(max(self._zoom * factor, 1.0), _MOST_ZOOM)
        after = self._place()
        moved = QtCore.QPointF(after.left() + share.x() * after.width(), after.top() + share.y() * after.height())
        self._pan(point - moved)

    def _pan(self, distance):
        target = self._place()
        x = self._centre.x() - distance.x() / target.width()
        y = self._centre.y() - distance.y() / target.height()
        reach = 0.5 / self._zoom
        self._centre = QtCore.QPointF(min(max(x, reach), 1 - reach), min(max(y, reach), 1 - reach))
        self.update()

    def _toggle_full_screen(self):
        if self._geometry is not None:
            self._leave_full_screen()
            return
        self._geometry = self.geometry()
        self.showFullScreen()
        # Without a window manager nobody else gives the window its size.
        self.setGeometry(self.windowHandle().screen().geometry())

    def _leave_full_screen(self):
        self.showNormal()
        self.setGeometry(self._geometry)
        self._geometry = None

    def event(self, event):
        # Tab would move the focus instead of being a key.
        if event.type() == QtCore.QEvent.KeyPress and event.key() in (QtCore.Qt.Key_Tab, QtCore.Qt.Key_Backtab):
            self.keyPressEvent(event)
            return True
        return super().event(event)

    def keyPressEvent(self, event):
        key = self._key(event)
        if event.key() == QtCore.Qt.Key_F11 or (self._zooms and key is not None and key.character == "f"):
            self._toggle_full_screen()
        elif key == (keys.ESCAPE, False) and self._geometry is not None:
            self._leave_full_screen()
        else:
            self._window.typed += event.text() if event.text().isprintable() else ""
            self._window.keys += [] if key is None else [key]
            self._window.interrupt()

    def _key(self, event):
        shift = bool(event.modifiers() & QtCore.Qt.ShiftModifier)
        if event.key() in _NAMED_KEYS:
            return keys.Key(_NAMED_KEYS[event.key()], shift and event.key() != QtCore.Qt.Key_Escape)
        if event.matches(QtGui.QKeySequence.Undo):
            return keys.Key(keys.UNDO)
        typed = event.text() if event.text().isprintable() else ""
        if event.key() in _SILENT_KEYS or (not typed and event.text()):
            return None
        place = keys.key_at_place(event.nativeScanCode(), event.nativeVirtualKey(), sys.platform)
        return keys.resolve(typed, shift, place, self._with_shift)

    def closeEvent(self, event):
        self._window.closed = True
        self._window.interrupt()
        event.accept()
