"""The face picture of a faceset: a JPEG that carries landmarks, labels and mask of the face in a header segment."""

import dataclasses
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.console import interact
from core.errors import FormatError
from core.files.imageio import encode_image, read_image
from core.files.paths import atomic_write
from core.files.picture_limits import FACE_MEGAPIXELS, check_size
from core.pickles import safe_pickle
from samplelib.faces import jpeg_segments, mask_codec

FACE_TYPES = (
    "half_face", "midfull_face", "full_face", "full_face_no_align", "whole_face", "head", "head_no_align", "mark_only",
)  # fmt: skip
FACE_SUFFIXES = (".jpg", ".jpeg")
DEFAULT_FACE_TYPE = "full_face"
LANDMARK_COUNT = 68

_EXCLUDE, _INCLUDE = 0, 1
_FIRST_READ = 16384
_READ_ONLY = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
_GREATEST_COORDINATE = 1e9
_MOST_POLYGONS = 10_000
_REQUIRED = "landmarks"
_ARRAYS = (
    (_REQUIRED, np.float64, (LANDMARK_COUNT, 2)),
    ("source_rect", np.int64, (4,)),
    ("source_landmarks", np.float64, (LANDMARK_COUNT, 2)),
    ("image_to_face_mat", np.float64, (2, 3)),
)


@dataclass(frozen=True, eq=False)
class SegPolygon:
    """A label: the area inside ``points`` (k, 2) float32, in pixels of the face picture, belongs to the mask or not."""

    include: bool
    points: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "points", np.asarray(self.points, np.float32).reshape(-1, 2))

    def __eq__(self, other):
        return isinstance(other, SegPolygon) and self.include == other.include and _same(self.points, other.points)


@dataclass(frozen=True, eq=False)
class FaceMetadata:
    """What a face picture knows about itself.

    Parameters
    ----------
    face_type : str
        How the picture was aligned, for example ``"whole_face"``.
    landmarks : numpy.ndarray
        (68, 2) float64, in pixels of this picture.
    source_filename : str or None
        Name of the frame that the face comes from, with extension, without folder.
    source_rect : numpy.ndarray or None
        (4,) int64, left, top, right, bottom of the detection in the frame; not always ordered.
    source_landmarks : numpy.ndarray or None
        (68, 2) float64, in pixels of the frame.
    image_to_face_mat : numpy.ndarray or None
        (2, 3) float64, from the frame to this picture. None for ``mark_only``.
    polygons : tuple of SegPolygon
        Labels, includes before excludes.
    xseg_mask : bytes or None
        Applied mask, an encoded PNG or JPEG of any size.
    eyebrows_expand_mod : float
        Lift of the eyebrows in the default mask.
    extra : dict
        Keys that this program does not use; kept.
    """

    face_type: str
    landmarks: np.ndarray
    source_filename: str | None = None
    source_rect: np.ndarray | None = None
    source_landmarks: np.ndarray | None = None
    image_to_face_mat: np.ndarray | None = None
    polygons: tuple[SegPolygon, ...] = ()
    xseg_mask: bytes | None = None
    eyebrows_expand_mod: float = 1.0
    extra: dict = field(default_factory=dict)

    def __post_init__(self):
        for name, dtype, shape in _ARRAYS:
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, np.array(value, dtype).reshape(shape))
        polygons = tuple(self.polygons)
        if len(polygons) > 1:
            polygons = tuple(sorted(polygons, key=lambda polygon: not polygon.include))
        object.__setattr__(self, "polygons", polygons)

    def __eq__(self, other):
        names = [item.name for item in dataclasses.fields(self)]
        return isinstance(other, FaceMetadata) and all(_same(getattr(self, n), getattr(other, n)) for n in names)

    def replace(self, **changes: Any) -> "FaceMetadata":
        """A copy with other values for some fields."""
        return dataclasses.replace(self, **changes)

    def decode_xseg_mask(self) -> np.ndarray | None:
        """Applied mask (h, w, 1) float32 0…1 at its stored size, or None."""
        if self.xseg_mask is None:
            return None
        return mask_codec.decode_mask(self.xseg_mask, self.source_filename or "face picture")

    def with_xseg_mask(self, mask: np.ndarray | None) -> "FaceMetadata":
        """A copy with another applied mask, (h, w[, 1]) float 0…1, or without one."""
        return self.replace(xseg_mask=None if mask is None else mask_codec.encode_mask(mask))

    def polygon_mask(self, height: int, width: int) -> np.ndarray:
        """Labels drawn as a mask (height, width, 1) float32 of 0 and 1."""
        from core.imagelib.polygons import rasterize

        return rasterize([(polygon.include, polygon.points) for polygon in self.polygons], height, width)


