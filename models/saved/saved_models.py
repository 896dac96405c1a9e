"""The saved models of a folder: listing, choosing, renaming, deleting."""

import os
import re
import shutil
from pathlib import Path

from core.console import interact
from core.console.loss import confirm_loss
from core.errors import NothingToDo, UsageError, UserError
from models.registry import NAMES, kind
from models.saved.lock import LOCK_SUFFIX, is_locked
from models.saved.model_files import STATE_SUFFIX

NEW_NAME = "new"
# File systems take names of 255 bytes; this leaves room for the longest ending, such as those of backups and sessions.
LONGEST_NAME_BYTES = 120
_INDEX = re.compile(r"-?[0-9]{1,9}")


def file_prefix(class_name: str, name: str | None) -> str:
    """What the file names of a model begin with: ``<name>_<class>``, for XSeg just ``XSeg``."""
    return kind(class_name).file_prefix(name)


def list_models(model_dir: Path, class_name: str) -> list[str]:
    """Names of the saved models of a class, the latest saved first."""
    ending = f"_{class_name}{STATE_SUFFIX}"
    found = []
    for entry in _entries(model_dir):
        if entry.is_file() and entry.name.endswith(ending) and len(entry.name) > len(ending):
            found.append((-entry.stat().st_mtime, entry.name[: -len(ending)]))
    return [name for _, name in sorted(found)]


def choose_model(
    model_dir: Path, class_name: str, forced: str | None = None, silent: bool = False, may_create: bool = True
) -> str | None:
    """The name of the model to use: by flag, the latest (``silent``), or asked for.

    Parameters
    ----------
    may_create : bool
        False where only a trained model is of use: then an unknown name is an error.

    Returns
    -------
    str or None
        None for XSeg, which has no name.

    Raises
    ------
    UserError
        For a name with an underscore that is not that of a saved model, or for an unknown one.
    """
    if not kind(class_name).is_named:
        return None
    names = list_models(model_dir, class_name)
    if not names and not may_create:
        raise NothingToDo(f"{model_dir}: no saved {class_name} model found. Train one first.")
    if forced is not None:
        return _checked(forced, names, class_name, may_create)
    if silent and names:
        interact.info(f'Silent start: choosed model "{names[0]}"')
        return names[0]
    if not names:
        if silent:
            return NEW_NAME
        return _ask_first_name()
    return _ask_model(model_dir, class_name, may_create)


def _ask_first_name():
    while True:
        answer = interact.ask_text(
            "[new] No saved models found. Enter a name of a new model", NEW_NAME, show_default=False
        )
        name = answer.replace("_", " ").strip() or NEW_NAME
        if _is_usable(name):
            return name


def _ask_model(model_dir, class_name, may_create):
    while True:
        names = list_models(model_dir, class_name)
        if not names:
            return choose_model(model_dir, class_name, may_create=may_create)
        answer = _show_and_ask(names, may_create)
        if answer == "r":
            _ask_rename(model_dir, class_name, names)
        elif answer == "d":
            _ask_delete(model_dir, class_name, names)
        elif _INDEX.fullmatch(answer):
            index = max(0, min(len(names) - 1, int(answer)))
            if index == int(answer) or not interact.has_terminal():
                return names[index]
            interact.info(f"There is no [{answer}] in the list.\n")
        elif _is_usable(answer, names, class_name, may_create):
            return answer


def _is_usable(name, names=(), class_name="", may_create=True):
    """Whether a typed name can be taken; says why not where somebody can type another, else raises."""
    try:
        _checked(name, names, class_name, may_create)
    except UserError as error:
        if not interact.has_terminal():
            raise
        interact.error(error)
        return False
    return True


def _show_and_ask(names, may_create):
    wanted = ", or enter a name to create a new model" if may_create else ""
    lines = [f"Choose one of saved models{wanted}.", "[r] : rename", "[d] : delete", ""]
    lines += [f"[{i}] : {name} {'- latest' if i == 0 else ''}" for i, name in enumerate(names)]
    interact.info("\n".join(lines))
    return interact.ask_text("", "0", show_default=False).strip() or "0"


def _ask_rename(model_dir, class_name, names):
    old = interact.ask_text("Enter the name of the model you want to rename", "", show_default=False)
    if old not in names:
        interact.info(f"There is no model {old!r}.")
        return
    new = interact.ask_text("Enter new name of the model", "", show_default=False)
    try:
        rename_model(model_dir, class_name, old, new)
    except UserError as error:
        interact.error(error)


