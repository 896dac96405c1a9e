"""The editor's window: bars, canvas, strip, keys, navigation."""

from typing import Any, cast

from PyQt5.QtCore import QEvent, QSize, Qt, QTimer
from PyQt5.QtGui import QPixmap
from PyQt5.QtWidgets import QApplication, QHBoxLayout, QLabel, QMessageBox, QVBoxLayout, QWidget

from core.console import interact
from core.errors import UserError
from samplelib.faces.label_checks import excludes_text, only_excludes
from xseglib.editor import panels
from xseglib.editor.canvas import Canvas
from xseglib.editor.keys import held_modifiers, key_name, modifier_names
from xseglib.editor.loading import Scanner, to_qimage
from xseglib.editor.session import Session
from xseglib.editor.settings import COLORS, Settings
from xseglib.editor.texts import text
from xseglib.labels import Mode, Polygon
from xseglib.mesh_mask import outlines_of_mask

_FIRST_SIZE = (1100, 900)
_FRAME, _TITLE_BAR = 4, 36  # what a window manager draws around a window
_FIRST_REPEAT_MILLISECONDS, _REPEAT_MILLISECONDS = 300, 20
_VIEWS = {"baked": Mode.VIEW_BAKED, "xseg": Mode.VIEW_XSEG}
_KEY_CONTROLS = {"1": "red", "2": "green", "3": "blue", "4": "baked", "5": "xseg", "`": "overlay", "Q": "include",
                 "W": "exclude", "Delete": "delete", "X": "trash", "A": "previous", "D": "next"}  # fmt: skip
_OUTLINE_SIMPLIFY, _LEAST_OUTLINE_AREA = 1.5, 60


class Repeater(QTimer):
    """Does something at once, again after a while, then quickly, until it is stopped."""

    def __init__(self, parent: Any):
        super().__init__(parent)
        self._action = None
        self.timeout.connect(self._again)

    def begin(self, action: Any) -> Any:
        self._action = action
        action()
        self.start(_FIRST_REPEAT_MILLISECONDS)

    def _again(self):
        self.setInterval(_REPEAT_MILLISECONDS)
        self._action()