def is_face_file(path: Any) -> bool:
    """Whether the name can be that of a face picture (``.jpg`` or ``.jpeg`` in any case)."""
    return os.path.splitext(path)[1].lower() in FACE_SUFFIXES


def read_header(path: Any) -> tuple[tuple[int, int, int], FaceMetadata | None]:
    """Shape (h, w, 3) and metadata of a picture, from its header alone; other kinds than JPEG are decoded.

    Metadata is None for a picture that carries none. When it carries some that cannot be used, a warning says why.

    Raises
    ------
    FormatError
        When the file is no readable picture, or a face picture is larger than any face.
    """
    if not is_face_file(path):
        return _decoded_shape(path), None
    data, segments = _read_segments(path)
    shape = jpeg_segments.image_shape(data, segments) or _decoded_shape(path)
    metadata = _metadata_of(data, segments, path)
    if metadata is not None:
        check_size(shape[1], shape[0], path, FACE_MEGAPIXELS)
    return shape, metadata


def _decoded_shape(path):
    height, width = read_image(path).shape[:2]
    return height, width, 3


def read_metadata(path: Any) -> FaceMetadata | None:
    """Metadata of a picture, None for one without; see :func:`read_header`."""
    if not is_face_file(path):
        return None
    data, segments = _read_segments(path)
    return _metadata_of(data, segments, path)


def metadata_from_jpeg(data: bytes, name: Any) -> FaceMetadata | None:
    """Metadata inside the bytes of a JPEG; see :func:`read_metadata`."""
    try:
        segments = jpeg_segments.scan_header(data)
    except jpeg_segments.NotJpeg as error:
        raise FormatError(name, str(error)) from None
    return _metadata_of(data, segments, name)


def write_metadata(path: Any, metadata: FaceMetadata) -> None:
    """Put other metadata into a JPEG, in one step; pixels and all other segments keep their bytes.

    Raises
    ------
    FormatError
        When the file is no JPEG, or the metadata does not fit into it.
    UserError
        When it cannot be written. The old file is untouched then.
    """
    old = safe_pickle.read_limited(path)
    new = with_metadata(old, metadata, path)
    if new is not old:
        atomic_write(path, new)


def save_face(path: Any, image_bgr: np.ndarray, metadata: FaceMetadata, jpeg_quality: int = 90) -> None:
    """Encode a picture (H, W, 3) uint8 BGR as JPEG with metadata, in one step."""
    atomic_write(path, with_metadata(encode_image(image_bgr, ".jpg", jpeg_quality), metadata, path))


def with_metadata(data: bytes, metadata: FaceMetadata, name: Any) -> bytes:
    """Bytes of a JPEG with its metadata replaced; ``data`` itself when that changes nothing.

    Segments of the same kind that are not ours stay.
    """
    try:
        segments = jpeg_segments.scan_header(data)
    except jpeg_segments.NotJpeg as error:
        raise FormatError(name, str(error)) from None
    if metadata == _parsed_or_none(data, segments):
        return data
    old = [segment for segment in segments if segment.marker == jpeg_segments.APP15 and _is_ours(data, segment)]
    body = metadata_to_bytes(metadata, name)
    return jpeg_segments.replace_bodies(data, segments, old, jpeg_segments.APP15, body)


