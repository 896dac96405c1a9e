"""The ``view`` step: show a folder of images with the user's viewer."""

import argparse
import os
import shutil
import subprocess
import sys

from core.console import interact
from core.errors import UserError
from core.files.paths import absolute_path
from core.window.display import has_display


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``view`` to the command line."""
    parser = subparsers.add_parser("view", help="show a folder of images with a viewer")
    parser.add_argument("--input-dir", required=True, type=absolute_path, help="the folder")
    parser.add_argument("--built-in", action="store_true", help="use this program's own window, a contact sheet")
    parser.set_defaults(run=view)


def view(options: argparse.Namespace) -> None:
    """Print the folder and open it, without waiting; on a machine without a display only print it."""
    folder = options.input_dir
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. Run the step that makes it first.")
    interact.info(folder)
    viewer = os.environ.get("DFL_VIEWER")
    if (options.built_in or (not viewer and _is_packed(folder))) and has_display():
        _show_contact_sheet(folder)
        return
    if not viewer and sys.platform == "win32":
        os.startfile(folder)
        return
    command = _viewer_command(viewer)
    if command is None and has_display():
        _show_contact_sheet(folder)
        return
    if command is None:
        interact.info("There is no display here, or no program that opens folders. Set DFL_VIEWER to an image viewer.")
        return
    _start([*command, str(folder)])


def _is_packed(folder):
    """Whether there is nothing to see for other programs, because all faces are in a packed faceset."""
    from core.files.paths import list_images
    from samplelib.packs.names import PACK_NAME

    return (folder / PACK_NAME).is_file() and not list_images(folder)


def _viewer_command(viewer):
    """The viewer of ``$DFL_VIEWER`` (a program, or one with arguments), else the system's opener; None without one."""
    import shlex

    if viewer:
        return [viewer] if shutil.which(viewer) else shlex.split(viewer, posix=os.name != "nt")
    if sys.platform == "darwin":
        return ["open"]
    return ["xdg-open"] if has_display() and shutil.which("xdg-open") else None


def _show_contact_sheet(folder):
    from samplelib.contact_sheet import show_folder

    show_folder(folder)


def _start(command):
    """Start a program that goes on when this one has ended."""
    nowhere = subprocess.DEVNULL
    apart = {"start_new_session": True} if os.name == "posix" else {}
    try:
        subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, **apart)
    except OSError as error:
        raise UserError(f"{command[0]}: cannot be started ({error.strerror or error}). Check DFL_VIEWER.") from None
