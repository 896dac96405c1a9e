"""A window that shows the pictures of a folder page by page, where the system has no viewer."""

from pathlib import Path

import cv2
import numpy as np

from core.console import interact
from core.errors import UserError
from core.files.imageio import read_bgr
from core.files.paths import list_images
from core.keyboard import ESCAPE, translate_key
from core.parallel import ordered_map

TILE, CAPTION = 144, 18
COLUMNS, ROWS = 8, 5
TITLE = "View: [space] [.] next page, [,] previous, [click] enlarge, [q] close"

_GREY, _WHITE = (60, 60, 60), (220, 220, 220)
_NEXT, _PREVIOUS, _CLOSE = (" ", "."), (",",), (ESCAPE, "q")
# Arrow keys as X11 and Windows number them.
_RIGHT, _LEFT = {0xFF53, 0x270000}, {0xFF51, 0x250000}
_POLL_MILLISECONDS = 50


def contact_sheet(paths: list[Path]) -> np.ndarray:
    """Up to 40 pictures with their names, (810, 1152, 3) uint8 BGR; what cannot be read stays grey."""
    sheet = np.full((ROWS * (TILE + CAPTION), COLUMNS * TILE, 3), 30, np.uint8)
    paths = paths[: ROWS * COLUMNS]
    for number, outcome in enumerate(ordered_map(_tile, paths)):
        top, left = number // COLUMNS * (TILE + CAPTION), number % COLUMNS * TILE
        tile = np.full((TILE, TILE, 3), _GREY, np.uint8) if outcome.error else outcome.value
        sheet[top : top + TILE, left : left + TILE] = tile
        name = outcome.item.name if len(outcome.item.name) <= 22 else f"…{outcome.item.name[-21:]}"
        place = (left + 2, top + TILE + CAPTION - 6)
        cv2.putText(sheet, name.replace("…", ".."), place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, _WHITE, 1, cv2.LINE_AA)
    return sheet


def show_folder(folder: Path) -> None:
    """Show the pictures of a folder until the window is closed.

    Raises
    ------
    NothingToDo
        When there are none.
    UserError
        When OpenCV cannot open a window.
    """
    paths = list_images(folder, required=True)
    pages = -(-len(paths) // (ROWS * COLUMNS))
    page, clicked = 0, []

    def click(event, x, y, *unused):
        if event == cv2.EVENT_LBUTTONDOWN:
            clicked.append((x, y))

    try:
        cv2.namedWindow(TITLE)
        cv2.setMouseCallback(TITLE, click)
    except cv2.error as error:
        raise UserError(f"{folder}: cannot be shown, OpenCV opens no window here ({error.err}).") from None
    interact.info(f"{len(paths)} pictures on {pages} pages. {TITLE}")
    shown = None
    while True:
        if shown != page:
            part = paths[page * ROWS * COLUMNS : (page + 1) * ROWS * COLUMNS]
            cv2.imshow(TITLE, contact_sheet(part))
            shown = page
        code = cv2.waitKeyEx(_POLL_MILLISECONDS)
        key, codes = translate_key(code)[0], {code, code & 0xFFFF}
        if clicked:
            _show_one(part, clicked.pop())
            shown = None
        if key in _CLOSE or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            break
        if key in _NEXT or codes & _RIGHT:
            page = (page + 1) % pages
        elif key in _PREVIOUS or codes & _LEFT:
            page = (page - 1) % pages
    cv2.destroyWindow(TITLE)


def _show_one(part, place):
    """Put the picture under the mouse into the whole window until a key is pressed or the mouse clicks again."""
    number = place[1] // (TILE + CAPTION) * COLUMNS + place[0] // TILE
    if number >= len(part):
        return
    try:
        image = read_bgr(part[number])
    except UserError as error:
        interact.warning(error)
        return
    interact.info(part[number].name)
    canvas = np.full((ROWS * (TILE + CAPTION), COLUMNS * TILE, 3), 30, np.uint8)
    cv2.imshow(TITLE, _centered(image, canvas))
    cv2.waitKey(0)


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


def _tile(path):
    return _centered(read_bgr(path), np.full((TILE, TILE, 3), 30, np.uint8))
