"""The packed faceset, one file that holds all face pictures of a folder: reading, packing and unpacking it."""

import mmap
import os
import struct
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from core import interact, safe_pickle
from core.errors import FormatError, NothingToDo, UserError
from core.paths import atomic_write, list_folders, list_images, remove_if_present, replacing
from samplelib import aligned_face, mask_codec
from samplelib.aligned_face import FaceMetadata
from samplelib.faceset import PACK_NAME, Sample, report_without_face_data

_VERSION = 1
_FACE_SAMPLE = 1
_HEAD = struct.Struct("<QQ")
_COPY_BLOCK = 1 << 20
_LONGEST_NAME = 255
_FACE_TYPE_NUMBERS = dict(zip(aligned_face.FACE_TYPES, (0, 1, 2, 3, 4, 10, 20, 100)))
_FACE_TYPE_NAMES = {number: name for name, number in _FACE_TYPE_NUMBERS.items()}


@dataclass(slots=True)
class PackEntry:
    """One picture in a packed faceset: what the index says of it, and where its bytes are."""

    pack: Path
    config: dict
    offset: int
    size: int

    @property
    def filename(self) -> str:
        return self.config["filename"]

    @property
    def person_name(self) -> str | None:
        return self.config.get("person_name") or None

    @property
    def place(self) -> str:
        """Pack and picture, for messages."""
        return f"{self.pack} ({safe_pickle.printable(self.filename)})"

    def read_bytes(self) -> bytes:
        """The JPEG, read from the pack."""
        with open(self.pack, "rb") as stream:
            stream.seek(self.offset)
            data = stream.read(self.size)
        if len(data) != self.size:
            raise FormatError(self.place, "is cut off")
        return data

    def index_metadata(self) -> FaceMetadata:
        """Face type, landmarks, labels and mask, as the index of the pack holds them."""
        return aligned_face.metadata_from_dict(_stored_form(self.config, self.pack), self.place)

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


def read_pack(path: Any, keep_open: bool = True) -> list[PackEntry]:
    """Index of a packed faceset; no picture is read.

    Parameters
    ----------
    path
        The file.
    keep_open : bool
        Leave masks in the file and look at them there, which saves memory but keeps the file in use.

    Raises
    ------
    FormatError
        When it is damaged, of another version, or unsafe.
    """
    path = Path(path)
    try:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            head = stream.read(_HEAD.size)
            if len(head) < _HEAD.size:
                raise FormatError(path, "is cut off, or no packed faceset")
            version, config_size = _HEAD.unpack(head)
            if version != _VERSION:
                raise FormatError(path, f"is no packed faceset of a known version ({version}, expected {_VERSION})")
            if config_size > size - _HEAD.size - 8:
                raise FormatError(path, "is cut off inside its index")
            config = _read_config(stream, path, config_size, keep_open)
            stream.seek(_HEAD.size + config_size)
            table = stream.read(8 * (len(config) + 1))
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from None
    if len(table) != 8 * (len(config) + 1):
        raise FormatError(path, "is cut off inside its table of offsets")
    return _entries(path, config, np.frombuffer(table, "<u8"), size, _HEAD.size + config_size + len(table))


def open_pack(path: Any) -> list[Sample]:
    """Samples of a packed faceset, in its order."""
    with safe_pickle.uncollected(lasting=True):
        return [
            Sample(
                name=entry.filename,
                shape=tuple(entry.config["shape"]),
                path=entry.pack,
                read_bytes=entry.read_bytes,
                load_metadata=entry.metadata,
                load_training_metadata=entry.index_metadata,
                person_name=entry.person_name,
            )
            for entry in read_pack(path)
        ]


@dataclass(frozen=True)
class Packed:
    """Result of packing: the file, the pictures in it, and the files of the folder that are not in it."""

    path: Path
    files: list[Path]
    left_out: list[Path]


def person_folders(folder: Any) -> list[Path]:
    """Sub-folders, one per person, sorted by name."""
    return list_folders(folder)


