"""The ``backups`` command: what copies there are of a model, and putting one back."""

import argparse
import time

from core.console import interact
from core.errors import NothingToDo
from core.files.paths import absolute_path
from models.registry import NAMES, kind


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``backups`` to the command line."""
    parser = subparsers.add_parser("backups", help="list the backups of a model, or put one back")
    parser.add_argument("--model-dir", required=True, type=absolute_path, metavar="DIR", help="folder of the models")
    parser.add_argument("--model", required=True, choices=NAMES, help="model class")
    parser.add_argument("--force-model-name", metavar="NAME", help="do not ask for the model")
    parser.add_argument(
        "--restore", metavar="NAME", nargs="?", const="",
        help="put back a backup: its number, or a folder; without NAME the newest whole one. The present files are kept",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """List the copies of a model, newest first, or restore one."""
    from models.saved.saved_models import file_prefix

    name = _model_name(options)
    prefix = file_prefix(options.model, name)
    if options.restore is not None:
        _restore(options, name, prefix)
        return
    _list(options, prefix)


def _model_name(options):
    """The model that is meant; one whose state is gone can be named all the same."""
    from models.saved.saved_models import choose_model, entries_of_model, file_prefix

    name = options.force_model_name
    if not kind(options.model).is_named or (
        name and entries_of_model(options.model_dir, file_prefix(options.model, name))
    ):
        return name
    return choose_model(options.model_dir, options.model, name, may_create=False)


def _list(options, prefix):
    from models.saved.restore import backup_folders, emergency_folders, examine

    folders = [*backup_folders(options.model_dir, prefix), *emergency_folders(options.model_dir, prefix)]
    if not folders:
        raise NothingToDo(f"{options.model_dir}: there are no backups of {prefix}.")
    with interact.progress(len(folders), "Reading backups") as bar:
        copies = []
        for folder in folders:
            copies.append(examine(folder, options.model, prefix))
            bar.update()
    interact.info(f"Backups of {prefix}:")
    for copy in copies:
        interact.info(_line(copy))
    interact.info("Put one back: --restore NAME, or train --restore-backup NAME.")


def _line(copy):
    """Name, iteration, loss, size, time and preview, or what is wrong."""
    size = f"{copy.size / 2**20:.1f} MB"
    if copy.problem is not None:
        return f"[{copy.name}] {size}, damaged: {copy.problem}"
    losses = " ".join(f"{loss:.4f}" for loss in copy.losses) or "unknown"
    saved = time.strftime("%Y-%m-%d %H:%M", time.localtime(copy.saved_at))
    preview = f", preview {copy.preview}" if copy.preview is not None else ", no preview"
    return f"[{copy.name}] iteration {copy.iteration}, loss {losses}, {size}, saved {saved}{preview}"


def _restore(options, name, prefix):
    from models.saved.lock import ModelLock
    from models.saved.restore import find_copy, restore

    with ModelLock(options.model_dir, prefix):
        copy = find_copy(options.model_dir, options.model, name, options.restore)
        kept = restore(options.model_dir, prefix, copy)
    interact.info(f"Restored: {copy.described()}.")
    if kept is not None:
        interact.info(f"The files that were there before are kept in {kept}.")
