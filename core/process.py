"""Being polite to other programs of the computer."""

import os
import sys

from core import interact

_WINDOWS_IDLE_CLASS = 0x40
_MACOS_STEP, _LINUX_STEP = 10, 19


def lower_priority() -> None:
    """Give this process, and those that it starts, the lowest priority, as long work should not disturb the user."""
    try:
        if os.name == "nt":
            import ctypes

            kernel = ctypes.windll.kernel32
            done = kernel.SetPriorityClass(kernel.GetCurrentProcess(), _WINDOWS_IDLE_CLASS)
        else:
            done = os.nice(_MACOS_STEP if sys.platform == "darwin" else _LINUX_STEP)
    except OSError:
        done = 0
    if not done:
        interact.info("Unable to set lowest process priority")
