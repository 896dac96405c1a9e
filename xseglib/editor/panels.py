"""Tool bars, thumbnail strip, loading frame and message line of the editor."""

from typing import Any

from PyQt5.QtCore import QSize, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QColor, QGuiApplication, QPainter, QPixmap
from PyQt5.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from xseglib.editor import icons
from xseglib.editor.texts import text, tool_tip

STRIP_REACH = 4
_SMALL_CELL, _LARGE_CELL = 64, 80
_FAINT = 0.5
_MESSAGE_MILLISECONDS = 8000


def tool_button(name: str, hot_key: str | None = None, size: int = 48, checkable: bool = False) -> QToolButton:
    """Button with the picture and the tip of a control."""
    button = QToolButton()
    button.setObjectName(name)
    button.setIcon(icons.tool_icon(name, size))
    button.setIconSize(QSize(size, size))
    button.setToolTip(tool_tip(name, hot_key))
    button.setCheckable(checkable)
    button.setAutoRaise(True)
    button.setFocusPolicy(Qt.NoFocus)
    return button


class Bar(QWidget):
    """Column of framed groups of buttons, named by ``buttons``."""

    def __init__(self, groups: list[list[QToolButton]]):
        super().__init__()
        self.buttons = {button.objectName(): button for group in groups for button in group}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        for group in groups:
            frame = QFrame()
            frame.setFrameShape(QFrame.StyledPanel)
            column = QVBoxLayout(frame)
            column.setContentsMargins(2, 2, 2, 2)
            for button in group:
                column.addWidget(button)
            layout.addWidget(frame)
        layout.addStretch()


def left_bar() -> Bar:
    """Include and exclude; undo, redo, delete; add/delete points."""
    bar = Bar(
        [
            [tool_button("include", "Q", checkable=True), tool_button("exclude", "W", checkable=True)],
            [
                tool_button("undo", "Ctrl+Z"),
                tool_button("redo", "Ctrl+Shift+Z"),
                tool_button("delete", "Delete"),
            ],
            [tool_button("points", checkable=True)],
        ]
    )
    _exclusive(bar, "include", "exclude")
    for name in ("undo", "redo"):
        bar.buttons[name].setAutoRepeat(True)
    return bar


def right_bar() -> Bar:
    """Overlay; colours and masks; lock at the centre."""
    bar = Bar(
        [
            [tool_button("overlay", "`", checkable=True)],
            [
                tool_button(name, key, checkable=True)
                for name, key in (("red", "1"), ("green", "2"), ("blue", "3"), ("baked", "4"), ("xseg", "5"))
            ],
            [tool_button("lock", checkable=True)],
        ]
    )
    _exclusive(bar, "red", "green", "blue", "baked", "xseg")
    return bar


class Strip(QWidget):
    """Nine pictures in a row: the current one in the middle, its neighbours faint on both sides."""

    def __init__(self):
        super().__init__()
        self._cells = {}
        self.setFixedSize(2 * STRIP_REACH * (_SMALL_CELL + 4) + _LARGE_CELL, _LARGE_CELL)

    def show_pictures(self, pictures: dict[int, QPixmap | None]) -> None:
        """Pictures by place: 0 is the current one, −1 the one before. A missing one is black."""
        self._cells = {
            place: picture and picture.scaled(self._side(place), self._side(place), Qt.IgnoreAspectRatio, Qt.SmoothTransformation)
            for place, picture in pictures.items()
        }  # fmt: skip
        self.update()

    def paintEvent(self, event: Any) -> None:
        painter = QPainter(self)
        for place in range(-STRIP_REACH, STRIP_REACH + 1):
            side = self._side(place)
            left = self.width() // 2 - side // 2 + place * (_SMALL_CELL + 4) + (8 * (place > 0) - 8 * (place < 0))
            top = (self.height() - side) // 2
            painter.setOpacity(1)
            painter.fillRect(left, top, side, side, QColor(0, 0, 0))
            if self._cells.get(place) is not None:
                painter.setOpacity(1 if place == 0 else _FAINT)
                painter.drawPixmap(left, top, side, side, self._cells[place])

    @staticmethod
    def _side(place):
        return _LARGE_CELL if place == 0 else _SMALL_CELL


class NameLabel(QLabel):
    """File name in a monospaced font; a click copies it."""

    copied = pyqtSignal(str)

    def __init__(self):
        super().__init__()
        font = self.font()
        font.setFamily("monospace")
        font.setStyleHint(font.Monospace)
        self.setFont(font)
        self.setAlignment(Qt.AlignCenter)
        self.setToolTip(text("copy name"))

    def mousePressEvent(self, event: Any) -> None:
        if self.text():
            QGuiApplication.clipboard().setText(self.text())
            self.copied.emit(self.text())


class Message(QLabel):
    """Line over the canvas that tells about problems and goes away by itself."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.setStyleSheet("background: rgba(140, 20, 20, 220); color: white; padding: 6px;")
        self.setWordWrap(True)
        self.hide()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.hide)

    def say(self, message: str) -> None:
        """Show a message for some seconds."""
        self.setText(message)
        self.setFixedWidth(self.parentWidget().width())
        self.adjustSize()
        self.move(0, 0)
        self.raise_()
        self.show()
        self._timer.start(_MESSAGE_MILLISECONDS)


class LoadingFrame(QFrame):
    """Covers the whole window until the first face is there."""

    def __init__(self, parent: QWidget, total: int):
        super().__init__(parent)
        self.setAutoFillBackground(True)
        picture = QLabel()
        picture.setPixmap(icons.splash())
        picture.setAlignment(Qt.AlignCenter)
        self._label = QLabel(text("loading") + "...")
        self._label.setAlignment(Qt.AlignCenter)
        self._bar = QProgressBar()
        self._bar.setRange(0, total)
        layout = QVBoxLayout(self)
        layout.addStretch()
        layout.addWidget(picture)
        layout.addWidget(self._label)
        layout.addWidget(self._bar)
        layout.addStretch()

    def advance(self, count: int, name: str) -> None:
        """``count`` files are known, the last of them is ``name``."""
        self._bar.setValue(count)
        self._label.setText(f"{text('loading')}... {name}")


class BottomRow(QWidget):
    """Arrows, thumbnails and bin."""

    def __init__(self):
        super().__init__()
        self.strip = Strip()
        self.previous, self.next = tool_button("previous", "A", 64), tool_button("next", "D", 64)
        self.trash = tool_button("trash", "X", 64)
        self.buttons = {button.objectName(): button for button in (self.previous, self.next, self.trash)}
        pad = QWidget()
        pad.setFixedWidth(self.trash.sizeHint().width())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 2, 4, 2)
        layout.addWidget(pad)
        layout.addStretch()
        for widget in (self.previous, self.strip, self.next):
            layout.addWidget(widget)
        layout.addStretch()
        layout.addWidget(self.trash)


def _exclusive(bar, *names):
    group = QButtonGroup(bar)
    for name in names:
        group.addButton(bar.buttons[name])
