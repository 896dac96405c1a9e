"""The index beside a packed faceset: what the pickles in the pack say of each face, in columns that open at once.

It only saves time. It is written by the first reading of a pack; when it is missing, damaged, or was made of a pack
that says something else, the pack is read again. It holds numbers, text and the bytes of masks, nothing that is run.

The layout: a head, then the blocks of :data:`_BLOCKS` one after another. The head has the name and version of the
format, checksums of what the pack says and of all blocks, and how many elements the blocks have. Text, masks and
polygons of the faces follow each other without gaps; each face says how much of them is its own, -1 for none.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Callable, Iterable
from functools import cache
from itertools import chain, repeat
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from core.console import interact
from core.errors import FormatError
from core.files.paths import remove_if_present, replacing
from samplelib.faces import aligned_face
from samplelib.faces.aligned_face import FACE_TYPES, LANDMARK_COUNT
from samplelib.packs.names import index_path

_FORMAT = b"faceset index 1\n"
_HEAD = struct.Struct("<16sII5Q")
_TEXTS = ("filename", "person_name", "source_filename")
_FACE = np.dtype(
    [("face_type", "u1"), ("shape", "<i4", 3), ("eyebrows", "<f8"), ("mask", "<i4"), ("polygons", "<i4")]
    + [(name, "<i4") for name in _TEXTS]
)
_POLYGON = np.dtype([("include", "u1"), ("points", "<i4")])
_BLOCKS = {
    "landmarks": np.dtype(("<f8", (LANDMARK_COUNT, 2))),
    "points": np.dtype(("<f4", (2,))),
    "faces": _FACE,
    "polygons": _POLYGON,
    "texts": np.dtype("u1"),
    "masks": np.dtype("u1"),
}
_COUNTED = [name for name in _BLOCKS if name != "landmarks"]  # in the head; each face has its landmarks
_COPY_BLOCK = 1 << 20
_LEAST_LIMIT = 1 << 20
_BYTES_PER_BYTE = 2


class PackFaces(NamedTuple):
    """What a pack says of its faces, whether read from its pickles or from its index."""

    names: list[str]
    shapes: list[tuple[int, int, int]]
    persons: list[str | None]
    face: Callable[[int], dict]
    """Takes a number; returns the face data in the words of a picture's own dictionary, unchecked."""
    configs: Iterable[dict | None] = repeat(None)
    """All that the pickles say of each face."""


class PackState(NamedTuple):
    """Which pickles an index was made of: their size in bytes, and their checksum."""

    size: int
    checksum: int

    @property
    def most_bytes(self) -> int:
        """How large the index can be; it needs less than the pickles, as long as these share nothing."""
        return _LEAST_LIMIT + _BYTES_PER_BYTE * self.size


def checksum(stream: BinaryIO, size: int) -> int:
    """CRC-32 of the next ``size`` bytes of a file."""
    value = 0
    while size > 0:
        block = stream.read(min(size, _COPY_BLOCK))
        if not block:
            break
        value, size = zlib.crc32(block, value), size - len(block)
    return value


def read_index(pack: Path, state: PackState) -> PackFaces | None:
    """The faces of a pack according to its index; None when there is none that is sound and of this state."""
    path = index_path(pack)
    try:
        if not path.is_file():
            return None
        with open(path, "rb") as stream:
            blocks = _mapped_blocks(stream, state)
        return None if blocks is None else _faces(blocks)
    except (OSError, ValueError):
        return None


def write_index(pack: Path, state: PackState, faces: PackFaces) -> bool:
    """Write the index of a pack, in one step; False when that is not possible.

    A pack of which the columns cannot hold every face exactly gets none, so it is read as it is each time. When the
    disk is full or the folder write-protected, a line says so once.
    """
    try:
        blocks, masks = _blocks(faces)
    except (FormatError, AttributeError, OverflowError, TypeError, ValueError):
        return False
    mask_bytes = int(np.maximum(blocks["faces"]["mask"], 0).sum(dtype=np.int64))
    if _HEAD.size + sum(block.nbytes for block in blocks.values()) + mask_bytes > state.most_bytes:
        return False
    total, counts = 0, [len(blocks[name]) for name in _COUNTED[:-1]]
    try:
        with replacing(index_path(pack), flush=False) as temporary, open(temporary, "wb") as stream:
            os.chmod(temporary, pack.stat().st_mode & 0o777 | 0o600)  # landmarks are as private as the pack
            stream.seek(_HEAD.size)
            for part in chain(
                map(np.ndarray.tobytes, blocks.values()), filter(None, map(aligned_face.mask_bytes, masks))
            ):
                total = zlib.crc32(part, total)
                stream.write(part)
            stream.seek(0)
            stream.write(_HEAD.pack(_FORMAT, state.checksum, total, *counts, mask_bytes))
    except OSError as error:
        _say_once(index_path(pack), error.strerror or str(error))
        return False
    return True


def remove_index(pack: Path) -> None:
    """Remove the index of a pack that is there no more, also one that was never finished."""
    try:
        remove_if_present(index_path(pack))
    except OSError:  # it may stay: it fits no other pack
        pass


@cache
def _say_once(path, reason):
    interact.info(f"{path}: cannot be written ({reason}), so the packed faceset is read anew each time.")


