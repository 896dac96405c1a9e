"""The editor's own pictures: tool icons, arrows, cross-hair cursor and the loading picture, drawn when needed."""

from collections.abc import Callable

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import (
    QBrush,
    QColor,
    QCursor,
    QFont,
    QIcon,
    QPainter,
    QPainterPath,
    QPen,
    QPixmap,
    QPolygonF,
    QRadialGradient,
)

_GRID = 48
_SKIN, _HAIR, _LINE = QColor(222, 178, 150), QColor(92, 62, 44), QColor(225, 225, 225)
_TRIANGLE = QPolygonF([QPointF(9, 37), QPointF(24, 10), QPointF(39, 34)])


def tool_icon(name: str, size: int = _GRID) -> QIcon:
    """Icon of a control; see the functions below for the names."""
    pixmap = QPixmap(2 * size, 2 * size)
    pixmap.fill(Qt.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.scale(2 * size / _GRID, 2 * size / _GRID)
    _PICTURES[name](painter)
    painter.end()
    icon = QIcon(pixmap)
    icon.addPixmap(_faint(pixmap), QIcon.Disabled)
    return icon


def cross_hair(color: QColor) -> QCursor:
    """32 × 32 cursor: four short bars around an open middle, which is the hot spot."""
    pixmap = QPixmap(32, 32)
    pixmap.fill(Qt.transparent)
    painter = QPainter(pixmap)
    for background, width in ((QColor(0, 0, 0, 160), 4), (color, 2)):
        painter.setPen(QPen(background, width, Qt.SolidLine, Qt.FlatCap))
        for x1, y1, x2, y2 in ((16, 2, 16, 11), (16, 21, 16, 30), (2, 16, 11, 16), (21, 16, 30, 16)):
            painter.drawLine(x1, y1, x2, y2)
    painter.end()
    return QCursor(pixmap, 16, 16)


def splash(size: int = 512) -> QPixmap:
    """Loading picture: a face with a half-drawn mask."""
    pixmap = QPixmap(size, size)
    pixmap.fill(QColor(35, 35, 35))
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.Antialiasing)
    painter.scale(size / _GRID, size / _GRID)
    _face(painter)
    painter.setPen(QPen(QColor(0, 192, 0), 0.5, Qt.SolidLine, Qt.RoundCap))
    outline = [(15, 12), (33, 12), (37, 24), (31, 37), (24, 41), (17, 37)]
    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in outline]))
    painter.setBrush(QColor(0, 192, 0))
    for x, y in outline:
        painter.drawEllipse(QPointF(x, y), 0.6, 0.6)
    _label(painter, "XSeg", 24, 46, 4)
    painter.end()
    return pixmap


def _faint(pixmap):
    faint = QPixmap(pixmap.size())
    faint.fill(Qt.transparent)
    painter = QPainter(faint)
    painter.setOpacity(0.25)
    painter.drawPixmap(0, 0, pixmap)
    painter.end()
    return faint


def _pen(painter, color, width=2.0, style=Qt.SolidLine):
    painter.setPen(QPen(color, width, style, Qt.RoundCap, Qt.RoundJoin))
    painter.setBrush(Qt.NoBrush)


def _face(painter):
    painter.setPen(Qt.NoPen)
    painter.setBrush(_HAIR)
    painter.drawEllipse(QRectF(9, 3, 30, 34))
    painter.setBrush(_SKIN)
    painter.drawEllipse(QRectF(12, 8, 24, 34))
    painter.setBrush(QColor(60, 40, 30))
    painter.drawEllipse(QPointF(19, 21), 1.6, 1.6)
    painter.drawEllipse(QPointF(29, 21), 1.6, 1.6)
    _pen(painter, QColor(150, 80, 70), 1.5)
    painter.drawArc(QRectF(19, 28, 10, 6), 200 * 16, 140 * 16)


