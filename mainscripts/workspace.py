"""The ``workspace`` command: the first and the last of the numbered steps."""

import argparse
import os
import re
import shutil
from pathlib import Path

from core.console import interact
from core.console.commands import command
from core.console.counted import counted
from core.console.loss import Fate, ask_fate
from core.errors import UserError
from core.files.paths import IMAGE_EXTENSIONS, absolute_path, free_name
from core.locks.folder_lock import refuse_if_in_use

FOLDERS = (
    "data_src", "data_src/aligned", "data_src/aligned_debug", "data_dst", "data_dst/aligned", "data_dst/aligned_debug",
    "model",
)  # fmt: skip
_PARTS = ("data_src", "data_dst", "model")
_STEP_FOLDERS = ("aligned", "aligned_debug", "aligned_samples", "merged", "merged_mask")
_OF_A_MODEL = re.compile(r"(.+_)?(SAEHD|AMP|Quick96|XSeg)[_.]")
# Records and half-written files that the steps leave beside frames and models.
_HIDDEN = re.compile(
    r"\.(extracted_frames|renaming|names_before_sorting)\.json|\..+\.\w{8}\.tmp(\.\w+)?|\.unfinished\..+"
)
_MOST_NAMED = 10
CPU_ONLY_MARK = Path(__file__).resolve().parents[1] / ".cpu_only"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``workspace clear`` and ``workspace cpu-only`` to the command line."""
    parser = subparsers.add_parser("workspace", help="clear the workspace; make every step use the processor")
    parser.set_defaults(group=parser)
    group = parser.add_subparsers(metavar="ACTION")

    clear = group.add_parser("clear", help="remove frames, faces and models; the videos stay")
    clear.add_argument("--workspace", type=absolute_path, required=True, help="the workspace folder")
    clear.add_argument("--delete", action="store_true", help="delete without a question; --yes only moves it all aside")
    clear.set_defaults(run=run_clear)

    cpu_only = group.add_parser("cpu-only", help="make the numbered scripts use the processor even if there is a GPU")
    cpu_only.add_argument("--off", action="store_true", help="let them use the GPU again")
    cpu_only.set_defaults(run=run_cpu_only)


def run_clear(options: argparse.Namespace) -> None:
    """Remove frames, faces and models after a yes, and make the empty folders; everything else stays."""
    workspace = options.workspace
    to_remove = _entries_to_remove(workspace)
    for name in _PARTS:
        refuse_if_in_use(workspace / name)
    counts = [
        f"{name} ({counted(_count_files(paths), 'file')})" for name, paths in to_remove.items() if _count_files(paths)
    ]
    for path in (path for paths in to_remove.values() for path in paths if path.is_symlink() and not path.is_file()):
        interact.info(f"{path} is a link to {os.readlink(path)}; only the link is removed, what it leads to stays.")
    if counts:
        interact.info(f"In {workspace}: {', '.join(counts)}. The videos and all other files and folders stay.")
        fate = Fate.DELETE if options.delete else ask_fate("Delete these frames, faces and models?", "--delete")
        if fate is Fate.KEEP:
            raise UserError("Nothing was deleted.")
        _clear_away(workspace, [path for paths in to_remove.values() for path in paths], fate)
    _make_folders(workspace)
    left = [f"{name}/{path.name}" for name in _PARTS for path in _other_entries(workspace, name)]
    if left:
        interact.info(f"Left alone: {', '.join(left[:_MOST_NAMED])}{' …' if len(left) > _MOST_NAMED else ''}")
    interact.info(f"{workspace} is clear.")


def _entries_to_remove(workspace):
    """Files and folders to remove, by the folder of the workspace that they are in. A linked folder is one link."""
    to_remove = {}
    for name in _PARTS:
        folder = workspace / name
        if folder.is_symlink():
            to_remove[name] = [folder]
        elif folder.exists() and not folder.is_dir():
            raise UserError(f"{folder}: is a file, not a folder. Move it away; nothing was deleted.")
        else:
            to_remove[name] = [path for path in _entries(folder) if _is_made_by_steps(path, name)]
    _refuse_while_training(workspace / "model")
    return to_remove


def _is_made_by_steps(path, name):
    """Whether an entry of a folder is a frame, a folder that the steps make, or part of a model."""
    if _HIDDEN.fullmatch(path.name):
        return True
    if name == "model":
        return bool(_OF_A_MODEL.match(path.name))
    return path.name in _STEP_FOLDERS if path.is_dir() else path.suffix.lower() in IMAGE_EXTENSIONS


def _other_entries(workspace, name):
    made = {path.split("/")[1] for path in FOLDERS if "/" in path}
    return [path for path in _entries(workspace / name) if path.name not in made]


def _entries(folder):
    try:
        return sorted(Path(entry.path) for entry in os.scandir(folder))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror}). Nothing was deleted.") from None


def _refuse_while_training(model_dir):
    from models.saved.lock import LOCK_SUFFIX, is_locked

    for path in _entries(model_dir) if not model_dir.is_symlink() else ():
        if path.name.endswith(LOCK_SUFFIX) and is_locked(model_dir, path.name.removesuffix(LOCK_SUFFIX)):
            raise UserError(f"{path}: this model is being trained. End the training first; nothing was deleted.")


def _clear_away(workspace, paths, fate):
    """Delete, or move to a new folder of the workspace; links are never followed."""
    aside = free_name(workspace / "cleared_1") if fate is Fate.SET_ASIDE else None
    for path in paths:
        try:
            if aside is not None:
                target = aside / path.relative_to(workspace)
                target.parent.mkdir(parents=True, exist_ok=True)
                _move(path, target)
            elif path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise UserError(
                f"{error.filename or path}: cannot be removed ({error.strerror or error}). What comes after it is still "
                "there; solve this and run the same command again."
            ) from None
    if aside is not None:
        interact.info(f"All that was moved to {aside}.")


def _move(path, target):
    """Move a file, folder or link; a link leads to the same place afterwards."""
    if path.is_symlink():
        os.symlink(os.path.abspath(path.parent / os.readlink(path)), target)
        path.unlink()
    else:
        shutil.move(path, target)


def _make_folders(workspace):
    for name in FOLDERS:
        try:
            (workspace / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{workspace / name}: cannot be made ({error.strerror or error}).") from None


def _count_files(paths):
    """Files in all folders of ``paths``, which themselves count as well unless they are folders; links count as one."""
    count = 0
    for path in paths:
        if path.is_symlink() or not path.is_dir():
            count += 1
        else:
            count += sum(len(files) for _, _, files in os.walk(path))
    return count


def run_cpu_only(options: argparse.Namespace) -> None:
    """Set or remove the mark that ``scripts/env.sh`` and ``env.bat`` look for."""
    if options.off:
        CPU_ONLY_MARK.unlink(missing_ok=True)
        interact.info("The numbered scripts use the GPU again, if there is one.")
        return
    CPU_ONLY_MARK.write_text("The numbered scripts use the processor only while this file is here.\n", encoding="utf-8")
    interact.info(f"The numbered scripts now use the processor only. To undo: delete {CPU_ONLY_MARK}, or run")
    interact.info(command("workspace cpu-only --off"))
