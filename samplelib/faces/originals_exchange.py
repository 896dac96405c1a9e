"""Steps that make a changed copy of a faceset in a folder beside it, and may then put it in place of the originals."""

import os
import shutil
from pathlib import Path
from typing import Any

from core.console import interact
from core.console.counted import counted
from core.console.loss import Fate, ask_fate
from core.errors import FormatError, UserError
from core.files.paths import atomic_write, list_files, list_images, remove_if_present, replacing
from core.files.trash import keep_copy, set_aside
from core.records.json_file import LARGE_FILE, json_bytes, read_json

_MERGE_NAME = ".merging.json"
_RECORD_FORM = {"files": [str], "keep": bool}


def ask_before_loss(label: str, answer: bool | None, flag: str) -> bool:
    """Answer of a question whose usual answer, yes, deletes files of the user that exist elsewhere, too.

    Parameters
    ----------
    label : str
    answer : bool or None
        What the flag of the command line said, if it was given.
    flag : str
        That flag; named when nobody is there to answer, which means no.
    """
    if answer is not None:
        return answer
    if interact.has_terminal():
        return interact.ask_bool(label, True)
    return interact.confirm(label, flag)


def prepare_output_folder(folder: Any) -> Path:
    """Make an empty output folder; pictures of an earlier run are deleted after a yes, with ``--yes`` set aside.

    Raises
    ------
    UserError
        When there are some and the answer is no.
    """
    folder = Path(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: cannot be made ({error.strerror}).") from None
    old = list_images(folder)
    if old:
        fate = ask_fate(f"Delete {counted(len(old), 'image')} of an earlier run in {folder}?")
        if fate is Fate.KEEP:
            raise UserError(
                f"{folder}: holds images of an earlier run. Move them away, or give --yes, which does that."
            )
        if fate is Fate.SET_ASIDE:
            interact.info(f"They are in {set_aside(old)} now.")
        else:
            for path in old:
                path.unlink()
    return folder


def offer_merge(output: Path, originals: Path, files: list[Path], answer: bool | None) -> bool:
    """Ask whether the new ``files`` shall take the place of the originals of the same names, and do it.

    Each original is replaced in one step, so that at any moment it is the old or the new picture. Where only ``--yes``
    agrees, the originals are kept in the trash folder. The output folder is removed when nothing is left in it. A merge
    that is interrupted is finished by :func:`finish_merge`.
    """
    fate = _fate_of_originals(output, originals, answer) if files else Fate.KEEP
    if fate is Fate.KEEP:
        return False
    content = {"files": [path.name for path in files], "keep": fate is Fate.SET_ASIDE}
    atomic_write(output / _MERGE_NAME, json_bytes(content))
    finish_merge(output, originals)
    return True


def finish_merge(output: Path, originals: Path) -> bool:
    """Go on with a merge that was interrupted; True when there was one.

    Raises
    ------
    FormatError
        When what was noted about it cannot be read.
    """
    record = output / _MERGE_NAME
    if not record.is_file():
        return False
    try:
        content = read_json(record, _RECORD_FORM, LARGE_FILE)
        names, keep = content["files"], content["keep"]
        if not all(
            os.path.basename(name) == name and name not in ("", ".", "..") and "\0" not in name for name in names
        ):
            raise ValueError("a name in it is a path")
    except (FormatError, ValueError) as error:
        problem = getattr(error, "problem", error)
        raise FormatError(record, f"is no usable record of a merge ({problem}); look at it, then delete it") from None
    _merge([output / name for name in names], originals, keep)
    remove_if_present(record)
    if not list_files(output):
        try:
            output.rmdir()
        except OSError:
            interact.warning(f"{output}: still holds something, so it stays.")
    return True


def _merge(files, originals, keep):
    for path in interact.track(files, "Merging"):
        if not path.exists():
            continue  # an interrupted run has merged it
        target = originals / path.name
        if keep and target.is_file():
            keep_copy(target)
        try:
            os.replace(path, target)
        except OSError:
            with replacing(target) as temporary:
                shutil.copyfile(path, temporary)
            path.unlink()


def _fate_of_originals(output, originals, answer):
    label = f"Merge {_last_parts(output)} to {_last_parts(originals)} ?"
    if answer is None and not interact.has_terminal():
        return ask_fate(label, "--merge")
    return Fate.DELETE if ask_before_loss(label, answer, "--merge") else Fate.KEEP


def _last_parts(folder):
    return "/".join(folder.parts[-2:])
