"""Starts the mask editor on a folder and returns when its window is closed."""

import signal
from pathlib import Path

from core.console import interact
from core.errors import NothingToDo, UserError
from core.window.display import display_problem


def run_editor(folder: Path, files: list[Path], title: str) -> None:
    """Open the editor and wait until it is closed.

    Parameters
    ----------
    folder : Path
        For messages.
    files : list of Path
        Pictures in the order in which they are shown; those that are no aligned faces are left out.
    title : str
        For the title bar.

    Raises
    ------
    UserError
        When no window can be opened, or none of the files is an aligned face.
    """
    problem = display_problem()
    if problem is not None:
        raise UserError(f"The mask editor opens no window here: {problem}.")
    from PyQt5.QtCore import QLocale, QTimer

    from core.window.qt_window import application
    from xseglib.editor.session import Session
    from xseglib.editor.settings import load_settings, save_settings
    from xseglib.editor.texts import set_language
    from xseglib.editor.window import EditorWindow

    program = application()
    program.setApplicationName("XSegEditor")
    program.setStyle("Fusion")
    program.setPalette(_dark_palette())
    set_language(QLocale.system().name())
    settings = load_settings()
    window = EditorWindow(Session(files), settings, title)
    window.show()
    heartbeat = QTimer()
    heartbeat.timeout.connect(lambda: None)
    heartbeat.start(200)
    before = signal.signal(signal.SIGINT, lambda number, frame: window.close())
    try:
        program.exec_()
    finally:
        signal.signal(signal.SIGINT, before)
    save_settings(settings)
    if window.found_nothing:
        raise NothingToDo(f"{folder}: none of its pictures is an aligned face. Run the extraction first.")
    interact.info(f"{window.session.images.labelled_count} labeled")


def _dark_palette():
    from PyQt5.QtGui import QColor, QPalette

    palette = QPalette()
    dark, light, blue = QColor(53, 53, 53), QColor(200, 200, 200), QColor(42, 130, 218)
    colors = (
        (dark, (QPalette.Window, QPalette.AlternateBase, QPalette.Button)),
        (QColor(25, 25, 25), (QPalette.Base,)),
        (light, (QPalette.WindowText, QPalette.Text, QPalette.ToolTipBase, QPalette.ToolTipText)),
        (QColor(255, 255, 255), (QPalette.ButtonText,)),
        (QColor(255, 0, 0), (QPalette.BrightText,)),
        (blue, (QPalette.Link, QPalette.Highlight)),
        (QColor(0, 0, 0), (QPalette.HighlightedText,)),
    )
    for color, roles in colors:
        for role in roles:
            palette.setColor(role, color)
    return palette
