"""Faces of a faceset at a model's size, kept on disk so that they need not be decoded and cut out in each epoch."""

import hashlib
import os
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import UserError
from core.locks.lock_file import LockFile
from samplelib.faces.sample import Sample

CROPS_SUFFIX = ".crops"
INDEX_SUFFIX = ".index"
FOLDER_SUFFIX = "_samples"
KEPT_FREE_BYTES = 4 * 2**30
"""Room on the disk that is never used, because the model has to be saved."""

# Of how faces are cut out: to be raised when the same file would give another crop.
_VERSION = 1
_HEAD = b"faces of a faceset, cut out; may be deleted\n"
_ENTRY = np.dtype([("key", "V16"), ("slot", "<u4"), ("crc", "<u4"), ("check", "<u4")])
_CHECKED_BYTES = _ENTRY.itemsize - 4
_STALE_SHARE, _SPARE_SLOTS = 2, 1000
_WRITES_BETWEEN_LOOKS = 256


@dataclass(frozen=True)
class CropLayout:
    """What one face is in a file of crops.

    Parameters
    ----------
    name : str
        File name without suffix; says all that a crop depends on besides the picture.
    shapes : tuple of tuple of int
        Of its uint8 arrays.
    take_apart : callable
        Returns the arrays of a face.
    put_together : callable
        Returns the face of these arrays.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    take_apart: Callable[[Any], Sequence[np.ndarray]]
    put_together: Callable[..., Any]

    @property
    def face_bytes(self) -> int:
        """Size of one face."""
        return sum(int(np.prod(shape)) for shape in self.shapes)


class CropFile:
    """Crops of one faceset in one layout; faces are added as they are first needed, and any thread may call.

    ``<name>.crops`` holds the crops, one after the other and uncompressed, ``<name>.index`` an entry of 28 bytes for each: digest
    of the face's name, size and time, place, checksum of the crop, checksum of the entry. What does not agree with its
    checksums, as after a loss of power, counts as not there. An error of the disk costs the crop and never the training.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    layout : CropLayout
    faces : int
        How many the faceset has. A file with more than twice as many, of pictures that were changed since, is begun anew.
    read_at : int
        When the faceset was read, in nanoseconds since 1970: pictures that are newer are not kept, as their masks may have
        changed since.

    Raises
    ------
    UserError
        When the files cannot be used: another process does, or nothing can be written there.
    """

    def __init__(self, folder: Path, layout: CropLayout, faces: int, read_at: int):
        self.folder, self.layout, self._read_at = Path(folder), layout, read_at
        self._crops, self._index = (self.folder / f"{layout.name}{suffix}" for suffix in (CROPS_SUFFIX, INDEX_SUFFIX))
        self._lock_file = LockFile(self.folder / f".{layout.name}.lock")
        self._guard = threading.Lock()
        self._idle: list = []
        self._writes, self._full, self._closed = 0, False, False
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._lock_file.acquire():
                owner = self._lock_file.owner()
                raise UserError(
                    f"{self._crops}: process {owner.pid} ({owner.command}) has been using this file since {owner.since}."
                )
            try:
                self._places = self._read_index(faces)
                self._index_stream = open(self._index, "ab", buffering=0)  # noqa: SIM115 - open until close()
            except OSError:
                self._lock_file.release()
                raise
        except OSError as error:
            raise UserError(f"{error.filename or self.folder}: {error.strerror or error}.") from None
        self._next_slot = max((slot for slot, _ in self._places.values()), default=-1) + 1

    def __len__(self):
        return len(self._places)

    def get(self, sample: Sample) -> Any | None:
        """The face of a picture that has not changed since it was put here, else None."""
        place = self._places.get(_key_and_time(sample)[0])
        if place is None:
            return None
        slot, crc = place
        size = self.layout.face_bytes
        try:
            with self._handle() as stream:
                stream.seek(slot * size)
                data = stream.read(size)
        except OSError:
            return None
        if len(data) != size or zlib.crc32(data) != crc:
            return None
        arrays, start = [], 0
        for shape in self.layout.shapes:
            count = int(np.prod(shape))
            arrays.append(np.frombuffer(data, np.uint8, count, start).reshape(shape))
            start += count
        return self.layout.put_together(*arrays)

    def put(self, sample: Sample, face: Any) -> None:
        """Keep a face; when the disk has no room left, this is said once and nothing more is kept."""
        key, changed_at = _key_and_time(sample)
        if self._full or changed_at >= self._read_at:
            return
        data = b"".join(array.tobytes() for array in self.layout.take_apart(face))
        with self._guard:
            known = self._places.get(key)
            slot = self._next_slot if known is None else known[0]
            self._next_slot += known is None
            looks = self._writes % _WRITES_BETWEEN_LOOKS == 0
            self._writes += 1
        try:
            if looks and shutil.disk_usage(self.folder).free < KEPT_FREE_BYTES:
                self._end_writing(f"less than {KEPT_FREE_BYTES // 2**30} GB are free, which are kept for saving models")
                return
            with self._handle() as stream:
                stream.seek(slot * len(data))
                stream.write(data)
            entry = np.zeros(1, _ENTRY)
            entry["key"], entry["slot"], entry["crc"] = np.void(key), slot, zlib.crc32(data)
            entry["check"] = zlib.crc32(entry.tobytes()[:_CHECKED_BYTES])
            with self._guard:
                if not self._closed:
                    self._index_stream.write(entry.tobytes())
                    self._places[key] = (slot, int(entry["crc"][0]))
        except OSError as error:
            self._end_writing(error.strerror or str(error))

    def close(self) -> None:
        """Close the files and let other processes have them."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            for stream in (self._index_stream, *self._idle):
                with suppress(OSError):
                    stream.close()
            self._idle.clear()
            self._lock_file.release()

    def _end_writing(self, why):
        with self._guard:
            said, self._full = self._full, True
        if not said:
            interact.warning(f"{self._crops}: no more faces are kept there: {why}. Training goes on from the pictures.")

    @contextmanager
    def _handle(self):
        """A handle of the crops that no other thread uses."""
        with self._guard:
            stream = self._idle.pop() if self._idle else None
        if stream is None:
            stream = open(self._crops, "r+b", buffering=0)  # noqa: SIM115 - closed in close()
        try:
            yield stream
        except OSError:
            stream.close()
            raise
        with self._guard:
            if self._closed:
                stream.close()
            else:
                self._idle.append(stream)

    def _read_index(self, faces):
        """Slot and checksum by key; files of another kind, or mostly of faces that are gone, begin anew."""
        head = _HEAD + f"{_VERSION} {self.layout.shapes}\n".encode()
        most = _STALE_SHARE * faces
        try:
            is_long = self._index.stat().st_size >= len(head) + (most + 1) * _ENTRY.itemsize
            data = b"" if is_long else self._index.read_bytes()
        except FileNotFoundError:
            data = b""
        entries = _whole_entries(data[len(head) :]) if data.startswith(head) else None
        # Places are given out one after the other, so a far one is made up.
        if entries is None or (entries["slot"] > most + _SPARE_SLOTS).any() or not self._crops.is_file():
            self._crops.write_bytes(b"")
            self._index.write_bytes(head)
            return {}
        whole = len(head) + len(entries) * _ENTRY.itemsize
        if whole != len(data):
            os.truncate(self._index, whole)
        keys = entries["key"].tobytes()
        return {
            keys[16 * number : 16 * number + 16]: (slot, crc)
            for number, (slot, crc) in enumerate(zip(entries["slot"].tolist(), entries["crc"].tolist()))
        }


