"""A Matroska stream of raw frames, through which frames and their exact times reach ffmpeg by a pipe."""

from fractions import Fraction
from typing import Any

# Element numbers of the Matroska specification (RFC 9559).
_EBML, _DOC_TYPE, _SEGMENT = 0x1A45DFA3, 0x4282, 0x18538067
_INFO, _TIMESTAMP_SCALE = 0x1549A966, 0x2AD7B1
_TRACKS, _TRACK_ENTRY, _TRACK_NUMBER, _TRACK_UID = 0x1654AE6B, 0xAE, 0xD7, 0x73C5
_TRACK_TYPE, _CODEC_ID, _VIDEO, _DEFAULT_DURATION = 0x83, 0x86, 0xE0, 0x23E383
_PIXEL_WIDTH, _PIXEL_HEIGHT, _UNCOMPRESSED_FOURCC = 0xB0, 0xBA, 0x2EB524
_CLUSTER, _TIMESTAMP, _SIMPLE_BLOCK = 0x1F43B675, 0xE7, 0xA3
_UNKNOWN_SIZE = b"\x01\xff\xff\xff\xff\xff\xff\xff"
_NANOSECONDS_A_TICK = 1000


class TimedFrames:
    """Writes the parts of the stream: :meth:`header` once, then :meth:`frame` for each frame.

    Parameters
    ----------
    width, height : int
    deep : bool
        Frames are 16-bit little-endian instead of 8-bit; always BGR without padding.
    rate : Fraction
        Frames a second, roughly: encoders share their bits out by it.
    """

    def __init__(self, width: int, height: int, deep: bool = False, rate: Fraction = Fraction(25)):
        self._width, self._height, self._rate = width, height, Fraction(rate)
        self._fourcc = b"BGR" + bytes([48 if deep else 24])

    def header(self) -> bytes:
        """Everything before the first frame."""
        video = _number(_PIXEL_WIDTH, self._width) + _number(_PIXEL_HEIGHT, self._height)
        video += _element(_UNCOMPRESSED_FOURCC, self._fourcc)
        track = _number(_TRACK_NUMBER, 1) + _number(_TRACK_UID, 1) + _number(_TRACK_TYPE, 1)
        track += _number(_DEFAULT_DURATION, round(1_000_000_000 / self._rate))
        track += _element(_CODEC_ID, b"V_UNCOMPRESSED") + _element(_VIDEO, video)
        return (
            _element(_EBML, _element(_DOC_TYPE, b"matroska"))
            + _id(_SEGMENT)
            + _UNKNOWN_SIZE
            + _element(_INFO, _number(_TIMESTAMP_SCALE, _NANOSECONDS_A_TICK))
            + _element(_TRACKS, _element(_TRACK_ENTRY, track))
        )

    def frame(self, data: Any, time: Fraction) -> tuple:
        """The parts of one frame that is shown ``time`` seconds after the start: a prefix, and ``data`` itself."""
        timestamp = _number(_TIMESTAMP, round(time * 1_000_000_000 / _NANOSECONDS_A_TICK))
        block = b"\x81\x00\x00\x80"
        length = memoryview(data).nbytes
        prefix = _id(_SIMPLE_BLOCK) + _size(len(block) + length) + block
        cluster = _id(_CLUSTER) + _size(len(timestamp) + len(prefix) + length)
        return cluster + timestamp + prefix, data


def _id(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _size(length):
    return (length | 1 << 56).to_bytes(8, "big")


def _element(number, payload):
    return _id(number) + _size(len(payload)) + payload


def _number(number, value):
    return _element(number, value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big"))
