"""Names, containers and programs that are out of the ordinary: cut, read and told about all the same."""

import os
import sys

import numpy as np
import pytest
import video_clips as clips

from core.errors import FormatError, UserError
from core.files.imageio import read_bgr, write_image
from core.files.paths import list_images
from core.video import ffmpeg
from core.video.frames import probe, read_frames
from core.video.reading.decode import PictureDecoder
from core.video.reading.length import missing_bytes
from core.video.reading.times import read_clock
from mainscripts import doctor

MPEG2, THEORA = ["-c:v", "mpeg2video", "-c:a", "ac3"], ["-c:v", "libtheora", "-q:v", "8", "-c:a", "libvorbis"]
BEEP = 0.6  # with picture 15


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    return clips.make_clip(folder / "clip.mp4", 30, "25", clips.make_clicks(folder / "s.wav", [BEEP], 1.2))


def cut(video, *arguments):
    done = clips.call_main("videoed", "cut-video", "--input-file", video, "--from-time", "0.39", "--to-time", 1,
                           "--audio-track-id", 0, "--bitrate", 4, *arguments)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def check_cut(path, has_sound=True):
    assert [clips.read_number(frame) for frame in read_frames(path)] == list(range(10, 25))
    if has_sound:
        clock = read_clock(path)
        flash = float(clock.times[5] + clock.origin)
        assert abs(clips.find_clicks_on_clock(path)[0] - flash) < 0.025


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.3gp", ["-c:v", "mpeg4", "-q:v", "2", "-c:a", "aac"]),
        ("a.vob", MPEG2),
        ("a.ogv", THEORA),
        ("a.gif", []),
        ("a", ["-f", "mp4"]),
    ],
)
def test_a_cut_of_what_we_cannot_write_becomes_an_mp4(tmp_path, clip, name, options):
    video = tmp_path / name
    clips.ffmpeg("-i", clip, *options, video)
    done = cut(video)
    assert "the part becomes a_cut.mp4" in done.stdout
    check_cut(tmp_path / "a_cut.mp4", has_sound=name != "a.gif")


@pytest.mark.parametrize("suffix", [".avi", ".wmv", ".webm", pytest.param(".ts", marks=pytest.mark.slow)])
def test_a_cut_goes_to_the_file_that_is_named(tmp_path, clip, suffix):
    output = tmp_path / f"part{suffix}"
    cut(clip, "--output-file", output)
    check_cut(output)
    assert clips.shown_by_ffmpeg(output) == 15


def test_a_cut_over_the_video_itself_is_refused(tmp_path, clip):
    done = clips.call_main("videoed", "cut-video", "--input-file", clip, "--output-file", clip, "--yes")
    assert done.returncode == 2 and "is the video itself" in done.stderr


def test_the_cut_of_a_trimmed_video_is_in_step(tmp_path):
    sound = clips.make_clicks(tmp_path / "s.wav", [BEEP + 0.4], 1.6)
    whole = clips.make_clip(tmp_path / "whole.mp4", 40, "25", sound, options=["-pix_fmt", "yuv420p", "-g", "50"])
    clips.ffmpeg("-ss", "0.4", "-i", whole, "-c", "copy", tmp_path / "trimmed.mp4")
    cut(tmp_path / "trimmed.mp4")
    path = tmp_path / "trimmed_cut.mp4"
    assert [clips.read_number(frame) for frame in read_frames(path)] == list(range(20, 35))
    assert abs(clips.find_clicks_on_clock(path)[0] - float(read_clock(path).times[5])) < 0.025


def test_a_webm_without_a_length_shows_honest_progress(tmp_path, clip):
    video = tmp_path / "live.webm"
    video.write_bytes(clips.ffmpeg("-i", clip, "-c:v", "libvpx", "-c:a", "libopus", "-f", "webm", "pipe:1"))
    assert probe(video).duration == 0
    done = clips.call_main("videoed", "extract-video", "--input-file", video, "--output-dir", tmp_path / "f",
                           "--output-ext", "png", "--fps", 0)  # fmt: skip
    assert "Extracting frames: 30 [" in done.stdout and len(list_images(tmp_path / "f")) == 30
    done = clips.call_main("videoed", "cut-video", "--input-file", video, "--from-time", "0.4", "--audio-track-id", 0,
                           "--bitrate", 2)  # fmt: skip
    assert "Cutting: 20 [" in done.stdout and "-" not in done.stdout.split("Cutting")[1].split("[")[0]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="names of bytes")
def test_names_that_are_not_utf8_work_in_every_command(tmp_path, clip):
    video = tmp_path / os.fsdecode(b"b\xffd.mp4")
    video.write_bytes(clip.read_bytes())
    frames, result = tmp_path / os.fsdecode(b"f\xe4"), tmp_path / os.fsdecode(b"r\xff.mp4")
    for arguments in (
        ["extract-video", "--input-file", video, "--output-dir", frames, "--output-ext", "png", "--fps", 0],
        ["cut-video", "--input-file", video, "--from-time", 0.39, "--to-time", 1, "--audio-track-id", 0, "--bitrate", 4],
        ["video-from-sequence", "--input-dir", frames, "--output-file", result, "--reference-file", video,
         "--include-audio", "--bitrate", 4],
        ["verify", result],
    ):  # fmt: skip
        done = clips.call_main("videoed", *arguments)
        assert done.returncode == 0, done.stderr
    check_cut(tmp_path / os.fsdecode(b"b\xffd_cut.mp4"))
    assert [clips.read_number(frame) for frame in read_frames(result)] == list(range(30))


