"""The mask editor as a program with a real window."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from labelled_faces import ROOT
from virtual_desktop import display_environment


@contextmanager
def running_program(display, configuration: Path, *arguments):
    """Run ``main.py`` with a window on a display and yield the process."""
    environment = display_environment(
        display, QT_QPA_PLATFORM="xcb", XDG_CONFIG_HOME=str(configuration), LANG="C.UTF-8"
    )
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)
