"""What a media file holds: its video stream, audio tracks, and the exact time of each frame."""

import json
import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from core import ffmpeg
from core.errors import FormatError
from core.video_file_check import refuse_text

_NTSC_BASES = (24, 30, 48, 60, 72, 90, 96, 120, 144, 240)
_BIT_DEPTH = re.compile(r"(?:p|gray|gbrp|gbrap|p0|p2|p4|xyz|x2rgb|x2bgr)(9|10|12|14|16)(?:le|be)?$")
_UNKNOWN = ("", "unknown", "reserved", "unspecified", "N/A")
_ROUNDING = 0.27
_NO_TIME = -(2**62)


@dataclass(frozen=True)
class ColourTags:
    """How the numbers of a video stream stand for colours, in ffmpeg's words; None where the file does not say."""

    matrix: str | None = None
    primaries: str | None = None
    transfer: str | None = None
    range: str | None = None


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
        From the container's header; may be missing. :func:`frame_times` counts exactly.
    duration : float
        Seconds, 0 when unknown.
    width, height : int
        As stored. ``display_size`` is what comes out upright.
    rotation : int
        Degrees counter-clockwise that a player turns the picture: 0, 90, 180 or 270.
    pixel_aspect : Fraction
        Width of a stored pixel divided by its height.
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
        """Frame count of the header, else an estimate from duration and rate."""
        if self.frame_count:
            return self.frame_count
        return round(self.duration * self.average_fps) or None


def probe(path: Path) -> VideoInfo:
    """Read the header of a media file with ffprobe, or with ffmpeg where there is no ffprobe.

    Raises
    ------
    FormatError
        When the file cannot be read, is no media file, or has no video stream.
    """
    path = Path(path)
    if not path.is_file():
        raise FormatError(path, "no such file")
    if path.stat().st_size == 0:
        raise FormatError(path, "is an empty file")
    refuse_text(path)
    info = _probe_with_ffprobe(path) if ffmpeg.ffprobe_program() else _probe_with_ffmpeg(path)
    if info is None:
        raise FormatError(path, "has no video stream. Give a file that has pictures")
    if info.width <= 0 or info.height <= 0 or info.fps <= 0:
        raise FormatError(path, "is damaged: its video stream has no size or no frame rate")
    return info


def frame_times(path: Path) -> list[Fraction]:
    """Time of each frame in seconds from the start of the file, in the order of display.

    Frames are not decoded, except where a container does not give the time of each.
    """
    times = _read_times(path, ["-c", "copy"])
    if times is None:
        times = _read_times(path, ["-vf", "scale=16:16", *ffmpeg.every_frame_once()])
    return times or []


