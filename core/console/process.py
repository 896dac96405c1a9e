"""This process among the others of the computer: its priority, and the signals that ask it to stop."""

import os
import signal
import sys

from core.console import events, interact

_WINDOWS_IDLE_CLASS = 0x40
_MACOS_STEP, _LINUX_STEP = 10, 19


def stop_signals() -> list[signal.Signals]:
    """What asks a program to stop: Ctrl+C, the request to end, the closed terminal unless ``nohup`` told to ignore it."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    known = [getattr(signal, name) for name in names if hasattr(signal, name)]
    return [number for number in known if number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN]


def lower_priority() -> None:
    """Give this process, and those that it starts, the lowest priority, as long work should not disturb the user."""
    try:
        if sys.platform == "win32":
            import ctypes

            kernel = ctypes.windll.kernel32
            done = kernel.SetPriorityClass(kernel.GetCurrentProcess(), _WINDOWS_IDLE_CLASS)
        else:
            done = os.nice(_MACOS_STEP if sys.platform == "darwin" else _LINUX_STEP)
    except OSError:
        done = 0
    if not done:
        interact.info("Unable to set lowest process priority")


def end_with(code: int) -> None:
    """End the program at once with this exit code, where an exception cannot reach the end of ``main``."""
    events.emit("result", exit_code=code)
    events.close_files()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
