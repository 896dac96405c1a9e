"""New pictures in place of those of a folder, all or none, however the program ends.

The results are made in a hidden folder; a rename of that folder to ``.<purpose>.results`` decides that they count. Then
they are put in place one by one. A run that is killed before the rename has changed nothing; one that is killed after it
is finished by the next, which does not make the results a second time.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import FormatError, UserError
from core.files.paths import atomic_write
from core.records.json_file import LARGE_FILE, json_bytes, read_json

_SOURCES = ".sources.json"
_FORM = {"stamps": {str: object}, "note": {str: object}}


def results_folder(folder: Path, purpose: str) -> Path:
    """Where results that count wait until they are put in place."""
    return Path(folder) / f".{purpose}.results"


def commit(made: Mapping[Path, Path], folder: Path, purpose: str, note: Mapping | None = None) -> None:
    """Decide that results count; :func:`finish` then puts them in place of the pictures.

    Parameters
    ----------
    made : mapping of Path to Path
        Picture of the folder → its result, all results in one hidden folder on the same disk.
    folder : Path
    purpose : str
        Names the hidden folder.
    note : mapping, optional
        What a run that finishes this one shall be told, as JSON.
    """
    place = next(iter(made.values())).parent
    for picture, result in made.items():
        _flush(result)
        os.replace(result, place / picture.name)
    stamps = {picture.name: _stamp(picture) for picture in made}
    atomic_write(place / _SOURCES, json_bytes({"stamps": stamps, "note": dict(note or {})}))
    try:
        os.rename(place, results_folder(folder, purpose))
    except OSError as error:
        raise UserError(
            f"{folder}: the results cannot be put in place ({error.strerror}); nothing was changed."
        ) from None
    _flush(folder)


def finish(folder: Path, purpose: str, record: Path | None = None) -> tuple[int, list[str], dict] | None:
    """Put results that count in place, of this run or of one that was killed while it did so; None when there are none.

    A picture that was changed or removed since is left as it is.

    Parameters
    ----------
    folder : Path
    purpose : str
    record : Path, optional
        File that will tell :func:`is_finished` that all is done, written at the last moment before it is.

    Returns
    -------
    count : int
        Results of that run, those included that it has put in place itself.
    left : list of str
        Names of the pictures that were left.
    note : dict
    """
    place = results_folder(folder, purpose)
    shutil.rmtree(place.with_name(f"{place.name}.done"), ignore_errors=True)
    if not place.is_dir():
        return None
    try:
        sources = read_json(place / _SOURCES, _FORM, LARGE_FILE)
        stamps, note = sources["stamps"], sources["note"]
        if any(os.path.basename(name) != name for name in stamps):
            raise ValueError("a name in it is a path")
    except (OSError, ValueError, FormatError):
        shutil.rmtree(place, ignore_errors=True)
        return None
    left = []
    for name, stamp in stamps.items():
        result, picture = place / name, Path(folder) / name
        if not result.is_file():
            continue
        if _stamp(picture) == stamp:
            os.replace(result, picture)
        else:
            left.append(name)
    _flush(folder)
    if record is not None:
        content = {
            "folder": str(folder),
            "note": note,
            "stamps": {name: _stamp(Path(folder) / name) for name in stamps},
        }
        atomic_write(record, json_bytes(content))
    done = place.with_name(f"{place.name}.done")
    os.rename(place, done)  # At this moment the work is finished; what follows only tidies up.
    shutil.rmtree(done, ignore_errors=True)
    return len(stamps), left, note


def is_finished(record: Path, folder: Path, note: Mapping) -> int:
    """How many pictures of the folder are just as :func:`finish` left them, when all are; otherwise 0."""
    try:
        content = read_json(Path(record), {"folder": str, **_FORM}, LARGE_FILE)
        if content["folder"] != str(folder) or content["note"] != dict(note):
            return 0
        stamps = content["stamps"]
        same = all(_stamp(Path(folder) / os.path.basename(name)) == stamp for name, stamp in stamps.items())
    except (OSError, ValueError, FormatError):
        return 0
    return len(stamps) if same else 0


def _stamp(path) -> Sequence[int]:
    try:
        status = os.stat(path)
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]


def _flush(path):
    if os.name == "nt" and os.path.isdir(path):
        return
    handle = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
