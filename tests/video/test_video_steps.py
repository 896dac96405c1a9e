"""Frames out of a video and back: nothing lost, nothing doubled, sound in step."""

from fractions import Fraction

import numpy as np
import pytest
import video_clips as clips

from core.errors import FormatError, UserError
from core.files.imageio import read_bgr, write_image
from core.files.paths import list_images
from core.video.frames import open_reader, open_writer, probe, read_frames
from core.video.reading.times import frame_times
from core.video.steps import cut_video, denoise_images, encode_images, extract_frames, read_reference
from core.video.writing.encoders import EncoderSettings, default_encoder

RATES = ("24000/1001", "25", "30000/1001", "60000/1001")


def numbers_of(images):
    return [clips.read_number(read_bgr(image)) for image in images]


def round_trip(video, folder, output, lossless=False, audio=True):
    extract_frames(video, folder)
    settings = EncoderSettings(lossless=lossless)
    encode_images(folder, output, 25, settings, read_reference(video), include_audio=audio)
    return output


@pytest.mark.parametrize("fps", RATES)
def test_constant_rates_keep_every_frame_its_time_and_the_sound(tmp_path, fps):
    rate = Fraction(fps)
    flashes = [3, 20, 41]
    sound = clips.make_clicks(tmp_path / "s.wav", [float(f / rate) for f in flashes], float(48 / rate))
    video = clips.make_clip(tmp_path / "in.mp4", 48, fps, sound)
    result = round_trip(video, tmp_path / "frames", tmp_path / "out.mp4")
    assert numbers_of(list_images(tmp_path / "frames")) == list(range(48))
    assert [clips.read_number(frame) for frame in read_frames(result)] == list(range(48))
    info = probe(result)
    assert info.fps == rate and info.average_fps == rate
    assert frame_times(result) == frame_times(video)
    clicks = clips.find_clicks(result)
    shown = frame_times(result)
    assert len(clicks) == 3
    assert max(abs(click - float(shown[f])) for click, f in zip(clicks, flashes)) < 1 / rate


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_variable_frame_rate_survives_without_drift(tmp_path, suffix):
    steps = np.random.default_rng(5).choice([17, 33, 50, 83], 60)
    times = np.concatenate([[0], np.cumsum(steps)[:-1]]).tolist()
    flashes = [5, 30, 58]
    sound = clips.make_clicks(tmp_path / "s.wav", [times[f] / 1000 for f in flashes], times[-1] / 1000 + 0.2)
    video = clips.make_variable_clip(tmp_path / "in.mp4", times, sound)
    assert read_reference(video).rate is None
    result = round_trip(video, tmp_path / "frames", tmp_path / f"out{suffix}")
    assert [clips.read_number(frame) for frame in read_frames(result)] == list(range(60))
    shown = np.array([float(time) for time in frame_times(result)])
    expected = np.array(times) / 1000
    assert np.abs((shown - shown[0]) - expected).max() < 0.0011
    clicks = clips.find_clicks(result)
    assert max(abs(click - shown[f]) for click, f in zip(clicks, flashes)) < 0.017


