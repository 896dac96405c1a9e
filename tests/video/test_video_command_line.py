"""The ``videoed`` commands as a user types them: flags, questions, odd names, bad input, nothing half done."""

import os
import shutil
import sys

import numpy as np
import pytest
import video_clips as clips

from core.files.imageio import read_bgr, read_image, write_image
from core.files.paths import list_images
from core.video.frame_record import RECORD_NAME
from core.video.frames import probe, read_frames

ODD_FOLDER = "it's “a” Папка, 100% #1 [x]"


@pytest.fixture(autouse=True)
def own_settings_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DFL_CONFIG_DIR", str(tmp_path / "settings"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    return clips.make_clip(folder / "clip.mp4", 20, "25", clips.make_clicks(folder / "s.wav", [0.4], 0.8))


def write_frames(folder, count=4, size=(clips.WIDTH, clips.HEIGHT)):
    folder.mkdir(parents=True)
    for number in range(count):
        write_image(folder / f"{number + 1:05d}.png", clips.numbered_frame(number, *size))
    return folder


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_the_workflow_in_a_folder_with_an_odd_name(tmp_path, clip):
    work = tmp_path / ODD_FOLDER
    work.mkdir()
    shutil.copy(clip, work / "Data_dst.mp4")
    frames, result = work / "data_dst" / "merged", work / "-result.mp4"
    done = clips.run_main(
        "videoed", "extract-video", "--input-file", work / "data_dst.*", "--output-dir", frames, "--fps", 0,
        input_text="\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[png] Output image format ( png/jpg ?:help ) : " in done.stdout and "Enter FPS" not in done.stdout
    assert done.stdout.endswith("Done.\n")
    assert [file.name for file in list_images(frames)] == [f"{number:05d}.png" for number in range(1, 21)]
    done = clips.run_main(
        "videoed", "video-from-sequence", "--input-dir", "data_dst/merged", "--output-file=-result.mp4",
        "--reference-file", "data_dst.*", "--include-audio", folder=work, input_text="8\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "[16] Bitrate of output file in MB/s : " in done.stdout
    assert [clips.read_number(frame) for frame in read_frames(result)] == list(range(20))
    assert len(probe(result).audio) == 1
    done = clips.run_main("videoed", "cut-video", "--input-file=-result.mp4", folder=work, input_text="0.2\n0.4\n\n\n")
    assert done.returncode == 0, done.stderr
    for prompt in ("[00:00:00.000] From time : ", "To time : ", "[0] Specify audio track id. : ", "[25] Bitrate of"):
        assert prompt in done.stdout
    assert "Audio track 0: aac, mono" in done.stdout
    assert len(list(read_frames(work / "-result_cut.mp4"))) == 5
    done = clips.run_main("videoed", "denoise-image-sequence", "--input-dir", frames, "--factor", 3)
    assert done.returncode == 0 and "Denoise factor?" not in done.stdout
    assert len(list_images(frames)) == 20
    assert files_of(work) == sorted(
        ["-result.mp4", "-result_cut.mp4", "Data_dst.mp4", f"data_dst/merged/{RECORD_NAME}",
         *(f"data_dst/merged/{n:05d}.png" for n in range(1, 21))]
    )  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="niceness is a POSIX notion")
def test_work_runs_at_the_lowest_priority():
    import subprocess

    code = "import os; from core.console.process import lower_priority; lower_priority(); print(os.nice(0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=clips.ROOT)
    assert int(done.stdout) in [min(19, os.nice(0) + step) for step in (19, 10)]


@pytest.mark.parametrize(("suffix", "codec"), [(".mpg", "mp2"), (".ts", "aac"), (".wmv", "wmav2"), (".MOV", "aac")])
def test_cutting_keeps_the_container_of_its_input(tmp_path, clip, suffix, codec):
    video = tmp_path / f"v{suffix}"
    coders = {".mpg": ["-c:v", "mpeg2video"], ".webm": ["-c:v", "libvpx", "-c:a", "libopus"]}
    clips.ffmpeg("-i", clip, *coders.get(suffix, ["-c:v", "mpeg4"]), video)
    done = clips.call_main("videoed", "cut-video", "--input-file", video, "--from-time", "0.4", "--yes")
    assert done.returncode == 0, done.stderr
    cut = tmp_path / f"v_cut{suffix}"
    numbers = [clips.read_number(frame) for frame in read_frames(cut)]
    assert numbers in (list(range(10, 20)), list(range(9, 20))), "wmv shows its first frame 43 ms late"
    assert probe(cut).audio[0].codec == codec


def test_asking_for_frames_per_second_and_jpg(tmp_path, clip):
    done = clips.call_main(
        "videoed", "extract-video", "--input-file", clip, "--output-dir", tmp_path / "f", input_text="5\njpg\n"
    )
    assert done.returncode == 0, done.stderr
    assert "[0] Enter FPS ( ?:help ) : " in done.stdout
    assert len(list_images(tmp_path / "f")) in (4, 5)
    assert all(file.suffix == ".jpg" for file in list_images(tmp_path / "f"))


def test_a_second_extraction_replaces_frames_and_nothing_else(tmp_path, clip):
    folder = write_frames(tmp_path / "frames", 30)
    for name in ("holiday.png", "123.png", "00007.jpg", "00001_0.png", "notes.txt"):
        (folder / name).write_bytes((folder / "00001.png").read_bytes())
    done = clips.call_main(
        "videoed", "extract-video", "--input-file", clip, "--output-dir", folder, "--fps", 0, "--output-ext", "png"
    )
    assert done.returncode == 0, done.stderr
    assert "Replacing 30 frames of an earlier extraction." in done.stdout
    assert "4 other images" in done.stderr
    names = set(files_of(folder))
    assert names == {"holiday.png", "123.png", "00007.jpg", "00001_0.png", "notes.txt", RECORD_NAME} | {
        f"{n:05d}.png" for n in range(1, 21)
    }


def test_frames_that_exist_nowhere_else_are_set_aside_and_others_made_again(tmp_path, clip):
    video = tmp_path / "clip.mp4"
    shutil.copy(clip, video)
    folder = write_frames(tmp_path / "frames", 30)
    trash = tmp_path / "frames_trash"
    mine = {file.name: file.read_bytes() for file in list_images(folder)}
    extract = ["videoed", "extract-video", "--input-file", video, "--output-dir", folder, "--output-ext", "png"]
    assert clips.call_main(*extract, "--fps", 0, "--yes").returncode == 0
    assert {file.name: file.read_bytes() for file in trash.iterdir()} == mine, "no record tells where they came from"
    done = clips.call_main(*extract, "--fps", 5, "--yes")
    assert done.returncode == 0 and len(list(trash.iterdir())) == 30, "as the video gives them"
    assert len(list_images(folder)) in (4, 5)
    (folder / "00002.png").write_bytes(mine["00002.png"])
    assert clips.call_main(*extract, "--fps", 0).returncode == 0
    assert (trash / "00002_1.png").read_bytes() == mine["00002.png"], "retouched since"
    other = tmp_path / "other.mp4"
    video.rename(other)
    count = len(list(trash.iterdir()))
    extract[3] = other
    assert clips.call_main(*extract, "--fps", 5).returncode == 0
    assert len(list(trash.iterdir())) == count + 20, "the video of the record is gone"


@pytest.mark.parametrize("provenance", [True, False])
def test_a_video_of_others_is_not_replaced(tmp_path, clip, provenance):
    folder, output = write_frames(tmp_path / "frames", 3), tmp_path / "holiday.mp4"
    shutil.copy(clip, output)
    mine = output.read_bytes()
    encode = [
        "videoed",
        "video-from-sequence",
        "--input-dir",
        folder,
        "--output-file",
        output,
        "--fps",
        25,
        "--bitrate",
        1,
    ]
    for _ in range(2):
        assert clips.call_main(*encode, "--yes", *([] if provenance else ["--no-provenance"])).returncode == 0
    assert (tmp_path / "holiday_old.mp4").read_bytes() == mine and len(list(read_frames(output))) == 3
    kept = [file.name for file in tmp_path.glob("holiday_old*.mp4")]
    assert len(kept) == (1 if provenance else 2), "a result with marks is made again"


def cut_short(clip, folder, suffix):
    whole = folder / f"whole{suffix}"
    options = ["-movflags", "faststart"] if suffix == ".mp4" else []
    clips.ffmpeg("-i", clip, "-map", "0:v", "-c", "copy", *options, whole)
    broken = folder / f"broken{suffix}"
    broken.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    return broken


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_truncated_video_is_refused_and_old_frames_stay(tmp_path, clip, suffix):
    broken = cut_short(clip, tmp_path, suffix)
    folder = write_frames(tmp_path / "frames", 2)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    command = ["videoed", "extract-video", "--input-file", broken, "--output-dir", folder]
    done = clips.call_main(*command, "--fps", 0, "--output-ext", "png")
    assert done.returncode == 1
    assert "damaged or cut short" in done.stderr and "--allow-damaged" in done.stderr and broken.name in done.stderr
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    done = clips.call_main(*command, "--fps", 0, "--output-ext", "png", "--allow-damaged")
    assert done.returncode == 0, done.stderr
    count = len(list_images(folder))
    assert 4 <= count < 20
    assert [clips.read_number(read_bgr(file)) for file in list_images(folder)][: count - 2] == list(range(count - 2))


def test_a_video_without_its_index_is_refused(tmp_path, clip):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:3000])
    done = clips.call_main(
        "videoed", "extract-video", "--input-file", broken, "--output-dir", tmp_path / "f", "--fps", 0, "--yes"
    )
    assert done.returncode == 1 and "is no readable video (moov atom not found" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "f").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX systems do")
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_disk_that_fills_up_leaves_the_old_result_and_no_half_file(tmp_path, suffix):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(12):
        noise = np.random.default_rng(number).integers(0, 256, (128, 256, 3), np.uint8)
        write_image(folder / f"{number:05d}.png", noise)
    result = tmp_path / "out" / f"result{suffix}"
    result.parent.mkdir()
    result.write_bytes(b"the old result")
    done = run_with_small_files("videoed", "video-from-sequence", "--input-dir", folder, "--output-file", result,
                                "--fps", 25, "--lossless", kilobytes=100)  # fmt: skip
    assert done.returncode == 1 and "/!\\ " in done.stderr and "Traceback" not in done.stderr
    assert files_of(tmp_path / "out") == [result.name] and result.read_bytes() == b"the old result"


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files as POSIX systems do")
def test_a_full_disk_during_extraction_or_denoising_changes_nothing(tmp_path, clip):
    folder = write_frames(tmp_path / "frames", 3, (1024, 512))
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    done = run_with_small_files("videoed", "extract-video", "--input-file", clip, "--output-dir", folder,
                                "--fps", 0, "--output-ext", "png", kilobytes=1)  # fmt: skip
    assert done.returncode == 1 and "00001.png: cannot be written (File too large)" in done.stderr
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    done = run_with_small_files("videoed", "denoise-image-sequence", "--input-dir", folder, "--factor", 5, kilobytes=1)
    assert done.returncode == 1 and "ffmpeg failed" in done.stderr
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def run_with_small_files(*arguments, kilobytes):
    """Run ``main.py`` where no file can grow beyond a size, which programs see as a write error like a full disk."""
    import subprocess

    limit = 'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"'
    command = ["bash", "-c", limit, "bash", kilobytes, sys.executable, "-B", clips.ROOT / "main.py", *arguments]
    return subprocess.run([str(part) for part in command], input="", capture_output=True, text=True, timeout=120)


