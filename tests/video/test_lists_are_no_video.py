"""A text that makes ffmpeg open other files is no video, whatever its name says; every real container still is one."""

import shutil
import subprocess

import cv2
import pytest
import video_clips as clips

from core.errors import FormatError
from core.video.ffmpeg import ffmpeg_program
from core.video.file_check import MEDIA_OPTIONS, refuse_text
from core.video.reading.probe import probe

INPUT_OPTIONS = [word for name, value in MEDIA_OPTIONS.items() for word in (f"-{name}", value)]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    command = [
        ffmpeg_program(),
        "-loglevel",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=64x48:r=5:d=1",
        "-pix_fmt",
        "yuv420p",
    ]
    subprocess.run([*command, str(path)], check=True)
    return path


LISTS = {
    "ffconcat": "ffconcat version 1.0\nfile clip.mp4\n",
    "ffconcat and bytes": "ffconcat version 1.0\nfile clip.mp4\n#\0\x01\n",
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:1,\nclip.mp4\n#EXT-X-ENDLIST\n",
    "m3u8 with a mark": "\ufeff#EXTM3U\n#EXTINF:1,\nclip.mp4\n",
    "pls": "[playlist]\nFile1=clip.mp4\nNumberOfEntries=1\n",
    "sdp": "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n",
    "dash": '<?xml version="1.0"?><MPD><Period><BaseURL>clip.mp4</BaseURL></Period></MPD>',
    "svg": '<svg xmlns="http://www.w3.org/2000/svg"><image href="clip.mp4"/></svg>',
    "concat script": "file 'clip.mp4'\nfile 'clip.mp4'\n",
    "subtitles": "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
    "avisynth": 'DirectShowSource("clip.mp4")\n',
    "metadata": ";FFMETADATA1\ntitle=x\n",
    "long": "a line of text, é\n" * 1000,
    "one letter": "x",
}


@pytest.mark.parametrize("suffix", [".mp4", ".ffconcat", ".m3u8", ".txt", ""])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_or_a_text_is_refused_before_ffmpeg_opens_it(tmp_path, monkeypatch, name, suffix):
    path = tmp_path / f"list{suffix}"
    path.write_text(LISTS[name], encoding="utf-8", newline="")
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    with pytest.raises(FormatError, match="is no readable video .*Give the video itself"):
        probe(path)


@pytest.mark.parametrize(
    "arguments",
    [("extract-video", "--input-file", "{list}", "--output-dir", "{t}/f", "--output-ext", "png", "--fps", "0"),
     ("cut-video", "--input-file", "{list}", "--from-time", "0", "--to-time", "1", "--audio-track-id", "0", "--bitrate", "1"),
     ("video-from-sequence", "--input-dir", "{t}/frames", "--output-file", "{t}/o.mp4", "--reference-file", "{list}")],
)  # fmt: skip
def test_no_command_reads_a_list(tmp_path, clip, arguments):
    shutil.copy(clip, tmp_path / "clip.mp4")
    (tmp_path / "list.mp4").write_text(LISTS["ffconcat"])
    (tmp_path / "frames").mkdir()
    for number in range(2):
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), clips.numbered_frame(number))
    done = clips.call_main("videoed", *(text.format(t=tmp_path, list=tmp_path / "list.mp4") for text in arguments))
    assert done.returncode == 1 and "list.mp4: is no readable video (an ffconcat list of other files)" in done.stderr
    assert not (tmp_path / "o.mp4").exists()


@pytest.mark.parametrize(
    "suffix",
    [".mp4", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mpg", ".flv", ".wmv", ".ogv", ".gif", ".y4m", ".mxf", ".nut"],
)
def test_real_videos_pass_and_ffmpeg_takes_them_under_the_options(tmp_path, clip, suffix):
    path = tmp_path / f"clip{suffix}"
    rate = ["-r", "25"] if suffix in (".mpg", ".mxf") else []
    made = subprocess.run(
        [ffmpeg_program(), "-loglevel", "error", "-i", str(clip), *rate, str(path)], capture_output=True, text=True
    )
    if made.returncode != 0:
        pytest.skip(f"this ffmpeg writes no {suffix}: {made.stderr[-200:]}")
    refuse_text(path)
    read = [ffmpeg_program(), "-v", "error", *INPUT_OPTIONS, "-i", str(path), "-f", "framecrc", "pipe:1"]
    done = subprocess.run(read, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.count("\n0,") >= 5, done.stderr


@pytest.mark.parametrize("name", ["ffconcat", "m3u8", "sdp"])
def test_ffmpeg_refuses_lists_under_the_options(tmp_path, clip, name):
    shutil.copy(clip, tmp_path / "clip.mp4")
    path = tmp_path / "list.mp4"
    path.write_text(LISTS[name])
    read = [ffmpeg_program(), "-v", "error", *INPUT_OPTIONS, "-i", str(path), "-f", "framecrc", "pipe:1"]
    done = subprocess.run(read, capture_output=True, text=True)
    assert done.returncode != 0 and "\n0," not in done.stdout
