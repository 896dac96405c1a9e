"""Listing folders in natural order, and writing files so that a crash never leaves half of one."""

import argparse
import errno
import functools
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.console.counted import counted
from core.errors import NothingToDo, UserError
from core.files.system_errors import cannot_be_written
from core.files.temporary import is_temporary, temporary_file

IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
OTHER_IMAGE_EXTENSIONS = (
    ".webp", ".bmp", ".dib", ".gif", ".jp2", ".j2k", ".jpf", ".jpe", ".jfif", ".jxl", ".heic", ".heif", ".avif", ".exr",
    ".hdr", ".tga", ".ppm", ".pgm", ".pbm", ".pnm", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw",
)  # fmt: skip
VIDEO_EXTENSIONS = (
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv",
)  # fmt: skip

_MOST_NAMED = 10
_told: set[str] = set()  # what was said already about pictures of other kinds
_DIGITS = re.compile(r"(\d+)")


def natural_key(path: Path | str) -> tuple:
    """Sort key under which ``9.png`` comes before ``10.png`` and 99999 before 100000.

    Equal-width numbers sort exactly as plain text does. The text itself breaks ties.
    """
    text = str(path)
    parts = tuple(
        (1, int(part), "") if part.isascii() and part.isdigit() else (0, 0, part) for part in _DIGITS.split(text)
    )
    return parts, text


def list_files(folder: Path | str, extensions: Collection[str] | None = None) -> list[Path]:
    """Files directly in ``folder`` in natural order, only those whose suffix (any case) is in ``extensions`` if given.

    Hidden files (leading dot) are left out, such as the temporary ones that a killed run leaves. What has a wanted name
    but cannot be read as a file, such as a link that leads nowhere, a pipe or a device, is left out with a warning.

    Raises
    ------
    UserError
        When the folder does not exist or cannot be read.
    """
    folder = Path(folder)
    try:
        with os.scandir(folder) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
    except FileNotFoundError:
        raise UserError(f"{folder}: no such folder. Check the path, or run the step that makes it first.") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror}).") from None
    if extensions is not None:
        entries = [entry for entry in entries if os.path.splitext(entry.name)[1].lower() in extensions]
    problems = {entry.path: why_no_file(entry) for entry in entries}
    if extensions is not None:
        odd = [f"{path}: {problem}. It is left out." for path, problem in sorted(problems.items()) if problem]
        for text in odd[:_MOST_NAMED]:
            _warn_once(text)
        if len(odd) > _MOST_NAMED:
            _warn_once(f"{folder}: {len(odd) - _MOST_NAMED} more such entries are left out.")
    names = sorted((entry.name for entry in entries if problems[entry.path] is None), key=natural_key)
    return [folder / name for name in names]


def list_folders(folder: Path | str) -> list[Path]:
    """Folders directly in ``folder``, sorted by name; a link that leads back to ``folder`` or above is left out, named."""
    own, found = os.path.realpath(folder), []
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                is_folder = entry.is_dir()
            except OSError:
                is_folder = False
            if is_folder and entry.is_symlink() and _holds(os.path.realpath(entry.path), own):
                _warn_once(f"{entry.path}: is a link that leads back to the folder that it lies in. It is left out.")
            elif is_folder:
                found.append(Path(entry.path))
    return sorted(found, key=str)


def _holds(folder, path):
    return Path(path).is_relative_to(folder)


def why_no_file(entry: os.DirEntry) -> str | None:
    """What an entry of a folder is instead of a file; None for a file, an empty text for a folder."""
    try:
        if entry.is_file():
            return None
        if entry.is_dir():
            return ""
    except OSError as error:
        return (
            "is a link that leads back to itself"
            if error.errno == errno.ELOOP
            else f"cannot be read ({error.strerror})"
        )
    return "is no file but a pipe or a device" if os.path.exists(entry.path) else "is a link that leads nowhere"


@functools.cache
def _warn_once(text):
    from core.console import interact

    interact.warning(text)


def list_images(folder: Path | str, required: bool = False) -> list[Path]:
    """Images directly in ``folder`` (jpg, jpeg, png, tif, tiff in any case), in natural order.

    Pictures of other kinds are passed over as in DeepFaceLab; that is said, once for each folder. With ``required`` an
    empty folder raises :class:`~core.errors.NothingToDo`.
    """
    images = list_files(folder, IMAGE_EXTENSIONS)
    _mention_passed_over(folder)
    if required and not images:
        raise NothingToDo(f"{folder}: no images ({', '.join(IMAGE_EXTENSIONS)}) found in this folder.")
    return images


