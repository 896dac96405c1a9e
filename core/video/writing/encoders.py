"""Encoder, colour and container settings for ffmpeg: which codec goes where and with which arguments."""

import functools
import os
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from core.errors import UsageError, UserError
from core.video import ffmpeg
from core.video.reading.probe import ColourTags, VideoInfo
from core.video.writing.sound import CONTAINERS, WITHOUT_TIMES

SCALER = "bicubic+accurate_rnd+full_chroma_int"

# ffmpeg's name of a matrix in streams → the scale filter's name for it.
_MATRIX_OF_SCALER = {
    "bt709": "bt709",
    "fcc": "fcc",
    "bt470bg": "bt470",
    "smpte170m": "smpte170m",
    "smpte240m": "smpte240m",
    "bt2020nc": "bt2020",
}
_PRIMARIES = ("bt709", "bt470m", "bt470bg", "smpte170m", "smpte240m", "film", "bt2020", "smpte431", "smpte432")
_TRANSFERS = (
    "bt709", "smpte170m", "smpte240m", "linear", "iec61966-2-1", "bt2020-10", "bt2020-12", "smpte2084", "arib-std-b67",
)  # fmt: skip

_TICKS_A_SECOND = 90000

# Containers that store when a picture is decoded, not when it is shown: pictures must not be reordered.
_ORDER_OF_DECODING = (".avi", ".wmv")


@dataclass(frozen=True)
class EncoderSettings:
    """How the pictures of a video are coded.

    Attributes
    ----------
    encoder : str
        ffmpeg's name of the encoder.
    bitrate : int
        Megabits per second; not used when ``lossless``.
    lossless : bool
        Every value of the encoder's pixel format is kept exactly.
    ten_bit : bool
        Ten instead of eight bits a value.
    """

    encoder: str = "libx264"
    bitrate: int = 16
    lossless: bool = False
    ten_bit: bool = False

    @property
    def pixel_format(self) -> str:
        if self.encoder.endswith(("_nvenc", "_qsv", "_vaapi", "_amf", "_videotoolbox")):
            return "p010le" if self.ten_bit else "nv12"
        return "yuv420p10le" if self.ten_bit else "yuv420p"

    def arguments(self, suffix: str) -> dict[str, str]:
        """Output options of ffmpeg for a file with this suffix; UsageError for what the encoder cannot do."""
        options = {"c:v": self.encoder}
        if self.lossless:
            options.update(_lossless(self.encoder))
        else:
            options["b:v"] = f"{self.bitrate}M"
        if self.ten_bit and ("264" in self.encoder and self.encoder != "libx264" or self.encoder == "mpeg4"):
            raise UsageError(f"--encoder {self.encoder} cannot make ten-bit video. Use libx265 or a hevc encoder.")
        if _is_hevc(self.encoder) and suffix in (".mp4", ".mov", ".m4v"):
            options["tag:v"] = "hvc1"
        if suffix in _ORDER_OF_DECODING:
            options["bf"] = "0"
        return options


def default_encoder(suffix: str, ten_bit: bool = False) -> str:
    """The software encoder for a container: VP9 for webm, HEVC for ten bits, else H.264."""
    if suffix == ".webm":
        return "libvpx-vp9"
    return "libx265" if ten_bit else "libx264"


def check_encoder(encoder: str, ten_bit: bool = False) -> None:
    """Raise UsageError unless this ffmpeg on this machine can really encode with ``encoder`` (tries one frame)."""
    problem = _try_encoder(encoder, ten_bit)
    if problem is not None:
        names = ", ".join(name for name in _ENCODERS_TO_OFFER if _try_encoder(name, False) is None)
        raise UsageError(f"--encoder {encoder} does not work here ({problem}). Encoders that do: {names}.")


_ENCODERS_TO_OFFER = (
    "libx264", "libx265", "h264_nvenc", "hevc_nvenc", "h264_qsv", "hevc_qsv", "h264_amf", "hevc_amf",
    "h264_videotoolbox", "hevc_videotoolbox",
)  # fmt: skip


