"""What a media file holds: its video stream, colours, rotation and audio tracks."""

import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from core.errors import FormatError
from core.video.file_check import MEDIA_OPTIONS, refuse_text

_TEXT_FORMATS = ("tty", "concat", "hls", "dash", "ffmetadata")
_MOST_PACKETS_TO_A_PICTURE = 600
_MOST_TIMES_OF_THE_AVERAGE, _MOST_RATE = 8, 1000
_BIT_DEPTH = re.compile(r"(?:p|gray|gbrp|gbrap|p0|p2|p4|xyz|x2rgb|x2bgr)(9|10|12|14|16)(?:le|be)?$")

# Code points of ITU-T H.273 and ffmpeg's words for them.
_MATRICES = {
    1: "bt709",
    4: "fcc",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "ycgco",
    9: "bt2020nc",
    10: "bt2020c",
}
_PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film", 9: "bt2020", 10: "smpte428",
    11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 11: "iec61966-2-4",
    12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 17: "smpte428",
    18: "arib-std-b67",
}  # fmt: skip
_RANGES = {1: "tv", 2: "pc"}

# libavutil's AVMasteringDisplayMetadata: ten fractions, of which the last is the peak, and two flags.
_MASTERING = struct.Struct("=22i")


@dataclass(frozen=True)
class ColourTags:
    """How the numbers of a video stream stand for colours, in ffmpeg's words; None where the file does not say."""

    matrix: str | None = None
    primaries: str | None = None
    transfer: str | None = None
    range: str | None = None

    @property
    def is_hdr(self) -> bool:
        """Whether the numbers stand for more light than a usual display gives: PQ or HLG."""
        return self.transfer in ("smpte2084", "arib-std-b67")


SDR = ColourTags("bt709", "bt709", "bt709", "tv")


@dataclass(frozen=True)
class AudioTrack:
    """One audio stream: its number among the audio streams and what is known of it."""

    number: int
    codec: str
    sample_rate: int
    channels: str
    language: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class VideoInfo:
    """The first video stream of a file and the audio tracks beside it.

    Attributes
    ----------
    fps : Fraction
        Nominal frames per second (ffmpeg's ``r_frame_rate``, or the average where that is meaningless).
    average_fps : Fraction
        Frames divided by duration as the container states it.
    frame_count : int or None
        From the container's header; may be missing. :func:`core.video.reading.times.frame_times` counts exactly.
    duration : float
        Seconds, 0 when unknown.
    width, height : int
        As stored. ``display_size`` is what comes out upright.
    rotation : int
        Degrees counter-clockwise that a player turns the picture: 0, 90, 180 or 270.
    pixel_aspect : Fraction
        Width of a stored pixel divided by its height.
    peak_luminance : float or None
        Brightest light of an HDR video in cd/m², where the file says so.
    """

    path: Path
    codec: str
    pixel_format: str
    bit_depth: int
    width: int
    height: int
    fps: Fraction
    average_fps: Fraction
    duration: float
    frame_count: int | None = None
    rotation: int = 0
    pixel_aspect: Fraction = Fraction(1)
    colour: ColourTags = ColourTags()
    audio: tuple[AudioTrack, ...] = ()
    format_name: str = ""
    peak_luminance: float | None = None

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height of the frames as they are read: turned upright."""
        return (self.height, self.width) if self.rotation in (90, 270) else (self.width, self.height)

    @property
    def display_pixel_aspect(self) -> Fraction:
        """Pixel aspect of the frames as they are read."""
        return 1 / self.pixel_aspect if self.rotation in (90, 270) else self.pixel_aspect

    @property
    def expected_frames(self) -> int | None:
        """Frame count of the header and the one that duration and rate suggest: the smaller; None when both are unknown.

        An edit list shows fewer frames than the header counts, and headers of avi files often count too many.
        """
        suggested = round(self.duration * self.average_fps) or None
        return min(filter(None, (self.frame_count, suggested)), default=None)


def probe(path: Path) -> VideoInfo:
    """Read the header of a media file and its first picture.

    Raises
    ------
    FormatError
        When the file cannot be read, is no media file, or has no video stream.
    """
    with open_media(path) as container:
        stream = picture_stream(container, path)
        first = _first_picture(container, stream)
        info = _describe(Path(path), container, stream, first)
    if info.width <= 0 or info.height <= 0 or info.fps <= 0:
        raise FormatError(path, "is damaged: its video stream has no size or no frame rate")
    return info


def open_media(path: Path) -> Any:
    """Open a media file with PyAV, without times that libavformat only guesses; a context manager.

    Raises
    ------
    FormatError
        When the file cannot be read or is no media file.
    """
    import av
    from av.container import Flags

    path = Path(path).absolute()
    _check_file(path)
    try:
        container = av.open(str(path), metadata_errors="replace", options=dict(MEDIA_OPTIONS))
    except av.error.FFmpegError as error:
        raise _unreadable(path, _reason(path) or str(error.strerror)) from None
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise _unreadable(path, "text, not pictures")
    container.flags = int(getattr(container.flags, "value", container.flags)) & ~Flags.gen_pts.value  # type: ignore[operator]
    return container


def picture_stream(container: Any, path: Path) -> Any:
    """The first video stream that is no cover picture; FormatError when there is none, or nothing here decodes it."""
    from av.stream import Disposition

    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise FormatError(path, "has no video stream. Give a file that has pictures")
    if streams[0].codec_context is None:
        raise FormatError(path, "has a video stream of a kind that is unknown here. Convert it first")
    return streams[0]


def bit_depth(pixel_format: str) -> int:
    """Bits of a colour value of one of ffmpeg's pixel formats: ``yuv420p10le`` → 10."""
    match = _BIT_DEPTH.search(pixel_format)
    if match:
        return int(match[1])
    if re.search(r"48|64(?=le|be)", pixel_format):
        return 16
    return 8


