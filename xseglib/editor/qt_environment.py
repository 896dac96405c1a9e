"""Makes PyQt5 start beside OpenCV, and says plainly why it cannot."""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

import cv2  # noqa: F401  (must come before Qt: on import it points Qt to its own, unsuitable plugins)

from core.errors import UserError

XCB_PACKAGES = (
    "libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 "
    "libxkbcommon-x11-0 libdbus-1-3"
)
_POLLUTED = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")


def prepare() -> None:
    """Drop what OpenCV put into the environment, leave OpenGL out, and check that a window can be opened.

    Raises
    ------
    UserError
        When PyQt5 or a library of the system is missing, or there is no display. Qt itself would end the program.
    """
    # Qt's OpenGL part would load LLVM a second time beside TensorFlow's, which ends the program with a crash.
    os.environ.setdefault("QT_XCB_GL_INTEGRATION", "none")
    for name in _POLLUTED:
        if f"{os.sep}cv2{os.sep}" in os.environ.get(name, ""):
            del os.environ[name]
    if importlib.util.find_spec("PyQt5") is None:
        raise UserError("The mask editor needs PyQt5. Install it: pip install PyQt5")
    if sys.platform.startswith("linux") and _wants_xcb():
        _check_xcb()


def _wants_xcb():
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform:
        return platform == "xcb"
    return bool(os.environ.get("DISPLAY")) or not os.environ.get("WAYLAND_DISPLAY")


def _check_xcb():
    if not os.environ.get("DISPLAY"):
        raise UserError("The mask editor needs a display, but DISPLAY is not set. Start it on the desktop.")
    package = Path(importlib.util.find_spec("PyQt5").origin).parent
    for plugin in package.glob("Qt*/plugins/platforms/libqxcb.so"):
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            raise UserError(
                f"The mask editor cannot open a window, a library is missing ({error}). "
                f"On Debian and Ubuntu: apt-get install {XCB_PACKAGES}"
            ) from None
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    if refused:
        raise UserError(f"The mask editor cannot connect to the display {os.environ['DISPLAY']}.")
