"""The four video steps of the workflow: frames out of a video, cut, denoise, and frames into a video."""

import math
import os
import re
import shutil
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import FormatError, UsageError, UserError
from core.files import picture_swap
from core.files.imageio import read_image, read_picture_header, require_whole_file, to_bgr8
from core.files.paths import atomic_write, list_images, replacing
from core.files.temporary import temporary_folder
from core.files.trash import set_aside
from core.parallel import ordered_map
from core.records.name_record import forget_record
from core.video import ffmpeg
from core.video.frame_record import write_record
from core.video.frames import open_writer
from core.video.reading.decode import PictureDecoder
from core.video.reading.probe import SDR, ColourTags, VideoInfo, probe
from core.video.reading.stills import StillEncoder
from core.video.reading.times import (
    CLOCK_DIFFERENCE,
    SEEK_MARGIN,
    Clock,
    at_rate,
    constant_rate,
    first_time_from,
    read_clock,
)
from core.video.writing.encoders import SCALER, EncoderSettings, check_container, known_tags, time_options
from core.video.writing.sound import WITHOUT_TIMES, Sound, conversion_options, sound_filters

_FRAME_NAME = re.compile(r"\d{5,}")
_STAGING = "unfinished"
_DENOISED = "denoised"
_SOURCE, _TARGET = "<source>", "<target>"
_PNG_OPTIONS = {
    "pred": "up",
    "compression_level": "4",
}  # a quarter of the time of ffmpeg's own choice, and read quicker
_STILL_OPTIONS = {".jpg": {"q:v": "2"}, ".jpeg": {"q:v": "2"}, ".png": _PNG_OPTIONS}
_HDR_IN_EIGHT_BITS = "HDR with 8 bits a value shows bands. --ten-bit avoids that."


@dataclass(frozen=True)
class Extraction:
    """What an extraction did: frames written, frames the file should have, and ffmpeg's complaints."""

    count: int
    expected: int | None
    complaints: tuple[str, ...]


def numbered_frames(folder: Path, suffix: str) -> list[Path]:
    """Frames that an extraction wrote: files called ``00001.png``, five or more digits, of one suffix."""
    if not Path(folder).is_dir():
        return []
    return [file for file in list_images(folder) if file.suffix.lower() == suffix and _FRAME_NAME.fullmatch(file.stem)]


def extract_frames(
    video: Path,
    folder: Path,
    suffix: str = ".png",
    fps: int = 0,
    allow_damaged: Callable | None = None,
    keep_hdr: bool = False,
    keep_old: bool = False,
) -> Extraction:
    """Write the frames of a video as ``00001.png``, ``00002.png`` …; those of an earlier extraction are replaced.

    The new frames are made in a hidden folder first, so that an error leaves the old ones as they were.

    Parameters
    ----------
    video : Path
    folder : Path
        Made when missing.
    suffix : str
        ``".png"`` or ``".jpg"``.
    fps : int
        Frames per second to take; 0 for each frame once, also at a variable frame rate.
    allow_damaged : callable, optional
        Called with an :class:`Extraction` that has fewer frames than the file should have; False ends in an error.
    keep_hdr : bool
        Frames of an HDR video keep their values, with 16 bits in PNG, instead of being tone-mapped.
    keep_old : bool
        Move the frames of an earlier extraction to the trash folder.
    """
    info = probe(video)
    if fps and fps >= info.fps:
        interact.info(f"The video has {float(info.fps):g} frames per second; taking each of them once.")
        fps = 0
    tell_hdr(info, keep_hdr)
    with _staging(folder) as staging:
        extraction = _write_stills(info, staging, suffix, fps, keep_hdr)
        frames = list_images(staging)
        _check_complete(video, info, extraction, allow_damaged)
        old_frames = numbered_frames(folder, suffix)
        if keep_old:
            set_aside(old_frames)
        write_record(folder, video, frames)
        forget_record(folder)
        for old in () if keep_old else old_frames:
            old.unlink()
        for frame in frames:
            os.replace(frame, Path(folder) / frame.name)
    return extraction