def test_lossless_is_exact_in_the_pixel_format_of_the_encoder(tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(0, 256, (64, 128, 3), np.uint8)
        write_image(tmp_path / "frames" / f"{number}.png", noise)
    raw = b"".join(read_bgr(image).tobytes() for image in list_images(tmp_path / "frames"))
    scale = "scale=flags=bicubic+accurate_rnd+full_chroma_int:out_color_matrix=bt601:out_range=tv,format=yuv420p"
    source = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", "128x64", "-i", "pipe:"]
    expected = clips.ffmpeg(*source, "-vf", scale, "-f", "rawvideo", "pipe:1", data=raw)
    for suffix in (".mp4", ".mov", ".avi"):
        output = tmp_path / f"out{suffix}"
        encode_images(tmp_path / "frames", output, 25, EncoderSettings(lossless=True))
        decoded = clips.ffmpeg("-i", output, "-f", "rawvideo", "-pix_fmt", "yuv420p", "pipe:1")
        assert decoded == expected, suffix


def test_fifteen_of_thirty_frames_per_second_are_every_second_one(tmp_path):
    video = clips.make_clip(tmp_path / "in.mp4", 40, "30")
    extract_frames(video, tmp_path / "frames", ".jpg", fps=15)
    numbers = numbers_of(list_images(tmp_path / "frames"))
    assert len(numbers) in (20, 21) and set(np.diff(numbers[:20])) == {2}


def test_rotated_phone_video_comes_out_upright(tmp_path):
    plain = clips.make_clip(tmp_path / "plain.mp4", 5)
    turned = tmp_path / "turned.mp4"
    clips.write_matrix(plain, turned, (0, 1, -1, 0))
    info = probe(turned)
    assert info.rotation in (90, 270) and info.display_size == (clips.HEIGHT, clips.WIDTH)
    frame = next(read_frames(turned))
    assert frame.shape == (clips.WIDTH, clips.HEIGHT, 3)
    turns = 1 if info.rotation == 90 else 3
    assert clips.read_number(np.rot90(frame, -turns)) == 0
    result = round_trip(turned, tmp_path / "frames", tmp_path / "out.mp4")
    assert probe(result).rotation == 0 and probe(result).display_size == (clips.HEIGHT, clips.WIDTH)
    assert [clips.read_number(np.rot90(f, -turns)) for f in read_frames(result)] == list(range(5))


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt470bg"])
def test_colour_tags_of_the_reference_are_kept_and_colours_do_not_shift(tmp_path, matrix):
    tags = ["-colorspace", matrix, "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
    filters = ["-vf", f"scale=out_color_matrix={'bt470' if matrix == 'bt470bg' else matrix}:out_range=tv"]
    options = ["-pix_fmt", "yuv420p", "-crf", "4", *filters, *tags]
    video = clips.make_clip(tmp_path / "in.mp4", 3, options=options)
    result = round_trip(video, tmp_path / "frames", tmp_path / "out.mp4", lossless=True)
    assert probe(result).colour == probe(video).colour
    assert probe(result).colour.matrix == matrix
    for before, after in zip(read_frames(video), read_frames(result)):
        assert np.abs(before.astype(int) - after).mean() < 1.5
    frame = next(read_frames(video))
    assert np.abs(frame.astype(int) - clips.numbered_frame(0)).mean() < 4


@pytest.mark.parametrize("size", [(127, 64), (128, 63), (127, 63)])
def test_odd_sizes_are_made_even_by_repeating_the_edge(tmp_path, size):
    (tmp_path / "frames").mkdir()
    for number in range(3):
        write_image(tmp_path / "frames" / f"{number}.png", clips.numbered_frame(number, *size))
    encode_images(tmp_path / "frames", tmp_path / "new" / "deep" / "out.mp4", 25, EncoderSettings(lossless=True))
    with open_reader(tmp_path / "new" / "deep" / "out.mp4") as reader:
        assert reader.size == (128, 64)
        assert np.abs(next(iter(reader))[: size[1], : size[0]].astype(int) - clips.numbered_frame(0, *size)).mean() < 6


def test_cutting_takes_exactly_the_frames_between_the_times(tmp_path):
    sound = clips.make_clicks(tmp_path / "s.wav", [0.8], 2)
    video = clips.make_clip(tmp_path / "in.mp4", 50, "25", sound)
    cut_video(video, tmp_path / "in_cut.mp4", 0.4, 1.2, 0, EncoderSettings(bitrate=5))
    assert [clips.read_number(frame) for frame in read_frames(tmp_path / "in_cut.mp4")] == list(range(10, 30))
    assert abs(clips.find_clicks(tmp_path / "in_cut.mp4")[0] - 0.4) < 0.04
    cut_video(video, tmp_path / "rest.mp4", 1.6, None, 0, EncoderSettings(bitrate=5))
    assert [clips.read_number(frame) for frame in read_frames(tmp_path / "rest.mp4")] == list(range(40, 50))


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_denoising_smooths_in_place_under_any_names(tmp_path, suffix):
    random = np.random.default_rng(1)
    for name in ("b 2", "a", "b 10", "ü%d"):
        write_image(
            tmp_path / f"{name}{suffix}", random.normal(128, 12, (64, 128, 3)).clip(0, 255).astype(np.uint8), 95
        )
    before = {image.name: read_bgr(image).std() for image in list_images(tmp_path)}
    assert denoise_images(tmp_path, 5) == 4
    weak = {image.name: read_bgr(image).std() for image in list_images(tmp_path)}
    assert list(before) == list(weak)
    denoise_images(tmp_path, 20)
    strong = {image.name: read_bgr(image).std() for image in list_images(tmp_path)}
    assert all(before[name] > weak[name] > strong[name] for name in before)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(before)


def test_sequence_of_100000_and_beyond_stays_in_natural_order(tmp_path):
    for place, number in enumerate([99998, 99999, 100000, 100001]):
        write_image(tmp_path / f"{number}.png", clips.numbered_frame(place))
    encode_images(tmp_path, tmp_path / "out.mp4", 25, EncoderSettings())
    assert [clips.read_number(frame) for frame in read_frames(tmp_path / "out.mp4")] == [0, 1, 2, 3]


def tagged_clip(path, colour_range, count=3):
    """A clip in BT.709 that says so, in limited (tv) or full (pc) range."""
    tags = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", colour_range]
    filters = f"scale=out_color_matrix=bt709:out_range={colour_range}"
    pixels = "yuv420p" if colour_range == "tv" else "yuvj420p"
    return clips.make_clip(path, count, options=["-vf", filters, "-pix_fmt", pixels, "-crf", "2", *tags])


@pytest.mark.parametrize("colour_range", ["tv", "pc"])
def test_png_jpg_cut_and_result_all_show_the_colours_of_the_source(tmp_path, colour_range):
    video = tagged_clip(tmp_path / "in.mp4", colour_range)
    drawn = [clips.numbered_frame(number).astype(int) for number in range(3)]
    extract_frames(video, tmp_path / "png", ".png")
    extract_frames(video, tmp_path / "jpg", ".jpg")
    encode_images(tmp_path / "png", tmp_path / "out.mp4", 25, EncoderSettings(lossless=True), read_reference(video))
    cut_video(video, tmp_path / "cut.mp4", 0, None, 0, EncoderSettings(lossless=True))
    seen = {
        "png": [read_bgr(image) for image in list_images(tmp_path / "png")],
        "jpg": [read_bgr(image) for image in list_images(tmp_path / "jpg")],
        "result": list(read_frames(tmp_path / "out.mp4")),
        "cut": list(read_frames(tmp_path / "cut.mp4")),
    }
    for name, frames in seen.items():
        for frame, original in zip(frames, drawn):
            assert np.abs(frame - original)[:, 8:-8].mean() < 3.5, name
    assert probe(tmp_path / "out.mp4").colour == probe(tmp_path / "cut.mp4").colour == probe(video).colour


def test_pixels_that_are_not_square_stay_so(tmp_path):
    video = clips.make_clip(tmp_path / "in.mp4", 2, options=["-pix_fmt", "yuv420p", "-vf", "setsar=4/3"])
    assert probe(round_trip(video, tmp_path / "frames", tmp_path / "out.mp4")).pixel_aspect == Fraction(4, 3)


@pytest.mark.parametrize(("suffix", "codec"), [(".avi", "mp3"), (".mkv", "aac"), (".webm", "opus"), (".ts", "aac")])
def test_other_containers_play_all_frames_with_the_sound_in_step(tmp_path, suffix, codec):
    flashes = [4, 20]
    sound = clips.make_clicks(tmp_path / "s.wav", [flash / 25 for flash in flashes], 1.2)
    video = clips.make_clip(tmp_path / "in.mp4", 30, "25", sound)
    extract_frames(video, tmp_path / "frames")
    settings = EncoderSettings(default_encoder(suffix), bitrate=2)
    result = tmp_path / f"out{suffix}"
    encode_images(tmp_path / "frames", result, 25, settings, read_reference(video), include_audio=True)
    assert [clips.read_number(frame) for frame in read_frames(result)] == list(range(30))
    assert probe(result).audio[0].codec == codec
    shown = frame_times(result)
    clicks = clips.find_clicks(result)
    assert len(clicks) == 2
    assert max(abs(click - float(shown[flash])) for click, flash in zip(clicks, flashes)) <= 0.04


def test_sound_that_the_container_holds_is_copied_not_coded_again(tmp_path):
    sound = clips.make_clicks(tmp_path / "s.wav", [0.2], 1)
    video = clips.make_clip(tmp_path / "in.mp4", 25, "25", sound)
    result = round_trip(video, tmp_path / "frames", tmp_path / "out.mp4")
    streams = [
        clips.ffmpeg("-i", file, "-map", "0:a", "-c", "copy", "-f", "adts", "pipe:1") for file in (video, result)
    ]
    assert streams[0] == streams[1]


@pytest.mark.parametrize("varying", [False, True])
def test_pictures_that_begin_after_the_sound_stay_in_step(tmp_path, varying):
    times = [40 * n + (n * n if varying else 0) for n in range(25)]
    sound = clips.make_clicks(tmp_path / "s.wav", [0.5 + times[10] / 1000], 2.2)
    plain = clips.make_variable_clip(tmp_path / "plain.mp4", times)
    video = tmp_path / "late.mkv"
    clips.ffmpeg("-itsoffset", "0.5", "-i", plain, "-i", sound, "-map", "0:v", "-map", "1:a", "-c:v", "copy", video)
    assert (read_reference(video).rate is None) == varying
    result = round_trip(video, tmp_path / "frames", tmp_path / "out.mp4")
    shown = np.array(frame_times(result), float)
    assert np.abs(shown - 0.5 - np.array(times) / 1000).max() < 0.025
    assert abs(clips.find_clicks(result)[0] - shown[10]) <= 0.04


def test_writer_cuts_nothing_off_and_refuses_frames_that_do_not_fit(tmp_path):
    target = tmp_path / "o.mp4"
    with pytest.raises(UserError, match="frame 2 is 64x64"), open_writer(target, 25, (128, 64)) as writer:
        writer.write(clips.numbered_frame(0))
        writer.write(clips.numbered_frame(0, 64, 64))
    assert not target.exists() and list(tmp_path.iterdir()) == []
    with pytest.raises(FormatError, match="no frames"), open_writer(target, 25, (128, 64)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_reading_can_stop_early_and_with_more_bits(tmp_path):
    video = clips.make_clip(tmp_path / "in.mp4", 40, "25")
    assert [clips.read_number(frame) for frame in read_frames(video, count=3)] == [0, 1, 2]
    frame = next(read_frames(video, deep=True))
    assert frame.dtype == np.uint16 and clips.read_number(frame / 257) == 0
