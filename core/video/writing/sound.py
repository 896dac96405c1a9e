"""The sound of another file in a new video: copied, or converted where the container cannot hold it."""

import math
import subprocess
import tempfile
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from core.console import interact
from core.errors import UserError
from core.files.temporary import temporary_folder
from core.video import ffmpeg
from core.video.reading.probe import AudioTrack, open_media

# Audio codecs that a container takes unchanged, and the encoder used for all others.
_CODECS = {
    ".mp4": ({"aac", "mp3", "ac3", "eac3", "alac"}, "aac"),
    ".m4v": ({"aac", "mp3", "ac3", "eac3", "alac"}, "aac"),
    ".mov": ({"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be"}, "aac"),
    ".avi": ({"mp3", "ac3", "pcm_s16le"}, "libmp3lame"),
    ".mkv": ({"aac", "mp3", "ac3", "eac3", "alac", "opus", "vorbis", "flac", "pcm_s16le", "pcm_s24le", "dts"}, "aac"),
    ".webm": ({"opus", "vorbis"}, "libopus"),
    ".ts": ({"aac", "mp2", "mp3", "ac3", "eac3"}, "aac"),
    ".mts": ({"ac3"}, "ac3"),
    ".m2ts": ({"ac3"}, "ac3"),
    ".mpg": ({"mp2", "mp3", "ac3"}, "mp2"),
    ".mpeg": ({"mp2", "mp3", "ac3"}, "mp2"),
    ".flv": ({"aac", "mp3"}, "aac"),
    ".wmv": ({"wmav2", "mp3"}, "wmav2"),
}
CONTAINERS = tuple(_CODECS)

# Channel layouts of the encoders in ffmpeg's words; a layout that is not among them is mixed to the nearest.
_LAYOUTS = {
    "aac": "mono|stereo|3.0|4.0|5.0|5.1|7.1",
    "libopus": "mono|stereo|3.0|quad|5.0|5.1|6.1|7.1",
    "ac3": "mono|stereo|3.0|quad|4.0|5.0|5.1|5.0(side)|5.1(side)",
    "libmp3lame": "mono|stereo",
    "mp2": "mono|stereo",
    "wmav2": "mono|stereo",
}
_NAMES = {"libopus": "opus", "libmp3lame": "mp3", "wmav2": "wma"}
_RATE = 48000
_CONVERTED = {"b:a": "192k", "ar": str(_RATE)}
_TRIAL_SECONDS = "2"
_LARGEST_GAP = "0.01"  # seconds; smaller ones are left to the encoder

# Containers that hold no times of sound and pictures: both must begin together.
WITHOUT_TIMES = (".avi",)

# ffmpeg 5 moves the sound of a transport stream to 0 when it is told to move by exactly the start of the file.
_NOT_ALL = Fraction(1, 1_000_000)
_LONGEST_PRIMING = Fraction(3, 20)
_TOLERANCE = Fraction(1, 200)
# Containers with a delay of the decoder, for which ffmpeg takes all that an edit list hides.
_WITH_DELAY = (".mkv", ".webm")
# Samples before the sound itself, with which other containers begin before 0 s.
_PRIMING = {(".avi", "libmp3lame"): Fraction(1105, _RATE)}


@dataclass(frozen=True)
class Sound:
    """The audio track of another file that goes into a new video.

    Attributes
    ----------
    path : Path
    track : AudioTrack
    start : Fraction
        Seconds from the start of that file to its first picture, so that sound and pictures stay in step.
    origin : Fraction
        Where that file begins on its own clock, in seconds.
    """

    path: Path
    track: AudioTrack
    start: Fraction = Fraction(0)
    origin: Fraction = Fraction(0)


@dataclass(frozen=True)
class SoundPlan:
    """How ffmpeg brings a sound into a file.

    Attributes
    ----------
    picture_start : Fraction
        When the first picture is shown, in seconds of the new file.
    input_options, output_options : dict
        For the file that holds the sound, and for the new file.
    """

    picture_start: Fraction = Fraction(0)
    input_options: dict[str, str] = field(default_factory=dict)
    output_options: dict[str, str] = field(default_factory=dict)


# Times are taken as they are in the files, because ffmpeg's own moving to 0 differs between its versions and containers.
GLOBAL_OPTIONS = ("-copyts",)