def _write_stills(info, folder, suffix, fps, keep_hdr):
    """Write the pictures of a video as numbered images."""
    expected = round(info.duration * fps) if fps else info.expected_frames
    stills = StillEncoder(info, suffix, keep_hdr)

    def write(item):
        number, picture = item
        atomic_write(folder / f"{number:05d}{suffix}", stills.encode(picture))

    count = 0
    with PictureDecoder(info.path) as decoder, interact.progress(expected, "Extracting frames") as bar:
        pictures = at_rate(decoder, Fraction(decoder.stream.time_base), info.average_fps, fps) if fps else decoder
        for outcome in ordered_map(write, enumerate(pictures, start=1)):
            if outcome.error is not None:
                raise outcome.error
            count += 1
            bar.update()
    missing = decoder.missing_start
    if missing:
        interact.info(
            f"{info.path.name} begins inside a group of pictures; {missing} that need earlier ones are left out."
        )
    lost = round(missing * fps / info.average_fps) if fps else missing
    return Extraction(count, None if expected is None else max(0, expected - lost), tuple(decoder.problems))


def tell_hdr(info: VideoInfo, keep_hdr: bool) -> None:
    """Say what becomes of the light of an HDR video."""
    if not info.colour.is_hdr:
        return
    kind = "PQ" if info.colour.transfer == "smpte2084" else "HLG"
    if keep_hdr:
        interact.info(f"{info.path.name} is HDR ({kind}); its values are kept. Usual viewers show such images pale.")
    else:
        interact.info(
            f"{info.path.name} is HDR ({kind}); frames are tone-mapped to BT.709. --hdr keep keeps its values."
        )


