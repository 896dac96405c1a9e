"""A video written as parts that are kept, so that an interrupted run goes on with those that are finished."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from core.errors import FormatError
from core.files.imageio import encode_image, read_bgr
from core.files.paths import atomic_write, remove_if_present, replacing
from core.files.temporary import remove_dead
from core.video import ffmpeg
from core.video.frames import EncoderSettings, FrameWriter, open_writer
from core.video.reading.probe import ColourTags
from core.video.writing.encoders import default_encoder
from core.video.writing.sound import GLOBAL_OPTIONS, Sound, plan_sound

FOLDER_SUFFIX = ".parts"

_NAME = re.compile(r"\d{6}-[0-9a-f]+-(\d+)x(\d+)(-failed)?\.mp4")
_LAST_NAME = re.compile(r"\d{6}-[0-9a-f]+\.png")
_LIST_NAME = "list.txt"
_TICKS_A_SECOND = 90000
_START_CODES = (".mpg", ".mpeg")
_SEEKABLE = (".mp4", ".mov", ".m4v")


@dataclass(frozen=True)
class _PartSettings(EncoderSettings):
    """Settings of the container that the parts are joined to, used for the parts."""

    container: str = ".mp4"

    def arguments(self, suffix: str) -> dict[str, str]:
        return super().arguments(self.container)


class VideoParts:
    """The parts of a video: each some consecutive frames, coded into a file of its own in a folder beside the video.

    Parameters
    ----------
    output : Path
        The video. The parts lie in ``<name>.parts`` beside it.
    keys : sequence of str
        One per part, hexadecimal: changes when anything changes that the part depends on.
    length : int
        Frames in each part but the last.
    rate : Fraction
        Frames a second, unless ``times`` is given.
    colour, aspect, times
        As for :func:`core.video.frames.open_writer`; ``times`` of all frames.
    """

    def __init__(
        self,
        output: Path,
        keys: Sequence[str],
        length: int,
        rate: Fraction | float,
        colour: ColourTags | None = None,
        aspect: Fraction = Fraction(1),
        times: Sequence[Fraction] | None = None,
    ):
        self.output, self.length = Path(output), length
        self.folder = self.output.with_name(self.output.name + FOLDER_SUFFIX)
        self._keys, self._rate, self._times = list(keys), Fraction(rate), times
        self._colour, self._aspect = colour, aspect
        self._files: dict[int, Path] = {}
        self._collect()

    def _collect(self):
        """Find the finished parts and remove what else an earlier run has left."""
        remove_dead(self.folder)
        wanted = {self._stem(number): number for number in range(len(self._keys))}
        for path in sorted(self.folder.glob("*")) if self.folder.is_dir() else ():
            match = _NAME.fullmatch(path.name)
            number = wanted.get("-".join(path.name.split("-")[:2]).removesuffix(".png"))
            if match and number is not None and not match[3]:
                self._files[number] = path
            elif match or (_LAST_NAME.fullmatch(path.name) and number is None):
                remove_if_present(path)

    def _stem(self, number):
        return f"{number:06d}-{self._keys[number]}"

    def is_done(self, number: int) -> bool:
        """Whether a part is finished and none of its frames failed."""
        return number in self._files and not self._files[number].stem.endswith("-failed")

    def forget(self, number: int) -> None:
        """Make a part anew."""
        path = self._files.pop(number, None)
        if path is not None:
            remove_if_present(path)

    @property
    def size(self) -> tuple[int, int] | None:
        """(width, height) of the frames of the finished parts; None when there are none."""
        for path in self._files.values():
            if match := _NAME.fullmatch(path.name):
                return int(match[1]), int(match[2])
        return None

    def open(self, number: int, size: tuple[int, int]) -> FrameWriter:
        """A writer for the frames of a part; tell :meth:`close` when it has ended."""
        self.folder.mkdir(parents=True, exist_ok=True)
        suffix = self.output.suffix.lower()
        settings = _PartSettings(default_encoder(suffix), container=suffix)
        times = None
        if self._times is not None:
            own = self._times[number * self.length : (number + 1) * self.length]
            times = [time - own[0] for time in own]
        path = self.folder / f"{self._stem(number)}-{size[0]}x{size[1]}.mp4"
        return open_writer(path, self._rate, size, settings, self._colour, self._aspect, times=times)

    def close(self, number: int, size: tuple[int, int], last: np.ndarray, failed: bool) -> None:
        """Note a part that is written, with its last frame; one in which frames ``failed`` is not used again."""
        atomic_write(self.folder / f"{self._stem(number)}.png", encode_image(last, ".png"))
        path = self.folder / f"{self._stem(number)}-{size[0]}x{size[1]}.mp4"
        if failed:
            path = path.replace(path.with_stem(path.stem + "-failed"))
        self._files[number] = path

    def last_frame(self, number: int) -> np.ndarray | None:
        """The last frame of a finished part, (H, W, 3) uint8; None when it cannot be read."""
        try:
            return read_bgr(self.folder / f"{self._stem(number)}.png")
        except (FormatError, cv2.error):
            return None

    def join(self, target: Path, sound: Sound | None = None, metadata: dict[str, str] | None = None) -> None:
        """Put all parts into ``target`` without coding them again, with sound and tags of the container."""
        if not self._files:
            raise FormatError(self.output, "cannot be made of no frames")
        lines = ["ffconcat version 1.0"]
        for number in sorted(self._files):
            lines += [f"file '{self._files[number].name}'", f"duration {float(self._duration(number)):.6f}"]
        atomic_write(self.folder / _LIST_NAME, ("\n".join(lines) + "\n").encode())
        with replacing(Path(target)) as temporary:
            ffmpeg.run(self._join_arguments(temporary, sound, metadata), folder=self.folder)

    def _join_arguments(self, temporary, sound, metadata):
        suffix = self.output.suffix.lower()
        plan = plan_sound(sound, suffix, None if self._times else self._rate)
        arguments = list(GLOBAL_OPTIONS)
        if plan.picture_start:
            arguments += ["-itsoffset", f"{float(plan.picture_start):.6f}"]
        arguments += ["-f", "concat", "-safe", "0", "-i", _LIST_NAME]
        if sound is not None:
            arguments += [*_flags(plan.input_options), "-i", str(sound.path.resolve())]
        arguments += ["-map", "0:v:0", "-c:v", "copy"]
        if suffix in _START_CODES:
            arguments += ["-bsf:v", "h264_mp4toannexb"]
        if suffix == ".avi":
            arguments += ["-r", str(self._rate)]
        if sound is not None:
            arguments += ["-map", f"1:a:{sound.track.number}", *_flags(plan.output_options)]
        if suffix in _SEEKABLE:
            arguments += ["-movflags", "+faststart"]
            if self._times is not None:
                arguments += ["-video_track_timescale", str(_TICKS_A_SECOND)]
        for name, value in (metadata or {}).items():
            arguments += ["-metadata", f"{name}={value}"]
        return [*arguments, str(temporary.resolve())]

    def _duration(self, number):
        """Seconds from the first frame of a part to the first one of the next."""
        start, end = number * self.length, (number + 1) * self.length
        if self._times is None:
            return self.length / self._rate
        return (self._times[end] if end < len(self._times) else self._times[-1] + 1 / self._rate) - self._times[start]

    def remove(self) -> None:
        """Remove the parts, once the video is complete, and their folder unless something else is in it."""
        for path in self.folder.glob("*"):
            if _NAME.fullmatch(path.name) or _LAST_NAME.fullmatch(path.name) or path.name == _LIST_NAME:
                remove_if_present(path)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            shutil.rmtree(self.folder)


def _flags(options):
    """ffmpeg's command-line form of options."""
    return [text for name, value in options.items() for text in (f"-{name}", value)]
