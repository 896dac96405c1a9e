"""Reading a packed faceset: what it says of its pictures, and where their bytes are."""

import mmap
import os
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core.console.commands import command
from core.errors import FormatError
from core.pickles import safe_pickle
from samplelib.faces import aligned_face, mask_codec
from samplelib.faces.aligned_face import FaceMetadata
from samplelib.faces.sample import Sample
from samplelib.packs import index
from samplelib.packs.index import PackFaces, PackState
from samplelib.packs.writer import FACE_TYPE_NUMBERS, HEAD, VERSION


def cure(pack: Path) -> str:
    """What to do about a pack that is damaged."""
    unpack = command("util --unpack-faceset --allow-damaged --input-dir", pack.parent)
    return f"Copy the file here again, or take the whole pictures out of it, which keeps the pack: {unpack}"


_GREATEST_OFFSET = 1 << 60
_FACE_TYPE_NAMES = {number: name for name, number in FACE_TYPE_NUMBERS.items()}


@dataclass(slots=True)
class PackEntry:
    """One picture in a packed faceset: what the pack says of it, and where its bytes are."""

    pack: Path
    filename: str
    shape: tuple[int, int, int]
    person_name: str | None
    load_face: Callable[[], dict]
    """Returns the face data in the words of a picture's own dictionary."""
    offset: int
    size: int
    config: dict | None
    """All that the pickles say of it, also what this program does not use; None when the index was read instead."""

    @property
    def place(self) -> str:
        """Pack and picture, for messages."""
        return f"{self.pack} ({safe_pickle.printable(self.filename)})"

    def read_bytes(self) -> bytes:
        """The JPEG, read from the pack."""
        try:
            with open(self.pack, "rb") as stream:
                stream.seek(self.offset)
                data = stream.read(self.size)
        except OSError as error:
            raise FormatError(self.place, f"cannot be read ({error.strerror or error})") from None
        if len(data) != self.size:
            raise FormatError(self.place, "is cut off")
        return data

    def index_metadata(self) -> FaceMetadata:
        """Face type, landmarks, labels and mask, as the pack says without its pictures."""
        return aligned_face.metadata_from_dict(self.load_face(), self.place)

    def metadata(self) -> FaceMetadata:
        """As :meth:`index_metadata`, with the fields that only the picture itself holds."""
        index = self.index_metadata()
        stored = aligned_face.metadata_from_jpeg(self.read_bytes(), self.place)
        if stored is None:
            return index
        return stored.replace(
            face_type=index.face_type,
            landmarks=index.landmarks,
            polygons=index.polygons,
            xseg_mask=index.xseg_mask,
            eyebrows_expand_mod=index.eyebrows_expand_mod,
            source_filename=index.source_filename or stored.source_filename,
        )


def read_pack(path: Any, keep_open: bool = True, cut_off: bool = False) -> list[PackEntry]:
    """What a packed faceset itself says of its pictures; none of them is read.

    Parameters
    ----------
    path
        The file.
    keep_open : bool
        Leave masks in the file and look at them there, which saves memory but keeps the file in use.
    cut_off : bool
        Take a file of which the end is missing, too; reading a picture that is not there raises.

    Raises
    ------
    FormatError
        When it is damaged, of another version, or unsafe.
    """
    with _opened(path) as pack:
        return _entries(pack, _unpickled_faces(pack, keep_open), cut_off)


def open_pack(path: Any) -> list[Sample]:
    """Samples of a packed faceset, in its order; by the index beside it, which the first call makes."""
    with safe_pickle.uncollected(lasting=True), _opened(path) as pack:
        return [
            Sample(
                name=entry.filename,
                shape=entry.shape,
                path=entry.pack,
                read_bytes=entry.read_bytes,
                load_metadata=entry.metadata,
                load_training_metadata=entry.index_metadata,
                person_name=entry.person_name,
            )
            for entry in _indexed_entries(pack)
        ]


@dataclass(frozen=True)
class _OpenPack:
    """An open pack, of which only the head was read: sizes of the file and of its pickles in bytes."""

    path: Path
    stream: BinaryIO
    size: int
    config_size: int


@contextmanager
def _opened(path):
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(HEAD.size)
            if len(head) < HEAD.size:
                raise FormatError(path, "is cut off, or no packed faceset")
            version, config_size = HEAD.unpack(head)
            if version != VERSION:
                raise FormatError(path, f"is no packed faceset of a known version ({version}, expected {VERSION})")
            if config_size > size - HEAD.size - 8:
                raise FormatError(path, "is cut off inside its index")
            yield _OpenPack(path, stream, size, config_size)
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from None