def test_the_message_of_a_full_disk_is_plain():
    from core.video.ffmpeg import failure

    error = failure(["ffmpeg", "-i", "x"], 1, ["av_interleaved_write_frame(): No space left on device"])
    assert str(error) == "The disk is full. Free some space and run the step again."


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["extract-video", "--input-file", "{t}/no.mp4", "--output-dir", "{t}/f"], 1, "no.mp4: no such file"),
        (["extract-video", "--input-file", "{t}/no.*", "--output-dir", "{t}/f"], 1, "no file of that name"),
        (["extract-video", "--input-file", "{c}", "--output-dir", "{t}/f", "--fps", "-3"], 2, "--fps is -3"),
        (["extract-video", "--input-file", "{c}", "--output-dir", "{c}"], 1, "is a file, not a folder"),
        (["extract-video", "--input-file", "{c}", "--output-dir", "{t}/f", "--output-ext", "gif"], 2, "gif"),
        (["cut-video", "--input-file", "{c}", "--from-time", "soon"], 2, "--from-time soon: not a time"),
        (["cut-video", "--input-file", "{c}", "--from-time", "0.5", "--to-time", "0.2"], 2, "not after the beginning"),
        (["cut-video", "--input-file", "{c}", "--from-time", "60"], 2, "behind the end of clip.mp4 (00:00:00.800)"),
        (["cut-video", "--input-file", "{c}", "--audio-track-id", "3"], 2, "Audio track 3 does not exist"),
        (["denoise-image-sequence", "--input-dir", "{t}/empty"], 3, "no images"),
        (["denoise-image-sequence", "--input-dir", "{t}/none"], 1, "none: no such folder"),
        (["denoise-image-sequence", "--input-dir", "{t}/kinds"], 2, "must be of one kind"),
        (["video-from-sequence", "--input-dir", "{t}/empty", "--output-file", "{t}/o.mp4"], 3, "no images"),
        (["video-from-sequence", "--input-dir", "{t}/none", "--output-file", "{t}/o.mp4"], 1, "no such folder"),
        (["video-from-sequence", "--input-dir", "{t}/sizes", "--output-file", "{t}/o.mp4"], 1, "b.png: is 130x64"),
        (["video-from-sequence", "--input-dir", "{t}/bad", "--output-file", "{t}/o.mp4"], 1, "b.png: is not a readable"),
        (["video-from-sequence", "--input-dir", "{t}/kinds", "--output-file", "{t}/o.txt"], 2, ".txt: unknown kind"),
        (["video-from-sequence", "--input-dir", "{t}/kinds", "--output-file", "{t}/o.mp4", "--fps", "0"], 2, "--fps is 0"),
        (["video-from-sequence", "--input-dir", "{t}/kinds", "--output-file", "{t}/o.mp4", "--encoder", "h265x"], 2,
         "--encoder h265x does not work here"),
        (["video-from-sequence", "--input-dir", "{t}/kinds", "--output-file", "{c}", "--reference-file", "{c}"], 2,
         "is the reference itself"),
        (["video-from-sequence", "--input-dir", "{t}/kinds", "--output-file", "{t}/o.mp4", "--reference-file",
          "{t}/kinds/a.jpg", "--c2pa-cert", "{c}"], 2, "belong together"),
        (["verify", "{t}/kinds/none.mp4"], 1, "no such file"),
        (["verify", "{t}/bad/b.png"], 1, "b.png: is "),
    ],
)  # fmt: skip
def test_bad_input_is_one_clear_line(tmp_path, clip, arguments, code, words):
    (tmp_path / "empty").mkdir()
    for folder, other in (("kinds", "a.jpg"), ("sizes", "b.png"), ("bad", "b.png")):
        (tmp_path / folder).mkdir()
        write_image(tmp_path / folder / "a.png", clips.numbered_frame(1))
        write_image(tmp_path / folder / other, clips.numbered_frame(1, 130 if folder == "sizes" else 128))
    (tmp_path / "bad" / "b.png").write_bytes(b"no image")
    before = files_of(tmp_path)
    done = clips.call_main("videoed", *(text.format(t=tmp_path, c=clip) for text in arguments))
    assert done.returncode == code, done.stderr
    assert words in done.stderr and "Traceback" not in done.stderr
    assert "Done." not in done.stdout
    assert [name for name in files_of(tmp_path) if not name.startswith("settings")] == before


