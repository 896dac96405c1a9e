"""The widget on which a face is shown and labelled."""

from typing import Any

import numpy as np
from PyQt5.QtCore import QPoint, Qt, pyqtSignal
from PyQt5.QtGui import QCursor, QPainter, QPixmap
from PyQt5.QtWidgets import QWidget

from xseglib.editor import icons
from xseglib.editor.keys import modifier_names
from xseglib.editor.loading import OpenFace, to_qimage
from xseglib.editor.painting import COLORS, paint_background, paint_labels
from xseglib.interaction import Interaction
from xseglib.labels import Labels, Mode
from xseglib.viewport import Viewport


class Canvas(QWidget):
    """Shows a face and hands mouse events to its :class:`~xseglib.interaction.Interaction`.

    Signals
    -------
    changed
        Something happened after which controls may have to be enabled or switched.
    """

    changed = pyqtSignal()

    def __init__(self):
        super().__init__()
        self.face = None
        self.interaction = None
        self.color, self.overlay = "green", False
        self._picture = None
        self._shown = None
        self._cursors = {name: icons.cross_hair(color) for name, color in COLORS.items()}
        self.setMouseTracking(True)
        self.setMinimumSize(256, 256)
        self.setAttribute(Qt.WA_OpaquePaintEvent)

    def open(self, face: OpenFace | None, mode: Mode = Mode.NONE) -> None:
        """Show another face from the start, or none."""
        self.face = face
        self.interaction = None
        if face is not None:
            viewport = Viewport((face.picture.width(), face.picture.height()), (self.width(), self.height()))
            self.interaction = Interaction(Labels(face.metadata.polygons, mode), viewport, self._warp_cursor)
            position = self.mapFromGlobal(QCursor.pos())
            if self.underMouse():
                self.interaction.move((position.x(), position.y()))
        self.refresh()

    def refresh(self) -> None:
        """Draw again, with the pointer that fits."""
        self._shown = None
        self._choose_cursor()
        self.update()
        self.changed.emit()

    def hold(self, modifiers: frozenset) -> None:
        """Modifier keys as they are now."""
        if self.interaction is not None:
            self.interaction.hold(modifiers == {"shift"}, modifiers == {"ctrl"})
            self.refresh()

    def mousePressEvent(self, event: Any) -> None:
        if self.interaction is None:
            return
        self._hold(event)
        if event.button() == Qt.LeftButton:
            self.interaction.press_left(_place(event))
        elif event.button() == Qt.MiddleButton:
            self.interaction.press_middle(_place(event))
        self.refresh()

    def mouseReleaseEvent(self, event: Any) -> None:
        if self.interaction is None:
            return
        if event.button() == Qt.LeftButton:
            self.interaction.release_left(_place(event))
        elif event.button() == Qt.MiddleButton:
            self.interaction.release_middle(_place(event))
        self.refresh()

    def mouseMoveEvent(self, event: Any) -> None:
        if self.interaction is None:
            return
        self._hold(event)
        self.interaction.move(_place(event))
        self._choose_cursor()
        self.update()

    def wheelEvent(self, event: Any) -> None:
        turn = event.angleDelta().y() or event.angleDelta().x()
        if self.interaction is not None and turn:
            self.interaction.wheel(1 if turn > 0 else -1, (event.position().x(), event.position().y()))
            self._choose_cursor()
            self.update()

    def leaveEvent(self, event: Any) -> None:
        if self.interaction is not None:
            self.interaction.leave_canvas()
            self.update()

    def resizeEvent(self, event: Any) -> None:
        if self.interaction is not None:
            self.interaction.viewport.resize((self.width(), self.height()))

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().base())
        if self.interaction is None:
            return
        painter.setRenderHints(QPainter.Antialiasing | QPainter.SmoothPixmapTransform)
        picture = self._background()
        if picture is not None:
            paint_background(painter, self.interaction, picture)
        if not self.interaction.mode.is_view:
            paint_labels(painter, self.interaction, COLORS[self.color])
        if self.interaction.is_locked:
            x, y = self.interaction.viewport.center
            painter.drawPixmap(QPoint(int(x) - 16, int(y) - 16), self._cursors[self.color].pixmap())

    def _background(self):
        """Picture of the current mode as a pixmap; None when there is nothing to show."""
        if self._shown is None:
            image = self._image()
            self._shown = (QPixmap.fromImage(image) if image is not None else None,)
        return self._shown[0]

    def _image(self):
        if self.interaction.mode is Mode.VIEW_BAKED:
            baked = self.interaction.labels.baked(self.face.picture.height(), self.face.picture.width())
            return to_qimage((baked[:, :, 0] * 255).astype(np.uint8))
        if self.interaction.mode is Mode.VIEW_XSEG:
            return self.face.mask
        return self.face.overlay if self.overlay and self.face.overlay is not None else self.face.picture

    def _choose_cursor(self):
        interaction = self.interaction
        if interaction is None or interaction.mode.is_view:
            shape = Qt.ArrowCursor
        elif interaction.mode is Mode.DRAW:
            shape = Qt.BlankCursor if interaction.is_locked else self._cursors[self.color]
        elif interaction.mode is Mode.NONE:
            shape = self._cursors[self.color] if interaction.wire_under_cursor() is None else Qt.PointingHandCursor
        elif interaction.point_under_cursor() is not None:
            shape = Qt.PointingHandCursor
        elif interaction.adds_and_deletes and interaction.edge_under_cursor() is not None:
            shape = self._cursors[self.color]
        else:
            shape = Qt.ArrowCursor
        if interaction is not None and interaction.is_panning:
            shape = Qt.ClosedHandCursor
        self.setCursor(shape)

    def _hold(self, event):
        """Modifiers as the mouse event reports them: key events get lost while another window is active."""
        held = modifier_names(event.modifiers())
        self.interaction.hold(held == {"shift"}, held == {"ctrl"})

    def _warp_cursor(self, position):
        QCursor.setPos(self.mapToGlobal(QPoint(int(position[0]), int(position[1]))))
        place = self.mapFromGlobal(QCursor.pos())
        return np.array([place.x(), place.y()], np.float64)


def _place(event):
    return event.x(), event.y()
