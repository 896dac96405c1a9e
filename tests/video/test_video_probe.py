"""What is found out about a file, and what the errors say."""

from fractions import Fraction

import numpy as np
import pytest
import video_clips as clips
from hypothesis import given, settings
from hypothesis import strategies as some

from core.errors import FormatError, UserError
from core.video import ffmpeg
from core.video.ffmpeg import FfmpegError
from core.video.frames import open_writer, read_frames
from core.video.reading import probe as video_probe
from core.video.reading.probe import bit_depth, probe
from core.video.reading.times import constant_rate, frame_times, picture_times, snap_rate
from core.video.writing.timed_frames import TimedFrames

HDR = "setparams=colorspace=bt2020nc:color_primaries=bt2020:color_trc=smpte2084:range=tv"
TAGS = ["-colorspace", "bt2020nc", "-color_primaries", "bt2020", "-color_trc", "smpte2084", "-color_range", "tv"]


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    sound = clips.make_clicks(folder / "s.wav", [0.1], 1)
    ten_bit = ["-c:v", "libx265", "-x265-params", "log-level=error", "-pix_fmt", "yuv420p10le", "-vf", HDR, *TAGS]
    wide = ["-pix_fmt", "yuv420p", "-vf", "setsar=4/3"]
    full = ["-pix_fmt", "yuvj420p", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
    files = [
        clips.make_clip(folder / "plain.mp4", 12, "30000/1001", sound),
        clips.make_clip(folder / "hdr.mkv", 5, "24000/1001", options=ten_bit),
        clips.make_clip(folder / "wide.mov", 5, "60000/1001", options=wide),
        clips.make_clip(folder / "full.mp4", 5, options=full),
        clips.make_clip(folder / "lossless.avi", 5, options=["-c:v", "ffv1"]),
    ]
    two = folder / "two tracks.mkv"
    languages = ["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger", "-metadata:s:a:1", "title=Ton"]
    maps = ["-map", "0:v", "-map", "1:a", "-map", "1:a", "-c:v", "copy", "-c:a:0", "aac", "-c:a:1", "pcm_s16le"]
    clips.ffmpeg("-i", files[0], "-i", sound, *maps, *languages, two)
    return [*files, two]


def test_probe_tells_depth_tags_shape_and_tracks(samples):
    hdr, wide, tracks = probe(samples[1]), probe(samples[2]), probe(samples[5]).audio
    assert (hdr.codec, hdr.bit_depth) == ("hevc", 10)
    assert (hdr.colour.matrix, hdr.colour.transfer, hdr.colour.range) == ("bt2020nc", "smpte2084", "tv")
    assert wide.pixel_aspect == Fraction(4, 3) and wide.fps == Fraction(60000, 1001)
    assert probe(samples[3]).colour.range == "pc"
    assert [(track.codec, track.language, track.title) for track in tracks] == [
        ("aac", "eng", None), ("pcm_s16le", "ger", "Ton"),
    ]  # fmt: skip


def test_the_binary_of_imageio_is_enough(samples, monkeypatch):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    program = imageio_ffmpeg.get_ffmpeg_exe()
    for function in (ffmpeg.ffmpeg_program, ffmpeg.ffmpeg_version):
        function.cache_clear()
    monkeypatch.setenv("DFL_FFMPEG", program)
    try:
        assert ffmpeg.ffmpeg_program() == program
        info = probe(samples[0])
        assert info.fps == Fraction(30000, 1001) and info.audio[0].codec == "aac"
        assert [clips.read_number(frame) for frame in read_frames(samples[0])] == list(range(12))
        times = [Fraction(0), Fraction(1, 7), Fraction(1, 2)]
        target = samples[0].with_name("timed.mp4")
        with open_writer(target, 25, (clips.WIDTH, clips.HEIGHT), times=times) as writer:
            for number in range(3):
                writer.write(clips.numbered_frame(number))
        assert max(abs(a - b) for a, b in zip(frame_times(target), times)) < Fraction(1, 90000)
    finally:
        for function in (ffmpeg.ffmpeg_program, ffmpeg.ffmpeg_version):
            function.cache_clear()


@pytest.mark.parametrize("content", [b"", b"this is no video", b"\0\0\0\x18ftypmp42" + b"\0" * 400])
def test_what_is_no_video_is_named_with_the_reason(tmp_path, content):
    file = tmp_path / "x.mp4"
    file.write_bytes(content)
    with pytest.raises(FormatError, match=r"x\.mp4: is (an empty|no readable)"):
        probe(file)


def test_sound_alone_is_no_video(tmp_path):
    with pytest.raises(FormatError, match="no video stream"):
        probe(clips.make_clicks(tmp_path / "sound.wav", [0.1], 1))


def test_a_cover_picture_is_no_video_stream(tmp_path):
    clips.make_clip(tmp_path / "cover.png", 1, options=["-update", "1"])
    sound = clips.make_clicks(tmp_path / "s.wav", [0.1], 1)
    song = tmp_path / "song.m4a"
    attach = ["-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "aac", "-disposition:v", "attached_pic", "-f", "mp4"]
    clips.ffmpeg("-i", sound, "-i", tmp_path / "cover.png", *attach, song)
    with pytest.raises(FormatError, match="no video stream"):
        probe(song)


def test_a_failing_run_shows_the_reason_and_the_command():
    with pytest.raises(FfmpegError, match=r"exit code \d+: .*nowhere\.mp4.*Command line: .*ffmpeg"):
        ffmpeg.run(["-i", "nowhere.mp4", "-f", "null", "-"])


def test_an_unusable_ffmpeg_is_named(monkeypatch):
    ffmpeg.ffmpeg_program.cache_clear()
    monkeypatch.setenv("DFL_FFMPEG", "/no/such/ffmpeg")
    with pytest.raises(UserError, match="DFL_FFMPEG=/no/such/ffmpeg"):
        ffmpeg.ffmpeg_program()


def test_times_are_found_where_the_container_does_not_give_them(tmp_path):
    video = clips.make_clip(tmp_path / "a.mpg", 20, "25", options=["-c:v", "mpeg2video"])
    assert frame_times(video) == [Fraction(index, 25) for index in range(20)]


def test_pictures_without_times_of_display_get_those_of_decoding_in_order():
    base, rate = Fraction(1, 25), Fraction(25)
    assert picture_times([None] * 4, [0, 3, 1, 2], base, rate) == [Fraction(number, 25) for number in range(4)]


def test_missing_and_equal_times_are_filled_so_that_they_rise():
    base, rate = Fraction(1, 100), Fraction(10)
    shown = [None, 10, None, None, 40, None]
    assert picture_times(shown, [None] * 6, base, rate) == [Fraction(number, 10) for number in range(6)]
    assert picture_times([5, 5, 25], [None] * 3, base, rate) == [Fraction(1, 20), Fraction(3, 20), Fraction(1, 4)]
    once = [0, None, 30, 30, None]  # two pictures share the time of the second one
    assert picture_times(once, [None] * 5, base, rate) == [Fraction(number, 10) for number in range(5)]
    assert picture_times([None] * 2, [None] * 2, base, rate) == [0, Fraction(1, 10)]


@given(some.sampled_from(["24", "25", "30", "50", "60", "24000/1001", "30000/1001", "60000/1001", "120000/1001"]))
def test_printed_rates_become_fractions_again(text):
    rate = Fraction(text)
    assert snap_rate(float(f"{float(rate):.2f}")) == rate


@settings(max_examples=40, deadline=None)
@given(some.sampled_from(["24000/1001", "25", "30000/1001", "60"]), some.integers(2, 400), some.integers(0, 9000))
def test_times_rounded_to_milliseconds_are_still_constant(text, count, start):
    rate = Fraction(text)
    times = [Fraction(round((Fraction(start, 1000) + index / rate) * 1000), 1000) for index in range(count)]
    info = video_probe.VideoInfo(None, "h264", "yuv420p", 8, 4, 4, rate, rate, 1.0)
    assert constant_rate(times, info) == rate


def test_a_single_dropped_frame_makes_the_rate_variable():
    times = [Fraction(index, 25) for index in range(50) if index != 20]
    info = video_probe.VideoInfo(None, "h264", "yuv420p", 8, 4, 4, Fraction(25), Fraction(25), 2.0)
    assert constant_rate(times, info) is None


@pytest.mark.parametrize(
    ("name", "bits"),
    [("yuv420p", 8), ("yuv420p10le", 10), ("p010le", 10), ("yuv444p12be", 12), ("rgb48le", 16), ("gray16le", 16),
     ("gbrp10le", 10), ("nv12", 8), ("rgb24", 8), ("yuvj420p", 8), ("rgba64le", 16), ("bgr24", 8)],
)  # fmt: skip
def test_bit_depth_of_pixel_formats(name, bits):
    assert bit_depth(name) == bits


@pytest.mark.parametrize("deep", [False, True])
def test_timed_frames_reach_ffmpeg_unchanged(deep, tmp_path):
    kind, depth = (np.uint16, 65536) if deep else (np.uint8, 256)
    frames = np.random.default_rng(3).integers(0, depth, (3, 6, 10, 3)).astype(kind)
    stream = TimedFrames(10, 6, deep)
    data = stream.header()
    for frame, time in zip(frames, (0, Fraction(1, 3), 7200)):
        data += b"".join(bytes(part) for part in stream.frame(frame.data, Fraction(time)))
    pixels = "bgr48le" if deep else "bgr24"
    passthrough = ffmpeg.every_frame_once()
    out = clips.ffmpeg(
        "-f", "matroska", "-i", "pipe:", "-pix_fmt", pixels, *passthrough, "-f", "rawvideo", "pipe:1", data=data
    )
    assert out == frames.tobytes()
    file = tmp_path / "timed.mkv"
    file.write_bytes(data)
    assert [round(float(time), 3) for time in frame_times(file)] == [0.0, 0.333, 7200.0]
