"""Whether windows can be opened here, and what to say when the window system fails."""

import ctypes
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

XCB_PACKAGES = (
    "libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xinerama0 "
    "libxkbcommon-x11-0 libdbus-1-3"
)
_POINTED_TO_OPENCV = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")
_when_lost: list[Callable[[], None]] = []


def display_problem() -> str | None:
    """Why Qt cannot open a window here, or None. Qt itself would end the program.

    Also drops what OpenCV, which brings another Qt, has put into the environment.
    """
    import cv2  # noqa: F401 - before Qt: on import it points Qt to its own plugins, with which Qt aborts

    # Qt's OpenGL part would load LLVM a second time beside TensorFlow's, which ends the program with a crash.
    os.environ.setdefault("QT_XCB_GL_INTEGRATION", "none")
    for name in _POINTED_TO_OPENCV:
        if f"{os.sep}cv2{os.sep}" in os.environ.get(name, ""):
            del os.environ[name]
    if importlib.util.find_spec("PyQt5") is None:
        return "PyQt5 is missing (pip install PyQt5)"
    return _x11_problem() if sys.platform.startswith("linux") and _wants_x11() else None


def has_display() -> bool:
    """Whether there is a desktop at all: always on Windows and macOS, else what the environment names.

    A Qt platform that needs no desktop (``offscreen``, ``vnc``) counts as one; ``xcb`` and ``wayland`` alone do not.
    """
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return True
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    return bool(platform) and not platform.startswith(("xcb", "wayland"))


def when_display_is_lost(action: Callable[[], None] | None) -> None:
    """Set what is done when the connection to the display breaks, before Qt ends the program; None for nothing.

    The action runs on the main thread. It may take its time, and may end the program itself.
    """
    _when_lost[:] = [] if action is None else [action]


def handle_messages() -> None:
    """Let Qt's complaints be, but say why it ends the program, and save what can be saved, before it does."""
    from PyQt5 import QtCore

    QtCore.qInstallMessageHandler(_on_message)


def _on_message(kind, _, text):
    from PyQt5 import QtCore

    is_lost = "connection broke" in text or "Did the Wayland compositor die" in text
    if kind != QtCore.QtFatalMsg and not is_lost:
        return
    reason = "the connection to the display broke" if is_lost else " ".join(text.split())
    print(f"/!\\ The window system failed: {reason}.", file=sys.stderr, flush=True)
    while _when_lost:
        _when_lost.pop()()
    sys.stdout.flush()
    os._exit(1)


def _wants_x11():
    platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    if platform:
        return platform == "xcb"
    return bool(os.environ.get("DISPLAY")) or not os.environ.get("WAYLAND_DISPLAY")


def _x11_problem():
    if not os.environ.get("DISPLAY"):
        return "there is no display (DISPLAY is not set)"
    package = Path(importlib.util.find_spec("PyQt5").origin).parent
    for plugin in package.glob("Qt*/plugins/platforms/libqxcb.so"):
        try:
            ctypes.CDLL(str(plugin))
        except OSError as error:
            return f"a system library is missing ({error}; on Debian and Ubuntu: apt-get install {XCB_PACKAGES})"
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return None
    xcb.xcb_connect.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(xcb.xcb_connect(None, None))
    refused = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return f"the display {os.environ['DISPLAY']} does not answer" if refused else None