def _ask_delete(model_dir, class_name, names):
    name = interact.ask_text("Enter the name of the model you want to delete", "", show_default=False)
    if name not in names:
        interact.info(f"There is no model {name!r}.")
        return
    entries = entries_of_model(model_dir, file_prefix(class_name, name))
    if confirm_loss(f"Delete model {name} with its history and backups ({len(entries)} files and folders)?"):
        delete_model(model_dir, class_name, name)


def rename_model(model_dir: Path, class_name: str, old: str, new: str) -> None:
    """Give a model another name: all its files and folders, also those inside of its backups and of other copies.

    Raises
    ------
    UserError
        When the new name is taken or cannot be used, or the model is being trained.
    """
    check_new_name(new)
    old_prefix, new_prefix = file_prefix(class_name, old), file_prefix(class_name, new)
    _refuse_if_trained(model_dir, old_prefix)
    if entries_of_model(model_dir, new_prefix):
        raise UserError(f"{model_dir}: there are already files of a model {new_prefix}. Choose another name.")
    entries = entries_of_model(model_dir, old_prefix)
    folders = [path for path in entries if path.is_dir() and path.name.startswith(_folders_of_copies(old_prefix))]
    inside = [path for folder in folders for path in (*folder.glob("*"), *folder.glob("*/*"))]
    inner = [path for path in inside if path.name.startswith(old_prefix + "_") and path.is_file()]
    for path in [*inner, *entries]:
        os.rename(path, path.with_name(new_prefix + path.name[len(old_prefix) :]))


def _folders_of_copies(prefix):
    return tuple(f"{prefix}{ending}" for ending in ("_autobackups", "_emergency_", "_old_"))


def delete_model(model_dir: Path, class_name: str, name: str) -> None:
    """Remove all files and folders of a model. Ask before."""
    prefix = file_prefix(class_name, name)
    _refuse_if_trained(model_dir, prefix)
    for path in entries_of_model(model_dir, prefix):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def entries_of_model(model_dir: Path, prefix: str) -> list[Path]:
    """Files and folders of a model in its folder, without those of a model whose longer name begins alike."""
    longer = tuple(
        f"{other}_" for other in prefixes_of_models(model_dir) if other != prefix and other.startswith(f"{prefix}_")
    )
    return [
        Path(entry.path)
        for entry in _entries(model_dir)
        if (entry.name.startswith(prefix + "_") and not (longer and entry.name.startswith(longer)))
        or entry.name == prefix + LOCK_SUFFIX
    ]


def prefixes_of_models(model_dir: Path) -> list[str]:
    """What the file names of every saved model of a folder begin with."""
    names = [entry.name for entry in _entries(model_dir)]
    endings = tuple(f"{class_name}{STATE_SUFFIX}" for class_name in NAMES)
    return [name.removesuffix(STATE_SUFFIX) for name in names if name.endswith(endings)]


def check_new_name(name: str) -> None:
    """Raise UsageError when a model cannot be given this name."""
    shown = repr(name) if len(name) <= 40 else f"{name[:40]!r}..."
    bad = [character for character in '_/\\:*?"<>|' if character in name]
    if bad:
        raise UsageError(f"The model name {shown} must not hold {' '.join(bad)}")
    if not name.isprintable():  # also what was no valid text on the command line
        raise UsageError(f"The model name {shown} holds characters that cannot be seen. Use others.")
    if len(name.encode()) > LONGEST_NAME_BYTES:
        raise UsageError(f"The model name {shown} is too long: give at most {LONGEST_NAME_BYTES} letters.")
    is_odd_number = name.isnumeric() and not name.isascii()  # such as a superscript two
    if not name or name != name.strip() or name.startswith((".", "-")) or is_odd_number:
        raise UsageError(
            f"{shown} is no usable model name: begin with a letter or a number, with no space at either end."
        )


def _checked(name, names, class_name, may_create):
    if name in names:
        return name
    if not may_create:
        raise UserError(f"There is no {class_name} model named {name!r}. Saved models: {', '.join(names) or 'none'}.")
    check_new_name(name)
    return name


def _refuse_if_trained(model_dir, prefix):
    if is_locked(model_dir, prefix):
        raise UserError(f"{model_dir}: {prefix} is being trained. End the training first.")


def _entries(model_dir):
    try:
        return sorted(os.scandir(model_dir), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise UserError(f"{model_dir}: cannot be listed ({error.strerror}).") from None
