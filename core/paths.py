"""Listing folders in natural order, and writing files so that a crash never leaves half of one."""

import fnmatch
import os
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

from core.errors import NothingToDo, UserError

IMAGE_EXTENSIONS = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
OTHER_IMAGE_EXTENSIONS = (
    ".webp", ".bmp", ".dib", ".gif", ".jp2", ".j2k", ".jpf", ".jpe", ".jfif", ".jxl", ".heic", ".heif", ".avif", ".exr",
    ".hdr", ".tga", ".ppm", ".pgm", ".pbm", ".pnm", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw",
)  # fmt: skip
VIDEO_EXTENSIONS = (
    ".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv",
)  # fmt: skip

_MOST_NAMED = 10
_told = set()  # what was said already about pictures of other kinds

_DIGITS = re.compile(r"(\d+)")
_TORN_END = re.compile(r"\.\w{8}\.tmp(\.\w+)?\Z")


def natural_key(path):
    """Sort key under which ``9.png`` comes before ``10.png`` and 99999 before 100000.

    Equal-width numbers sort exactly as plain text does. The text itself breaks ties.
    """
    text = str(path)
    parts = tuple(
        (1, int(part), "") if part.isascii() and part.isdigit() else (0, 0, part) for part in _DIGITS.split(text)
    )
    return parts, text


def list_files(folder, extensions=None):
    """Files directly in ``folder`` in natural order, only those whose suffix (any case) is in ``extensions`` if given.

    Hidden files (leading dot) are left out, such as the temporary ones that a killed run leaves.

    Raises
    ------
    UserError
        When the folder does not exist or cannot be read.
    """
    folder = Path(folder)
    try:
        entries = [entry.name for entry in os.scandir(folder) if entry.is_file() and not entry.name.startswith(".")]
    except FileNotFoundError:
        raise UserError(f"{folder}: no such folder. Check the path, or run the step that makes it first.") from None
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror}).") from None
    if extensions is not None:
        entries = [name for name in entries if os.path.splitext(name)[1].lower() in extensions]
    return [folder / name for name in sorted(entries, key=natural_key)]


def list_images(folder, required=False):
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
    from core import interact

    _told.add(told)
    named = ", ".join(others[:_MOST_NAMED]) + (" …" if len(others) > _MOST_NAMED else "")
    count = f"{len(others)} pictures are" if len(others) > 1 else "1 picture is"
    interact.warning(
        f"{folder}: {count} passed over, being of a kind that is not read: {named}. Convert to png or jpg."
    )


def resolve_input_file(path):
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
        raise UserError(f"{path}: no such file.")
    return path.absolute()


def absolute_path(text):
    """``argparse`` type for paths: expands ``~`` and makes the path absolute."""
    return Path(os.path.abspath(os.path.expanduser(text)))


@contextmanager
def replacing(path):
    """Yield a temporary path in the same folder; on success it replaces ``path``, on any error it is removed.

    The content is flushed to disk before the rename, so ``path`` holds either its old bytes or all the new ones.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:40]}.", suffix=f".tmp{path.suffix}", dir=path.parent)
    os.close(handle)
    try:
        os.chmod(temporary, _mode_for(path))
        yield Path(temporary)
        _flush(temporary)
        os.replace(temporary, path)
    except BaseException:
        remove_if_present(temporary)
        raise


def remove_torn(pattern):
    """Remove what runs of :func:`replacing` that were killed have left of a file, or of the files of a pattern with ``*``.

    Not while another program may be writing the same file.
    """
    folder, name = os.path.split(str(pattern))
    begins = name.replace("[", "[[]")[:40] + "*"
    for entry in os.scandir(folder) if os.path.isdir(folder) else ():
        is_torn = entry.name.startswith(".") and _TORN_END.search(entry.name) and entry.is_file()
        if is_torn and fnmatch.fnmatchcase(entry.name.lstrip("."), begins):
            remove_if_present(entry.path)


def atomic_write(path, data):
    """Write ``data`` (bytes-like, or an iterable of them) to ``path`` in one step; see :func:`replacing`.

    Raises
    ------
    UserError
        When the file cannot be written (full disk, no permission); the old file is untouched.
    """
    chunks = (data,) if isinstance(data, (bytes, bytearray, memoryview)) else data
    try:
        with replacing(path) as temporary, open(temporary, "wb") as stream:
            for chunk in chunks:
                stream.write(chunk)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}).") from error


def remove_if_present(path):
    """Remove a file if it is there."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def free_name(path):
    """``path``, or with ``_1``, ``_2`` … before the suffix when a file of that name exists."""
    path = Path(path)
    candidate, number = path, 0
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}_{number}{path.suffix}")
    return candidate


def move_to_trash(files, trash_folder):
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


def _mode_for(path):
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
