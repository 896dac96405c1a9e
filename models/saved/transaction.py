"""Putting down the files of one model generation so that a crash at any moment leaves a whole generation."""

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from core.errors import FormatError, UserError
from core.files.paths import remove_if_present, replacing
from core.records.json_file import read_json
from models.saved.lock import is_locked
from models.saved.model_files import STATE_SUFFIX
from models.saved.saved_models import entries_of_model

JOURNAL_SUFFIX = "_commit.json"
TEMPORARY_SUFFIX = ".tmp"
_MODEL_SUFFIXES = (".npy", ".dat", ".txt")
_READER_PATIENCE_SECONDS = 20.0


class NotWritten(UserError):
    """A generation could not be put down, for example because the disk is full; ``reason`` says why in a few words."""

    def __init__(self, text: str, reason: object):
        super().__init__(text)
        self.reason = str(reason)


Content = bytes | Callable[[], bytes | Iterable[bytes | memoryview]]
"""What a file shall hold: bytes, or a function that returns them, whole or in pieces."""


def commit(model_dir: Path, prefix: str, files: Mapping[str, Content], remove: Iterable[str] = ()) -> None:
    """Replace the files of a model by a new generation: all of them, or none.

    Parameters
    ----------
    model_dir : Path
    prefix : str
        Of the model's files, for example ``face_SAEHD``.
    files : mapping
        File name to :data:`Content`; functions are called when their turn comes.
    remove : iterable of str
        Names of files that the new generation does not have.

    Raises
    ------
    NotWritten
        When something cannot be written; the old generation is untouched then.

    Notes
    -----
    New files are written as ``<name>.tmp`` and flushed; then a journal with their names is put down, which is the moment
    of the commit; then each is renamed, the state of the model last; then the journal goes. :func:`recover` finishes the
    renames of a commit that was cut off, or drops temporary files that no journal names.
    """
    model_dir = Path(model_dir)
    # A commit whose renames failed still waits for its temporary files, which have the names of the new ones.
    pending = _read_journal(model_dir, prefix)
    if pending is not None:
        _finish(model_dir, prefix, *pending)
    names = sorted(files, key=lambda name: name.endswith(STATE_SUFFIX))
    name, removed = "", sorted(set(remove) - set(names))
    try:
        for name in names:
            content = files[name]
            _write_flushed(model_dir / (name + TEMPORARY_SUFFIX), content() if callable(content) else content)
        name = _journal(model_dir, prefix).name
        _write_journal(model_dir, prefix, {"files": names, "remove": removed})
    except OSError as error:
        _drop_temporaries(model_dir, names)
        raise NotWritten(
            f"{model_dir / name}: cannot be written ({error.strerror or error}). The model was not saved.",
            error.strerror or error,
        ) from None
    except BaseException:
        _drop_temporaries(model_dir, names)
        raise
    flush_folder(model_dir)
    _finish(model_dir, prefix, names, removed)


def recover(model_dir: Path, prefix: str) -> bool:
    """Bring a model folder to a whole generation after a crash. Only for the one who holds the model's lock.

    Returns
    -------
    bool
        Whether a cut-off commit was finished.
    """
    model_dir = Path(model_dir)
    pending = _read_journal(model_dir, prefix)
    if pending is not None:
        _finish(model_dir, prefix, *pending)
    for path in entries_of_model(model_dir, prefix):
        if path.name.endswith(TEMPORARY_SUFFIX) and path.stem.endswith(_MODEL_SUFFIXES):
            remove_if_present(path)
    return pending is not None


def drop_journal(model_dir: Path, prefix: str) -> None:
    """Forget a commit whose journal is damaged; the model's files stay as they are."""
    remove_if_present(_journal(model_dir, prefix))
    recover(model_dir, prefix)


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


def _finish(model_dir, prefix, names, removed):
    try:
        for name in names:
            with suppress(FileNotFoundError):
                os.replace(model_dir / (name + TEMPORARY_SUFFIX), model_dir / name)
        for name in removed:
            remove_if_present(model_dir / name)
        flush_folder(model_dir)
        remove_if_present(_journal(model_dir, prefix))
    except OSError as error:
        raise NotWritten(
            f"{error.filename}: cannot be replaced ({error.strerror}). The new files lie beside it as *.tmp and are put in "
            "place at the next start.",
            error.strerror or error,
        ) from None


def _write_journal(model_dir, prefix, content):
    """Put down the journal, whole or not at all."""
    path = _journal(model_dir, prefix)
    with replacing(path) as temporary:
        temporary.write_bytes(json.dumps(content).encode())


def _read_journal(model_dir, prefix):
    """Names to put in place and names to remove, or None when no commit waits."""
    path = _journal(model_dir, prefix)
    try:
        content = read_json(path, {"files": [str], "remove?": [str]})
    except FileNotFoundError:
        return None
    except FormatError:
        raise FormatError(path, "is damaged. If the model loads without it, delete it") from None
    lists = content["files"], content.get("remove", [])
    names = [name for names in lists for name in names]
    if not all(os.path.basename(name) == name not in ("", ".", "..") and "\0" not in name for name in names):
        raise FormatError(path, "names files outside the folder")
    return lists


def _journal(model_dir, prefix):
    return Path(model_dir) / f"{prefix}{JOURNAL_SUFFIX}"


def _drop_temporaries(model_dir, names):
    for name in names:
        with suppress(OSError):
            remove_if_present(model_dir / (name + TEMPORARY_SUFFIX))


def _write_flushed(path, content):
    with open(path, "wb") as stream:
        stream.writelines((content,) if isinstance(content, bytes) else content)
        stream.flush()
        os.fsync(stream.fileno())


def flush(path: Path) -> None:
    """Make the content of a file durable."""
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())


def flush_folder(folder: Path) -> None:
    """Make renames durable; folders cannot be flushed on every system."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