def _eye(painter, x=36, y=38):
    path = QPainterPath(QPointF(x - 9, y))
    path.quadTo(QPointF(x, y - 9), QPointF(x + 9, y))
    path.quadTo(QPointF(x, y + 9), QPointF(x - 9, y))
    painter.setPen(QPen(QColor(20, 20, 20), 1))
    painter.setBrush(QColor(245, 245, 245))
    painter.drawPath(path)
    painter.setBrush(QColor(42, 130, 218))
    painter.drawEllipse(QPointF(x, y), 3.2, 3.2)
    painter.setBrush(QColor(10, 10, 10))
    painter.drawEllipse(QPointF(x, y), 1.3, 1.3)


def _label(painter, text, x, y, size=10):
    font = QFont("sans-serif")
    font.setPixelSize(max(1, round(size)))
    font.setBold(True)
    path = QPainterPath()
    path.addText(0, 0, font, text)
    width = path.boundingRect().width()
    path.translate(x - width / 2, y)
    painter.setPen(QPen(QColor(0, 0, 0), size / 5, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin))
    painter.setBrush(Qt.NoBrush)
    painter.drawPath(path)
    painter.setPen(Qt.NoPen)
    painter.setBrush(QColor(255, 220, 60))
    painter.drawPath(path)


def _dot(painter, x, y):
    painter.setPen(QPen(QColor(20, 20, 20), 0.8))
    painter.setBrush(QColor(0, 192, 0))
    painter.drawEllipse(QPointF(x, y), 3, 3)


def _include(painter):
    _face(painter)
    _pen(painter, QColor(0, 192, 0), 2.5)
    painter.setBrush(QColor(0, 192, 0, 110))
    painter.drawPolygon(QPolygonF([QPointF(14, 36), QPointF(24, 13), QPointF(34, 34)]))


def _exclude(painter):
    _face(painter)
    painter.setPen(Qt.NoPen)
    painter.setBrush(_HAIR)
    painter.drawPie(QRectF(6, 1, 36, 40), 20 * 16, 150 * 16)
    _pen(painter, QColor(230, 60, 50), 2.5, Qt.DotLine)
    painter.drawPolygon(QPolygonF([QPointF(9, 22), QPointF(25, 4), QPointF(38, 20)]))


def _undo(painter):
    _turn(painter)


def _redo(painter):
    painter.translate(_GRID, 0)
    painter.scale(-1, 1)
    _turn(painter)


def _turn(painter):
    _pen(painter, _LINE, 3.5)
    path = QPainterPath(QPointF(12, 18))
    path.cubicTo(QPointF(34, 10), QPointF(42, 24), QPointF(33, 34))
    painter.drawPath(path)
    painter.drawPolyline(QPolygonF([QPointF(20, 8), QPointF(10, 18), QPointF(22, 25)]))
    _dot(painter, 27, 38)


def _delete(painter):
    _pen(painter, QColor(0, 192, 0), 2)
    painter.drawPolygon(QPolygonF([QPointF(8, 18), QPointF(26, 7), QPointF(41, 20), QPointF(34, 40), QPointF(14, 38)]))
    _pen(painter, QColor(230, 60, 50), 4)
    painter.drawLine(13, 13, 35, 35)
    painter.drawLine(35, 13, 13, 35)


def _points(painter):
    _pen(painter, QColor(0, 192, 0), 2)
    painter.drawPolyline(QPolygonF([QPointF(7, 38), QPointF(24, 20), QPointF(41, 10)]))
    _dot(painter, 7, 38)
    _dot(painter, 41, 10)
    _pen(painter, _LINE, 1.6, Qt.DotLine)
    painter.drawEllipse(QPointF(24, 20), 5, 5)
    _pen(painter, _LINE, 2.5)
    painter.drawLine(33, 31, 33, 41)
    painter.drawLine(28, 36, 38, 36)