def pack_faceset(folder: Any, persons: bool = False, pack_name: str = PACK_NAME) -> Packed:
    """Pack the face pictures of a folder, or of its sub-folders, into one file. Deletes nothing.

    Parameters
    ----------
    folder
        Holds the pictures, and afterwards the pack, which replaces an existing one in one step.
    persons : bool
        Pack only what is in the sub-folders, under their names.

    Raises
    ------
    NothingToDo
        When there is no face picture.
    """
    folder = Path(folder)
    candidates = []
    for source, person in [(item, item.name) for item in person_folders(folder)] if persons else [(folder, None)]:
        candidates += [(path, person) for path in sorted(list_images(source), key=str)]
    packed, sizes, left_out = [], [], []
    path = folder / pack_name

    def configs():
        for file, person in interact.track(candidates, "Packing"):
            config = _config_of(file, person)
            if config is None:
                left_out.append(file)
                continue
            packed.append(file)
            sizes.append(file.stat().st_size)
            yield config

    try:
        with replacing(path) as temporary, open(temporary, "wb") as stream:
            stream.write(_HEAD.pack(_VERSION, 0))
            if not safe_pickle.dump_list(configs(), stream):
                raise NothingToDo(f"{folder}: no face pictures to pack.")
            _write_table_and_pictures(stream, packed, sizes)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}). Nothing was deleted.") from error
    report_without_face_data(left_out)
    return Packed(path, packed, left_out)


def verify_pack(packed: Packed) -> None:
    """Read the pack back and compare every picture in it with its original.

    Raises
    ------
    FormatError
        When they differ, for example because a file changed meanwhile.
    """
    entries = read_pack(packed.path, keep_open=False)
    if len(entries) != len(packed.files):
        raise FormatError(packed.path, "does not hold all pictures; pack again")
    for entry, file in zip(entries, packed.files):
        if entry.filename != file.name or entry.read_bytes() != file.read_bytes():
            raise FormatError(packed.path, f"does not hold {file} as it is now; pack again")


def delete_originals(packed: Packed) -> None:
    """Delete the pictures that are in the pack, after comparing each with it; then folders of persons that are empty.

    Raises
    ------
    FormatError
        When the pack does not hold them as they are now; nothing is deleted then.
    """
    verify_pack(packed)
    for file in packed.files:
        file.unlink()
    for folder in {file.parent for file in packed.files} - {packed.path.parent}:
        if not any(folder.iterdir()):
            folder.rmdir()


def unpack_faceset(folder: Any, may_replace: Any = None, pack_name: str = PACK_NAME) -> int:
    """Write every picture of a pack back into the folder, or into one sub-folder per person, then delete the pack.

    Parameters
    ----------
    folder
        Holds the pack.
    may_replace : callable, optional
        Takes the list of existing files with other content; returns whether they may be replaced. Without it they may
        not.

    Returns
    -------
    int
        Number of pictures.

    Raises
    ------
    FormatError
        When the pack is damaged or names a place outside of the folder; nothing is written then.
    UserError
        When a file cannot be written or must not be replaced; the pack stays.
    """
    folder = Path(folder)
    path = folder / pack_name
    entries = read_pack(path, keep_open=False)
    places = [_place(folder, entry) for entry in entries]
    if len(set(map(_comparable, places))) != len(places):
        raise FormatError(path, "holds two pictures of the same name")
    conflicts = [place for place, entry in zip(places, entries) if _differs(place, entry)]
    if conflicts and not (may_replace and may_replace(conflicts)):
        raise UserError(
            f"{folder}: {len(conflicts)} files of the same names but other content are in the way, for example "
            f"{conflicts[0].name}. Move them away; the pack was left as it is."
        )
    for place, entry in interact.track(list(zip(places, entries)), "Unpacking"):
        place.parent.mkdir(exist_ok=True)
        atomic_write(place, entry.read_bytes())
    remove_if_present(path)
    return len(entries)