@functools.cache
def _try_encoder(encoder, ten_bit):
    pixel_format = EncoderSettings(encoder, ten_bit=ten_bit).pixel_format
    command = [ffmpeg.ffmpeg_program(), "-v", "error", "-nostdin", "-f", "lavfi", "-i", "color=s=256x256:r=25:d=0.08"]
    command += ["-vf", f"format={pixel_format}", "-c:v", encoder, "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[0].strip() if lines else "no message"


def _is_hevc(encoder):
    return "265" in encoder or "hevc" in encoder


def _lossless(encoder):
    known = {
        "libx264": {"crf": "0"},
        "libx265": {"x265-params": "lossless=1:log-level=error"},
        "h264_nvenc": {"preset": "p4", "tune": "lossless"},
        "hevc_nvenc": {"preset": "p4", "tune": "lossless"},
        "libvpx-vp9": {"lossless": "1"},
        "ffv1": {},
    }
    if encoder not in known:
        raise UsageError(f"--encoder {encoder} has no lossless mode. Use one of {', '.join(known)}, or no --lossless.")
    return known[encoder]


def time_options(suffix: str, rate: Fraction) -> dict[str, str]:
    """Output options with which each picture comes out once, at its own time, and mp4 shows the last one too.

    Parameters
    ----------
    suffix : str
        Of the file.
    rate : Fraction
        Frames a second, for pictures of unknown duration.
    """
    passthrough = ffmpeg.every_frame_once()
    options = {passthrough[0].lstrip("-"): passthrough[1]}
    if suffix in WITHOUT_TIMES:
        return options
    options["enc_time_base"] = f"1:{_TICKS_A_SECOND}"
    # Packets of unknown duration would end the edit list of mp4 before the last picture.
    options["bsf:v"] = f"setts=pts=PTS:dts=DTS:duration=max(DURATION\\,{float(1 / rate):.6f}/TB)"
    if suffix in (".mp4", ".mov", ".m4v"):
        options["video_track_timescale"] = str(_TICKS_A_SECOND)
    return options


def check_container(suffix: str) -> None:
    """Raise UsageError for a suffix that is no video container that we write."""
    if suffix not in CONTAINERS:
        raise UsageError(
            f"{suffix or 'no suffix'}: unknown kind of video. Give a name that ends in {', '.join(CONTAINERS)}."
        )


def to_rgb_filter(info: VideoInfo) -> str:
    """The scale filter that turns decoded pictures into RGB with the matrix and range that the file states.

    Files that state no matrix are read as BT.601, and :func:`from_rgb_filters` writes them back the same way.
    """
    matrix = "" if info.colour.matrix in _MATRIX_OF_SCALER else ":in_color_matrix=bt601"
    if info.pixel_format.startswith(("rgb", "bgr", "gbr", "pal8", "gray")):
        matrix = ""
    return f"scale=flags={SCALER}{matrix}"


def matrix_of(colour: ColourTags) -> str:
    """The scale filter's name for the matrix of ``colour``; BT.601 when unknown."""
    return _MATRIX_OF_SCALER.get(colour.matrix or "", "bt601")


def known_tags(colour: ColourTags) -> dict[str, str]:
    """Those tags of ``colour`` that a YUV stream can carry on, under ffmpeg's encoder option names."""
    tags = {}
    if colour.matrix in _MATRIX_OF_SCALER:
        tags["colorspace"] = colour.matrix
    if colour.primaries in _PRIMARIES:
        tags["color_primaries"] = colour.primaries
    if colour.transfer in _TRANSFERS:
        tags["color_trc"] = colour.transfer
    if tags or colour.range == "pc":
        tags["color_range"] = "pc" if colour.range == "pc" else "tv"
    return tags


def check_writable_folder(path: Path) -> None:
    """Make the folder of an output file; UserError when that is not possible, or nothing can be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path.parent}: cannot be made ({error.strerror or error}).") from None
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"{path.parent}: nothing can be written there. Give another folder, or change its permissions.")