def metadata_to_bytes(metadata: FaceMetadata, name: Any = "face picture") -> bytes:
    """Body of the header segment, at most 65533 bytes; an oversize mask is stored smaller, with a warning."""
    body = safe_pickle.dumps(metadata_to_dict(metadata))
    excess = len(body) - jpeg_segments.LARGEST_BODY
    if excess <= 0:
        return body
    mask = metadata.xseg_mask or b""
    limit = len(mask) - excess
    smaller = mask_codec.shrink_mask(mask, limit, name) if limit > 0 else None
    if smaller is None:
        raise FormatError(
            name,
            f"its labels and other data take {len(body)} bytes, but a JPEG can hold only "
            f"{jpeg_segments.LARGEST_BODY}; the file was left as it is. Use fewer label points.",
        )
    interact.warning(f"{name}: the mask was stored smaller, because the face data did not fit into the JPEG.")
    return safe_pickle.dumps(metadata_to_dict(metadata.replace(xseg_mask=smaller)))


def metadata_to_dict(metadata: FaceMetadata) -> dict:
    """Dictionary as DeepFaceLab stores it; what is absent has no key."""
    values = {
        "face_type": metadata.face_type,
        "landmarks": metadata.landmarks.tolist(),
        "source_filename": metadata.source_filename,
        "source_rect": metadata.source_rect,
        "source_landmarks": None if metadata.source_landmarks is None else metadata.source_landmarks.tolist(),
        "image_to_face_mat": metadata.image_to_face_mat,
        "seg_ie_polys": polygons_to_dict(metadata.polygons) if metadata.polygons else None,
        "xseg_mask": None if metadata.xseg_mask is None else np.frombuffer(metadata.xseg_mask, np.uint8),
        "eyebrows_expand_mod": None if metadata.eyebrows_expand_mod == 1.0 else float(metadata.eyebrows_expand_mod),
        **metadata.extra,
    }
    return {key: value for key, value in values.items() if value is not None}


def metadata_from_dict(values: Any, name: Any) -> FaceMetadata:
    """Check a dictionary as DeepFaceLab stores it.

    Raises
    ------
    FormatError
        When a value has another type, shape or range than it must have.
    """
    if not isinstance(values, dict):
        raise FormatError(name, "its face data is not a dictionary")
    rest = {key: value for key, value in values.items() if value is not None}
    try:
        arrays = {key: _numbers(rest.pop(key, None), key, shape) for key, _, shape in _ARRAYS}
        _check_coordinates(arrays)
        return FaceMetadata(
            face_type=_face_type(rest.pop("face_type", DEFAULT_FACE_TYPE)),
            **arrays,
            source_filename=_text(rest.pop("source_filename", None), "source_filename"),
            polygons=polygons_from_stored(rest.pop("seg_ie_polys", None)),
            xseg_mask=mask_bytes(rest.pop("xseg_mask", None)),
            eyebrows_expand_mod=_number(rest.pop("eyebrows_expand_mod", 1.0), "eyebrows_expand_mod"),
            extra=rest,
        )
    except _Unusable as error:
        raise FormatError(name, f"its face data cannot be used: {error}") from None


def polygons_to_dict(polygons: tuple[SegPolygon, ...]) -> dict:
    """Labels as DeepFaceLab stores them."""
    return {
        "polys": [
            {"type": _INCLUDE if polygon.include else _EXCLUDE, "pts": np.asarray(polygon.points, np.float32)}
            for polygon in polygons
        ]
    }


def polygons_from_stored(stored: Any) -> tuple[SegPolygon, ...]:
    """Labels from any form in which DeepFaceLab ever stored them: dictionary, list of pairs, or object."""
    stored = _attributes(stored)
    if isinstance(stored, dict):
        stored = stored.get("polys", ())
    if stored is None:
        return ()
    if not isinstance(stored, (list, tuple)) or len(stored) > _MOST_POLYGONS:
        raise _Unusable("seg_ie_polys is not a list of polygons")
    return tuple(_polygon(_attributes(item)) for item in stored)


def mask_bytes(stored: Any) -> bytes | None:
    """Encoded mask from the array (n,) or (n, 1), or the bytes, in which it is stored."""
    if stored is None or isinstance(stored, bytes):
        return stored or None
    if isinstance(stored, (list, np.ndarray)):
        array = np.asarray(stored)
        if array.dtype.kind in "iu" and array.size == max(array.shape, default=0):
            return array.astype(np.uint8).tobytes() or None
    raise _Unusable("xseg_mask is not a list of bytes")


class _Unusable(ValueError):
    """A value that no face has; the text says which."""


