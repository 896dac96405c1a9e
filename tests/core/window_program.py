"""Program that opens a picture window and tells on standard output what it gets, one JSON object a line."""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from core.window.picture_window import open_window

WITH_SHIFT = frozenset(",./0")


def tell(**what):
    print(json.dumps(what), flush=True)


def main(kind, width, height):
    """``kind``: ``plain``, ``zooms``, or ``opencv`` for the fallback."""
    if kind == "opencv":
        from core.window import display

        display.display_problem = lambda: "Qt is out of order"
    window = open_window("Trial", WITH_SHIFT, zooms=kind == "zooms")
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    picture[:, : width // 2, 2] = 255
    window.show(picture)
    tell(window=type(window).__name__)
    while not window.closed:
        window.wait(0.05)
        for key in window.keys:
            tell(key=key.character, shift=key.shift)
        for event in window.mouse:
            tell(mouse=event.kind, x=event.x, y=event.y)
        window.keys.clear()
        window.mouse.clear()
    tell(closed=True)
    window.close()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