def _read_times(path, options):
    command = [ffmpeg.ffmpeg_program(), "-v", "error", "-nostdin", "-i", str(path)]
    command += ["-map", "0:V:0", *options, "-f", "framecrc", "pipe:1"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise ffmpeg.failure(command, done.returncode, done.stderr.decode(errors="replace").splitlines())
    return _parse_frame_times(done.stdout.decode(errors="replace"))


def constant_rate(times: list[Fraction], info: VideoInfo) -> Fraction | None:
    """The frame rate on whose grid all ``times`` lie, or None when the frame rate varies.

    A frame may lie off the grid by a quarter of a frame, which covers containers that round to milliseconds.
    """
    if len(times) < 2:
        return info.fps
    average = Fraction(len(times) - 1) / (times[-1] - times[0]) if times[-1] > times[0] else info.fps
    for rate in dict.fromkeys((info.fps, snap_rate(average), average.limit_denominator(1_000_000))):
        if all(abs((time - times[0]) * rate - index) <= _ROUNDING for index, time in enumerate(times)):
            return rate
    return None


def snap_rate(rate: Fraction | float) -> Fraction:
    """The common frame rate nearest to a rounded one: 29.97 → 30000/1001; others stay within 1/1000."""
    candidates = [Fraction(base * 1000, 1001) for base in _NTSC_BASES] + [Fraction(round(rate))]
    candidates += [Fraction(15000, 1001), Fraction(25, 2), Fraction(15, 2)]
    nearest = min(candidates, key=lambda candidate: abs(candidate - rate))
    if abs(nearest - rate) < 0.0055 and nearest > 0:
        return nearest
    return Fraction(rate).limit_denominator(1000)


def bit_depth(pixel_format: str) -> int:
    """Bits of a colour value of one of ffmpeg's pixel formats: ``yuv420p10le`` → 10."""
    match = _BIT_DEPTH.search(pixel_format)
    if match:
        return int(match[1])
    if re.search(r"48|64(?=le|be)", pixel_format):
        return 16
    return 8


def _parse_frame_times(text):
    """Sorted times of a framecrc listing; None when a frame has none, or two frames have the same."""
    base, stamps = None, []
    for line in text.splitlines():
        if line.startswith("#tb 0:"):
            base = Fraction(line.split(":")[1].strip())
        elif line and not line.startswith("#"):
            fields = [field.strip() for field in line.split(",")]
            stamps.append(int(fields[2]) if fields[2].lstrip("-").isdigit() else _NO_TIME)
    if any(stamp <= _NO_TIME for stamp in stamps) or len(set(stamps)) < len(stamps):
        return None
    return [stamp * base for stamp in sorted(stamps)] if base else []


def _probe_with_ffprobe(path):
    command = [ffmpeg.ffprobe_program(), "-v", "error", "-of", "json", "-show_streams", "-show_format", str(path)]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    try:
        data = json.loads(done.stdout.decode(errors="replace") or "{}")
    except json.JSONDecodeError:
        data = {}
    if done.returncode != 0 or not data.get("streams"):
        raise _unreadable(path, done.stderr.decode(errors="replace").splitlines())
    streams, container = data["streams"], data.get("format", {})
    videos = [stream for stream in streams if stream.get("codec_type") == "video" and not _is_cover(stream)]
    if not videos:
        return None
    video = videos[0]
    duration = _number(video.get("duration")) or _number(container.get("duration"))
    average = _fraction(video.get("avg_frame_rate")) or _fraction(video.get("r_frame_rate")) or Fraction(0)
    return VideoInfo(
        path=path,
        codec=video.get("codec_name", "unknown"),
        pixel_format=video.get("pix_fmt", "unknown"),
        bit_depth=bit_depth(video.get("pix_fmt", "")),
        width=int(video.get("width", 0)),
        height=int(video.get("height", 0)),
        fps=_nominal_rate(_fraction(video.get("r_frame_rate")), average),
        average_fps=average,
        duration=duration,
        frame_count=int(video["nb_frames"]) if str(video.get("nb_frames", "")).isdigit() else None,
        rotation=_json_rotation(video),
        pixel_aspect=_fraction(str(video.get("sample_aspect_ratio", "1:1")).replace(":", "/")) or Fraction(1),
        colour=ColourTags(
            *(_known(video.get(key)) for key in ("color_space", "color_primaries", "color_transfer", "color_range"))
        ),
        audio=tuple(
            _json_audio(number, stream)
            for number, stream in enumerate(stream for stream in streams if stream.get("codec_type") == "audio")
        ),
        format_name=container.get("format_name", ""),
    )


def _is_cover(stream):
    return bool(stream.get("disposition", {}).get("attached_pic"))


def _json_rotation(video):
    for side_data in video.get("side_data_list", ()):
        if "rotation" in side_data:
            return round(_number(side_data["rotation"])) % 360
    return -round(_number(video.get("tags", {}).get("rotate"))) % 360


def _json_audio(number, stream):
    tags = {key.lower(): value for key, value in stream.get("tags", {}).items()}
    count = stream.get("channels", "?")
    channels = stream.get("channel_layout") or {1: "mono", 2: "stereo"}.get(count, f"{count} channels")
    language = tags.get("language")
    return AudioTrack(
        number,
        stream.get("codec_name", "unknown"),
        int(_number(stream.get("sample_rate"))),
        channels,
        None if language in (None, "und") else language,
        tags.get("title"),
    )


_STREAM = re.compile(r"^\s*Stream #0:\d+(?:\[\w+\])?(?:\((?P<language>\w+)\))?: (?P<kind>Video|Audio): (?P<rest>.*)$")
_DURATION = re.compile(r"Duration: (\d+):(\d+):(\d+(?:\.\d+)?)(?:, start: (-?[\d.]+))?")
_PIXELS = re.compile(
    r",\s*(?P<format>[a-z]\w+)(?:\((?P<tags>[^)]*)\))?(?:\([^)]*\))?,\s*(?P<width>\d+)x(?P<height>\d+)"
)


def _probe_with_ffmpeg(path):
    command = [ffmpeg.ffmpeg_program(), "-hide_banner", "-nostdin", "-i", str(path)]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    lines = done.stderr.decode(errors="replace").splitlines()
    text = "\n".join(lines)
    streams = [(index, match) for index, line in enumerate(lines) if (match := _STREAM.match(line))]
    if not text.count("Input #0") or not any("Stream #0:" in line for line in lines):
        raise _unreadable(path, [line for line in lines if "At least one output file" not in line])
    duration = _DURATION.search(text)
    seconds = int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration else 0.0
    videos = [(i, match) for i, match in streams if match["kind"] == "Video" and "(attached pic)" not in match["rest"]]
    if not videos:
        return None
    index, match = videos[0]
    details = "\n".join(_details(lines, index))
    audio = [(i, match) for i, match in streams if match["kind"] == "Audio"]
    return VideoInfo(
        path=path,
        **_text_video(match["rest"], details),
        duration=seconds,
        audio=tuple(_text_audio(number, match, _details(lines, i)) for number, (i, match) in enumerate(audio)),
        format_name=next(line for line in lines if line.startswith("Input #0"))
        .split(", ", 1)[1]
        .rsplit(", from", 1)[0],
    )


def _details(lines, index):
    """The indented lines that follow the stream line at ``index``."""
    for line in lines[index + 1 :]:
        if _STREAM.match(line) or not line.startswith("    "):
            return
        yield line


def _text_video(rest, details):
    """Fields of the video stream from ffmpeg's line about it."""
    pixels = _PIXELS.search(rest)
    pixel_format = pixels["format"] if pixels else "unknown"
    average = re.search(r"([\d.]+)(k?) fps", rest)
    nominal = re.search(r"([\d.]+)(k?) tbr", rest)
    rates = [snap_rate(float(m[1]) * (1000 if m[2] else 1)) if m else None for m in (average, nominal)]
    average_rate = rates[0] or rates[1] or Fraction(0)
    aspect = re.search(r"SAR (\d+):(\d+)", rest)
    rotation = re.search(r"rotation of (-?[\d.]+) degrees", details)
    turned = re.search(r"^\s*rotate\s*: (\d+)", details, re.MULTILINE)
    angle = round(float(rotation[1])) if rotation else -int(turned[1]) if turned else 0
    return {
        "codec": rest.split(maxsplit=1)[0].rstrip(","),
        "pixel_format": pixel_format,
        "bit_depth": bit_depth(pixel_format),
        "width": int(pixels["width"]) if pixels else 0,
        "height": int(pixels["height"]) if pixels else 0,
        "fps": _nominal_rate(rates[1], average_rate),
        "average_fps": average_rate,
        "rotation": angle % 360,
        "pixel_aspect": Fraction(int(aspect[1]), int(aspect[2])) if aspect and int(aspect[2]) else Fraction(1),
        "colour": _text_colour(pixels["tags"] or "") if pixels else ColourTags(),
    }


def _text_colour(tags):
    """Colour tags from ffmpeg's parenthesis: ``tv, bt709`` or ``tv, bt2020nc/bt2020/smpte2084, progressive``."""
    parts = [part.strip() for part in tags.split(",")]
    colour_range = next((part for part in parts if part in ("tv", "pc")), None)
    for part in parts:
        names = part.split("/")
        if part in ("tv", "pc", "progressive") or " " in part or not part:
            continue
        matrix, primaries, transfer = names if len(names) == 3 else (part, part, part)
        return ColourTags(_known(matrix), _known(primaries), _known(transfer), colour_range)
    return ColourTags(range=colour_range)


def _text_audio(number, match, details):
    parts = [part.strip() for part in match["rest"].split(",")]
    rate = re.search(r"(\d+) Hz", match["rest"])
    channels = parts[2] if len(parts) > 2 else "?"
    title = next((line.split(":", 1)[1].strip() for line in details if re.match(r"\s*title\s*:", line)), None)
    language = match["language"] if match["language"] != "und" else None
    return AudioTrack(number, parts[0].split()[0], int(rate[1]) if rate else 0, channels, language, title)


def _unreadable(path, lines):
    lines = [ffmpeg.clean(line).removeprefix(f"{path}: ") for line in lines]
    lines = [line for line in lines if line and not line.startswith(("Error opening input", "ffmpeg version"))]
    reason = "; ".join(dict.fromkeys(lines[-2:])) or "unknown kind of file"
    return FormatError(path, f"is no readable video ({reason}). It may be cut short or still downloading")


def _nominal_rate(nominal, average):
    """``r_frame_rate``, unless it is a clock rather than a frame rate (variable-rate files)."""
    if not nominal or nominal <= 0:
        return average
    return average if nominal > 1000 or (average > 0 and nominal > 8 * average) else nominal


def _fraction(text):
    try:
        value = Fraction(str(text))
    except (ValueError, ZeroDivisionError):
        return None
    return value if value > 0 else None


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return 0.0


def _known(text):
    return None if text is None or str(text).lower() in _UNKNOWN else str(text)
