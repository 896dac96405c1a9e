"""The ``extract`` command from end to end: what it writes, asks and refuses, and how it goes on after an interruption."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

import main
from core.console import interact
from core.files.imageio import read_bgr
from samplelib.extraction.journal import JOURNAL_NAME, REPORT_NAME, read_state
from samplelib.extraction.output_folder import frame_to_go_on_with
from samplelib.faces.aligned_face import read_metadata

ROOT = Path(__file__).parents[2]
OPTIONS = (
    *("--detector", "embedded", "--face-type", "full_face", "--image-size", "256", "--jpeg-quality", "80"),
    *("--max-faces-from-image", "0"),
)


@pytest.fixture(autouse=True)
def nobody_answers(monkeypatch):
    """Standard input is at its end, as in a script."""
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: SIM115
    yield
    interact.configure(assume_yes=False)


@pytest.fixture(scope="module")
def portrait():
    return np.ascontiguousarray(skimage.data.astronaut()[:300, 60:400, ::-1])


@pytest.fixture
def frames(tmp_path, portrait):
    """Folder with a face, no face, a damaged picture and another face, under awkward names."""
    folder = tmp_path / "my_frames"
    folder.mkdir()
    cv2.imwrite(str(folder / "clip_1_a.png"), portrait)
    cv2.imwrite(str(folder / "clip_2_a.png"), np.full_like(portrait, 90))
    (folder / "clip_3_a.png").write_bytes(b"no picture")
    cv2.imwrite(str(folder / "clip_10.b_a.jpg"), portrait[:, ::-1])
    return folder


def extract(folder, output, *more, options=OPTIONS):
    return main.main(["extract", "--input-dir", str(folder), "--output-dir", str(output), *options, *more])


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def contents(folder):
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def test_what_an_extraction_writes(frames, tmp_path, capsys):
    output = tmp_path / "aligned"
    assert extract(frames, output, "--output-debug") == 0
    text, errors = capsys.readouterr()
    assert "Extracting faces..." in text
    assert "-------------------------\nImages found:        4\nFaces detected:      2\n" in text
    assert "Frames without a face: 1 (clip_2_a.png)" in text and "Done." in text
    assert "clip_3_a.png: is not a readable image" in errors
    assert names(output) == ["clip_10.b_a_0.jpg", "clip_1_a_0.jpg", REPORT_NAME]
    assert names(tmp_path / "aligned_debug") == ["clip_10.b_a.jpg", "clip_1_a.jpg", "clip_2_a.jpg"]
    metadata = read_metadata(output / "clip_10.b_a_0.jpg")
    assert metadata.source_filename == "clip_10.b_a.jpg" and metadata.face_type == "full_face"
    assert read_bgr(output / "clip_1_a_0.jpg").shape == (256, 256, 3)
    report = json.loads((output / REPORT_NAME).read_text())
    assert report["images_found"] == 4 and report["faces_detected"] == 2
    assert report["frames_without_faces"] == ["clip_2_a.png"] and list(report["unreadable_images"]) == ["clip_3_a.png"]
    assert list(report["frames"]) == ["clip_1_a.png", "clip_2_a.png", "clip_3_a.png", "clip_10.b_a.jpg"]


@pytest.mark.parametrize(("face_type", "size"), [("half_face", 256), ("head", 300), ("mark_only", None)])
def test_face_types(frames, tmp_path, face_type, size, portrait):
    options = ("--detector", "embedded", "--face-type", face_type, "--no-output-debug", *OPTIONS[6:])
    options += ("--image-size", str(size)) if size else ()
    assert extract(frames, tmp_path / "out", options=options) == 0
    metadata = read_metadata(tmp_path / "out" / "clip_1_a_0.jpg")
    picture = read_bgr(tmp_path / "out" / "clip_1_a_0.jpg")
    assert metadata.face_type == face_type
    if size:
        assert picture.shape == (size, size, 3)
    else:
        assert picture.shape == portrait.shape and metadata.image_to_face_mat is None
        assert np.array_equal(metadata.landmarks, metadata.source_landmarks)


def test_questions_and_their_order(frames, tmp_path, capsys):
    shutil.rmtree(frames)
    frames.mkdir()
    cv2.imwrite(str(frames / "1.png"), np.full((200, 200, 3), 60, np.uint8))
    assert extract(frames, tmp_path / "aligned", options=()) == 0
    text = capsys.readouterr().out
    prompts = [
        "[wf] Face type ( f/wf/head ?:help ) : ",
        "[0] Max number of faces from image ( ?:help ) : ",
        "[512] Image size ( 256-2048 ?:help ) : ",
        "[90] Jpeg quality ( 1-100 ?:help ) : ",
        "Choose detector type.\n[0] S3FD\n[1] manual\n[0] ( 0-1 ) : ",
        "[n] Write debug images to aligned_debug? ( y/n ) : ",
    ]
    places = [text.index(prompt) for prompt in prompts]
    assert places == sorted(places)
    assert not (tmp_path / "aligned_debug").exists()
    assert extract(frames, tmp_path / "heads", "--face-type", "head", options=()) == 0
    assert "[768] Image size" in capsys.readouterr().out


@pytest.mark.parametrize(
    "flag, value, range_text",
    [("--image-size", "20", "from 256 to 2048"), ("--jpeg-quality", "500", "from 1 to 100"),
     ("--max-faces-from-image", "-1", "0 or more"), ("--min-face-size", "-5", "from 8 to")],
)  # fmt: skip
def test_flags_out_of_range_are_refused_with_the_range(frames, tmp_path, capsys, flag, value, range_text):
    assert extract(frames, tmp_path / "out", flag, value) == 2
    told = capsys.readouterr().err
    assert f"{flag} is {value}" in told and range_text in told and len(told.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_input_problems_are_one_line(tmp_path, capsys):
    assert extract(tmp_path / "nowhere", tmp_path / "out") == 1
    assert "nowhere: no such folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert extract(tmp_path / "empty", tmp_path / "out") == 3
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.png").write_bytes(b"x")
    assert extract(tmp_path / "bad", tmp_path / "out", "--no-output-debug") == 1
    assert "None of the frames could be read." in capsys.readouterr().err


def test_frames_of_one_stem(frames, tmp_path, capsys):
    shutil.copy(frames / "clip_2_a.png", frames / "clip_1_a.tif")
    assert extract(frames, tmp_path / "out", "--no-output-debug") == 0
    assert "Duplicate filenames are not allowed, skipping: clip_1_a.tif" in capsys.readouterr().out


def test_running_again_asks_before_it_deletes(frames, tmp_path, capsys):
    output = tmp_path / "aligned"
    assert extract(frames, output, "--output-debug") == 0
    own = output / "holiday.jpg"
    cv2.imwrite(str(own), np.zeros((9, 9, 3), np.uint8))
    before = contents(output)
    capsys.readouterr()
    assert extract(frames, output, "--output-debug") == 1
    assert "Nothing was deleted" in capsys.readouterr().err
    assert contents(output) == before
    (output / "clip_1_a_1.jpg").write_bytes((output / "clip_1_a_0.jpg").read_bytes())
    assert extract(frames, output, "--output-debug", "--yes") == 0
    assert contents(output) == before
    assert "holiday.jpg" in capsys.readouterr().err


def test_faces_in_their_own_folder_are_not_deleted(frames, tmp_path):
    assert extract(frames, tmp_path / "out", "--no-output-debug") == 0
    before = contents(tmp_path / "out")
    assert extract(tmp_path / "out", tmp_path / "out", "--no-output-debug") == 0
    after = contents(tmp_path / "out")
    assert {name: after[name] for name in before if name != REPORT_NAME} == {
        name: data for name, data in before.items() if name != REPORT_NAME
    }
    assert "clip_1_a_0_0.jpg" in after


def test_new_frames_of_a_finished_folder(frames, tmp_path, portrait, capsys):
    output = tmp_path / "aligned"
    assert extract(frames, output, "--output-debug") == 0
    cv2.imwrite(str(frames / "clip_11.png"), portrait)
    cv2.imwrite(str(frames / "clip_3_a.png"), portrait)
    (output / "clip_1_a_0.jpg").unlink()  # sorted out by the user: stays away
    capsys.readouterr()
    assert extract(frames, output, "--output-debug", "--continue") == 0
    assert "Images found:        2\nFaces detected:      2" in capsys.readouterr().out
    assert names(output) == ["clip_10.b_a_0.jpg", "clip_11_0.jpg", "clip_3_a_0.jpg", REPORT_NAME]
    report = json.loads((output / REPORT_NAME).read_text())
    assert report["images_found"] == 5 and not report["unreadable_images"]


def test_other_options_when_going_on_are_pointed_out(frames, tmp_path, capsys):
    assert extract(frames, tmp_path / "out", "--no-output-debug") == 0
    options = (*OPTIONS[:4], "--image-size", "300", *OPTIONS[6:], "--no-output-debug")
    assert extract(frames, tmp_path / "out", "--continue", options=options) == 0
    assert "Not the same as in the run that is continued: image_size" in capsys.readouterr().err


def test_going_on_with_a_faceset_of_another_program(frames, tmp_path, portrait):
    """Without a record the faces themselves say how far it went: the frame of the 128th face from the end is next."""
    output = tmp_path / "aligned"
    assert extract(frames, output, "--no-output-debug") == 0
    (output / REPORT_NAME).unlink()
    paths = sorted(frames.iterdir(), key=lambda path: int(path.name.split("_")[1].split(".")[0]))
    for number in range(127):
        shutil.copy(output / "clip_10.b_a_0.jpg", output / f"clip_10.b_a_{number + 1}.jpg")
    assert frame_to_go_on_with(output, paths) == 3
    (output / "clip_10.b_a_127.jpg").unlink()
    assert frame_to_go_on_with(output, paths) == 0
    with pytest.raises(Exception, match="Extraction cannot be continued"):
        frame_to_go_on_with(output, paths[1:])


def _start(folder, output, *more):
    command = [sys.executable, "main.py", "extract", "--input-dir", folder, "--output-dir", output, *OPTIONS, *more]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment, text=True,
    )  # fmt: skip


@pytest.mark.parametrize("stop", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_an_interrupted_run_is_completed_to_the_same_bytes(tmp_path, portrait, stop):
    folder, whole, broken = tmp_path / "frames", tmp_path / "whole", tmp_path / "broken"
    folder.mkdir()
    for number in range(24):
        cv2.imwrite(str(folder / f"a_{number}_b.png"), np.roll(portrait, number, axis=1))
    assert extract(folder, whole, "--output-debug") == 0
    process = _start(folder, broken, "--output-debug")
    deadline = time.monotonic() + 60
    while len(read_state(broken).results) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(stop)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == (130 if stop == signal.SIGINT else -signal.SIGKILL), output
    state = read_state(broken)
    assert state.interrupted and 0 < len(state.results) < 24
    for result in state.results.values():
        for name in result.files:
            assert (broken / name).read_bytes() == (whole / name).read_bytes()
    with open(broken / JOURNAL_NAME, "ab") as stream:
        stream.write(b'{"frame": "a_23_b.png", "fa')  # as a full disk would leave it
    assert extract(folder, broken, "--output-debug") == 0
    assert contents(broken) == contents(whole)
    assert contents(tmp_path / "broken_debug") == contents(tmp_path / "whole_debug")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of one megabyte in a folder, and a function that gives it another size."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"a disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield (
            folder,
            lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True, timeout=60),
        )
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=60)


@pytest.mark.skipif(not shutil.which("mount") or sys.platform != "linux", reason="disks are mounted as Linux does")
def test_a_full_disk(small_disk, tmp_path, portrait):
    """The run ends with a line that names the file; what it had finished is whole, and a larger disk gets the rest."""
    disk, resize = small_disk
    folder, whole, output = tmp_path / "frames", tmp_path / "whole", disk / "aligned"
    folder.mkdir()
    for number in range(28):
        cv2.imwrite(str(folder / f"a_{number}_b.png"), np.roll(portrait, number, axis=1))
    (folder / "a_7_b.png").write_bytes(b"damaged")
    better = ("--jpeg-quality", "100", "--output-debug")
    assert extract(folder, whole, *better) == 0
    process = _start(folder, output, *better)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 1, text
    (problem,) = (line for line in text.splitlines() if "No space left on device" in line)
    assert str(disk) in problem and "Traceback" not in text
    state = read_state(output)
    assert state.interrupted and 0 < len(state.results) < 28
    for result in state.results.values():
        for name in result.files:
            assert (output / name).read_bytes() == (whole / name).read_bytes()
    assert not (output / REPORT_NAME).exists()
    for written, complete in ((output, whole), (disk / "aligned_debug", tmp_path / "whole_debug")):
        for path in written.glob("*.jpg"):  # no half picture under the name of a whole one
            assert path.read_bytes() == (complete / path.name).read_bytes()
    resize("32m")
    assert extract(folder, output, *better) == 0
    assert contents(output) == contents(whole)
    assert contents(disk / "aligned_debug") == contents(tmp_path / "whole_debug")


def test_frames_straight_from_a_video(tmp_path, portrait):
    from core.video.ffmpeg import ffmpeg_program

    for number in range(1, 6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.roll(portrait, 3 * number, axis=1)[:300, :340])
    video = tmp_path / "clip.mp4"
    subprocess.run(
        [ffmpeg_program(), "-v", "error", "-framerate", "25", "-i", str(tmp_path / "%d.png"), "-pix_fmt", "yuv420p", str(video)],
        check=True,
    )  # fmt: skip
    arguments = ["extract", "--input-video", str(video.with_suffix(".*")), "--output-dir", str(tmp_path / "aligned")]
    assert main.main([*arguments, *OPTIONS, "--no-output-debug"]) == 0
    assert names(tmp_path / "aligned") == [f"{number:05d}_0.jpg" for number in range(1, 6)] + [REPORT_NAME]
    assert read_metadata(tmp_path / "aligned" / "00004_0.jpg").source_filename == "00004.png"


@pytest.mark.parametrize("hdr", ["tonemap", "keep"])
def test_faces_of_an_hdr_video_have_usual_colours_unless_its_values_are_kept(tmp_path, portrait, capsys, hdr):
    from core.video.frames import ColourTags, EncoderSettings, open_writer
    from core.video.reading.hdr import pq_encode

    picture = portrait[:300, :340]
    light = 203 * (picture / 255.0) ** 2.4
    values = np.round(pq_encode(light) * 65535).astype(np.uint16)
    tags = ColourTags("bt2020nc", "bt2020", "smpte2084", "tv")
    with open_writer(tmp_path / "a.mkv", 25, (340, 300), EncoderSettings("libx265", ten_bit=True), tags) as writer:
        for _ in range(2):
            writer.write(values)
    arguments = ["extract", "--input-video", str(tmp_path / "a.mkv"), "--output-dir", str(tmp_path / "aligned")]
    assert main.main([*arguments, *OPTIONS, "--no-output-debug", "--hdr", hdr]) == 0
    assert ("tone-mapped" if hdr == "tonemap" else "its values are kept") in capsys.readouterr().out
    (tmp_path / "sdr").mkdir()
    cv2.imwrite(str(tmp_path / "sdr" / "00001.png"), picture)
    assert extract(tmp_path / "sdr", tmp_path / "usual", "--no-output-debug") == 0
    face, usual = (cv2.imread(str(tmp_path / folder / "00001_0.jpg")) for folder in ("aligned", "usual"))
    difference = np.abs(face.mean() - usual.mean())
    assert difference < 12 if hdr == "tonemap" else difference > 20


def test_video_and_work_by_hand_do_not_go_together(tmp_path, capsys):
    (tmp_path / "clip.mp4").write_bytes(b"x")
    arguments = ["extract", "--input-video", str(tmp_path / "clip.mp4"), "--output-dir", str(tmp_path / "out")]
    assert main.main([*arguments, "--detector", "manual"]) == 2
    assert "--input-dir" in capsys.readouterr().err


def test_s3fd_without_its_weights_says_so_and_goes_on(frames, tmp_path, monkeypatch, capsys):
    from facelib import weights

    monkeypatch.setattr(weights, "WEIGHTS_FOLDER", tmp_path)
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path)
    monkeypatch.delenv("DFL_WEIGHTS", raising=False)
    assert extract(frames, tmp_path / "out", "--no-output-debug", options=("--detector", "s3fd", *OPTIONS[2:])) == 0
    text, errors = capsys.readouterr()
    line = next(line for line in text.splitlines() if line.startswith("Face finder: "))
    assert line.startswith(
        "Face finder: embedded, landmarks: embedded. Not on this computer: 2DFAN.npy, S3FD.npy. To fetch: "
    )
    assert line.endswith("main.py util --fetch-weights") and "npy" not in errors
    assert "Faces detected:      2" in text


def test_marking_by_hand_without_a_display(frames, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("QT_QPA_PLATFORM", raising=False)
    options = ("--detector", "manual", *OPTIONS[2:], "--no-output-debug")
    assert extract(frames, tmp_path / "out", options=options) == 1
    assert "there is no display" in capsys.readouterr().err
    assert extract(frames, tmp_path / "fix", "--manual-fix", "--no-output-debug") == 1
    text, errors = capsys.readouterr()
    assert "Performing manual fix for 1 image..." in text and "Faces detected:      2" in text
    assert "1 frame without a face not done by hand" in errors
    assert (tmp_path / "fix" / REPORT_NAME).exists()


def test_re_extracting_needs_debug_pictures(frames, tmp_path, capsys):
    assert extract(frames, tmp_path / "out", "--no-output-debug") == 0
    arguments = (
        "--manual-output-debug-fix",
        "--image-size",
        "256",
        "--jpeg-quality",
        "90",
        "--max-faces-from-image",
        "0",
    )
    assert extract(frames, tmp_path / "out", *arguments, options=()) == 1
    assert "out_debug not found" in capsys.readouterr().err
    (frames / "clip_3_a.png").unlink()
    assert extract(frames, tmp_path / "out", "--output-debug", "--yes") == 0
    assert extract(frames, tmp_path / "out", *arguments, options=()) == 0
    assert "Found 0 images." in capsys.readouterr().out


def test_marking_by_hand_in_the_command(frames, tmp_path, portrait, monkeypatch, capsys):
    """Manual fix marks the frames without a face; re-extracting replaces face 0 where the debug picture was deleted."""
    from facelib.face_finder import FoundFace
    from samplelib.extraction import manual_window

    seen = []

    def mark(paths, finder, settings, window_size, save):
        seen.append(([path.name for path in paths], settings.face_type.text, window_size))
        for path in paths:
            rect = (110, 70, 220, 180)
            save(path, read_bgr(path), FoundFace(rect, finder.align_rect(read_bgr(path), rect)), None)

    monkeypatch.setattr(manual_window, "mark_faces", mark)
    monkeypatch.setattr("core.window.picture_window.window_problem", lambda: None)
    output, debug = tmp_path / "out", tmp_path / "out_debug"
    assert extract(frames, output, "--output-debug", "--manual-fix", "--manual-window-size", "900") == 0
    assert seen == [(["clip_2_a.png"], "full_face", 900)]
    text = capsys.readouterr().out
    assert "Performing manual fix for 1 image..." in text and "Images found:        4\nFaces detected:      3" in text
    assert read_metadata(output / "clip_2_a_0.jpg").source_rect.tolist() == [110, 70, 220, 180]

    other = output / "clip_1_a_1.jpg"
    other.write_bytes((output / "clip_1_a_0.jpg").read_bytes())
    (debug / "clip_1_a.jpg").unlink()
    arguments = (
        "--manual-output-debug-fix",
        "--image-size",
        "300",
        "--jpeg-quality",
        "90",
        "--max-faces-from-image",
        "0",
    )
    (frames / "clip_3_a.png").unlink()
    assert extract(frames, output, *arguments, options=()) == 0
    assert seen[1] == (["clip_1_a.png"], "full_face", 1368)
    assert "Found 1 image." in capsys.readouterr().out
    assert read_bgr(output / "clip_1_a_0.jpg").shape[0] == 300 and read_bgr(other).shape[0] == 256
    assert (debug / "clip_1_a.jpg").exists()
    report = json.loads((output / REPORT_NAME).read_text())
    assert report["options"]["detector"] == "embedded" and report["images_found"] == 4


def test_a_video_as_the_folder_names_the_flag_for_videos(tmp_path, capsys):
    video = tmp_path / "clip.mp4"
    video.write_bytes(b"x")
    assert main.main(["extract", "--input-dir", str(video), "--output-dir", str(tmp_path / "out")]) == 2
    assert f"--input-video {video}" in capsys.readouterr().err and not (tmp_path / "out").exists()