@pytest.mark.parametrize(
    "text", ["ffconcat version 1.0\nfile 'clip.mp4'\n", "#EXTM3U\nclip.mp4\n", "just words\n" * 99]
)
def test_a_text_is_no_video(tmp_path, clip, text):
    for name in ("list.mp4", "list.txt"):
        file = tmp_path / name
        file.write_text(text)
        with pytest.raises(FormatError, match="list of files, not a video|no readable video"):
            probe(file)


def test_the_reason_is_told_each_time(tmp_path, clip):
    broken = tmp_path / "a.mp4"
    broken.write_bytes(clip.read_bytes()[:3000])
    for _ in range(2):
        with pytest.raises(FormatError, match="moov atom not found"):
            probe(broken)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm", ".avi"])
def test_a_file_that_lacks_its_end_is_known_by_its_length(tmp_path, clip, suffix):
    codec = ["-c:v", "libvpx", "-c:a", "libopus"] if suffix == ".webm" else ["-c", "copy"]
    whole = tmp_path / f"whole{suffix}"
    clips.ffmpeg("-i", clip, *codec, *(["-movflags", "faststart"] if suffix in (".mp4", ".mov") else []), whole)
    assert missing_bytes(whole) == 0
    cut_short = tmp_path / f"short{suffix}"
    cut_short.write_bytes(whole.read_bytes()[:-500])
    assert missing_bytes(cut_short) == 500
    assert missing_bytes(clips.make_clicks(tmp_path / "s.wav", [0.1], 0.2)) == 0


def test_damage_in_the_middle_takes_only_what_it_hit(tmp_path, clip):
    video = tmp_path / "a.ts"
    clips.ffmpeg("-i", clip, "-map", "0:v", "-g", "5", video)
    data = bytearray(video.read_bytes())
    middle = len(data) // 188 // 2 * 188
    data[middle + 20 : middle + 180] = bytes(160)
    video.write_bytes(data)
    with PictureDecoder(video) as decoder:
        pictures = sum(1 for _ in decoder)
    numbers = [clips.read_number(frame) for frame in read_frames(video)]
    assert pictures == len(numbers) == len(read_clock(video).times) >= 24
    assert set(range(10)) | set(range(22, 30)) <= set(numbers)


def make_program(folder, name, script):
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder that alone is searched for programs."""
    for function in (ffmpeg.ffmpeg_program, ffmpeg.ffmpeg_version, ffmpeg.trouble_of):
        function.cache_clear()
    monkeypatch.delenv("DFL_FFMPEG", raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    yield folder
    for function in (ffmpeg.ffmpeg_program, ffmpeg.ffmpeg_version, ffmpeg.trouble_of):
        function.cache_clear()


BROKEN = "echo 'error while loading shared libraries: libopenh264.so.5: cannot open shared object file' >&2; exit 127"


@pytest.mark.skipif(os.name == "nt", reason="makes programs of the shell")
def test_broken_programs_of_the_system_are_passed_over_and_told(programs, capsys, monkeypatch):
    bundled = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    for name in ("ffmpeg", "ffprobe"):
        make_program(programs, name, BROKEN)
    assert ffmpeg.ffmpeg_program() == bundled
    assert doctor._ffmpeg()
    shown = capsys.readouterr().out
    for name in ("ffmpeg", "ffprobe"):
        assert f"{programs / name} does not run (error while loading shared libraries: libopenh264" in shown
    ffmpeg.ffmpeg_program.cache_clear()
    monkeypatch.setenv("DFL_FFMPEG", str(programs / "ffmpeg"))
    with pytest.raises(UserError, match="does not run .*libopenh264"):
        ffmpeg.ffmpeg_program()


@pytest.mark.skipif(os.name == "nt", reason="makes programs of the shell")
def test_videos_are_read_beside_a_broken_ffprobe(programs, clip):
    make_program(programs, "ffmpeg", f'exec {pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()} "$@"')
    make_program(programs, "ffprobe", BROKEN)
    assert ffmpeg.ffmpeg_program() == str(programs / "ffmpeg")
    assert probe(clip).audio[0].codec == "aac" and len(list(read_frames(clip))) == 30


def test_the_doctor_names_the_reader(capsys):
    assert doctor._video_reader()
    assert "[ok] Video reader: av " in capsys.readouterr().out


def test_a_picture_is_read_as_a_video_of_one(tmp_path):
    write_image(tmp_path / "a.png", clips.numbered_frame(7))
    assert np.array_equal(next(read_frames(tmp_path / "a.png")), read_bgr(tmp_path / "a.png"))
