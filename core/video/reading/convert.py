"""From decoded pictures to upright pixels of one size and kind, with the colours that the file states."""

import struct
from fractions import Fraction
from typing import Any

import numpy as np

from core.video.reading.hdr import tone_map
from core.video.reading.probe import VideoInfo
from core.video.writing.encoders import to_rgb_filter

_TURNS = {
    (1, 0, 0, 1): (),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (-1, 0, 0, -1): (("hflip", ""), ("vflip", "")),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (-1, 0, 0, 1): (("hflip", ""),),
    (1, 0, 0, -1): (("vflip", ""),),
    (0, 1, 1, 0): (("transpose", "cclock_flip"),),
    (0, -1, -1, 0): (("transpose", "clock_flip"),),
}  # fmt: skip


class PictureConverter:
    """Turns ``av.VideoFrame`` into others that are upright and have one size and pixel format.

    Parameters
    ----------
    info : VideoInfo
        Of the video that the pictures come from.
    pixel_format : str
        ffmpeg's name of what comes out.
    options : str
        More of the scale filter's options, each after a colon.
    """

    def __init__(self, info: VideoInfo, pixel_format: str, options: str = ""):
        self._scale = to_rgb_filter(info).removeprefix("scale=") + options
        self._format = pixel_format
        self._size = info.width, info.height
        self._key: tuple | None = None
        self._graph: Any = None

    def convert(self, picture: Any) -> Any:
        """The converted picture. One that differs in size or format from those before is brought to their size."""
        turns = _turns(picture)
        key = (picture.width, picture.height, picture.format.name, turns)
        if key != self._key:
            self._key, self._graph = key, self._build(picture, turns)
        picture.pts = None
        self._graph.vpush(picture)
        return self._graph.vpull()

    def _build(self, picture, turns):
        from av.filter import Graph

        graph = Graph()
        source = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=Fraction(1, 25)
        )
        width, height = self._size
        scale = f"w={width}:h={height}:{self._scale}"
        filters = [("scale", scale), ("format", f"pix_fmts={self._format}"), *turns, ("buffersink", "")]
        before = source
        for name, arguments in filters:
            after = graph.add(name, arguments or None)
            before.link_to(after)
            before = after
        graph.configure()
        return graph


def pixels_of(picture: Any) -> np.ndarray:
    """The pixels of a ``bgr24`` or ``bgr48le`` picture: (H, W, 3) uint8 or uint16 BGR."""
    plane = picture.planes[0]
    dtype = np.dtype("<u2") if picture.format.name == "bgr48le" else np.dtype(np.uint8)
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: picture.height]
    rows = np.ascontiguousarray(rows[:, : picture.width * 3 * dtype.itemsize])
    return rows.view(dtype).reshape(picture.height, picture.width, 3)


class ArrayConverter:
    """Turns ``av.VideoFrame`` into arrays (H, W, 3) BGR.

    Parameters
    ----------
    info : VideoInfo
    deep : bool
        uint16 (0…65535) instead of uint8.
    tone_mapped : bool
        Bring HDR pictures to the light of a usual display, see :func:`core.video.reading.hdr.tone_map`; those are always uint8.
    """

    def __init__(self, info: VideoInfo, deep: bool = False, tone_mapped: bool = False):
        self._transfer = info.colour.transfer if tone_mapped and info.colour.is_hdr else None
        self._peak = info.peak_luminance
        self._converter = PictureConverter(info, "bgr48le" if deep or self._transfer else "bgr24")

    def convert(self, picture: Any) -> np.ndarray:
        pixels = pixels_of(self._converter.convert(picture))
        return pixels if self._transfer is None else tone_map(pixels, self._transfer, self._peak)


def _turns(picture):
    """Names and arguments of the filters that turn a picture as its display matrix says."""
    matrix = next((bytes(data) for data in picture.side_data if data.type.name == "DISPLAYMATRIX"), None)
    if matrix is None:
        return ()
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    upright = abs(a) + abs(d) >= abs(b) + abs(c)
    signs = (_sign(a), 0, 0, _sign(d)) if upright else (0, _sign(b), _sign(c), 0)
    return _TURNS[signs]


def _sign(number):
    return 1 if number >= 0 else -1