def _overlay(painter):
    _face(painter)
    painter.setPen(Qt.NoPen)
    painter.setBrush(QColor(0, 0, 0, 120))
    outside = QPainterPath()
    outside.addRect(QRectF(6, 2, 36, 42))
    inside = QPainterPath()
    inside.addEllipse(QRectF(13, 10, 22, 31))
    painter.drawPath(outside.subtracted(inside))
    _eye(painter)
    _label(painter, "XSeg", 20, 13)


def _color(color):
    def draw(painter):
        _pen(painter, color, 2.5)
        fill = QColor(color)
        fill.setAlpha(150)
        painter.setBrush(fill)
        painter.drawPolygon(_TRIANGLE)
        _eye(painter)

    return draw


def _black_card(painter):
    painter.setPen(QPen(QColor(110, 110, 110), 1))
    painter.setBrush(QColor(0, 0, 0))
    painter.drawRect(QRectF(5, 5, 38, 38))


def _baked(painter):
    _black_card(painter)
    painter.setPen(Qt.NoPen)
    painter.setBrush(QColor(255, 255, 255))
    corners = [(14, 14), (24, 9), (35, 15), (34, 30), (24, 40), (14, 30)]
    painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in corners]))
    _eye(painter)


def _xseg(painter):
    _black_card(painter)
    gradient = QRadialGradient(QPointF(24, 25), 17)
    gradient.setColorAt(0.0, QColor(255, 255, 255))
    gradient.setColorAt(0.75, QColor(255, 255, 255))
    gradient.setColorAt(1.0, QColor(0, 0, 0))
    painter.setPen(Qt.NoPen)
    painter.setBrush(QBrush(gradient))
    painter.drawEllipse(QPointF(24, 25), 14, 17)
    _eye(painter)
    _label(painter, "XSeg", 20, 14)


def _lock(painter):
    _pen(painter, _LINE, 2.5)
    for x1, y1, x2, y2 in ((18, 4, 18, 13), (18, 23, 18, 32), (4, 18, 13, 18), (23, 18, 32, 18)):
        painter.drawLine(x1, y1, x2, y2)
    _pen(painter, QColor(255, 200, 60), 2.5)
    painter.drawArc(QRectF(29, 22, 10, 14), 0, 180 * 16)
    painter.setPen(QPen(QColor(60, 45, 10), 1))
    painter.setBrush(QColor(255, 200, 60))
    painter.drawRoundedRect(QRectF(26, 29, 16, 13), 2, 2)


def _next(painter):
    painter.setPen(Qt.NoPen)
    painter.setBrush(_LINE)
    painter.drawPolygon(QPolygonF([QPointF(14, 8), QPointF(38, 24), QPointF(14, 40)]))


def _previous(painter):
    painter.translate(_GRID, 0)
    painter.scale(-1, 1)
    _next(painter)


def _trash(painter):
    _pen(painter, _LINE, 2.5)
    painter.drawPolyline(QPolygonF([QPointF(12, 14), QPointF(15, 42), QPointF(33, 42), QPointF(36, 14)]))
    painter.drawLine(8, 13, 40, 13)
    painter.drawPolyline(QPolygonF([QPointF(19, 12), QPointF(19, 7), QPointF(29, 7), QPointF(29, 12)]))
    for x in (19, 24, 29):
        painter.drawLine(QPointF(x, 20), QPointF(x, 36))


_PICTURES: dict[str, Callable[[QPainter], None]] = {
    "include": _include,
    "exclude": _exclude,
    "undo": _undo,
    "redo": _redo,
    "delete": _delete,
    "points": _points,
    "overlay": _overlay,
    "red": _color(QColor(192, 0, 0)),
    "green": _color(QColor(0, 192, 0)),
    "blue": _color(QColor(0, 0, 192)),
    "baked": _baked,
    "xseg": _xseg,
    "lock": _lock,
    "previous": _previous,
    "next": _next,
    "trash": _trash,
}
