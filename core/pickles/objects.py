"""Harmless stand-ins for every global name that a pickle of DeepFaceLab may contain."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

_DTYPE_CODE = re.compile(r"[<>=|]?([biuf])([1248])")
_DTYPE_SIZES = {"b": "1", "i": "1248", "u": "1248", "f": "248"}
_MOST_DIMENSIONS = 16
MOST_DEPTH = 24
"""How many containers may be inside each other."""
LEAST_BUDGET = 100_000
"""How many operations, containers and values even the smallest pickle may have."""


def printable(text: Any, longest: int = 80) -> str:
    """A text of unknown origin for a message: short, in one line, without control characters."""
    text = str(text)[:longest]
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)


class Refused(Exception):
    """What a pickle asks for is not allowed; the text says what it was."""


class Damaged(Exception):
    """The pickle is cut off, damaged, or an attempt to use up memory or time; the text is for the user."""


@dataclass(frozen=True)
class StandIn:
    """A global name of the white list: what to do when the pickle calls it or makes an object of it.

    Parameters
    ----------
    name : str
        Shown in messages.
    call : callable, optional
        Takes the tuple of arguments of the pickle, returns the value.
    make : callable, optional
        Makes an empty object that a following state fills; takes no argument.
    members : dict
        Attributes that the pickle may ask for by ``getattr``.
    """

    name: str
    call: Callable | None = None
    make: Callable | None = None
    members: dict = field(default_factory=dict)


@dataclass
class Holder:
    """An object of a class that is not ours: its class name and its attributes, nothing else."""

    class_name: str
    attributes: dict = field(default_factory=dict)


@dataclass(frozen=True)
class StoredPath:
    """A path inside a pickle, of either system; never opened, only compared by its last part."""

    parts: tuple

    @property
    def name(self) -> str:
        """The last part, whichever separator the system of the writer used."""
        return re.split(r"[/\\]", self.parts[-1])[-1] if self.parts else ""


class Pending:
    """An array or data type that has been named but not yet filled; ``value`` is None until it is."""

    __slots__ = ("fill", "value")

    def __init__(self, fill: Any):
        self.fill = fill
        self.value = None


def make_dtype(code: Any) -> np.dtype:
    """Data type of a code like ``f4``; only booleans, integers and floats up to 64 bit."""
    if isinstance(code, bytes):
        code = code.decode("ascii", "replace")
    match = _DTYPE_CODE.fullmatch(code) if isinstance(code, str) else None
    if match is None or match[2] not in _DTYPE_SIZES[match[1]]:
        raise Refused(f"an array of type {str(code)[:40]!r}")
    return np.dtype(match[1] + match[2])


def make_array(shape: Any, dtype: Any, data: Any, order: str) -> np.ndarray:
    """Array over ``data`` (read-only, native byte order) after checking that the three fit together."""
    if type(shape) is not tuple or len(shape) > _MOST_DIMENSIONS or any(type(n) is not int or n < 0 for n in shape):
        raise Refused("an array of an impossible shape")
    if not isinstance(dtype, np.dtype) or type(data) not in (bytes, memoryview):
        raise Refused("an array whose content is not plain bytes")
    if math.prod(shape) * dtype.itemsize != len(data) or any(n >= 1 << 31 for n in shape):
        raise Refused(f"an array of shape {shape} with {len(data)} bytes")
    if not data:
        return np.zeros(shape, dtype.newbyteorder("="))
    array = np.frombuffer(data, dtype).reshape(shape, order=cast(Any, order))
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def _dtype(code, align=False, copy=True):
    dtype = make_dtype(code)

    def fill(state):
        if type(state) is not tuple or len(state) < 2 or any(part not in (None, ()) for part in state[2:5]):
            raise Refused("an array of a structured type")
        order = state[1].decode("ascii", "replace") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "="):
            raise Refused(f"the byte order {str(order)[:10]!r}")
        return dtype if order in "|=" else dtype.newbyteorder(order)

    return Pending(fill)


def _reconstruct(kind, shape, code):
    if kind is not NDARRAY:
        raise Refused("an array of another class than numpy's own")

    return Pending(_filled_array)


def _filled_array(state):
    if type(state) is not tuple or len(state) != 5:
        raise Refused("an array with an unknown state")
    _, shape, dtype, is_fortran, data = state
    return make_array(shape, dtype, data, "F" if is_fortran else "C")


def _scalar(dtype, data):
    return make_array((), dtype, data, "C")[()]


def _frombuffer(data, dtype, shape, order, axis_order=None):
    if order not in ("C", "F", "K"):
        raise Refused(f"the array order {str(order)[:10]!r}")
    if order != "K":
        return make_array(shape, dtype, bytes(data), order)
    stored = make_array(shape, dtype, bytes(data), "C")
    if type(axis_order) not in (tuple, list) or sorted(axis_order) != list(range(stored.ndim)):
        raise Refused("an array with an impossible axis order")
    return stored.transpose(axis_order)


def _encode(text, codec="latin1"):
    if codec not in ("latin1", "latin-1") or type(text) is not str:
        raise Refused(f"_codecs.encode with {str(codec)[:20]!r}")
    return text.encode("latin-1")


def _no_bytes(*arguments):
    if arguments:
        raise Refused("builtins.bytes with arguments")
    return b""


def _enumeration(name, members):
    def call(value):
        if not isinstance(value, (int, np.integer)):
            raise Refused(f"{name} of something that is not a number")
        return int(value)

    return StandIn(name, call=call, members=members)


def _record(name):
    return StandIn(name, make=lambda: Holder(name))


def _path(*parts):
    if not parts or any(type(part) is not str for part in parts):
        raise Refused("a path that is not text")
    return StoredPath(parts)


def _getattr(owner, name):
    if not isinstance(owner, StandIn) or not isinstance(name, str) or name not in owner.members:
        raise Refused(f"getattr({getattr(owner, 'name', type(owner).__name__)}, {str(name)[:40]!r})")
    return owner.members[name]


NDARRAY = StandIn("numpy.ndarray")
RECONSTRUCT = StandIn("_reconstruct", call=_reconstruct)

ARRAYS = {("numpy", "ndarray"): NDARRAY, ("numpy", "dtype"): StandIn("numpy.dtype", call=_dtype)}
for _package in ("numpy.core", "numpy._core"):
    ARRAYS[f"{_package}.multiarray", "_reconstruct"] = RECONSTRUCT
    ARRAYS[f"{_package}.multiarray", "scalar"] = StandIn("scalar", call=_scalar)
    ARRAYS[f"{_package}.numeric", "_frombuffer"] = StandIn("_frombuffer", call=_frombuffer)
ARRAYS["_codecs", "encode"] = StandIn("_codecs.encode", call=_encode)
for _package in ("builtins", "__builtin__"):
    ARRAYS[_package, "bytes"] = StandIn("bytes", call=_no_bytes)
"""Allowed in every file."""

_GETATTR = StandIn("getattr", call=_getattr)
_FACE_TYPE = _enumeration(
    "FaceType",
    {"HALF": 0, "MID_FULL": 1, "MIDFULL": 1, "FULL": 2, "FULL_NO_ALIGN": 3, "WHOLE_FACE": 4, "HEAD": 10,
     "HEAD_NO_ALIGN": 20, "MARK_ONLY": 100},
)  # fmt: skip

PACK_CLASSES = {
    ("facelib.FaceType", "FaceType"): _FACE_TYPE,
    ("samplelib.Sample", "SampleType"): _enumeration("SampleType", {"FACE": 1}),
    ("core.imagelib.SegIEPolys", "SegIEPolyType"): _enumeration("SegIEPolyType", {"EXCLUDE": 0, "INCLUDE": 1}),
    ("core.imagelib.SegIEPolys", "SegIEPoly"): _record("SegIEPoly"),
    ("core.imagelib.SegIEPolys", "SegIEPolys"): _record("SegIEPolys"),
    ("builtins", "getattr"): _GETATTR,
    ("__builtin__", "getattr"): _GETATTR,
}
"""Allowed in packed facesets besides :data:`ARRAYS`."""

_FRAME = _record("Frame")

SESSION_CLASSES = {
    ("merger.InteractiveMergerSubprocessor", "InteractiveMergerSubprocessor.Frame"): _FRAME,
    ("merger.InteractiveMergerSubprocessor", "InteractiveMergerSubprocessor"): StandIn(
        "InteractiveMergerSubprocessor", members={"Frame": _FRAME}
    ),
    ("merger.FrameInfo", "FrameInfo"): _record("FrameInfo"),
    ("merger.MergerConfig", "MergerConfigMasked"): _record("MergerConfigMasked"),
    ("facelib.FaceType", "FaceType"): _FACE_TYPE,
    ("builtins", "getattr"): _GETATTR,
    ("__builtin__", "getattr"): _GETATTR,
}
"""Allowed in merger sessions besides :data:`ARRAYS`. Before protocol 4 a nested class is named through ``getattr``."""
for _package in ("pathlib", "pathlib._local"):
    for _name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"):
        SESSION_CLASSES[_package, _name] = StandIn(_name, call=_path)