class CropFiles:
    """The files of crops that one training uses, opened as they are needed.

    Parameters
    ----------
    place : Path or str or None
        None keeps no crops, an empty text keeps them beside the faceset, else this is the folder for them.
    read_at : int, optional
        See :class:`CropFile`; now, if not given.
    """

    def __init__(self, place: Path | str | None, read_at: int | None = None):
        self._place, self._read_at = place, time.time_ns() if read_at is None else read_at
        self._files: list[CropFile] = []
        self._hinted = False

    def open(self, faceset: Path, layout: CropLayout, faces: int, free_bytes: int) -> CropFile | None:
        """The file of a faceset's crops; None, and a reason where one is due, when no crops are kept.

        ``free_bytes`` is the memory for faces: when the faceset does not fit, it is said once that crops can be kept.
        """
        if self._place is None:
            if faces * layout.face_bytes > free_bytes and not self._hinted:
                self._hinted = True
                interact.info(
                    f"{faceset}: the {faces} faces, cut out for the model, are {faces * layout.face_bytes / 2**30:.1f} GB, and "
                    f"{free_bytes / 2**30:.1f} GB of memory are for them (--cache-mb). The others are read and cut out again "
                    "each time. --sample-store keeps them ready on the disk (docs/training.md)."
                )
            return None
        folder = folder_of_crops(faceset, Path(self._place) if self._place else None)
        try:
            crops = CropFile(folder, layout, faces, self._read_at)
        except UserError as error:
            interact.warning(f"{error} Training goes on without it (--sample-store).")
            return None
        self._files.append(crops)
        interact.info(f"{folder / layout.name}{CROPS_SUFFIX}: {counted(len(crops), 'face')} kept so far.")
        return crops

    def close(self) -> None:
        """Close all that were opened."""
        while self._files:
            self._files.pop().close()


def folder_of_crops(faceset: Path, place: Path | None = None) -> Path:
    """Where the crops of a faceset are kept: ``<faceset>_samples`` beside it, or in ``place`` under a name that tells two apart."""
    faceset = Path(faceset)
    if place is None:
        return faceset.with_name(faceset.name + FOLDER_SUFFIX)
    digest = hashlib.blake2b(str(faceset.absolute()).encode(errors="surrogateescape"), digest_size=4).hexdigest()
    return place / f"{faceset.parent.name}_{faceset.name}_{digest}{FOLDER_SUFFIX}"


def _whole_entries(data):
    """The entries up to the first that is cut off or does not agree with its checksum."""
    entries = np.frombuffer(data, _ENTRY, len(data) // _ENTRY.itemsize)
    for number in range(len(entries)):
        entry = data[number * _ENTRY.itemsize : (number + 1) * _ENTRY.itemsize]
        if zlib.crc32(entry[:_CHECKED_BYTES]) != int.from_bytes(entry[_CHECKED_BYTES:], "little"):
            return entries[:number]
    return entries


def _key_and_time(sample):
    """Digest of what tells whether a picture is still the same one (name, person, size and time of its file), and that time."""
    state = os.stat(sample.path)
    text = f"{sample.person_name}\0{sample.name}\0{state.st_size}\0{state.st_mtime_ns}"
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=16).digest(), state.st_mtime_ns
