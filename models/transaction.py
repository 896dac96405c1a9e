"""Putting down the files of one model generation so that a crash at any moment leaves a whole generation."""

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from core.errors import FormatError, UserError
from core.paths import atomic_write, remove_if_present
from models.lock import is_locked
from models.model_files import STATE_SUFFIX
from models.saved_models import entries_of_model

JOURNAL_SUFFIX = "_commit.json"
TEMPORARY_SUFFIX = ".tmp"
_READER_PATIENCE_SECONDS = 20.0


def commit(model_dir: Path, prefix: str, files: Mapping[str, bytes | Callable[[], bytes]]) -> None:
    """Replace the files of a model by a new generation: all of them, or none.

    Parameters
    ----------
    model_dir : Path
    prefix : str
        Of the model's files, for example ``face_SAEHD``.
    files : mapping
        File name to content, or to a function that returns the content (called when its turn comes).

    Raises
    ------
    UserError
        When something cannot be written; the old generation is untouched then.

    Notes
    -----
    New files are written as ``<name>.tmp`` and flushed; then a journal with their names is put down, which is the moment
    of the commit; then each is renamed, the state of the model last; then the journal goes. :func:`recover` finishes the
    renames of a commit that was cut off, or drops temporary files that no journal names.
    """
    model_dir = Path(model_dir)
    names = sorted(files, key=lambda name: name.endswith(STATE_SUFFIX))
    name = None
    try:
        for name in names:
            content = files[name]
            _write_flushed(model_dir / (name + TEMPORARY_SUFFIX), content() if callable(content) else content)
    except OSError as error:
        _drop_temporaries(model_dir, names)
        raise UserError(
            f"{model_dir / name}: cannot be written ({error.strerror or error}). The model was not saved."
        ) from None
    except BaseException:
        _drop_temporaries(model_dir, names)
        raise
    atomic_write(_journal(model_dir, prefix), json.dumps({"files": names}).encode())
    _flush_folder(model_dir)
    _finish(model_dir, prefix, names)


def recover(model_dir: Path, prefix: str) -> bool:
    """Bring a model folder to a whole generation after a crash. Only for the one who holds the model's lock.

    Returns
    -------
    bool
        Whether a cut-off commit was finished.
    """
    model_dir = Path(model_dir)
    names = _journal_names(model_dir, prefix)
    if names is not None:
        _finish(model_dir, prefix, names)
    for path in entries_of_model(model_dir, prefix):
        if path.name.endswith(TEMPORARY_SUFFIX):
            remove_if_present(path)
    return names is not None


def wait_until_whole(model_dir: Path, prefix: str) -> None:
    """For readers: let a trainer finish the commit it is in, or finish the commit of one that died."""
    end = time.monotonic() + _READER_PATIENCE_SECONDS
    while _journal(model_dir, prefix).exists():
        if not is_locked(model_dir, prefix):
            recover(model_dir, prefix)
            return
        if time.monotonic() > end:
            raise UserError(f"{model_dir}: {prefix} has been saving for long. Try again when the trainer has finished.")
        time.sleep(0.05)


def _finish(model_dir, prefix, names):
    try:
        for name in names:
            with suppress(FileNotFoundError):
                os.replace(model_dir / (name + TEMPORARY_SUFFIX), model_dir / name)
        _flush_folder(model_dir)
        remove_if_present(_journal(model_dir, prefix))
    except OSError as error:
        raise UserError(
            f"{error.filename}: cannot be replaced ({error.strerror}). The new files lie beside it as *.tmp and are put in "
            "place at the next start."
        ) from None


def _journal_names(model_dir, prefix):
    path = _journal(model_dir, prefix)
    try:
        names = json.loads(path.read_text())["files"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise FormatError(path, "is damaged. If the model loads without it, delete it") from None
    if not all(isinstance(name, str) and os.path.basename(name) == name for name in names):
        raise FormatError(path, "names files outside of the folder")
    return names


def _journal(model_dir, prefix):
    return Path(model_dir) / f"{prefix}{JOURNAL_SUFFIX}"


def _drop_temporaries(model_dir, names):
    for name in names:
        remove_if_present(model_dir / (name + TEMPORARY_SUFFIX))


def _write_flushed(path, content):
    with open(path, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _flush_folder(folder):
    """Make renames durable; folders cannot be flushed on every system."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