def _indexed_entries(pack):
    state = PackState(pack.config_size, index.checksum(pack.stream, pack.config_size))
    faces = index.read_index(pack.path, state)
    if faces is not None:
        try:
            return _entries(pack, faces)
        except FormatError:  # either the index is wrong, or the pack is, which reading it will say
            pass
    faces = _unpickled_faces(pack, True)
    entries = _entries(pack, faces)
    if index.write_index(pack.path, state, faces):
        written = index.read_index(pack.path, state)  # takes less memory than what was unpickled
        return entries if written is None else _entries(pack, written)
    return entries


def _unpickled_faces(pack, keep_open):
    if keep_open:
        whole = memoryview(mmap.mmap(pack.stream.fileno(), 0, access=mmap.ACCESS_READ))
        view = whole[HEAD.size : HEAD.size + pack.config_size]
    else:
        pack.stream.seek(HEAD.size)
        view = pack.stream.read(pack.config_size)
    configs = safe_pickle.loads(view, pack.path, safe_pickle.PACK_CLASSES, arrays=True)
    if not isinstance(configs, list):
        raise FormatError(pack.path, "its index is not a list")
    for config in configs:
        _check_config(pack.path, config)
    return PackFaces(
        [config["filename"] for config in configs],
        [tuple(config["shape"]) for config in configs],
        [config.get("person_name") or None for config in configs],
        lambda number: _stored_form(configs[number], pack.path),
        configs,
    )


def _check_config(path, item):
    if not isinstance(item, dict) or not isinstance(item.get("filename"), str):
        raise FormatError(path, "its index names a picture without a file name")
    shape = item.get("shape")
    if not isinstance(shape, (tuple, list)) or len(shape) != 3 or not all(isinstance(side, int) for side in shape):
        raise FormatError(path, f"its index has no shape for {item['filename'][:80]!r}")
    if not isinstance(item.get("person_name"), (str, type(None))):
        raise FormatError(path, f"its index has no usable person for {item['filename'][:80]!r}")


def _entries(pack, faces, cut_off=False):
    """Faces with the places of their pictures, which the table behind the pickles tells.

    The last offset is the size of the whole file; that of some packs counts as the others.
    """
    table_at, table_size = HEAD.size + pack.config_size, 8 * (len(faces.names) + 1)
    pack.stream.seek(table_at)
    table = pack.stream.read(min(table_size, pack.size))
    if len(table) != table_size:
        raise FormatError(pack.path, "is cut off inside its table of offsets")
    offsets, start = np.frombuffer(table, "<u8").astype(np.int64), table_at + table_size
    begins = offsets[:-1] + start
    end = offsets[-1] if offsets[-1] >= begins.max(initial=start) else offsets[-1] + start
    if offsets[-1] + start == pack.size:
        end = pack.size
    ends = np.append(begins[1:], end)[: len(begins)]
    are_odd = (offsets < 0).any() or (offsets > _GREATEST_OFFSET).any() or (ends < begins).any()
    if are_odd or (end != pack.size and not cut_off):
        expected = f" ({pack.size} bytes, {end} expected)" if end > pack.size else ""
        raise FormatError(
            pack.path, f"is damaged or cut off: its table of offsets does not fit its size{expected}. {cure(pack.path)}"
        )
    loads = [partial(faces.face, number) for number in range(len(faces.names))]
    sizes = (ends - begins).tolist()
    rows = zip(faces.names, faces.shapes, faces.persons, loads, begins.tolist(), sizes, faces.configs)
    return [PackEntry(pack.path, *row) for row in rows]


def _stored_form(config, path):
    """The index entry in the words of a picture's own dictionary."""
    face_type = config.get("face_type")
    if isinstance(face_type, (int, np.integer)):
        if int(face_type) not in _FACE_TYPE_NAMES:
            raise FormatError(path, f"its index has the unknown face type {face_type} for {config['filename'][:80]!r}")
        face_type = _FACE_TYPE_NAMES[int(face_type)]
    mask = config.get("xseg_mask_compressed")
    raw = config.get("xseg_mask")
    if mask is None and isinstance(raw, np.ndarray) and raw.ndim in (2, 3) and raw.size:
        mask = mask_codec.encode_mask(raw)
    return {
        "face_type": face_type,
        "landmarks": config.get("landmarks"),
        "source_filename": config.get("source_filename"),
        "seg_ie_polys": config.get("seg_ie_polys"),
        "xseg_mask": mask,
        "eyebrows_expand_mod": config.get("eyebrows_expand_mod"),
    }
