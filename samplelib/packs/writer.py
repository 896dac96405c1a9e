"""Writes a packed faceset of the pictures of a plan."""

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from core.console import interact
from core.errors import NothingToDo, UserError
from core.files.paths import replacing
from core.pickles import safe_pickle
from samplelib.faces import aligned_face
from samplelib.faces.jpeg_segments import is_complete
from samplelib.packs.plan import PackPlan, PlannedPicture

VERSION = 1
HEAD = struct.Struct("<QQ")
FACE_TYPE_NUMBERS = dict(zip(aligned_face.FACE_TYPES, (0, 1, 2, 3, 4, 10, 20, 100)))

_FACE_SAMPLE = 1
_COPY_BLOCK = 1 << 20


def write_pack(path: Path, plan: PackPlan, check: Callable[[Path, list[PlannedPicture]], None]) -> list[PlannedPicture]:
    """Write a pack in one step.

    Parameters
    ----------
    path : Path
    plan : PackPlan
        Pictures that turn out not to be packable go to its ``left_out``.
    check : callable
        Takes the file, before it gets its name, and the pictures in it; raises when it must not.

    Returns
    -------
    list of PlannedPicture
        The pictures that are in the pack.

    Raises
    ------
    NothingToDo
        When there is none.
    """
    pictures, sizes = [], []

    def configs():
        for picture in interact.track(plan.pictures, "Packing"):
            config = _config_of(picture)
            if config is None:
                plan.left_out.append(picture.file)
                continue
            pictures.append(picture)
            sizes.append(picture.entry.size if picture.entry is not None else picture.file.stat().st_size)
            yield config

    with replacing(path) as temporary:
        with open(temporary, "wb") as stream:
            stream.write(HEAD.pack(VERSION, 0))
            if not safe_pickle.dump_list(configs(), stream):
                raise NothingToDo(f"{path.parent}: no face pictures to pack.")
            _write_table_and_pictures(stream, pictures, sizes)
        check(temporary, pictures)
    return pictures


def is_packable(file: Path, data: bytes) -> bool:
    """Whether the bytes of a file are a whole JPEG with face data; says so when they are only half of one."""
    if not aligned_face.is_face_file(file):
        return False
    if not is_complete(data):
        interact.warning(f"{file}: is cut off or no JPEG. It is not packed.")
        return False
    return aligned_face.metadata_from_jpeg(data, file) is not None


def _config_of(picture):
    """Entry of the index for a picture of the plan, None for one that cannot be packed."""
    if picture.entry is not None:
        return _config_of_entry(picture)
    try:
        data = picture.file.read_bytes()
    except OSError as error:
        raise UserError(f"{picture.file}: cannot be read ({error.strerror or error}). Nothing was packed.") from None
    if not is_packable(picture.file, data):
        return None
    shape, metadata = aligned_face.read_header(picture.file)
    return _config(picture, shape, metadata)


def _config_of_entry(picture):
    """Entry of a picture that the old pack holds, with all that its index said, also what this program does not use."""
    old = picture.entry
    config = _config(picture, old.shape, old.index_metadata())
    rest = {key: value for key, value in old.config.items() if key not in config}
    return config | {key: value for key, value in rest.items() if _can_be_written(value)}


def _can_be_written(value):
    try:
        safe_pickle.dumps(value)
    except TypeError:
        return False
    return True


def _config(picture, shape, metadata):
    mask = metadata.xseg_mask
    return {
        "sample_type": _FACE_SAMPLE,
        "filename": picture.filename,
        "face_type": FACE_TYPE_NUMBERS[metadata.face_type],
        "shape": shape,
        "landmarks": metadata.landmarks.tolist(),
        "seg_ie_polys": aligned_face.polygons_to_dict(metadata.polygons),
        "xseg_mask": None,
        "xseg_mask_compressed": None if mask is None else np.frombuffer(mask, np.uint8),
        "eyebrows_expand_mod": float(metadata.eyebrows_expand_mod),
        "source_filename": metadata.source_filename,
        "person_name": picture.person,
    }


def _write_table_and_pictures(stream, pictures, sizes):
    """Fill in the size of the index, then the table (whose last entry is the size of the whole file), then the pictures."""
    config_end = stream.tell()
    start = config_end + 8 * (len(pictures) + 1)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype("<u8")
    offsets[-1] += start
    stream.write(offsets.tobytes())
    for picture, size in zip(pictures, sizes):
        _copy(picture, size, stream)
    stream.seek(0)
    stream.write(HEAD.pack(VERSION, config_end - HEAD.size))


def _copy(picture, size, stream):
    """The bytes of one picture, from the old pack if it is there, else from its file."""
    if picture.entry is not None:
        stream.write(picture.entry.read_bytes())
        return
    copied = 0
    with open(picture.file, "rb") as source:
        for block in iter(partial(source.read, _COPY_BLOCK), b""):
            stream.write(block)
            copied += len(block)
    if copied != size:
        raise UserError(f"{picture.file}: changed while it was packed. Nothing was packed; try again.")
