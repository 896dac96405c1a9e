"""Face data as DeepFaceLab pickles it, damage to it, and what reading gives; shared by the tests of the reader."""

import pickle

import numpy as np

from core.errors import FormatError
from core.pickles import safe_pickle

HOSTILE_NAME = b"cos\nsystem\n"
WRITERS = {
    "own": safe_pickle.dumps,
    "protocol 4": lambda value: pickle.dumps(value, 4),
    "protocol 3": lambda value: pickle.dumps(value, 3),
}


def damage(data, at, rng):
    """``data`` with one byte changed, a few left out, or an operation put in, at a place; bytes."""
    data, kind = bytearray(data), rng.randrange(3)
    if kind == 0:
        data[at] = rng.choice(b"\x94hj(]}NKuse\x00\xff\x85\x87tbR\x8c")
    elif kind == 1:
        del data[at : at + rng.choice((1, 2, 9))]
    else:
        data[at:at] = rng.choice((b"\x94", b"N", b"h\x02", b"K\x01", b"0", b"(", HOSTILE_NAME))
    return bytes(data)


def packed_face(number=0, mask=100, points=68, polygons=0, person=None, name=None):
    """The entry of one face in a pack, with new objects throughout, as DeepFaceLab has them."""
    rng = np.random.default_rng(number)
    return {
        "sample_type": 1,
        "filename": name or f"{number:05d}_0.jpg",
        "face_type": 4,
        "shape": (1024 - number % 3, 1024, 3),
        "landmarks": (rng.random((points, 2)) * 1024).tolist(),
        "seg_ie_polys": {"polys": [{"type": 1, "pts": rng.random((5, 2)).astype(np.float32)} for _ in range(polygons)]},
        "xseg_mask": None,
        "xseg_mask_compressed": None if mask is None else rng.integers(0, 256, mask, np.uint8),
        "eyebrows_expand_mod": 1.0,
        "source_filename": f"{number:05d}.png",
        "person_name": person,
    }


def picture_face(seed=0, name="00001.png", mask=None, column=False, **more):
    """The face data of one picture."""
    rng = np.random.default_rng(seed)
    values = {
        "face_type": "whole_face",
        "landmarks": (rng.random((68, 2)) * 1024).tolist(),
        "source_filename": name,
        "source_rect": rng.integers(0, 2000, 4),
        "source_landmarks": (rng.random((68, 2)) * 1920).tolist(),
        "image_to_face_mat": rng.random((2, 3)),
    }
    if mask is not None:
        values["xseg_mask"] = rng.integers(0, 256, (mask, 1) if column else mask, np.uint8)
    return {**values, **more}


def plain(value):
    """A value with lists where it was read with arrays of rows."""
    if type(value) is safe_pickle.RowArray:
        return value.tolist()
    if type(value) is dict:
        return {key: plain(item) for key, item in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def shown(value):
    """The text of a value, which shows every number, also nan, and all bytes of arrays."""
    if type(value) is dict:
        return repr({key: shown(item) for key, item in value.items()})
    if type(value) in (list, tuple):
        return f"{type(value).__name__} of {[*map(shown, value)]}"
    return f"{value.dtype} {value.shape} {value.tobytes()}" if isinstance(value, np.ndarray) else repr(value)


def outcome(data, arrays):
    """What reading gives: the text of the value, or that it is refused."""
    try:
        value = safe_pickle.loads(memoryview(data), "file", safe_pickle.PACK_CLASSES, arrays)
    except FormatError as error:
        assert str(error).startswith("file: ") and "\n" not in str(error)
        return "refused"
    return shown(plain(value))
