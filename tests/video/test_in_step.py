"""Flash and beep stay together and every picture comes through once, from each kind of video into each container."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import video_clips as clips

from core.files.imageio import read_bgr
from core.files.paths import list_images
from core.video.ffmpeg import every_frame_once
from core.video.frames import open_writer, probe, read_frames
from core.video.reading.times import read_clock
from core.video.steps import read_reference
from core.video.writing.parts import VideoParts

STEP = 0.025
COUNT, RATE = 30, 25
FLASHES = (6, 21)

H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
HEVC = ("-c:v", "libx265", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p")
VP8, VP9 = ("-c:v", "libvpx", "-b:v", "1M"), ("-c:v", "libvpx-vp9", "-b:v", "1M")
MPEG2, MPEG4 = ("-c:v", "mpeg2video", "-bf", "2", "-q:v", "3"), ("-c:v", "mpeg4", "-q:v", "3")
THEORA, WMV2 = ("-c:v", "libtheora", "-q:v", "8"), ("-c:v", "wmv2", "-q:v", "3")
FFV1, FLV1 = ("-c:v", "ffv1"), ("-c:v", "flv", "-q:v", "3")


@dataclass(frozen=True)
class Clip:
    """A kind of video: its container, codecs and what is odd about it."""

    suffix: str
    video: tuple = H264
    audio: tuple = ("aac",)
    layout: str = "mono"
    pictures_late: float = 0.0
    sound_late: float = 0.0
    trimmed: float = 0.0
    varying: bool = False
    begins_inside: bool = False

    def __str__(self):
        odd = [self.suffix[1:], self.video[1], self.audio[0], self.layout]
        odd += [f"pictures+{self.pictures_late}"] if self.pictures_late else []
        odd += [f"sound+{self.sound_late}"] if self.sound_late else []
        odd += [f"trim{self.trimmed}"] if self.trimmed else []
        return "-".join(odd + ["varying"] * self.varying + ["inside"] * self.begins_inside)


QUICK = [
    (Clip(".mp4", trimmed=0.4), (".mp4", ".mkv")),
    (Clip(".ts", pictures_late=0.8), (".mp4", ".avi")),
    (Clip(".mkv", audio=("flac",), layout="5.1(side)"), (".webm", ".wmv")),
]
SLOW = [
    (Clip(".mp4"), (".avi", ".mpg", ".wmv", ".flv", ".ts")),
    (Clip(".mp4", trimmed=0.4), (".mov", ".avi", ".webm", ".ts", ".wmv", ".flv", ".mpg")),
    (Clip(".mov", trimmed=0.3, audio=("pcm_s16le",)), (".mov", ".mp4", ".mkv")),
    (Clip(".mp4", HEVC, trimmed=0.4), (".mp4",)),
    (Clip(".mp4", pictures_late=0.52), (".mp4", ".mkv", ".avi")),
    (Clip(".mp4", sound_late=0.2), (".mp4", ".avi", ".webm")),
    (Clip(".mp4", varying=True), (".mp4", ".mkv", ".mov", ".ts", ".webm", ".wmv", ".flv")),
    (Clip(".mp4", varying=True, pictures_late=0.32), (".mp4", ".mkv")),
    (Clip(".mp4", audio=("aac",), layout="5.1"), (".wmv", ".avi", ".mpg")),
    (Clip(".mov", audio=("pcm_s16le",), layout="stereo"), (".mov", ".mp4", ".webm")),
    (Clip(".m4v", audio=("alac",)), (".m4v",)),
    (Clip(".3gp", MPEG4), (".mp4",)),
    (Clip(".mkv", audio=("libvorbis",), layout="stereo"), (".mkv", ".mp4")),
    (Clip(".mkv", audio=("libopus",), sound_late=0.2), (".mkv", ".webm", ".avi")),
    (Clip(".mkv", audio=("flac",), layout="7.1"), (".webm", ".mp4", ".m2ts")),
    (Clip(".mkv", audio=("ac3",), layout="5.1(side)"), (".mkv", ".webm", ".wmv")),
    (Clip(".mkv", HEVC, pictures_late=0.52), (".mkv",)),
    (Clip(".mkv", FFV1, ("pcm_s16le",)), (".mp4",)),
    (Clip(".mkv", varying=True, sound_late=0.2), (".mp4",)),
    (Clip(".webm", VP8, ("libvorbis",)), (".webm", ".mp4")),
    (Clip(".webm", VP9, ("libopus",), pictures_late=0.4), (".webm", ".mp4")),
    (Clip(".ts", audio=("ac3",), pictures_late=0.8), (".mkv", ".webm", ".ts", ".m2ts", ".mpg", ".wmv", ".flv", ".mov")),
    (Clip(".ts", MPEG2, ("mp2",), sound_late=0.2), (".mp4", ".ts")),
    (Clip(".ts", begins_inside=True), (".mp4", ".ts")),
    (Clip(".ts", MPEG2, ("mp2",), begins_inside=True), (".mp4",)),
    (Clip(".m2ts", audio=("ac3",), layout="5.1(side)", pictures_late=0.4), (".m2ts", ".mp4")),
    (Clip(".mts", audio=("ac3",), begins_inside=True), (".mts", ".mp4")),
    (Clip(".mpg", MPEG2, ("mp2",)), (".mp4", ".mpg")),
    (Clip(".mpg", MPEG2, ("mp2",), pictures_late=0.4), (".mp4", ".mkv")),
    (Clip(".vob", MPEG2, ("ac3",), layout="5.1(side)"), (".mp4",)),
    (Clip(".vob", MPEG2, ("ac3",), sound_late=0.2), (".mp4",)),
    (Clip(".avi", (*MPEG4, "-bf", "2"), ("libmp3lame",)), (".mp4", ".avi")),
    (Clip(".avi", H264, ("pcm_s16le",), layout="stereo"), (".mp4", ".avi")),
    (Clip(".wmv", WMV2, ("wmav2",), layout="stereo"), (".mp4", ".wmv")),
    (Clip(".flv", FLV1, ("libmp3lame",)), (".mp4", ".flv")),
    (Clip(".flv", pictures_late=0.32), (".mp4",)),
    (Clip(".ogv", THEORA, ("libvorbis",)), (".mp4", ".mkv")),
]


def pairs(table):
    return [pytest.param(clip, suffix, id=f"{clip}-to-{suffix[1:]}") for clip, targets in table for suffix in targets]


def picture_times(clip):
    """Seconds from the first picture to each."""
    steps = np.random.default_rng(3).choice([20, 40, 60], COUNT) if clip.varying else np.full(COUNT, 1000 // RATE)
    return np.concatenate([[0], np.cumsum(steps)[:-1]]) / 1000


def make(clip, folder):
    """The path of the video of a :class:`Clip`."""
    times = picture_times(clip)
    beeps = [clip.pictures_late + times[flash] - clip.sound_late for flash in FLASHES]
    sound = clips.make_clicks(folder / "beeps.wav", beeps, clip.pictures_late + times[-1] + 0.3)
    pictures = folder / "pictures.mkv"
    if clip.varying:
        clips.make_variable_clip(pictures, np.rint(times * 1000).astype(int).tolist())
    else:
        clips.make_clip(pictures, COUNT, str(RATE), options=FFV1)
    whole = folder / f"whole{clip.suffix}"
    late = [f"{clip.pictures_late}", "-i", pictures, "-itsoffset", f"{clip.sound_late}", "-i", sound]
    keys = ["-g", "10"] if clip.trimmed or clip.begins_inside else []
    passthrough = [*every_frame_once(), *(["-enc_time_base", "1:1000"] if clip.varying else [])]
    coded = ["-map", "0:v", "-map", "1:a", *clip.video, *keys, *passthrough, "-c:a", *clip.audio]
    layout = f"aformat=channel_layouts={clip.layout}" if clip.layout == "mono" else f"pan={clip.layout}|" + "|".join(
        f"c{channel}=c0" for channel in range({"stereo": 2, "5.1": 6, "5.1(side)": 6, "7.1": 8}[clip.layout])
    )  # fmt: skip
    clips.ffmpeg("-itsoffset", *late, *coded, "-af", layout, whole)
    if clip.trimmed:
        return _trim(clip, whole, folder)
    return _without_its_beginning(whole) if clip.begins_inside else whole


def _trim(clip, whole, folder):
    """A part that is copied, so that an edit list hides what lies before it."""
    path = folder / f"trimmed{clip.suffix}"
    clips.ffmpeg("-ss", clip.trimmed, "-i", whole, "-c", "copy", path)
    return path


def _without_its_beginning(whole):
    """A recording that begins inside a group of pictures: the file without its first packets."""
    data, packet = whole.read_bytes(), 192 if whole.suffix in (".m2ts", ".mts") else 188
    tables = data[: 3 * packet]
    rest = data[(len(data) // packet // 5) * packet :]
    path = whole.with_name(f"inside{whole.suffix}")
    path.write_bytes(tables + rest)
    return path


def measure(path):
    """Numbers of the pictures that come out, their times, and the times of the beeps, on the clock of the file."""
    clock = read_clock(path)
    numbers = [clips.read_number(frame) for frame in read_frames(path)]
    return numbers, [float(time + clock.origin) for time in clock.times], clips.find_clicks_on_clock(path)


def check_in_step(path, numbers=None):
    """Assert that the beeps come with their pictures; returns the numbers of the pictures."""
    seen, times, beeps = measure(path)
    assert len(times) == len(seen)
    assert numbers is None or seen == numbers
    assert seen == sorted(set(seen))
    flashes = [times[seen.index(flash)] for flash in FLASHES if flash in seen]
    assert len(flashes) >= 1
    for flash in flashes:
        assert min(abs(beep - flash) for beep in beeps) <= STEP, (flashes, beeps)
    return seen


def run_round_trip(clip, suffix, folder):
    video = make(clip, folder)
    numbers = check_in_step(video)
    lost = COUNT - len(numbers)
    assert lost > 0 if clip.trimmed or clip.begins_inside else lost == 0
    frames, result = folder / "frames", folder / f"out{suffix}"
    done = clips.call_main("videoed", "extract-video", "--input-file", video, "--output-dir", frames, "--output-ext",
                           "png", "--fps", 0)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [clips.read_number(read_bgr(image)) for image in list_images(frames)] == numbers
    done = clips.call_main("videoed", "video-from-sequence", "--input-dir", frames, "--output-file", result,
                           "--reference-file", video, "--include-audio", "--bitrate", 4, "--no-provenance")  # fmt: skip
    assert done.returncode == 0, done.stderr
    check_in_step(result, numbers)
    assert min(read_clock(result).times) >= 0
    assert clips.shown_by_ffmpeg(result) == len(numbers)


@pytest.mark.parametrize(("clip", "suffix"), pairs(QUICK))
def test_flash_and_beep_stay_together(tmp_path, clip, suffix):
    run_round_trip(clip, suffix, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("clip", "suffix"), pairs(SLOW))
def test_flash_and_beep_stay_together_in_every_kind(tmp_path, clip, suffix):
    run_round_trip(clip, suffix, tmp_path)


def join_parts(video, output, length=7):
    """The pictures and the sound of a video by way of parts, as merging straight into a video writes them."""
    reference = read_reference(video)
    frames = list(read_frames(video))
    times = None if reference.rate is not None else reference.times
    keys = [f"{number:032x}" for number in range(-(-len(frames) // length))]
    parts = VideoParts(output, keys, length, reference.rate or reference.info.fps, times=times)
    for number in range(len(keys)):
        own = frames[number * length : (number + 1) * length]
        with parts.open(number, (clips.WIDTH, clips.HEIGHT)) as writer:
            for frame in own:
                writer.write(frame)
        parts.close(number, (clips.WIDTH, clips.HEIGHT), own[-1], False)
    parts.join(output, reference.sound)


PARTS = [
    (Clip(".mp4", trimmed=0.4), (".mkv", ".avi")),
    (Clip(".mp4", varying=True, pictures_late=0.32), (".mp4",)),
]
SLOW_PARTS = [
    (Clip(".mp4", trimmed=0.4), (".mp4", ".webm", ".ts", ".mpg", ".wmv", ".flv")),
    (Clip(".ts", pictures_late=0.8), (".mp4", ".mkv", ".avi", ".webm", ".ts", ".mpg", ".wmv", ".flv")),
    (Clip(".mp4", varying=True, pictures_late=0.32), (".mkv", ".webm", ".ts", ".mpg", ".wmv", ".flv")),
]


def run_parts(clip, suffix, folder):
    video = make(clip, folder)
    numbers = check_in_step(video)
    output = folder / f"joined{suffix}"
    join_parts(video, output)
    check_in_step(output, numbers)
    assert clips.shown_by_ffmpeg(output) == len(numbers)


@pytest.mark.parametrize(("clip", "suffix"), pairs(PARTS))
def test_flash_and_beep_stay_together_in_joined_parts(tmp_path, clip, suffix):
    run_parts(clip, suffix, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("clip", "suffix"), pairs(SLOW_PARTS))
def test_flash_and_beep_stay_together_in_joined_parts_of_every_kind(tmp_path, clip, suffix):
    run_parts(clip, suffix, tmp_path)


@pytest.mark.parametrize("count", [2, 30])
def test_pictures_of_a_varying_rate_get_their_bits(tmp_path, count):
    times = [Fraction(number * number + 40 * number, 1000) for number in range(count)]
    with open_writer(tmp_path / "a.mp4", 25, (clips.WIDTH, clips.HEIGHT), times=times) as writer:
        for number in range(count):
            writer.write(clips.numbered_frame(number))
    for number, frame in enumerate(read_frames(tmp_path / "a.mp4")):
        assert np.abs(frame.astype(int) - clips.numbered_frame(number)).mean() < 5


TURNS = {
    "90": ((0, 1, -1, 0), lambda frame: np.rot90(frame, -1)),
    "180": ((-1, 0, 0, -1), lambda frame: np.rot90(frame, 2)),
    "270": ((0, -1, 1, 0), lambda frame: np.rot90(frame, 1)),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "upside-down": ((1, 0, 0, -1), np.flipud),
    "transposed": ((0, 1, 1, 0), lambda frame: frame.swapaxes(0, 1)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_turned_pictures_come_out_upright_pixel_by_pixel(tmp_path, turn):
    matrix, upright = TURNS[turn]
    plain = clips.make_clip(tmp_path / "plain.mp4", 3)
    turned = tmp_path / "turned.mp4"
    clips.write_matrix(plain, turned, matrix)
    expected = [upright(frame) for frame in read_frames(plain)]
    assert all(map(np.array_equal, read_frames(turned), expected))
    for suffix in ("png", "jpg"):
        frames = tmp_path / suffix
        clips.call_main("videoed", "extract-video", "--input-file", turned, "--output-dir", frames, "--output-ext",
                        suffix, "--fps", 0)  # fmt: skip
        images = [read_bgr(image) for image in list_images(frames)]
        worst = max(np.abs(image.astype(int) - right).max() for image, right in zip(images, expected, strict=True))
        assert worst == 0 if suffix == "png" else worst < 40
    assert probe(turned).display_size == expected[0].shape[1::-1]


def test_a_language_with_a_hyphen_hides_no_stream(tmp_path):
    clip = clips.make_clip(tmp_path / "a.mp4", 10, "25", clips.make_clicks(tmp_path / "s.wav", [0.2], 0.4))
    tagged = tmp_path / "tagged.mkv"
    tags = ["-metadata:s:v", "language=en-US", "-metadata:s:a", "language=pt-BR"]
    clips.ffmpeg("-i", clip, "-c", "copy", *tags, tagged)
    info = probe(tagged)
    assert (info.width, info.audio[0].language, info.audio[0].codec) == (clips.WIDTH, "pt-BR", "aac")


@pytest.mark.parametrize(
    ("layout", "suffix", "told", "channels"),
    [("5.1(side)", ".webm", "opus", "5.1"), ("5.1", ".wmv", "wma", "stereo"), ("7.1", ".mp4", "aac", "7.1")],
)
def test_sound_that_is_converted_is_said_to_be(tmp_path, layout, suffix, told, channels):
    video = make(Clip(".mkv", audio=("flac",), layout=layout), tmp_path)
    frames, result = tmp_path / "frames", tmp_path / f"out{suffix}"
    clips.call_main("videoed", "extract-video", "--input-file", video, "--output-dir", frames, "--output-ext", "png",
                    "--fps", 0)  # fmt: skip
    done = clips.call_main("videoed", "video-from-sequence", "--input-dir", frames, "--output-file", result,
                           "--reference-file", video, "--include-audio", "--bitrate", 4, "--no-provenance")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"The sound (flac, {layout}) is converted to {told}, as {suffix} cannot hold it as it is." in done.stdout
    assert probe(result).audio[0].channels == channels


def test_the_last_picture_of_a_varying_rate_is_shown(tmp_path):
    video = clips.make_variable_clip(tmp_path / "in.mkv", [0, 40, 100, 120, 260])
    frames, result = tmp_path / "frames", tmp_path / "out.mp4"
    clips.call_main("videoed", "extract-video", "--input-file", video, "--output-dir", frames, "--output-ext", "png",
                    "--fps", 0)  # fmt: skip
    clips.call_main("videoed", "video-from-sequence", "--input-dir", frames, "--output-file", result,
                    "--reference-file", video, "--bitrate", 4, "--no-provenance")  # fmt: skip
    assert clips.shown_by_ffmpeg(result) == 5
    assert [float(time) for time in read_clock(result).times] == pytest.approx([0, 0.04, 0.1, 0.12, 0.26])


def test_reordered_pictures_of_avi_have_the_times_of_display(tmp_path):
    video = clips.make_clip(tmp_path / "a.avi", 12, "25", options=["-bf", "2", "-pix_fmt", "yuv420p"])
    assert read_clock(video).times == [Fraction(number, 25) for number in range(12)]