def test_aligned_faces_are_not_denoised_as_they_would_lose_their_landmarks(tmp_path):
    from samplelib.faces.aligned_face import FaceMetadata, save_face

    face = FaceMetadata("whole_face", np.zeros((68, 2)), "a.png", None, None, None)
    save_face(tmp_path / "00001_0.jpg", clips.numbered_frame(1, 64, 64), face)
    before = (tmp_path / "00001_0.jpg").read_bytes()
    done = clips.call_main("videoed", "denoise-image-sequence", "--input-dir", tmp_path, "--factor", 5)
    assert done.returncode == 1 and "is an aligned face" in done.stderr
    assert (tmp_path / "00001_0.jpg").read_bytes() == before


def test_no_end_time_means_to_the_end_and_an_existing_cut_is_kept(tmp_path, clip):
    video = tmp_path / "v.mp4"
    shutil.copy(clip, video)
    done = clips.call_main("videoed", "cut-video", "--input-file", video, "--from-time", "00:00:00.600")
    assert done.returncode == 0 and "[00:00:00.800] To time : " in done.stdout
    cut = tmp_path / "v_cut.mp4"
    assert [clips.read_number(frame) for frame in read_frames(cut)] == list(range(15, 20))
    before = cut.read_bytes()
    done = clips.call_main("videoed", "cut-video", "--input-file", video, "--to-time", "0.4")
    assert done.returncode == 1 and "exists already" in done.stderr and cut.read_bytes() == before
    done = clips.call_main("videoed", "cut-video", "--input-file", video, "--to-time", "00:00:00.000", "--yes")
    assert done.returncode == 0 and len(list(read_frames(cut))) == 20
    assert (tmp_path / "v_cut_old.mp4").read_bytes() == before, "--yes throws nothing away"