class EditorWindow(QWidget):
    """The main window.

    Parameters
    ----------
    session : Session
    settings : Settings
        Changed in place when the window closes.
    title : str
        Behind the program's name in the title bar.
    """

    def __init__(self, session: Session, settings: Settings, title: str):
        super().__init__()
        self.session, self.settings = session, settings
        self.setWindowTitle(f"{text('title')} - {title}")
        self.canvas = Canvas()
        self.canvas.color, self.canvas.overlay = settings.color, settings.overlay
        self._held: frozenset = frozenset()
        self._build()
        self._connect()
        self._repeater = Repeater(self)
        self.loading = panels.LoadingFrame(self, len(session.images.files))
        self._known = 0
        self.found_nothing = False
        self._scanner = Scanner(session.images.files)
        self._scanner.found.connect(self._take_found)
        self._scanner.finished.connect(self._finish_scan)
        self._application = cast(QApplication, QApplication.instance())
        self._application.installEventFilter(self)
        if settings.geometry and self.restoreGeometry(settings.geometry_bytes()):
            self._fit_screen()
        else:
            self.resize(QSize(*_FIRST_SIZE).boundedTo(self._room().size()))
        self._update_controls()
        self._scanner.start()

    def _room(self):
        """Where the window has room on its screen, its frame left aside."""
        screen = QApplication.screenAt(self.geometry().center()) or QApplication.primaryScreen()
        return screen.availableGeometry().adjusted(_FRAME, _TITLE_BAR, -_FRAME, -_FRAME)

    def _fit_screen(self):
        """Bring a window that was on a larger screen, or on one that is gone, wholly onto a screen that is there."""
        room, place = self._room(), self.geometry()
        if self.isMaximized() or self.isFullScreen() or room.contains(place):
            return
        place.setSize(place.size().boundedTo(room.size()))
        place.moveRight(min(place.right(), room.right()))
        place.moveBottom(min(place.bottom(), room.bottom()))
        place.moveLeft(max(place.left(), room.left()))
        place.moveTop(max(place.top(), room.top()))
        self.setGeometry(place)

    def _build(self):
        self.left, self.right, self.bottom = panels.left_bar(), panels.right_bar(), panels.BottomRow()
        self.place, self.name, self.count = QLabel(), panels.NameLabel(), QLabel()
        self.place.setObjectName("place")
        self.count.setAlignment(Qt.AlignRight)
        self.message = panels.Message(self.canvas)
        self.buttons = {**self.left.buttons, **self.right.buttons, **self.bottom.buttons}
        middle = QHBoxLayout()
        middle.addWidget(self.left)
        middle.addWidget(self.canvas, 1)
        middle.addWidget(self.right)
        line = QHBoxLayout()
        for widget in (self.place, self.name, self.count):
            line.addWidget(widget, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.addLayout(middle, 1)
        layout.addLayout(line)
        layout.addWidget(self.bottom)

    def _connect(self):
        self.session.message.connect(self._say)
        self.session.pictures.loaded.connect(lambda path: self._show_strip())
        self.canvas.changed.connect(self._update_controls)
        self.name.copied.connect(lambda name: self._say(text("copied").format(name)))
        for name in ("undo", "redo", "delete", "points", "lock", "overlay", "include", "exclude"):
            self.buttons[name].clicked.connect(lambda checked, name=name: self._activate(name, checked))
        for name in (*COLORS, *_VIEWS):
            self.buttons[name].clicked.connect(lambda checked, name=name: self._activate(name, checked))
        self.buttons["trash"].clicked.connect(self._trash)
        for name, direction in (("previous", -1), ("next", 1)):
            button = self.buttons[name]
            button.pressed.connect(lambda direction=direction: self._press_arrow(direction))
            button.released.connect(lambda: self._repeater.stop())

    # What the controls do

    def _activate(self, name, checked=None):
        """A control was used; ``checked`` is its new state when it was a press of its button."""
        interaction = self.canvas.interaction
        if interaction is None or not self.buttons[name].isEnabled():
            return
        if name in COLORS:
            if interaction.mode.is_view:
                interaction.view(Mode.NONE)
            self.canvas.color = name
        elif name in _VIEWS:
            interaction.view(_VIEWS[name])
            if name == "xseg" and self.canvas.face.mask is None:
                self._say(text("no mask"))
        elif name == "overlay":
            self.canvas.overlay = not self.canvas.overlay
            if self.canvas.overlay and self.canvas.face.mask is None:
                self._say(text("no mask"))
        elif name in ("include", "exclude"):
            interaction.include = name == "include"
        elif name == "undo":
            interaction.undo()
        elif name == "redo":
            interaction.redo()
        elif name == "delete":
            interaction.delete_polygon()
        elif name == "points":
            interaction.set_add_delete(checked)
        elif name == "lock":
            interaction.set_lock(checked)
        self.canvas.refresh()

    def _outline_applied_mask(self):
        """Make polygons of the applied mask's outlines, to be edited like any other."""
        interaction, face = self.canvas.interaction, self.canvas.face
        if interaction is None or interaction.mode is not Mode.NONE:
            return
        if face.applied is None:
            self._say(text("no mask"))
            return
        outlines = outlines_of_mask(face.applied, _OUTLINE_SIMPLIFY, _LEAST_OUTLINE_AREA)
        if outlines:
            interaction.labels.add_polygons([Polygon(True, tuple(map(tuple, outline))) for outline in outlines])
        self.canvas.refresh()

    def _update_controls(self):
        """Enable and switch every control as mode and face ask for."""
        interaction = self.canvas.interaction
        mode = interaction.mode if interaction is not None else None
        enabled = {
            **dict.fromkeys(("include", "exclude"), mode is Mode.NONE),
            "undo": interaction is not None and interaction.labels.can_undo,
            "redo": interaction is not None and interaction.labels.can_redo,
            **dict.fromkeys(("delete", "points"), mode is Mode.EDIT),
            "lock": mode is Mode.DRAW,
            **dict.fromkeys(("overlay", *COLORS, *_VIEWS), interaction is not None),
        }
        checked = {
            "include": interaction is None or interaction.include,
            "exclude": interaction is not None and not interaction.include,
            "points": interaction is not None and interaction.adds_and_deletes,
            "lock": interaction is not None and interaction.is_locked,
            "overlay": self.canvas.overlay,
            **{name: self.canvas.color == name and (mode is None or not mode.is_view) for name in COLORS},
            **{name: mode is view for name, view in _VIEWS.items()},
        }
        for name, value in enabled.items():
            self.buttons[name].setEnabled(value)
        for name, value in checked.items():
            if value or self.buttons[name].group() is None:
                self.buttons[name].setChecked(value)

    # Navigation

    def _press_arrow(self, direction):
        self._held = modifier_names(QApplication.keyboardModifiers())
        self._begin_steps(direction)

    def _begin_steps(self, direction):
        self._repeater.begin(lambda: self._step(direction))

    def _step(self, direction):
        if not self._leave_face():
            return
        if self.session.step(direction, self._held):
            self._show_face()
        else:
            self._show_texts()

    def _trash(self):
        if not self._leave_face():
            return
        try:
            self.session.trash()
        except UserError as error:
            self._say(str(error))
            return
        self._show_face()

    def _leave_face(self):
        """Store the open face and drop what was said about it; False where there is none, or it cannot be stored."""
        if self.canvas.interaction is None:
            return False
        self.message.hide()
        return self._save()

    def _save(self):
        """Store the labels of the open face. Where that fails it is told, and the face stays open: False."""
        try:
            self._store()
        except UserError as error:
            self._repeater.stop()
            self._say(text("not saved").format(error))
            return False
        return True

    def _store(self):
        interaction = self.canvas.interaction
        if interaction is not None:
            interaction.finish()
            self.canvas.refresh()
            polygons = interaction.labels.stored()
            self.session.save(polygons)
            if only_excludes(polygons):
                self._say(text("only excludes").format(self.session.face.path.name))

    def _show_face(self):
        interaction = self.canvas.interaction
        mode = interaction.mode if interaction is not None and interaction.mode.is_view else Mode.NONE
        self.canvas.open(self.session.face, mode)
        self._show_texts()
        self._show_strip()

    def _show_texts(self):
        face = self.session.face
        self.name.setText(face.path.name if face is not None else "")
        self.place.setText("{}/{}".format(*self.session.images.position) if face is not None else "")
        count = f"{self.session.images.labelled_count} {text('labeled')}"
        if self._known < len(self.session.images.files) and self._scanner is not None:
            count = f"{text('loading')} {self._known}/{len(self.session.images.files)}   {count}"
        self.count.setText(count)

    def _show_strip(self):
        pictures = {}
        for place, path in self.session.neighbours(panels.STRIP_REACH).items():
            picture = self.session.pictures.ready(path)
            pictures[place] = None if picture is None else QPixmap.fromImage(to_qimage(picture))
        self.bottom.strip.show_pictures(pictures)

    def _say(self, message):
        interact.info(message)
        self.message.say(message)

    # Loading

    def _take_found(self, news):
        for path, info in news:
            if not self.session.images.is_known(path):
                self.session.images.note(path, info)
        self._known += len(news)
        if news:
            self.loading.advance(self._known, news[-1][0].name)
        if self.session.face is None and any(info.is_face for _, info in news):
            self.session.open_first()
            self.loading.hide()
            self._show_face()
        else:
            self._show_texts()

    def _finish_scan(self):
        images = self.session.images
        self._known = len(images.files)
        self.loading.hide()
        for path in images.files:
            if images.info(path).problem:
                interact.warning(text("cannot open").format(images.info(path).problem))
        left_out = sum(not images.info(path).is_face for path in images.files)
        if left_out:
            interact.info(f"{left_out} of {len(images.files)} pictures are no aligned faces and are left out.")
        self._show_texts()
        if self.session.face is None and images.labelled_count == 0 and left_out == len(images.files):
            self.found_nothing = True
            self.close()

    def _tell_empty_masks(self):
        """Name the faces whose labels make an empty mask, as far as the editor knows them."""
        images = self.session.images
        names = [path.name for path in images.files if images.is_known(path) and images.info(path).only_excludes]
        if names:
            interact.warning(f"{excludes_text(names)}.")

    # Events

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Keys reach the window whatever widget has the focus."""
        kind = event.type()
        if kind in (QEvent.KeyPress, QEvent.KeyRelease) and watched in (self, self.windowHandle()):
            return self._key(event, kind == QEvent.KeyPress)
        return super().eventFilter(watched, event)

    def _key(self, event, pressed):
        name, held = key_name(event), held_modifiers(event, pressed)
        if event.isAutoRepeat():
            if pressed and name == "Z":
                self._undo_or_redo(held)
            return True
        self._held = held
        self.canvas.hold(held)
        if not pressed:
            self._repeater.stop()
        elif name == "Z":
            self._undo_or_redo(held)
        elif name in ("A", "D"):
            self._begin_steps(-1 if name == "A" else 1)
        elif name == "X":
            self._trash()
        elif name == "G" and not held:
            self._outline_applied_mask()
        elif name in _KEY_CONTROLS and not held & {"ctrl", "alt", "meta"}:
            self._activate(_KEY_CONTROLS[name])
        return True

    def _undo_or_redo(self, held):
        if held == {"ctrl"}:
            self._activate("undo")
        elif held == {"ctrl", "shift"}:
            self._activate("redo")

    def changeEvent(self, event: Any) -> None:
        if event.type() == QEvent.ActivationChange and not self.isActiveWindow():
            self._repeater.stop()
            self._held = frozenset()
            self.canvas.hold(self._held)
            if self.canvas.interaction is not None:
                self.canvas.interaction.drop_drag()
        super().changeEvent(event)

    def resizeEvent(self, event: Any) -> None:
        self.loading.setGeometry(self.rect())
        super().resizeEvent(event)

    def closeEvent(self, event: Any) -> None:
        """Save first; when that fails, only a yes of the user closes."""
        self._repeater.stop()
        try:
            self._store()
        except UserError as error:
            question = text("close anyway").format(error)
            if QMessageBox.question(self, text("title"), question) != QMessageBox.Yes:
                event.ignore()
                return
        self._tell_empty_masks()
        self.settings.color, self.settings.overlay = self.canvas.color, self.canvas.overlay
        self.settings.remember_geometry(bytes(self.saveGeometry()))
        self._scanner.stop()
        self._application.removeEventFilter(self)
        self.session.close()
        event.accept()
