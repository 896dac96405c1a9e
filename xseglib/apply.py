"""Writes masks into the faces of a folder: batches through a mask source, files read and written in threads."""

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from core.console import interact
from core.errors import FormatError, UserError
from core.files.imageio import decode_image, to_bgr8
from core.files.paths import remove_if_present
from core.files.picture_limits import FACE_MEGAPIXELS
from core.parallel import cpu_count, ordered_map
from core.records.bounded_read import read_bounded
from core.records.json_file import LARGE_FILE, parse_json_line
from samplelib.faces.aligned_face import metadata_from_jpeg, write_metadata
from xseglib.folders import (
    Statistics,
    face_files,
    report_failure,
    report_not_a_face,
    require_faces,
    require_writable,
)
from xseglib.mask_sources import Face, MaskSource

BATCH_SIZE = 8


class ApplyJournal:
    """Remembers beside the faces which of them are done, so that an interrupted run goes on where it stopped.

    A line is added for each written file; a finished run removes the journal.

    Parameters
    ----------
    folder : Path
        Folder of aligned faces.
    source_key : str
        Names the network and its version; a journal of another one is not continued.
    """

    FILE_NAME = ".xseg_apply_progress"

    def __init__(self, folder: Path, source_key: str):
        self.path = Path(folder) / self.FILE_NAME
        self.source_key = source_key
        self._done = self._read()

    def is_done(self, path: Path) -> bool:
        """Whether an interrupted run wrote this very file, and nobody has changed it since."""
        return self._done.get(path.name) == _stamp(path)

    def start(self) -> None:
        """Begin a new journal unless there is one to go on with."""
        if not self._done:
            self._write("w", {"source": self.source_key})

    def add(self, paths: list[Path]) -> None:
        """Note files that were written."""
        self._write("a", *[{"name": path.name, "stamp": _stamp(path)} for path in paths])

    def finish(self) -> None:
        """The whole folder is done."""
        remove_if_present(self.path)

    def _read(self):
        try:
            first, *rest = read_bounded(self.path, LARGE_FILE).split(b"\n")
        except FileNotFoundError:
            return {}
        except FormatError as error:
            interact.warning(f"{error}; all faces are done again.")
            return {}
        begin = parse_json_line(first, {"source": str})
        if begin is None:
            interact.warning(f"{self.path}: is damaged; all faces are done again.")
        if begin is None or begin["source"] != self.source_key:
            return {}
        items = [parse_json_line(line, {"name": str, "stamp": [int]}) for line in rest]
        return {item["name"]: item["stamp"] for item in items if item is not None}

    def _write(self, mode, *items):
        try:
            with open(self.path, mode, encoding="utf-8") as stream:
                stream.writelines(json.dumps(item) + "\n" for item in items)
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror or error}).") from None


def apply_masks(
    folder: Path, source: MaskSource, source_key: str, batch_size: int = BATCH_SIZE, restart: bool = False
) -> Statistics:
    """Store a mask in every face of a folder; labels and everything else in the files stay.

    Parameters
    ----------
    folder : Path
    source : MaskSource
    source_key : str
        See :class:`ApplyJournal`.
    batch_size : int
        Faces that go through the network together.
    restart : bool
        Begin again even if an interrupted run could be continued.

    Returns
    -------
    Statistics
        ``done`` counts the faces that have a mask of this source now, those of the interrupted run included.
    """
    files, statistics = face_files(folder), Statistics()
    journal = ApplyJournal(folder, source_key)
    waiting = files if restart else [path for path in files if not journal.is_done(path)]
    statistics.done = len(files) - len(waiting)
    if statistics.done:
        interact.info(f"Going on with an interrupted run: {statistics.done} of {len(files)} files are done.")
    else:
        remove_if_present(journal.path)
        journal = ApplyJournal(folder, source_key)
    journal.start()
    with interact.progress(len(files), "Processing", initial=statistics.done) as bar:
        for batch in _batches(_read_faces(waiting, source, statistics, bar), batch_size):
            written = _write_masks(batch, source.masks(batch), statistics)
            journal.add(written)
            statistics.done += len(written)
            bar.update(len(batch))
    if not statistics.failed:
        journal.finish()
        require_faces(statistics.done, folder)
    return statistics


def _read_faces(files, source, statistics, bar) -> Iterator[Face]:
    """Faces in order; files that are no faces, or cannot be treated, are named and counted at once."""

    def read(path):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror or error}).") from None
        metadata = metadata_from_jpeg(data, path) if path.suffix.lower() in (".jpg", ".jpeg") else None
        if metadata is None:
            return None
        require_writable(path)
        source.check(metadata, path)
        return Face(path, to_bgr8(decode_image(data, path, FACE_MEGAPIXELS)), metadata)

    workers = min(cpu_count(), 8)
    for outcome in ordered_map(read, files, workers, ahead=2 * workers):
        if outcome.value is not None:
            yield outcome.value
            continue
        if outcome.error is not None:
            report_failure(outcome.item, outcome.error, statistics)
        else:
            report_not_a_face(outcome.item, statistics)
        bar.update()


def _batches(items, size) -> Iterator[list[Face]]:
    items = iter(items)
    while batch := list(islice(items, size)):
        yield batch


def _write_masks(faces, masks, statistics) -> list[Path]:
    def write(pair):
        face, mask = pair
        write_metadata(face.path, face.metadata.with_xseg_mask(mask))

    written = []
    for outcome in ordered_map(write, zip(faces, masks), min(cpu_count(), 8)):
        path = outcome.item[0].path
        if outcome.error is None:
            written.append(path)
        else:
            report_failure(path, outcome.error, statistics)
    return written


def _stamp(path):
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns]
