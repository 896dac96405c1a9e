"""Finds the header segments of a JPEG, and puts one in or takes one out, without decoding pixels."""

import re
import struct
from typing import NamedTuple

APP15, SOS, END_OF_IMAGE = 0xEF, 0xDA, 0xD9
LARGEST_BODY = 65533

_START_OF_IMAGE = b"\xff\xd8"
_STANDALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Inside a scan 00 after FF stands for a plain FF, D0 … D7 are restart points, and FF may fill up.
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


class NotJpeg(Exception):
    """The bytes are not a JPEG, or its header is damaged."""


class NeedMore(Exception):
    """The header goes on after the bytes at hand; ``size`` bytes from the start are enough to go on."""

    def __init__(self, size: int):
        super().__init__(size)
        self.size = size


class Segment(NamedTuple):
    """One segment: its marker, where it starts (first byte ``FF`` of the marker), where its body starts and ends."""

    marker: int
    start: int
    body: int
    end: int


def scan_header(data: bytes, complete: bool = True) -> list[Segment]:
    """Segments between the start of the image and its first scan, which is not among them.

    Parameters
    ----------
    data : bytes
        The file, or its beginning.
    complete : bool
        Whether ``data`` is the whole file.

    Raises
    ------
    NotJpeg
    NeedMore
        Only when not ``complete``.
    """
    if data[:2] != _START_OF_IMAGE:
        raise NotJpeg("is not a JPEG file" if data else "is empty")
    segments: list[Segment] = []
    at, size = 2, len(data)
    while True:
        if at + 4 > size:
            return _end_of_data(segments, complete, at + 4)
        if data[at] != 0xFF:
            raise NotJpeg(f"has a damaged JPEG header (byte {at})")
        start = at
        while data[at + 1] == 0xFF:
            at += 1
            if at + 4 > size:
                return _end_of_data(segments, complete, at + 4)
        marker = data[at + 1]
        if marker in (SOS, END_OF_IMAGE):
            return segments
        if marker in _STANDALONE:
            at += 2
            continue
        length = data[at + 2] << 8 | data[at + 3]
        if length < 2:
            raise NotJpeg(f"has a damaged JPEG header (byte {at})")
        end = at + 2 + length
        if end > size:
            if not complete:
                raise NeedMore(end + 4)
            raise NotJpeg("is cut off inside its header")
        segments.append(Segment(marker, start, at + 4, end))
        at = end


def is_complete(data: bytes) -> bool:
    """Whether a JPEG is there from its start to its end-of-image marker; what follows that does not matter.

    Scans are walked through from marker to marker, so that the end of a thumbnail in the header does not count.
    """
    if data[:2] != _START_OF_IMAGE:
        return False
    at, in_scan = 2, False
    while True:
        if in_scan:
            found = _MARKER_IN_SCAN.search(data, at)
            if found is None:
                return False
            at = found.start()
        if data[at : at + 1] != b"\xff":
            return False
        while data[at + 1 : at + 2] == b"\xff":
            at += 1
        if at + 2 > len(data):
            return False
        marker = data[at + 1]
        if marker == END_OF_IMAGE:
            return in_scan
        at += 2
        if marker not in _STANDALONE:
            if at + 2 > len(data):
                return False
            at += data[at] << 8 | data[at + 1]
            in_scan = in_scan or marker == SOS


def _end_of_data(segments, complete, wanted):
    if not complete:
        raise NeedMore(wanted)
    return segments


def image_shape(data: bytes, segments: list[Segment]) -> tuple[int, int, int] | None:
    """(height, width, 3) of the first frame header among ``segments``, or None."""
    for segment in segments:
        if segment.marker in _FRAME_MARKERS and segment.end - segment.body >= 6:
            height, width = struct.unpack_from(">HH", data, segment.body + 1)
            return (height, width, 3) if height and width else None
    return None


def replace_bodies(data: bytes, segments: list[Segment], remove: list[Segment], marker: int, body: bytes) -> bytes:
    """Take segments out and insert a new one after the last application segment (with none: at the very start).

    Everything else keeps its bytes and its order.
    """
    if len(body) > LARGEST_BODY:
        raise ValueError("the body is too long for one segment")
    place = 2
    for segment in segments:
        if 0xE0 <= segment.marker <= APP15 and segment not in remove:
            place = segment.end
    pieces: list[bytes] = []
    at = 0
    cuts = sorted([(segment.start, segment.end, b"") for segment in remove] + [(place, place, _segment(marker, body))])
    for start, end, new in cuts:
        pieces += (data[at:start], new)
        at = end
    return b"".join((*pieces, data[at:]))


def _segment(marker, body):
    return bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body
