"""A window that shows the pictures of a folder page by page, where the system has no viewer."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from core.console import interact
from core.console.commands import command
from core.console.counted import counted
from core.errors import UserError
from core.files.imageio import decode_image, read_bgr, to_bgr8
from core.files.paths import free_name, list_images, natural_key
from core.parallel import ordered_map
from core.window import keys
from core.window.mouse import LEFT_DOWN, RIGHT_DOWN, MouseEvent
from core.window.picture_window import open_window
from samplelib.packs.names import PACK_NAME
from samplelib.packs.reading import PackEntry, read_pack

TILE, CAPTION, FOOT = 144, 18, 24
COLUMNS, ROWS = 8, 5
PER_PAGE = COLUMNS * ROWS
TITLE = "View"

_GREY, _WHITE, _MARK_COLOR = (60, 60, 60), (220, 220, 220), (60, 80, 255)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TICK_SECONDS = 0.1
_KEYS = "[space] [,] pages  [click] enlarge  [right click] mark  [type] filter  [Ctrl+Z] undo  [q] close"
_PACK_KEYS = "[space] [,] pages  [click] enlarge  [type] filter  [q] close"
_ONLY_SHOWN = "A packed faceset is only shown. To mark and move pictures, unpack it: {}"
_NEXT, _PREVIOUS = (" ", ".", keys.RIGHT, keys.PAGE_DOWN), (",", keys.LEFT, keys.PAGE_UP)


@dataclass(frozen=True)
class PackedPicture:
    """A picture of a packed faceset, in the place of a path.

    Parameters
    ----------
    name : str
        With its person's folder, if it has one.
    entry : samplelib.packs.reading.PackEntry
    """

    name: str
    entry: PackEntry = field(compare=False)

    def read_bgr(self) -> np.ndarray:
        """(H, W, 3) uint8 BGR; an error when the pack is damaged there."""
        return to_bgr8(decode_image(self.entry.read_bytes(), self.entry.place))


Picture = Path | PackedPicture


def contact_sheet(paths: list[Picture], marked: frozenset = frozenset(), foot: str = "") -> np.ndarray:
    """Up to 40 pictures with their names and a line below, (834, 1152, 3) uint8 BGR; what cannot be read stays grey.

    Parameters
    ----------
    paths : list of Path or PackedPicture
    marked : set of Path
        Drawn with a cross.
    foot : str
    """
    sheet = np.full((ROWS * (TILE + CAPTION) + FOOT, COLUMNS * TILE, 3), 30, np.uint8)
    for number, outcome in enumerate(ordered_map(_tile, paths[:PER_PAGE])):
        top, left = number // COLUMNS * (TILE + CAPTION), number % COLUMNS * TILE
        tile = np.full((TILE, TILE, 3), _GREY, np.uint8) if outcome.error else outcome.value
        if outcome.item in marked:
            cv2.rectangle(tile, (2, 2), (TILE - 3, TILE - 3), _MARK_COLOR, 3)
            cv2.line(tile, (4, 4), (TILE - 5, TILE - 5), _MARK_COLOR, 2, cv2.LINE_AA)
            cv2.line(tile, (4, TILE - 5), (TILE - 5, 4), _MARK_COLOR, 2, cv2.LINE_AA)
        sheet[top : top + TILE, left : left + TILE] = tile
        name = outcome.item.name if len(outcome.item.name) <= 22 else f"..{outcome.item.name[-20:]}"
        _write(sheet, name, (left + 2, top + TILE + CAPTION - 6), 0.36)
    _write(sheet, foot, (6, sheet.shape[0] - 8), 0.45)
    return sheet


class Viewer:
    """What keys and mouse do to the sheet; no window here.

    Parameters
    ----------
    folder : Path
        If it holds nothing but a packed faceset, the pictures of that are shown, and none can be moved to the trash.

    Attributes
    ----------
    paths : list of Path or PackedPicture
        The pictures whose names contain :attr:`filter`.
    page : int
    marked : set of Path
    enlarged : Path or None
        The picture that fills the window.
    closing : bool
    """

    def __init__(self, folder: Path):
        self.folder, self.trash = folder, folder.with_name(f"{folder.name}_trash")
        self._all: Sequence[Picture] = list_images(folder)
        self.is_packed = not self._all and (folder / PACK_NAME).is_file()
        if self.is_packed:
            self._all = packed_pictures(folder / PACK_NAME)
        if not self._all:
            list_images(folder, required=True)  # says that there are none
        self.filter, self.page = "", 0
        self.marked: set[Picture] = set()
        self.enlarged: Picture | None = None
        self.closing = False
        self._moved: list[list[tuple[Path, Path]]] = []

    @property
    def paths(self) -> list[Picture]:
        return [path for path in self._all if self.filter in path.name.lower()]

    @property
    def pages(self) -> int:
        return max(1, -(-len(self.paths) // PER_PAGE))

    def visible(self) -> list[Picture]:
        """The pictures of this page."""
        return self.paths[self.page * PER_PAGE : (self.page + 1) * PER_PAGE]

    def key(self, key: keys.Key) -> None:
        """Do what a key that is no text asks for."""
        character = key.character
        if self.enlarged is not None:
            self.enlarged = None
        elif character in _NEXT:
            self.page = (self.page + 1) % self.pages
        elif character in _PREVIOUS:
            self.page = (self.page - 1) % self.pages
        elif character == keys.HOME:
            self.page = 0
        elif character == keys.END:
            self.page = self.pages - 1
        elif character == keys.DELETE:
            self.move_marked()
        elif character == keys.UNDO:
            self.undo()
        elif character == keys.BACKSPACE:
            self._set_filter(self.filter[:-1])
        elif character == keys.ESCAPE and self.filter:
            self._set_filter("")
        elif character == keys.ESCAPE or (character == "q" and not self.filter):
            self.closing = True

    def type(self, text: str) -> None:
        """Add typed characters to the name filter; those that turn the page, and the first ``q``, are none."""
        for character in text.lower():
            if character not in " .," and (character != "q" or self.filter):
                self._set_filter(self.filter + character)

    def mouse(self, event: MouseEvent) -> None:
        """Left enlarges, right marks."""
        if event.kind not in (LEFT_DOWN, RIGHT_DOWN):
            return
        if self.enlarged is not None:
            self.enlarged = None
            return
        number = event.y // (TILE + CAPTION) * COLUMNS + event.x // TILE
        path = self.visible()[number] if number < min(PER_PAGE, len(self.visible())) else None
        if path is None:
            return
        if event.kind == LEFT_DOWN:
            self.enlarged = path
            interact.info(path.name)
        elif self.is_packed:
            interact.info(_ONLY_SHOWN.format(command("util --unpack-faceset --input-dir", self.folder)))
        else:
            self.marked ^= {path}

    def move_marked(self) -> None:
        """Move the marked pictures to the folder ``<folder>_trash`` beside this one."""
        if not self.marked:
            return
        self.trash.mkdir(exist_ok=True)
        moved = []
        for path in sorted(path for path in self.marked if isinstance(path, Path)):
            place = free_name(self.trash / path.name)
            shutil.move(path, place)
            moved.append((path, place))
        self._moved.append(moved)
        self._all = [path for path in self._all if path not in self.marked]
        self.marked = set()
        self.page = min(self.page, self.pages - 1)
        interact.info(f"Moved to {self.trash}: {counted(len(moved), 'picture')}. Ctrl+Z brings back what was moved.")

    def undo(self) -> None:
        """Bring back what was moved last."""
        if not self._moved:
            return
        moved = self._moved.pop()
        for path, place in moved:
            if path.exists():
                interact.warning(f"{path}: exists again; {place} was left where it is.")
                continue
            shutil.move(place, path)
        self._all = list_images(self.folder)
        interact.info(f"Back: {counted(len(moved), 'picture')}.")

    def foot(self) -> str:
        """The line below the sheet."""
        parts = [f"page {self.page + 1} of {self.pages}, {counted(len(self.paths), 'picture')}"]
        if self.filter:
            parts.append(f'names with "{self.filter}" (Esc: all)')
        if self.marked:
            parts.append(f"{len(self.marked)} marked (Del: to trash)")
        if self.is_packed:
            parts.append("packed faceset")
        keys_text = _PACK_KEYS if self.is_packed else _KEYS
        return "   ".join([*parts, keys_text])

    def picture(self) -> np.ndarray:
        """What the window shows, uint8 BGR."""
        if self.enlarged is not None:
            canvas = np.full((ROWS * (TILE + CAPTION) + FOOT, COLUMNS * TILE, 3), 30, np.uint8)
            try:
                return _centered(_read(self.enlarged), canvas)
            except UserError as error:
                interact.warning(error)
                self.enlarged = None
        return contact_sheet(self.visible(), frozenset(self.marked), self.foot())

    def state(self) -> tuple:
        """Changes when the picture does."""
        return tuple(self.visible()), frozenset(self.marked), self.enlarged, self.filter, self.page

    def _set_filter(self, text):
        self.filter, self.page = text, 0


def packed_pictures(pack: Path) -> list[PackedPicture]:
    """The pictures of a packed faceset, in the order of their names."""
    entries = read_pack(pack, keep_open=False)
    names = [f"{entry.person_name}/{entry.filename}" if entry.person_name else entry.filename for entry in entries]
    pictures = [PackedPicture(name, entry) for name, entry in zip(names, entries)]
    return sorted(pictures, key=lambda picture: natural_key(picture.name))


def show_folder(folder: Path) -> None:
    """Show the pictures of a folder until the window is closed.

    Raises
    ------
    NothingToDo
        When there are none.
    UserError
        When a packed faceset is damaged, or no window can be opened.
    """
    viewer, window = Viewer(folder), open_window(TITLE)
    interact.info(f"{counted(len(viewer.paths), 'picture')} on {counted(viewer.pages, 'page')}.")
    drawn = None
    while not (viewer.closing or window.closed):
        if viewer.state() != drawn:
            window.show(viewer.picture(), f"{TITLE}: {folder.name}, page {viewer.page + 1} of {viewer.pages}")
            drawn = viewer.state()
        window.wait(_TICK_SECONDS)
        _handle_input(viewer, window)
    window.close()


def _handle_input(viewer, window):
    pressed, typed, moved = list(window.keys), window.typed, list(window.mouse)
    window.keys.clear()
    window.mouse.clear()
    window.typed = ""
    if viewer.enlarged is None:
        viewer.type(typed)
    for event in moved:
        viewer.mouse(event)
    for key in pressed:
        if len(key.character) > 1 or not key.character.isprintable() or key.character in " .,q" or viewer.enlarged:
            viewer.key(key)


def _write(picture, text, place, size):
    cv2.putText(picture, text, place, _FONT, size, _WHITE, 1, cv2.LINE_AA)


def _centered(image, canvas):
    """A copy of the canvas with the picture as large as fits in its middle."""
    height, width = image.shape[:2]
    scale = min(canvas.shape[0] / height, canvas.shape[1] / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (canvas.shape[0] - size[1]) // 2, (canvas.shape[1] - size[0]) // 2
    canvas = canvas.copy()
    canvas[top : top + size[1], left : left + size[0]] = image
    return canvas


def _read(picture):
    return picture.read_bgr() if isinstance(picture, PackedPicture) else read_bgr(picture)


def _tile(path):
    return _centered(_read(path), np.full((TILE, TILE, 3), 30, np.uint8))
