"""Whole copies of a saved model: backups and emergency saves, what is in them, and how one is put back."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.console.counted import counted
from core.errors import FormatError, NothingToDo, UserError
from core.pickles.safe_pickle import UnsafePickle
from models.option_values import from_model_file
from models.registry import effective_options, kind
from models.saved import transaction
from models.saved.model_files import STATE_SUFFIX, SUMMARY_SUFFIX, read_model_data
from models.saved.saved_models import entries_of_model, file_prefix
from models.saved.set_aside import copy_aside, files_of_generation

BACKUPS_ENDING, EMERGENCY_MARK = "_autobackups", "_emergency_"
UNFINISHED = "incoming"
_MEAN_SPAN = 100
_SLOT = re.compile(r"[0-9]{2}")


@dataclass(frozen=True)
class ModelCopy:
    """A folder with the files of one generation of a model.

    Parameters
    ----------
    folder : Path
    name : str
        By which it can be asked for: the number of a backup, or the folder's name.
    iteration : int
    losses : tuple of float
        Mean of the last hundred iterations, one number a side.
    size : int
        Bytes of all its files.
    saved_at : float
        Seconds since 1970; 0 when unknown.
    preview : Path or None
    files : dict of str to Path
        Name that a file has in the model folder, and where it is in the copy.
    problem : str or None
        Why it cannot be put back.
    """

    folder: Path
    name: str
    iteration: int = 0
    losses: tuple[float, ...] = ()
    size: int = 0
    saved_at: float = 0.0
    preview: Path | None = None
    files: dict | None = None
    problem: str | None = None

    def described(self) -> str:
        """One line for messages: name, iteration and time."""
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.saved_at))
        return f"{self.name} (iteration {self.iteration}, saved {when})"


class DamagedModel(FormatError):
    """A file of a model is damaged; ``copy`` is the backup that can be put back, if there is one."""

    def __init__(self, path: Path | str, problem: str, copy: Any):
        super().__init__(path, problem)
        self.copy = copy


def backup_folders(model_dir: Path, prefix: str) -> list[Path]:
    """The backups of a model: numbered ones from the newest (01) on, then others by name, the last first."""
    root = Path(model_dir) / f"{prefix}{BACKUPS_ENDING}"
    try:
        folders = [path for path in root.iterdir() if path.is_dir() and path.name != UNFINISHED]
    except OSError:
        return []
    numbered = sorted(path for path in folders if _SLOT.fullmatch(path.name))
    return numbered + sorted((path for path in folders if path not in numbered), reverse=True)


def emergency_folders(parent: Path, prefix: str) -> list[Path]:
    """Folders in ``parent`` that a training of the model saved to because it could not save as usual."""
    found = [path for path in entries_of_model(parent, prefix) if path.name.startswith(prefix + EMERGENCY_MARK)]
    return [path for path in found if path.is_dir()]


def examine(folder: Path, class_name: str, prefix: str) -> ModelCopy:
    """Read a copy whole; what is wrong with it becomes its ``problem``."""
    folder = Path(folder)
    try:
        files = _files(folder, class_name, prefix)
        sizes = [path.stat().st_size for path in folder.iterdir() if path.is_file()]
        state = files.get(f"{prefix}{STATE_SUFFIX}")
        if state is None:
            return ModelCopy(folder, folder.name, size=sum(sizes), problem=f"holds no *{STATE_SUFFIX}")
        known = {"folder": folder, "name": folder.name, "size": sum(sizes), "saved_at": state.stat().st_mtime}
        known["preview"] = min(folder.glob("preview_*.jpg"), default=None)
    except OSError as error:
        return ModelCopy(folder, folder.name, problem=f"cannot be read ({error.strerror or error})")
    try:
        data = read_model_data(state)
    except FormatError as error:
        return ModelCopy(**known, problem=f"{state.name} {error.problem}")
    known |= {"iteration": data.iteration, "losses": _mean_losses(data.loss_history), "files": files}
    options = effective_options(class_name, from_model_file(class_name, data.options))
    return ModelCopy(**known, problem=_problem(class_name, prefix, data.iteration, options, files))


def whole_backup(model_dir: Path, class_name: str, prefix: str) -> ModelCopy | None:
    """The newest backup that is not damaged."""
    for folder in backup_folders(model_dir, prefix):
        copy = examine(folder, class_name, prefix)
        if copy.problem is None:
            return copy
    return None


def find_copy(model_dir: Path, class_name: str, name: str | None, wanted: str) -> ModelCopy:
    """The copy that a user asks for.

    Parameters
    ----------
    model_dir : Path
    class_name : str
    name : str or None
        Of the model.
    wanted : str
        Number of a backup, name of a folder beside the model, path of a folder, or empty for the newest whole backup.

    Raises
    ------
    UserError
        When there is none, or it is damaged.
    """
    prefix = file_prefix(class_name, name)
    if not wanted:
        copy = whole_backup(model_dir, class_name, prefix)
        if copy is None:
            count = len(backup_folders(model_dir, prefix))
            found = f"{counted(count, 'backup', 'are')} there, damaged" if count else "there are no backups"
            raise NothingToDo(f"{Path(model_dir) / (prefix + BACKUPS_ENDING)}: {found}. Nothing was restored.")
        return copy
    number = f"{int(wanted):02d}" if wanted.isascii() and wanted.isdigit() and len(wanted) < 3 else wanted
    places = (
        Path(model_dir) / f"{prefix}{BACKUPS_ENDING}" / number,
        Path(model_dir) / wanted,
        Path(wanted).expanduser(),
    )
    for place in places:
        if place.is_dir() and place.resolve() != Path(model_dir).resolve():
            with suppress(FormatError):  # a training that died while it saved there
                transaction.wait_until_whole(place, prefix)
            copy = examine(place, class_name, prefix)
            if copy.problem is not None:
                raise UserError(f"{place}: this copy cannot be restored: {copy.problem}. Choose another.")
            return copy
    known = ", ".join(path.name for path in backup_folders(model_dir, prefix)) or "none"
    raise UserError(f"{wanted}: there is no such backup of {prefix}. Backups: {known}.")


def restore(model_dir: Path, prefix: str, copy: ModelCopy) -> Path | None:
    """Put a copy back as one transaction; what was there before is kept in a folder beside.

    Only for the one who holds the model's lock.

    Returns
    -------
    Path or None
        Where the old files are, if there were any.
    """
    model_dir = Path(model_dir)
    try:
        transaction.recover(model_dir, prefix)
    except FormatError:
        transaction.drop_journal(model_dir, prefix)
    old = files_of_generation(model_dir, prefix)
    kept = copy_aside(model_dir, prefix, old) if old else None
    contents = {name: path.read_bytes for name, path in (copy.files or {}).items()}
    transaction.commit(model_dir, prefix, contents, remove=[path.name for path in old])
    return kept


def advice(model_dir: Path, class_name: str, prefix: str) -> tuple[str, ModelCopy | None]:
    """What to do about a damaged or missing file of a model, and the newest backup that can be put back."""
    copy = whole_backup(model_dir, class_name, prefix)
    if copy is not None:
        return f"The newest whole backup is {copy.described()}: train --restore-backup puts it back", copy
    copies = [examine(folder, class_name, prefix) for folder in emergency_folders(model_dir, prefix)]
    copy = max((copy for copy in copies if copy.problem is None), key=lambda copy: copy.iteration, default=None)
    if copy is not None:
        return f"An emergency save is whole, {copy.described()}: train --restore-backup {copy.name} puts it back", copy
    if backup_folders(model_dir, prefix):
        return "All backups of this model are damaged too. Copy the file back from elsewhere", None
    return "There is no backup of this model. Copy the file back from elsewhere", None


@contextmanager
def advice_on_damage(model_dir: Path, class_name: str, prefix: str) -> Iterator[None]:
    """Turn errors about damaged files into :class:`DamagedModel`, which says what can be done about them."""
    try:
        yield
    except (UnsafePickle, DamagedModel):
        raise
    except FormatError as error:
        text, copy = advice(model_dir, class_name, prefix)
        raise DamagedModel(error.path, f"{error.problem.rstrip('.')}. {text}.", copy) from error


def newer_copy(model_dir: Path, class_name: str, prefix: str, iteration: int, others: list[Path]) -> ModelCopy | None:
    """The emergency save, beside the model or in one of the other folders, that is ahead of the model; None if none is."""
    best = None
    for parent in dict.fromkeys([Path(model_dir), *others]):
        for folder in emergency_folders(parent, prefix):
            with suppress(FormatError, OSError):
                stored = read_model_data(folder / f"{prefix}{STATE_SUFFIX}")
                if stored.iteration > max(iteration, best.iteration if best else 0):
                    copy = examine(folder, class_name, prefix)
                    best = copy if copy.problem is None else best
    return best


def _files(folder, class_name, prefix):
    """Files of a copy by the name that they have in the model folder, also when the model had another name then."""
    names = [path.name for path in folder.iterdir() if path.is_file()]
    inner = prefix
    if f"{prefix}{STATE_SUFFIX}" not in names:
        states = [name for name in names if name.endswith(f"_{class_name}{STATE_SUFFIX}")]
        inner = states[0].removesuffix(STATE_SUFFIX) if len(states) == 1 else prefix
    wanted = [name for name in names if name.startswith(inner + "_")]
    wanted = [name for name in wanted if name.endswith((".npy", STATE_SUFFIX, SUMMARY_SUFFIX))]
    return {prefix + name[len(inner) :]: folder / name for name in wanted}


def _problem(class_name, prefix, iteration, options, files):
    """What is wrong with the weights of a copy, or None."""
    from core.networks.weight_files import read_weights

    if iteration == 0:
        return "is of a model that was not trained yet"
    of_class = kind(class_name)
    needed = [of_class.weight_name(prefix, stem) for stem in of_class.needed_stems(options)]
    missing = [name for name in needed if name not in files]
    if missing:
        return f"{missing[0]} is missing"
    for name, path in files.items():
        if not name.endswith(".npy"):
            continue
        try:
            weights = read_weights(path)
        except FormatError as error:
            return f"{name} {error.problem.rstrip('.')}"
        for key, value in weights.items():
            if isinstance(value, np.ndarray) and not np.isfinite(np.sum(value, dtype=np.float64)):
                return f"{name}: {key} is not finite"
    return None


def _mean_losses(history):
    if not history:
        return ()
    recent = [row for row in history[-_MEAN_SPAN:] if len(row) == len(history[-1])]
    columns = np.array(recent, np.float64).T
    return tuple(
        float(column[np.isfinite(column)].mean()) if np.isfinite(column).any() else float("nan") for column in columns
    )