def _mapped_blocks(stream, state):
    """Blocks of an index by name, as views of the file; None when it is not sound or of another state."""
    size = os.fstat(stream.fileno()).st_size
    head = stream.read(_HEAD.size)
    if len(head) < _HEAD.size or size > state.most_bytes:
        return None
    name, made_of, total, *counts = _HEAD.unpack(head)
    counts = dict(zip(_COUNTED, counts))
    counts["landmarks"] = counts["faces"]
    expected = _HEAD.size + sum(counts[name] * dtype.itemsize for name, dtype in _BLOCKS.items())
    if name != _FORMAT or made_of != state.checksum or expected != size:
        return None
    if checksum(stream, size) != total:
        return None
    view, at, blocks = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), _HEAD.size, {}
    for name, dtype in _BLOCKS.items():
        blocks[name] = np.frombuffer(view, dtype, counts[name], at)
        at += counts[name] * dtype.itemsize
    return blocks


def _faces(blocks):
    """Faces of checked blocks.

    Raises
    ------
    ValueError
        When the blocks do not fit each other.
    """
    faces, polygons, points, masks = blocks["faces"], blocks["polygons"], blocks["points"], blocks["masks"]
    text = str(blocks["texts"], "utf-8", "surrogatepass")
    known_types = (faces["face_type"] < len(FACE_TYPES)).all() and (polygons["include"] <= 1).all()
    if not known_types or not np.isfinite(points).all():
        raise ValueError("an unknown face type, or a polygon of another kind")
    text_ends = _ends(np.stack([faces[name] for name in _TEXTS], 1), len(text)).reshape(-1, len(_TEXTS))
    mask_ends, polygon_ends = _ends(faces["mask"], len(masks)), _ends(faces["polygons"], len(polygons))
    point_ends = _ends(polygons["points"], len(points))
    names, persons, sources = (_slices(text, faces[name], text_ends[:, i]) for i, name in enumerate(_TEXTS))
    if None in names:
        raise ValueError("a face without a name")

    def polygon(number):
        end = point_ends[number]
        return int(polygons["include"][number]), points[end - max(polygons["points"][number], 0) : end]

    def face(number):
        record, mask_end, end = faces[number], mask_ends[number], polygon_ends[number]
        return {
            "face_type": FACE_TYPES[record["face_type"]],
            "landmarks": blocks["landmarks"][number],
            "source_filename": sources[number],
            "seg_ie_polys": [polygon(number) for number in range(end - max(record["polygons"], 0), end)],
            "xseg_mask": masks[mask_end - max(record["mask"], 0) : mask_end].tobytes(),
            "eyebrows_expand_mod": float(record["eyebrows"]),
        }

    return PackFaces(names, list(map(tuple, faces["shape"].tolist())), persons, face)


def _ends(sizes, length):
    """Where the part of each element ends, when they follow each other without gaps and fill ``length``."""
    if sizes.size and sizes.min() < -1:
        raise ValueError("a part of negative size")
    ends = np.cumsum(np.maximum(sizes, 0), dtype=np.int64)
    if (ends[-1] if ends.size else 0) != length:
        raise ValueError("parts that do not fit what they are parts of")
    return ends


def _slices(text, sizes, ends):
    return [None if size < 0 else text[end - size : end] for size, end in zip(sizes.tolist(), ends.tolist())]


def _blocks(faces):
    """The blocks by name, in their order and without the last, which are the masks, of which a list is given."""
    records = np.zeros(len(faces.names), _FACE)
    landmarks = np.zeros(len(records), _BLOCKS["landmarks"])
    texts, masks, polygons, fields = [], [], [], []
    for number, (name, shape, person) in enumerate(zip(faces.names, faces.shapes, faces.persons)):
        face = faces.face(number)
        landmarks[number] = _exact(face["landmarks"], landmarks.shape[1:])
        mask = aligned_face.mask_bytes(face["xseg_mask"])
        labels = aligned_face.polygons_from_stored(face["seg_ie_polys"])
        own = (name, person, face["source_filename"])
        texts += filter(None, own)
        polygons += labels
        if mask:
            masks.append(face["xseg_mask"])
        sizes = (-1 if text is None else len(text) for text in own)
        lift = _exact(1.0 if face["eyebrows_expand_mod"] is None else face["eyebrows_expand_mod"], ())
        kind = FACE_TYPES.index((face["face_type"] or aligned_face.DEFAULT_FACE_TYPE).lower())
        fields.append((kind, shape, lift, len(mask) if mask else -1, len(labels), *sizes))
    if fields:
        records[:] = fields
    if list(map(tuple, records["shape"].tolist())) != faces.shapes:
        raise OverflowError
    table = np.array([(polygon.include, len(polygon.points)) for polygon in polygons], _POLYGON)
    points = np.concatenate([np.zeros((0, 2), "<f4"), *(polygon.points for polygon in polygons)])
    text = np.frombuffer("".join(texts).encode("utf-8", "surrogatepass"), np.uint8)
    blocks = dict(zip(_BLOCKS, (landmarks, points, records, table, text)))
    return blocks, masks


def _exact(stored, shape):
    """Numbers as float64; a ValueError when they are none, or not of this shape."""
    array = np.asarray(stored)
    if array.shape != shape or array.dtype.kind not in "biuf":
        raise ValueError("no numbers, or of another shape")
    return array.astype(np.float64)