def _read_config(stream, path, size, keep_open):
    if keep_open:
        view = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))[_HEAD.size : _HEAD.size + size]
    else:
        view = stream.read(size)
    config = safe_pickle.loads(view, path, safe_pickle.PACK_CLASSES, compact=True)
    if not isinstance(config, list):
        raise FormatError(path, "its index is not a list")
    for item in config:
        _check_config(path, item)
    return config


def _check_config(path, item):
    if not isinstance(item, dict) or not isinstance(item.get("filename"), str):
        raise FormatError(path, "its index names a picture without a file name")
    shape = item.get("shape")
    if not isinstance(shape, (tuple, list)) or len(shape) != 3 or not all(isinstance(side, int) for side in shape):
        raise FormatError(path, f"its index has no shape for {item['filename'][:80]!r}")
    if not isinstance(item.get("person_name"), (str, type(None))):
        raise FormatError(path, f"its index has no usable person for {item['filename'][:80]!r}")


def _entries(path, config, table, size, start):
    offsets = table.astype(np.int64)
    ends = np.minimum(offsets[1:] + start, size)
    begins = offsets[:-1] + start
    if (offsets[:-1] < 0).any() or (begins > size).any() or (ends < begins).any():
        raise FormatError(path, "is damaged or cut off: its table of offsets does not fit its size")
    pairs = zip(config, begins.tolist(), (ends - begins).tolist())
    return [PackEntry(path, item, begin, length) for item, begin, length in pairs]


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


def _config_of(file, person):
    try:
        shape, metadata = aligned_face.read_header(file)
    except FormatError as error:
        interact.warning(f"{error}. It is not packed.")
        return None
    if metadata is None:
        return None
    mask = metadata.xseg_mask
    return {
        "sample_type": _FACE_SAMPLE,
        "filename": file.name,
        "face_type": _FACE_TYPE_NUMBERS[metadata.face_type],
        "shape": shape,
        "landmarks": metadata.landmarks.tolist(),
        "seg_ie_polys": aligned_face.polygons_to_dict(metadata.polygons),
        "xseg_mask": None,
        "xseg_mask_compressed": None if mask is None else np.frombuffer(mask, np.uint8),
        "eyebrows_expand_mod": float(metadata.eyebrows_expand_mod),
        "source_filename": metadata.source_filename,
        "person_name": person,
    }


def _write_table_and_pictures(stream, files, sizes):
    """Fill in the size of the index, then the table (whose last entry is the size of the whole file), then the files."""
    config_end = stream.tell()
    start = config_end + 8 * (len(files) + 1)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype("<u8")
    offsets[-1] += start
    stream.write(offsets.tobytes())
    for file, size in zip(files, sizes):
        copied = 0
        with open(file, "rb") as source:
            for block in iter(partial(source.read, _COPY_BLOCK), b""):
                stream.write(block)
                copied += len(block)
        if copied != size:
            raise UserError(f"{file}: changed while it was packed. Nothing was packed; try again.")
    stream.seek(0)
    stream.write(_HEAD.pack(_VERSION, config_end - _HEAD.size))


def _place(folder, entry):
    names = [entry.filename] if entry.person_name is None else [entry.person_name, entry.filename]
    for name in names:
        forbidden = any(character in "/\\:\0" or ord(character) < 32 for character in name)
        if forbidden or name in ("", ".", "..") or len(name.encode("utf-8", "replace")) > _LONGEST_NAME:
            raise FormatError(entry.pack, f"names a place outside of its folder ({name[:80]!r}); nothing was unpacked")
    if not aligned_face.is_face_file(names[-1]):
        raise FormatError(entry.pack, f"holds {names[-1][:80]!r}, which is no face picture; nothing was unpacked")
    return folder.joinpath(*names)


def _comparable(place):
    return os.path.normcase(str(place)).casefold() if os.name == "nt" else str(place)


def _differs(place, entry):
    if place.is_symlink() or (place.exists() and not place.is_file()) or place.parent.is_symlink():
        raise UserError(f"{place}: a link or folder is in the way. Move it away; the pack was left as it is.")
    return place.exists() and place.read_bytes() != entry.read_bytes()