def _read_segments(path):
    """Beginning of a JPEG up to its first scan, and the segments in it; reads no more of the file than needed."""
    try:
        stream = os.open(path, _READ_ONLY)  # rather than open(), which asks the system twice as often
        try:
            data = os.read(stream, _FIRST_READ)
            complete = len(data) < _FIRST_READ
            while True:
                try:
                    return data, jpeg_segments.scan_header(data, complete)
                except jpeg_segments.NeedMore as more:
                    added = os.read(stream, max(more.size - len(data), _FIRST_READ))
                    data += added
                    complete = not added
        finally:
            os.close(stream)
    except FileNotFoundError:
        raise FormatError(path, "no such file") from None
    except OSError as error:
        raise FormatError(path, f"cannot be read ({error.strerror or error})") from None
    except jpeg_segments.NotJpeg as error:
        raise FormatError(path, str(error)) from None


def _metadata_of(data, segments, name):
    try:
        return _parsed(data, segments, name)
    except FormatError as error:
        interact.warning(f"{error}. It is treated as a picture without face data.")
        return None


def _parsed_or_none(data, segments):
    try:
        return _parsed(data, segments, "picture")
    except FormatError:
        return None


def _parsed(data, segments, name):
    """Metadata in the last segment of our kind, or None."""
    last = None
    for segment in segments:
        if segment.marker == jpeg_segments.APP15 and segment.end > segment.body:
            last = segment
    if last is None:
        return None
    values = safe_pickle.loads(data[last.body : last.end], name, arrays=True)
    return metadata_from_dict(values, name) if values != {} else None


def _is_ours(data, segment):
    if segment.end == segment.body:
        return True
    try:
        return isinstance(safe_pickle.loads(data[segment.body : segment.end], "segment"), dict)
    except FormatError:
        return False


def _face_type(value):
    if not isinstance(value, str) or value.lower() not in FACE_TYPES:
        raise _Unusable(f"the face type {str(value)[:40]!r} is unknown")
    return value.lower()


def _text(value, key):
    if value is not None and not isinstance(value, str):
        raise _Unusable(f"{key} is not a text")
    return value


def _number(value, key):
    if not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
        raise _Unusable(f"{key} is not a number")
    return float(value)


def _numbers(value, key, shape):
    """Array of a stored value, None for an absent one; only what every face has must not be empty."""
    if value is None:
        if key == _REQUIRED:
            raise _Unusable(f"{key} are missing")
        return None
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise _Unusable(f"{key} are not numbers") from None
    if array.size == 0 and key != _REQUIRED:
        return None
    if array.shape != shape:
        raise _Unusable(f"{key} are not {shape} finite numbers")
    return array


def _check_coordinates(arrays):
    """All at once, because that takes a third of the time; refuses also what is not a number."""
    joined = np.concatenate([array.ravel() for array in arrays.values() if array is not None])
    if np.maximum.reduce(abs(joined)) <= _GREATEST_COORDINATE:
        return
    for key, array in arrays.items():
        if array is not None and not abs(array).max() <= _GREATEST_COORDINATE:
            raise _Unusable(f"{key} are not {array.shape} finite numbers")


def _attributes(value):
    return value.attributes if isinstance(value, safe_pickle.Holder) else value


def _polygon(item):
    if isinstance(item, dict):
        kind, points = item.get("type"), item.get("pts")
    elif isinstance(item, (list, tuple)) and len(item) == 2:
        kind, points = item
    else:
        raise _Unusable("seg_ie_polys holds something that is no polygon")
    if kind not in (_EXCLUDE, _INCLUDE):
        raise _Unusable("a polygon is neither of kind include nor exclude")
    try:
        points = np.array(() if points is None else points, np.float32).reshape(-1, 2)
    except (TypeError, ValueError, OverflowError):
        raise _Unusable("the points of a polygon are not pairs of numbers") from None
    if not np.isfinite(points).all():
        raise _Unusable("a polygon has a point that is not finite")
    return SegPolygon(bool(kind), points)


def _same(first, second):
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.shape(first) == np.shape(second) and bool(np.all(np.asarray(first) == np.asarray(second)))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(_same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return len(first) == len(second) and all(map(_same, first, second))
    return first == second