def _check_file(path):
    if not path.is_file():
        raise FormatError(path, "no such file")
    if path.stat().st_size == 0:
        raise FormatError(path, "is an empty file")
    refuse_text(path)


def _first_picture(container, stream):
    """The first picture that can be decoded, or None. Rotation and some colours are known only with it."""
    import av

    try:
        for number, packet in enumerate(container.demux(stream)):
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                pictures = []
            if pictures:
                return pictures[0]
            if number == _MOST_PACKETS_TO_A_PICTURE:
                return None
    except av.error.FFmpegError:
        pass
    return None


def _describe(path, container, stream, picture):
    context = stream.codec_context
    pixels = context.format or (picture.format if picture is not None else None)  # pix_fmt crashes in av 17 without one
    pixel_format = pixels.name if pixels is not None else "unknown"
    average = Fraction(stream.average_rate or stream.base_rate or 0)
    return VideoInfo(
        path=path,
        codec=context.codec.canonical_name,
        pixel_format=pixel_format,
        bit_depth=bit_depth(pixel_format),
        width=context.width,
        height=context.height,
        fps=_nominal_rate(Fraction(stream.base_rate or 0), average),
        average_fps=average,
        duration=_duration(container, stream),
        frame_count=stream.frames or None,
        rotation=round(picture.rotation / 90) * 90 % 360 if picture is not None else 0,
        pixel_aspect=_pixel_aspect(stream),
        colour=_colour(context, picture),
        audio=tuple(_audio_track(number, audio) for number, audio in enumerate(container.streams.audio)),
        format_name=container.format.name,
        peak_luminance=_peak_luminance(picture),
    )


def _duration(container, stream):
    """Seconds; the header of the stream before that of the container."""
    if stream.duration and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    return max(0, container.duration or 0) / 1e6


def _pixel_aspect(stream):
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Fraction(aspect) if aspect and aspect > 0 else Fraction(1)


def _colour(context, picture):
    """Tags of the stream; what it does not say may be said by the picture."""
    found = []
    for name, words in (
        ("colorspace", _MATRICES), ("color_primaries", _PRIMARIES), ("color_trc", _TRANSFERS), ("color_range", _RANGES),
    ):  # fmt: skip
        codes = [getattr(source, name, None) for source in (context, picture) if source is not None]
        found.append(next((words[int(code)] for code in codes if code is not None and int(code) in words), None))
    return ColourTags(*found)


def _peak_luminance(picture):
    """Content light level of a picture, else the peak of the display that it was mastered on, in cd/m²."""
    data = {} if picture is None else {item.type.name: bytes(item) for item in picture.side_data}
    level = data.get("CONTENT_LIGHT_LEVEL", b"")
    if len(level) >= 8 and (brightest := struct.unpack_from("=I", level)[0]):
        return float(brightest)
    display = data.get("MASTERING_DISPLAY_METADATA", b"")
    if len(display) >= _MASTERING.size:
        *_, numerator, denominator, _, has_luminance = _MASTERING.unpack_from(display)
        if has_luminance and denominator and numerator > 0:
            return numerator / denominator
    return None


def _audio_track(number, stream):
    context = stream.codec_context
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    language = tags.get("language")
    return AudioTrack(
        number,
        context.codec.canonical_name if context is not None else "unknown",
        (context.sample_rate or 0) if context is not None else 0,
        _channels(context.layout) if context is not None else "?",
        None if language in (None, "", "und") else language,
        tags.get("title"),
    )


def _channels(layout):
    return {"1 channels": "mono", "2 channels": "stereo"}.get(layout.name, layout.name)


def _nominal_rate(nominal, average):
    """``r_frame_rate``, unless it is a clock rather than a frame rate (variable-rate files)."""
    if nominal <= 0:
        return average
    is_clock = nominal > _MOST_RATE or (average > 0 and nominal > _MOST_TIMES_OF_THE_AVERAGE * average)
    return average if is_clock else nominal


def _reason(path):
    """The last error that libavformat writes about a file that it cannot open, or None."""
    import av

    before, skipped = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as lines:
            try:
                av.open(str(path)).close()
            except av.error.FFmpegError:
                pass
    finally:
        av.logging.set_skip_repeated(skipped)
        av.logging.set_level(before)
    return lines[-1][2].strip() if lines else None


def _unreadable(path, reason):
    return FormatError(path, f"is no readable video ({reason}). It may be cut short or still downloading")