def test_cutting_takes_the_chosen_audio_track(tmp_path, clip):
    other = clips.make_clicks(tmp_path / "t.wav", [0.1, 0.3, 0.5], 0.8)
    video = tmp_path / "two.mkv"
    clips.ffmpeg("-i", clip, "-i", other, "-map", 0, "-map", "1:a", "-c:v", "copy", video)
    assert (
        clips.call_main("videoed", "cut-video", "--input-file", video, "--audio-track-id", 1, "--yes").returncode == 0
    )
    assert len(clips.find_clicks(tmp_path / "two_cut.mkv")) == 3
    assert (
        clips.call_main("videoed", "cut-video", "--input-file", video, "--audio-track-id", 0, "--yes").returncode == 0
    )
    assert len(clips.find_clicks(tmp_path / "two_cut.mkv")) == 1


def test_without_reference_the_rate_is_asked_and_grey_alpha_and_16_bit_images_work(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    frame = clips.numbered_frame(9)
    write_image(folder / "1.png", frame[:, :, 0])
    write_image(folder / "2.png", np.dstack([frame, frame[:, :, :1]]))
    write_image(folder / "3.tif", frame.astype(np.uint16) * 257)
    write_image(folder / "4.jpg", frame)
    done = clips.call_main(
        "videoed",
        "video-from-sequence",
        "--input-dir",
        folder,
        "--output-file",
        tmp_path / "o.mp4",
        input_text="10\n\n",
    )
    assert done.returncode == 0, done.stderr
    assert "[25] Enter FPS : " in done.stdout
    assert probe(tmp_path / "o.mp4").fps == 10
    assert [clips.read_number(f) for f in read_frames(tmp_path / "o.mp4")] == [9, 9, 9, 9]


def test_ten_bit_hevc_keeps_more_than_eight_bits(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    ramp = np.linspace(20000, 21000, 256).astype(np.uint16)
    for number in range(2):
        write_image(folder / f"{number}.png", np.repeat(np.tile(ramp, (64, 1))[:, :, None], 3, 2))
    assert read_image(folder / "0.png").dtype == np.uint16
    done = clips.call_main(
        "videoed", "video-from-sequence", "--input-dir", folder, "--output-file", tmp_path / "o.mp4", "--fps", 25,
        "--ten-bit", "--lossless",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    info = probe(tmp_path / "o.mp4")
    assert (info.codec, info.bit_depth) == ("hevc", 10)
    values = next(read_frames(tmp_path / "o.mp4", deep=True))[32, :, 1]
    assert len(np.unique(values // 64)) > len(np.unique(ramp // 257)) * 2


def test_hardware_encoders_are_tried_before_work_begins_and_have_settings():
    from core.errors import UsageError
    from core.video.writing.encoders import EncoderSettings, check_encoder

    check_encoder("libx264")
    assert EncoderSettings("h264_nvenc").pixel_format == "nv12"
    assert EncoderSettings("hevc_nvenc", ten_bit=True).pixel_format == "p010le"
    assert EncoderSettings("h264_nvenc", lossless=True).arguments(".mp4")["tune"] == "lossless"
    assert EncoderSettings("hevc_nvenc", bitrate=7).arguments(".mp4") == {
        "c:v": "hevc_nvenc", "b:v": "7M", "tag:v": "hvc1",
    }  # fmt: skip
    with pytest.raises(UsageError, match="no lossless mode"):
        EncoderSettings("h264_qsv", lossless=True).arguments(".mp4")
    with pytest.raises(UsageError, match="ten-bit"):
        EncoderSettings("h264_nvenc", ten_bit=True).arguments(".mp4")


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_at_a_terminal_replacing_frames_is_asked(tmp_path, clip):
    import pty
    import subprocess

    folder = write_frames(tmp_path / "frames", 2)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    command = [sys.executable, clips.ROOT / "main.py", "videoed", "extract-video", "--input-file", clip]
    command += ["--output-dir", folder, "--fps", "0", "--output-ext", "png"]
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [str(part) for part in command], stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    os.write(master, b"n\n")
    text = process.communicate(timeout=60)[0].decode()
    os.close(slave)
    os.close(master)
    assert process.returncode == 1 and "Replace the 2 frames" in text
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_ctrl_c_ends_ffmpeg_and_leaves_nothing(tmp_path):
    import signal
    import subprocess
    import time

    video = tmp_path / "long.mp4"
    clips.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=1280x720:d=20", "-c:v", "mpeg4", video)
    command = [sys.executable, clips.ROOT / "main.py", "videoed", "extract-video", "--input-file", video]
    command += ["--output-dir", tmp_path / "frames", "--fps", "0", "--output-ext", "png"]
    process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    end = time.monotonic() + 30
    while time.monotonic() < end and not list((tmp_path / "frames").glob(".unfinished.*/*.png")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not (tmp_path / "frames").exists(), "the empty folder goes too, because this run made it"