def _check_complete(video, info, extraction, allow_damaged):
    """Raise FormatError when there was damage and clearly fewer frames came out than the header promises.

    The count alone tells nothing: headers of avi files often hold twice the number.
    """
    if extraction.count == 0:
        raise FormatError(video, "has no frame that can be decoded" + _because(extraction.complaints))
    if extraction.expected is None or not extraction.complaints:
        return
    tolerance = 2 if info.frame_count else max(2, extraction.expected // 50)
    if extraction.count >= extraction.expected - tolerance or (allow_damaged and allow_damaged(extraction)):
        return
    raise FormatError(
        video,
        f"is damaged or cut short: {extraction.count} of about {extraction.expected} frames could be read"
        f"{_because(extraction.complaints)}. Get the whole file, or give --allow-damaged to take what is there",
    )


def _because(complaints):
    return f" ({complaints[-1]})" if complaints else ""


@dataclass(frozen=True)
class Reference:
    """What a new video takes over from the video that its frames came from."""

    info: VideoInfo
    clock: Clock
    rate: Fraction | None

    @property
    def times(self) -> list[Fraction]:
        return self.clock.times

    @property
    def start(self) -> Fraction:
        return self.times[0] if self.times else Fraction(0)

    @property
    def sound(self) -> Sound | None:
        """The first audio track, or None."""
        audio = self.info.audio
        return Sound(self.info.path, audio[0], self.start, self.clock.origin) if audio else None

    def colour(self, keep_hdr: bool) -> ColourTags:
        """Tags that are true of the frames: those of an HDR video hold BT.709 once they are tone-mapped."""
        return SDR if self.info.colour.is_hdr and not keep_hdr else self.info.colour


def read_reference(video: Path) -> Reference:
    """Probe a reference video and the times of its frames."""
    info = probe(video)
    clock = read_clock(video, info)
    if clock.jumps and info.audio:
        interact.warning(
            f"The clock of {info.path.name} is set back {clock.jumps} times, as where recordings were joined; behind that, "
            "sound and pictures may not fit. Take each recording by itself."
        )
    return Reference(info, clock, constant_rate(clock.times, info))


def encode_images(
    folder: Path,
    output: Path,
    fps: Fraction | int,
    settings: EncoderSettings,
    reference: Reference | None = None,
    include_audio: bool = False,
    metadata: dict[str, str] | None = None,
    caption: str | None = None,
    hdr: str | None = None,
    images: list[Path] | None = None,
) -> int:
    """Make a video of the images of a folder in natural order, or of ``images``, and return their number.

    With a reference its frame rate, colour tags, pixel shape and, on request, its sound are taken over. When its frame
    rate varies and there are as many images as it has frames, each image gets the time of its frame. ``hdr`` says what
    images of an HDR reference hold: ``"keep"`` its values, ``"tonemap"`` BT.709; by default the former with 16 bits.
    """
    images = images or list_images(folder, required=True)
    times, colour, aspect, sound = None, ColourTags(), Fraction(1), None
    first = _bgr(images[0])
    if reference is not None:
        colour, aspect = _colour_of_images(reference, first, hdr, settings), reference.info.display_pixel_aspect
        fps, times = pace_of(reference, len(images), output.suffix.lower())
        sound = reference.sound if include_audio else None
    size = (first.shape[1], first.shape[0])
    if size[0] % 2 or size[1] % 2:
        even = f"{size[0] + size[0] % 2}x{size[1] + size[1] % 2}"
        interact.info(f"The images are {size[0]}x{size[1]}; video needs even sizes, so it becomes {even}.")
    writer = open_writer(
        output,
        fps,
        size,
        settings,
        colour,
        aspect,
        sound,
        times,
        metadata,
        len(images),
        caption or f"Writing {output.name}",
    )
    with writer:
        for outcome in ordered_map(_bgr, images):
            if outcome.error is not None:
                raise outcome.error
            frame = outcome.value
            if (frame.shape[1], frame.shape[0]) != size:
                raise FormatError(
                    outcome.item, f"is {frame.shape[1]}x{frame.shape[0]}, but {images[0].name} is {size[0]}x{size[1]}"
                )
            writer.write(frame if frame.dtype == first.dtype else to_bgr8(frame))
    return len(images)


def _colour_of_images(reference, first, hdr, settings):
    """Colour tags for images of a reference; says what they are taken for where it is HDR."""
    if not reference.info.colour.is_hdr:
        return reference.info.colour
    keep = hdr == "keep" or (hdr is None and first.dtype == np.uint16)
    if keep:
        interact.info("The images are taken to hold the HDR values of the reference; the video is tagged so.")
        if not settings.ten_bit:
            interact.warning(_HDR_IN_EIGHT_BITS)
    else:
        interact.info(
            "The images are taken to be tone-mapped; the video is BT.709. --hdr keep says that they hold HDR."
        )
    return reference.colour(keep)


def _bgr(path):
    """(H, W, 3) uint8, or uint16 when the file holds 16 bits."""
    image = read_image(path)
    if image.dtype == np.uint16 and image.ndim == 3 and image.shape[2] >= 3:
        return np.ascontiguousarray(image[:, :, :3])
    return to_bgr8(image)


def pace_of(reference: Reference, count: int, suffix: str) -> tuple[Fraction | int, list[Fraction] | None]:
    """Frame rate of a video of ``count`` pictures in a container, and their times where the rate of the reference varies."""
    frames = len(reference.times)
    if frames != count:
        interact.warning(
            f"{counted(count, 'image')}, but {reference.info.path.name} has {frames} frames; sound and pictures may not fit."
        )
    if reference.rate is not None:
        return reference.rate, None
    if frames != count:
        return reference.info.fps, None
    if suffix == ".avi":
        interact.warning("avi has no variable frame rate, so sound may drift; choose mp4, mov or mkv for this video.")
        return reference.info.average_fps, None
    return reference.info.fps, reference.times


def cut_video(
    video: Path, output: Path, begin: float, end: float | None, track: int, settings: EncoderSettings
) -> None:
    """Cut out the part from ``begin`` to ``end`` (seconds; None for the rest), coded anew so that it is exact.

    ffmpeg jumps to a place somewhat before the beginning and drops frames from there on, because in some containers
    a jump lands too late.
    """
    import ffmpeg as graph

    info = probe(video)
    suffix = output.suffix.lower()
    check_container(suffix)
    if info.colour.is_hdr and not settings.ten_bit:
        interact.warning(_HDR_IN_EIGHT_BITS)
    begin = _snapped(begin, info, suffix)
    near = max(0.0, begin - SEEK_MARGIN)
    source = graph.input(_SOURCE, **({"ss": f"{near:.6f}"} if near else {}))
    part = {"start": f"{begin - near:.6f}", **({} if end is None else {"end": f"{end - near:.6f}"})}
    streams = [_cut_picture(source["V:0"], part, info, settings)]
    options = {**settings.arguments(suffix), **known_tags(info.colour), **time_options(suffix, info.average_fps)}
    if info.audio:
        streams.append(_cut_sound(source[f"a:{track}"], part, suffix))
        options.update(conversion_options(suffix))
    with replacing(output) as temporary:
        arguments = graph.output(*streams, _TARGET, **options).get_args()
        arguments = ffmpeg.with_paths(arguments, {_SOURCE: video, _TARGET: temporary})
        job = ffmpeg.Job(arguments, total=_frames_between(begin, end, info), description="Cutting")
        try:
            job.finish()
        except BaseException:
            job.stop()
            raise
        if job.frames == 0:
            raise UserError(f"{video}: there is no frame between the two times; nothing was cut.")


def _snapped(begin, info, suffix):
    """``begin`` moved to the first picture after it, so that the part begins with one."""
    first = first_time_from(info.path, begin, info.average_fps)
    if first is None:
        first = Fraction(math.ceil(round(begin * info.average_fps, 3))) / info.average_fps
    is_near = first - begin < 1 / info.average_fps
    return float(first) if is_near or suffix in WITHOUT_TIMES else begin


def _cut_picture(picture, part, info, settings):
    """The part of the pictures, of even size, in the encoder's pixel format.

    A picture may come early by what versions of ffmpeg differ about where a file begins.
    """
    early = max(0.0, float(part["start"]) - float(min(CLOCK_DIFFERENCE, 1 / (4 * info.average_fps))))
    picture = picture.filter("trim", **{**part, "start": f"{early:.6f}"})
    picture = picture.filter("setpts", f"max(0,PTS-{part['start']}/TB)")
    width, height = info.display_size
    if width % 2 or height % 2:
        picture = picture.filter("pad", width + width % 2, height + height % 2)
        picture = picture.filter("fillborders", right=width % 2, bottom=height % 2, mode="smear")
    full = "pc" if info.colour.range == "pc" else "tv"
    picture = picture.filter("scale", flags=SCALER, out_range=full).filter("format", settings.pixel_format)
    return picture.filter("setparams", range=full)


def _cut_sound(sound, part, suffix):
    """The part of the sound, in step with the pictures in any container."""
    sound = sound.filter("atrim", **part).filter("asetpts", f"PTS-{part['start']}/TB")
    for name, arguments in sound_filters(suffix):
        sound = sound.filter(name, **arguments)
    return sound


def _frames_between(begin, end, info):
    """About how many frames lie between two times; None where the length of the video is unknown and counts."""
    last = info.duration if end is None else min(end, info.duration or end)
    return round((last - begin) * info.average_fps) if last > begin else None


def denoise_images(folder: Path, factor: int, record: Path | None = None) -> int:
    """Denoise the images of a folder in place as one film (hqdn3d, in space and time); returns their number.

    All images must be of one kind and size. They are replaced only when all new ones are there. When an earlier run was
    killed while it replaced them, this one only finishes that. ``record`` is a file by which a run that is repeated after
    its end, because its caller was killed, finds nothing left to do.
    """
    import ffmpeg as graph

    earlier = _finish_denoising(folder, factor, record)
    if earlier:
        return earlier
    images = list_images(folder, required=True)
    suffix = _common_suffix(folder, images)
    size = _common_size(folder, images)
    with _staging(folder) as staging:
        (staging / "in").mkdir()
        (staging / "out").mkdir()
        for number, image in enumerate(images, 1):
            _link(image, staging / "in" / f"{number:06d}{suffix}")
        picture = graph.input(f"in/%06d{suffix}", f="image2").filter("hqdn3d", factor, factor, 5, 5)
        options = _STILL_OPTIONS.get(suffix.lower(), {})
        arguments = graph.output(picture, f"out/%06d{suffix}", f="image2", **options).get_args()
        complaints = ffmpeg.run(arguments, len(images), "Denoising", staging)
        results = list_images(staging / "out")
        if len(results) != len(images) or any(_size_of(result) != size for result in results):
            raise UserError(
                f"{folder}: {len(results)} of {len(images)} images came back{_because(complaints)}. "
                "They may be damaged; nothing was changed."
            )
        picture_swap.commit(dict(zip(images, results)), folder, _DENOISED, {"factor": factor})
    picture_swap.finish(folder, _DENOISED, record)
    return len(images)


def _finish_denoising(folder, factor, record):
    """Put the results of a killed run in place; their number, or 0 when there is nothing of that kind."""
    with _staging(folder):  # Entering it removes what killed runs have left.
        earlier = picture_swap.finish(folder, _DENOISED, record)
    if earlier is None:
        return picture_swap.is_finished(record, folder, {"factor": factor}) if record is not None else 0
    count, left, note = earlier
    if left:
        interact.warning(
            f"{counted(len(left), 'image', 'were')} changed since a denoising that was interrupted ({left[0]} …)."
        )
    if len(left) == count:
        return 0
    interact.info(f"An earlier denoising (factor {note.get('factor')}) was interrupted; its results are in place now.")
    if note.get("factor") != factor:
        interact.warning(
            f"They were made with factor {note.get('factor')}, not {factor}. Run again to denoise them further."
        )
    return count - len(left)


def _common_suffix(folder, images):
    suffixes = sorted({image.suffix for image in images})
    if len(suffixes) > 1:
        raise UsageError(f"{folder}: all images must be of one kind, here are {', '.join(suffixes)}. Convert some.")
    return suffixes[0]


def _size_of(image):
    header = read_picture_header(image)
    return header.width, header.height


def _common_size(folder, images):
    """(width, height) that all images have, going by their headers; each must be whole, as ffmpeg does not mind."""
    by_size = {}

    def look(image):
        size = _size_of(image)
        require_whole_file(image)
        return size

    for outcome in ordered_map(look, images):
        if outcome.error is not None:
            raise outcome.error
        by_size.setdefault(outcome.value, []).append(outcome.item.name)
    if len(by_size) == 1:
        return next(iter(by_size))
    parts = [f"{width}x{height}: {len(names)} ({names[0]})" for (width, height), names in by_size.items()]
    raise UsageError(
        f"{folder}: all images must have one size, here are {'; '.join(parts[:5])}{' …' if parts[5:] else ''}. "
        "Nothing was changed; move those of other sizes away."
    )


def _link(source, target):
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def _staging(folder):
    """A hidden folder inside ``folder`` (made if missing) that is gone afterwards, as are those of ended programs."""
    with ExitStack() as hold:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            staging = hold.enter_context(temporary_folder(folder, _STAGING))
        except OSError as error:
            raise UserError(f"{folder}: cannot be written to ({error.strerror or error}).") from None
        yield staging