def _mention_passed_over(folder):
    others = [file.name for file in list_files(folder, OTHER_IMAGE_EXTENSIONS)]
    told = os.path.abspath(folder), tuple(others)
    if not others or told in _told:
        return
    from core.console import interact

    _told.add(told)
    named = ", ".join(others[:_MOST_NAMED]) + (" …" if len(others) > _MOST_NAMED else "")
    count = counted(len(others), "picture", "are")
    interact.warning(
        f"{folder}: {count} passed over, being of a kind that is not read: {named}. Convert to png or jpg."
    )


def resolve_input_file(path: Path | str) -> Path:
    """Path of an existing file. ``name.*`` stands for a file with that stem (any case), videos before others.

    Raises
    ------
    UserError
        When there is no such file.
    """
    path = Path(path).expanduser()
    if path.suffix == ".*":
        if path.parent.is_dir():
            matches = [file for file in list_files(path.parent) if file.stem.lower() == path.stem.lower()]
            matches.sort(key=lambda file: file.suffix.lower() not in VIDEO_EXTENSIONS)
            if matches:
                return matches[0].absolute()
        raise UserError(f"{path}: no file of that name with any extension. Put the video there, or give its path.")
    if not path.is_file():
        raise UserError(f"{path}: {_what_it_is(path)}")
    return path.absolute()


def _what_it_is(path):
    if path.is_dir():
        return "is a folder, but a file is needed. Check the path."
    if path.exists():
        return "is a pipe or a device, but a file is needed. Check the path."
    return "is a link that leads nowhere." if path.is_symlink() else "no such file."


def absolute_path(text: str) -> Path:
    """``argparse`` type for paths: expands ``~`` and makes the path absolute."""
    if "\0" in text:
        raise argparse.ArgumentTypeError(f"{text!r} holds a character of code 0, which no path can")
    return Path(os.path.abspath(os.path.expanduser(text)))


@contextmanager
def replacing(path: Path | str, flush: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it replaces ``path``, on any error it is removed.

    The content is flushed to disk before the rename, so ``path`` holds either its old bytes or all the new ones. Without
    ``flush`` that is so unless the machine itself goes down, which is enough for what can be made again. What killed runs
    have left in the folder is removed; see :mod:`core.files.temporary`.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    try:
        with temporary_file(path) as temporary:
            os.chmod(temporary, mode_for(path))
            yield temporary
            if flush:
                _flush(temporary)
            os.replace(temporary, path)
    except OSError as error:
        if error.filename is None or is_temporary(error.filename):
            error.filename, error.filename2 = str(path), None
        raise


def atomic_write(path: Path | str, data: bytes | Iterable[bytes]) -> None:
    """Write ``data`` (bytes-like, or an iterable of them) to ``path`` in one step; see :func:`replacing`.

    Raises
    ------
    UserError
        When the file cannot be written (no permission, or a :class:`~core.errors.DiskError`); the old file is untouched.
    """
    chunks = (data,) if isinstance(data, (bytes, bytearray, memoryview)) else data
    try:
        with replacing(path) as temporary, open(temporary, "wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
    except OSError as error:
        raise cannot_be_written(path, error) from error


def remove_if_present(path: Path | str) -> None:
    """Remove a file if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def free_name(path: Path | str) -> Path:
    """``path``, or with ``_1``, ``_2`` … before the suffix when a file of that name exists."""
    path = Path(path)
    candidate, number = path, 0
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}_{number}{path.suffix}")
    return candidate


def move_to_trash(files: Iterable[Path], trash_folder: Path) -> list[Path]:
    """Move files into ``trash_folder`` (made if needed), never over a file that is already there.

    Returns
    -------
    list of Path
        The new places, in the order of ``files``.
    """
    trash_folder = Path(trash_folder)
    trash_folder.mkdir(parents=True, exist_ok=True)
    places = []
    for file in files:
        place = free_name(trash_folder / Path(file).name)
        shutil.move(str(file), str(place))
        places.append(place)
    return places


def mode_for(path: Path | str) -> int:
    """Permissions of a file that takes the place of ``path``: the same, or those of a new file."""
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _flush(path):
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