def plan_sound(sound: Sound | None, suffix: str, rate: Fraction | None = None) -> SoundPlan:
    """Choose whether the sound is copied or converted for a container, and tell the user when it is converted.

    Parameters
    ----------
    sound : Sound, optional
    suffix : str
        Of the new file.
    rate : Fraction, optional
        Frames a second, where it is constant. Then pictures that begin after the sound do so by whole frames, as
        encoders count in those; the sound is moved by the rest.
    """
    if sound is None:
        return SoundPlan()
    start = sound.start if rate is None else math.ceil(sound.start * rate) / rate
    if suffix in WITHOUT_TIMES:
        start = Fraction(0)
    shift = start - sound.start
    offset = {"itsoffset": f"{float(shift - sound.origin + _NOT_ALL):.6f}"}
    return SoundPlan(start, offset, _copy_options(sound, suffix, shift) or _conversion_options(sound, suffix))


def conversion_options(suffix: str) -> dict[str, str]:
    """Output options that convert any sound to what a container holds, after :func:`sound_filters`."""
    return {"c:a": _CODECS[suffix][1], **_CONVERTED}


def sound_filters(suffix: str) -> list[tuple[str, dict[str, str]]]:
    """Names and arguments of the filters before a container's encoder: gaps are filled, channels mixed to those it takes.

    The sound comes out from the time 0 on, with silence where there is none. Where the priming that an encoder puts before
    would begin earlier than a container can tell, the sound gives way to it.
    """
    encoder = _CODECS[suffix][1]
    delay = _PRIMING.get((suffix, encoder), Fraction(0))
    first = {"first_pts": str(round(delay * _RATE))}
    return [
        ("atrim", {"start": f"{float(delay):.6f}"}),
        ("aresample", {"sample_rate": str(_RATE), "async": "1", "min_hard_comp": _LARGEST_GAP, **first}),
        ("aformat", {"channel_layouts": _LAYOUTS[encoder]}),
    ]


def _copy_options(sound, suffix, shift):
    """Options that copy the sound, or None where that is not possible."""
    if sound.track.codec not in _CODECS.get(suffix, ((),))[0]:
        return None
    stored, heard = _first_times(sound)
    is_trimmed = heard - stored > _LONGEST_PRIMING
    if suffix in WITHOUT_TIMES and (heard > stored or abs(heard - sound.start) > _TOLERANCE):
        return None
    if suffix in _WITH_DELAY and is_trimmed:
        return None
    options = {"c:a": "copy"}
    if is_trimmed:
        options["bsf:a"] = f"noise=drop=lt(pts*tb\\,{float(heard + shift) - 0.0005:.6f})"
    return options if _works(sound, options, suffix) else None


def _conversion_options(sound, suffix):
    """Options that convert the sound; in stereo if the encoder refuses its channels."""
    options = conversion_options(suffix)
    encoder = options["c:a"]
    filters, note = _as_text(sound_filters(suffix)), ""
    options["af"] = filters
    if not _works(sound, options, suffix):
        options["af"], note = f"aformat=channel_layouts=stereo,{filters}", ", stereo"
        if not _works(sound, options, suffix):
            raise UserError(
                f"{sound.path}: audio track {sound.track.number} ({sound.track.codec}, {sound.track.channels}) can be "
                f"neither copied to {suffix} nor converted to {encoder}. Choose another container, or no sound."
            )
    interact.info(
        f"The sound ({sound.track.codec}, {sound.track.channels}) is converted to {_NAMES.get(encoder, encoder)}{note}, "
        f"as {suffix} cannot hold it as it is."
    )
    return options


def _as_text(filters):
    return ",".join(
        f"{name}=" + ":".join(f"{key}={value}" for key, value in options.items()) for name, options in filters
    )


def _first_times(sound):
    """Seconds from the origin to the first sound that is stored, and to the first that is heard.

    Between them lies what an edit list hides, or the priming with which an encoder begins.
    """
    stored = None
    with open_media(sound.path) as container:
        stream = container.streams.audio[sound.track.number]
        for packet in container.demux(stream):
            time = packet.pts if packet.pts is not None else packet.dts
            if time is None or not packet.size:
                continue
            seconds = Fraction(time * stream.time_base) - sound.origin
            stored = seconds if stored is None else stored
            if not packet.is_discard:
                return stored, seconds
    return Fraction(0), Fraction(0)


def _works(sound, options, suffix):
    """Whether ffmpeg can write the beginning of the sound into such a container."""
    with temporary_folder(tempfile.gettempdir(), "sound") as folder:
        command = [ffmpeg.ffmpeg_program(), "-v", "error", "-nostdin", "-t", _TRIAL_SECONDS, "-i", str(sound.path)]
        command += ["-map", f"0:a:{sound.track.number}"]
        for name, value in options.items():
            command += [f"-{name}", value]
        done = subprocess.run([*command, f"{folder}/trial{suffix}"], capture_output=True, stdin=subprocess.DEVNULL)
    return done.returncode == 0
