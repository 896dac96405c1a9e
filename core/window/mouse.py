"""What a mouse did over the picture of a window."""

from typing import NamedTuple

MOVE, LEFT_DOWN, RIGHT_DOWN, WHEEL_UP, WHEEL_DOWN = "move", "left", "right", "wheel up", "wheel down"


class MouseEvent(NamedTuple):
    """What the mouse did, at a place in pixels of the picture that is shown."""

    kind: str
    x: int
    y: int
