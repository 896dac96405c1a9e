"""Folders of aligned faces as the mask tools see them: checked, listed, read file by file with plain messages."""

import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.console import interact
from core.console.commands import command
from core.errors import NothingToDo, UserError
from core.files.paths import list_images
from core.parallel import ordered_map
from samplelib.faces.aligned_face import FaceMetadata, read_metadata

PACKED_NAME = "faceset.pak"


@dataclass
class Statistics:
    """What a walk over a folder did.

    Parameters
    ----------
    done : int
        Files changed or copied.
    not_faces : int
        Pictures without face data, which were skipped.
    failed : list of Path
        Files that could not be read or written; each was named in a message.
    """

    done: int = 0
    not_faces: int = 0
    failed: list[Path] = field(default_factory=list)

    def raise_if_failed(self) -> None:
        """End with an error that counts the failures, after the good files were dealt with."""
        if self.failed:
            raise UserError(
                f"{len(self.failed)} of the files could not be processed (named above, first: {self.failed[0]}). "
                "Repair, unlock or remove them and run again."
            )


def face_files(folder: Path) -> list[Path]:
    """Pictures of a folder of aligned faces, in natural order.

    Raises
    ------
    UserError
        When the folder does not exist, or holds a packed faceset.
    NothingToDo
        When it holds no pictures.
    """
    folder = Path(folder)
    refuse_packed(folder)
    return list_images(folder, required=True)


def refuse_packed(folder: Path) -> None:
    """Raise a UserError when the folder holds a packed faceset, which these tools cannot change."""
    if (Path(folder) / PACKED_NAME).exists():
        raise UserError(
            f"{folder} contains a packed faceset ({PACKED_NAME}). "
            f"Unpack it first: {command('util --unpack-faceset --input-dir', folder)}"
        )


def require_writable(path: Path) -> None:
    """Raise a UserError for a write-protected file: replacing it would silently lift the protection."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from None
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise UserError(f"{path}: is read-only and was left as it is. Make it writable and try again.")


def walk_faces(
    folder: Path, work: Callable[[Path, FaceMetadata], bool], statistics: Statistics | None = None
) -> Statistics:
    """Call ``work(path, metadata)`` for each face of a folder, several at a time, with a progress bar.

    Pictures without face data and files that cannot be read or written are named and skipped.

    Parameters
    ----------
    folder : Path
    work : callable
        Returns whether the face counts as done. Runs in threads.
    statistics : Statistics, optional
        Counted on; a new one by default.
    """
    statistics = statistics or Statistics()
    files = face_files(folder)

    def read_and_work(path):
        metadata = read_metadata(path)
        return None if metadata is None else work(path, metadata)

    with interact.progress(len(files), "Processing") as bar:
        for outcome in ordered_map(read_and_work, files):
            if outcome.error is not None:
                report_failure(outcome.item, outcome.error, statistics)
            elif outcome.value is None:
                report_not_a_face(outcome.item, statistics)
            elif outcome.value:
                statistics.done += 1
            bar.update()
    return statistics


def report_failure(path: Path, error: Exception, statistics: Statistics) -> None:
    """Say why a file failed and count it. Errors that are not about the file are raised again."""
    if not isinstance(error, (UserError, OSError)):
        raise error
    text = str(error)
    interact.error(text if str(path) in text else f"{path}: {text}")
    statistics.failed.append(path)


def report_not_a_face(path: Path, statistics: Statistics) -> None:
    """Say that a picture has no face data and count it."""
    interact.warning(f"{path} is not a DFLIMG. Skipped.")
    statistics.not_faces += 1


def read_faces(files: Iterable[Path], statistics: Statistics) -> Iterator[tuple[Path, FaceMetadata]]:
    """Yield (path, metadata) of the faces among ``files`` in order; the others are named and counted."""
    for outcome in ordered_map(read_metadata, files):
        if outcome.error is not None:
            report_failure(outcome.item, outcome.error, statistics)
        elif outcome.value is None:
            report_not_a_face(outcome.item, statistics)
        else:
            yield outcome.item, outcome.value


def require_faces(count: int, folder: Path) -> None:
    """Raise NothingToDo when a folder turned out to hold no aligned face."""
    if not count:
        raise NothingToDo(f"{folder}: none of its pictures is an aligned face. Run the extraction first.")
