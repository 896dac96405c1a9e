"""Draws polygons and their marks onto the canvas."""

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPainterPath, QPen, QPixmap, QPolygonF

from xseglib.interaction import Interaction
from xseglib.labels import LEAST_POINTS, Mode

COLORS = {"red": QColor(192, 0, 0), "green": QColor(0, 192, 0), "blue": QColor(0, 0, 192)}

_OUTLINE_WIDTH = 2
_FILL_ALPHA = 72
_MARK_ARM, _DELETE_ARM, _CLOSE_RADIUS = 4, 8, 8


def paint_background(painter: QPainter, interaction: Interaction, picture: QPixmap) -> None:
    """The picture where zoom and position put it."""
    left, top = interaction.viewport.to_canvas((0, 0))
    scale = interaction.viewport.scale
    target = QRectF(left, top, picture.width() * scale, picture.height() * scale)
    painter.drawPixmap(target, picture, QRectF(picture.rect()))


def paint_labels(painter: QPainter, interaction: Interaction, color: QColor) -> None:
    """All polygons, and the marks that tell what a press would do."""
    hovered = interaction.wire_under_cursor()
    for index, polygon in enumerate(interaction.labels.polygons):
        _paint_polygon(painter, interaction.outline(index), polygon.include, color, index == hovered)
    if interaction.mode is Mode.DRAW:
        _paint_drawing(painter, interaction, color)
    elif interaction.mode is Mode.EDIT:
        _paint_editing(painter, interaction, color)


def _paint_polygon(painter, corners, include, color, filled):
    outline = QPolygonF([QPointF(x, y) for x, y in corners])
    path = QPainterPath()
    path.addPolygon(outline)
    if len(corners) >= 2:
        path.closeSubpath()
    path.setFillRule(Qt.OddEvenFill)
    painter.setPen(_outline_pen(color, include))
    painter.setBrush(QColor(color.red(), color.green(), color.blue(), _FILL_ALPHA) if filled else Qt.NoBrush)
    painter.drawPath(path)


def _paint_drawing(painter, interaction, color):
    corners = interaction.outline()
    painter.setPen(_outline_pen(color, True))
    painter.setBrush(Qt.NoBrush)
    for corner in corners:
        _cross(painter, corner, _MARK_ARM)
    if interaction.cursor is not None:
        painter.setPen(_outline_pen(color, interaction.labels.current.include))
        cursor = QPointF(*interaction.cursor)
        painter.drawLine(QPointF(*corners[-1]), cursor)
        if len(corners) >= 2:
            painter.drawLine(cursor, QPointF(*corners[0]))
    if len(corners) >= LEAST_POINTS and interaction.closes_polygon():
        painter.setPen(QPen(QColor(255, 255, 255), 1))
        painter.drawEllipse(QPointF(*corners[0]), _CLOSE_RADIUS, _CLOSE_RADIUS)


def _paint_editing(painter, interaction, color):
    corners = interaction.outline()
    painter.setPen(_outline_pen(color, True))
    painter.setBrush(Qt.NoBrush)
    if not interaction.adds_and_deletes:
        for corner in corners:
            _cross(painter, corner, _MARK_ARM)
        return
    point, edge = interaction.point_under_cursor(), interaction.edge_under_cursor()
    if point is not None:
        _diagonal_cross(painter, corners[point], _DELETE_ARM)
    elif edge is not None:
        _cross(painter, edge.projection, _MARK_ARM)


def _outline_pen(color, include):
    return QPen(color, _OUTLINE_WIDTH, Qt.SolidLine if include else Qt.DotLine, Qt.RoundCap, Qt.RoundJoin)


def _cross(painter, center, arm):
    x, y = center
    painter.drawLine(QPointF(x - arm, y), QPointF(x + arm, y))
    painter.drawLine(QPointF(x, y - arm), QPointF(x, y + arm))


def _diagonal_cross(painter, center, arm):
    x, y = center
    painter.drawLine(QPointF(x - arm, y - arm), QPointF(x + arm, y + arm))
    painter.drawLine(QPointF(x - arm, y + arm), QPointF(x + arm, y - arm))
