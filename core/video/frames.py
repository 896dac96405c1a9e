"""Reading and writing videos frame by frame as arrays."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import FormatError, UserError
from core.files.paths import replacing
from core.video import ffmpeg
from core.video.reading.convert import ArrayConverter
from core.video.reading.decode import PictureDecoder
from core.video.reading.probe import ColourTags, VideoInfo, probe
from core.video.reading.times import constant_rate, frame_times
from core.video.writing.encoders import (
    SCALER,
    EncoderSettings,
    check_container,
    check_writable_folder,
    default_encoder,
    known_tags,
    matrix_of,
    time_options,
)
from core.video.writing.sound import GLOBAL_OPTIONS, Sound, plan_sound
from core.video.writing.timed_frames import TimedFrames

__all__ = [
    "ColourTags", "EncoderSettings", "FrameReader", "FrameWriter", "Sound", "VideoInfo", "constant_rate", "frame_times",
    "open_reader", "open_writer", "probe", "read_frames",
]  # fmt: skip


_TARGET, _SOUND = "<target>", "<sound>"


class FrameReader:
    """The frames of a video, each once, upright, in order; an iterator and a context manager.

    Attributes
    ----------
    info : VideoInfo
    size : tuple of int
        (width, height) of the frames.
    """

    def __init__(self, path: Path, deep: bool = False, keep_hdr: bool = True):
        self.info = probe(path)
        self.size = self.info.display_size
        self._converter = ArrayConverter(self.info, deep, tone_mapped=not keep_hdr)
        self._decoder = PictureDecoder(path)

    def __iter__(self) -> Iterator[np.ndarray]:
        for picture in self._decoder:
            yield self._converter.convert(picture)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._decoder.__exit__(*exception)


def open_reader(path: Path, deep: bool = False, keep_hdr: bool = True) -> FrameReader:
    """Open a video for reading.

    Parameters
    ----------
    path : Path
    deep : bool
        Frames as uint16 (0…65535) instead of uint8.
    keep_hdr : bool
        Frames of an HDR video keep their values; else they are tone-mapped to a usual display, always as uint8.
    """
    return FrameReader(path, deep, keep_hdr)


def read_frames(
    path: Path, count: int | None = None, deep: bool = False, keep_hdr: bool = True
) -> Iterator[np.ndarray]:
    """Iterate over the frames (H, W, 3) BGR of a video, at most ``count`` of them; see :func:`open_reader`."""
    with open_reader(path, deep, keep_hdr) as reader:
        for number, frame in enumerate(reader):
            if number == count:
                return
            yield frame


class FrameWriter:
    """Encodes frames to a video file; a context manager. The file appears under its name when all is written.

    See :func:`open_writer` for the parameters.
    """

    def __init__(
        self,
        path: Path,
        fps: Any,
        size: tuple[int, int],
        settings: Any,
        colour: Any,
        pixel_aspect: Any,
        sound: Any,
        times: Any,
        metadata: Any,
        total: int | None,
        description: str | None,
    ):
        self.path, self.size, self.settings = Path(path), tuple(size), settings
        check_container(self.path.suffix.lower())
        check_writable_folder(self.path)
        self._fps, self._colour, self._aspect = Fraction(fps), colour, pixel_aspect
        self._sound, self._times, self._metadata = sound, times, metadata
        self._total, self._description = total, description
        self._target = replacing(self.path)
        self._job: Any = None
        self._stream: Any = None
        self._plan: Any = None
        self._shape: tuple = ()
        self._count = 0
        self._temporary = None

    def __enter__(self):
        self._temporary = self._target.__enter__()
        return self

    def write(self, frame: np.ndarray) -> None:
        """Add a frame (H, W, 3) uint8 or uint16 BGR. Odd sizes are made even by repeating the last row or column."""
        height, width = frame.shape[:2]
        if (width, height) != self.size:
            raise UserError(f"frame {self._count + 1} is {width}x{height}, the video is {self.size[0]}x{self.size[1]}.")
        frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        if self._job is None:
            self._start(frame)
        if (frame.shape, frame.dtype) != self._shape:
            raise UserError(f"frame {self._count + 1} is {frame.dtype}, the frames before are {self._shape[1]}.")
        data = np.ascontiguousarray(frame).data
        if self._stream is None:
            self._job.write(data)
        else:
            for part in self._stream.frame(data, self._plan.picture_start + self._times[self._count] - self._times[0]):
                self._job.write(part)
        self._count += 1

    def __exit__(self, kind, error, trace):
        try:
            if kind is None:
                if self._job is None:
                    raise FormatError(self.path, "cannot be made of no frames")
                self._job.finish()
            elif self._job is not None:
                self._job.stop()
        except BaseException as failure:
            if self._job is not None:
                self._job.stop()
            self._target.__exit__(type(failure), failure, failure.__traceback__)
            raise
        return self._target.__exit__(kind, error, trace)

    def _start(self, frame):
        self._shape = (frame.shape, frame.dtype)
        height, width = frame.shape[:2]
        deep = frame.dtype == np.uint16
        source = {"f": "rawvideo", "pix_fmt": "bgr48le" if deep else "bgr24", "s": f"{width}x{height}"}
        source["framerate"] = str(self._fps)
        self._plan = plan_sound(self._sound, self.path.suffix.lower(), None if self._times else self._fps)
        if self._times is not None:
            self._stream = TimedFrames(width, height, deep, self._fps)
            source = {"f": "matroska"}
        elif self._plan.picture_start:
            source["itsoffset"] = f"{float(self._plan.picture_start):.6f}"
        arguments = self._arguments(source)
        self._job = ffmpeg.Job(arguments, True, self._total, self._description)
        if self._stream is not None:
            self._job.write(self._stream.header())

    def _arguments(self, source):
        import ffmpeg as graph

        suffix = self.path.suffix.lower()
        tags = known_tags(self._colour)
        full = self._colour.range == "pc"
        picture = graph.input("pipe:", **source).video
        picture = picture.filter(
            "scale", flags=SCALER, out_color_matrix=matrix_of(self._colour), out_range="pc" if full else "tv"
        )
        picture = picture.filter("format", self.settings.pixel_format).filter("setsar", str(self._aspect))
        if tags:
            names = {"color_range": "range"}
            picture = picture.filter("setparams", **{names.get(key, key): value for key, value in tags.items()})
        streams, options = [picture], {**self.settings.arguments(suffix), **tags}
        if self._sound is not None:
            source = graph.input(_SOUND, **self._plan.input_options)
            streams.append(source[f"a:{self._sound.track.number}"])
            options.update(self._plan.output_options)
        if suffix in (".mp4", ".mov", ".m4v"):
            options["movflags"] = "+faststart"
        if self._times is not None:
            options.update(time_options(suffix, self._fps))
        else:
            every_frame = ffmpeg.every_frame_once()
            options[every_frame[0].lstrip("-")] = every_frame[1]
        paths = {_TARGET: self._temporary, _SOUND: self._sound.path if self._sound is not None else ""}
        arguments = ffmpeg.with_paths(graph.output(*streams, _TARGET, **options).get_args(), paths)
        arguments = [*GLOBAL_OPTIONS, *arguments]
        for key, value in (self._metadata or {}).items():
            arguments[-1:-1] = ["-metadata", f"{key}={value}"]
        return arguments


def open_writer(
    path: Path,
    fps: Fraction | float,
    size: tuple[int, int],
    settings: EncoderSettings | None = None,
    colour: ColourTags | None = None,
    pixel_aspect: Fraction = Fraction(1),
    sound: Sound | None = None,
    times: list[Fraction] | None = None,
    metadata: dict[str, str] | None = None,
    total: int | None = None,
    description: str | None = None,
) -> FrameWriter:
    """Open a video for writing.

    Parameters
    ----------
    path : Path
        The suffix picks the container. An existing file is replaced when the new one is complete.
    fps : Fraction or float
        Constant frame rate, used unless ``times`` is given.
    size : tuple of int
        (width, height) of the frames that will be written.
    settings : EncoderSettings, optional
        By default H.264 with 16 Mbit/s.
    colour : ColourTags, optional
        Matrix and range used for the coding, and tags written to the file.
    pixel_aspect : Fraction
        Width of a pixel divided by its height.
    sound : Sound, optional
    times : list of Fraction, optional
        Time of each frame in seconds, for a variable frame rate.
    metadata : dict, optional
        Tags of the container: title, comment …
    total, description
        For the progress bar; none without ``description``.
    """
    settings = settings or EncoderSettings(default_encoder(Path(path).suffix.lower()))
    return FrameWriter(
        path, fps, size, settings, colour or ColourTags(), pixel_aspect, sound, times, metadata, total, description
    )
