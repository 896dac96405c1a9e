"""Merging straight into a video: parts, joining without loss, killed and resumed runs."""

import signal
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from merge_workspace import Workspace, interrupt

from core.errors import UserError
from core.video.frames import Sound, frame_times, open_writer, probe, read_frames
from core.video.writing.parts import VideoParts
from merger.frames import Frame
from merger.output import VideoOutput

NTSC = Fraction(30000, 1001)


def pictures(count, size=(96, 64)):
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    return [np.stack([x * 2, y * 3, (x + 9 * n) % 200], -1).astype(np.uint8) for n in range(count)]


def write_parts(folder, suffix, count=20, length=6, **arguments):
    output = folder / f"result{suffix}"
    parts = VideoParts(output, [f"{n:032x}" for n in range(-(-count // length))], length, NTSC, **arguments)
    with VideoOutput(parts) as target:
        for index, image in enumerate(pictures(count)):
            target.add(Frame(index, Path(f"{index}.png")), image, True)
    return parts, output


@pytest.fixture(scope="module")
def tone(tmp_path_factory):
    """A video with one second of sound."""
    from core.video import ffmpeg

    path = tmp_path_factory.mktemp("tone") / "tone.mp4"
    ffmpeg.run(["-f", "lavfi", "-i", "color=s=32x32:d=1", "-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", str(path)])
    return path


@pytest.mark.parametrize(
    "suffix",
    [
        ".mp4",
        ".avi",
        ".webm",
        *(pytest.param(name, marks=pytest.mark.slow) for name in (".mov", ".mkv", ".ts", ".mpg", ".flv")),
    ],
)
def test_joined_parts_have_every_frame_at_its_time(tmp_path, suffix, tone):
    parts, output = write_parts(tmp_path, suffix)
    coded = [image for path in sorted(parts.folder.glob("*.mp4")) for image in read_frames(path)]
    parts.join(output, Sound(tone, probe(tone).audio[0]) if suffix != ".avi" else None, {"title": "joined"})
    joined = list(read_frames(output))
    assert len(joined) == len(coded) == 20 and all(map(np.array_equal, joined, coded))
    if suffix != ".mpg":  # Its frames carry no times that could be read back.
        precision = 0.0012 if suffix in (".mkv", ".webm", ".flv") else 0.0001
        times = np.array(frame_times(output), float)
        assert np.abs(times - times[0] - np.arange(20) / float(NTSC)).max() < precision
    assert suffix == ".avi" or len(probe(output).audio) == 1
    parts.remove()
    assert not parts.folder.exists()


def test_varying_frame_rates_are_kept(tmp_path, tone):
    times = [Fraction(n * n + 40 * n, 1500) + Fraction(1, 10) for n in range(20)]
    sound = Sound(tone, probe(tone).audio[0], times[0])
    parts, output = write_parts(tmp_path, ".mp4", times=times)
    parts.join(output, sound)
    assert len(list(read_frames(output))) == 20
    assert np.abs(np.array(frame_times(output), float) - np.array(times, float)).max() < 1e-4


def test_only_parts_of_the_same_frames_and_settings_are_used(tmp_path):
    parts, output = write_parts(tmp_path, ".mp4")
    assert [parts.is_done(number) for number in range(4)] == [True] * 4
    keys = [f"{n:032x}" for n in (0, 9, 2, 3)]
    (parts.folder / "notes.txt").write_text("mine")
    again = VideoParts(output, keys, 6, NTSC)
    assert [again.is_done(number) for number in range(4)] == [True, False, True, True]
    assert len(list(again.folder.glob("*.mp4"))) == 3 and again.size == (96, 64)
    again.remove()
    assert [path.name for path in again.folder.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "lost, shown", [((0, 1), (2, 2, 2, 3, 4, 5, 6)), ((3, 4), (0, 1, 2, 2, 2, 5, 6)), ((2, 3), (0, 1, 1, 1, 4, 5, 6))]
)
def test_lost_frames_keep_the_length(tmp_path, lost, shown):
    parts = VideoParts(tmp_path / "result.mp4", [f"{n:032x}" for n in range(3)], 3, 25)
    with VideoOutput(parts) as target:
        for index, image in enumerate(np.full((7, 64, 64, 3), np.arange(7)[:, None, None, None] * 30, np.uint8)):
            target.add(Frame(index, Path("x.png")), None if index in lost else image, index not in lost)
    done = [parts.is_done(number) for number in range(3)]
    assert done == [not {number * 3, number * 3 + 1, number * 3 + 2} & set(lost) for number in range(3)]
    parts.join(parts.output)
    levels = [round(image.mean() / 30) for image in read_frames(parts.output)]
    assert levels == list(shown)


def test_a_lost_frame_after_a_finished_part_repeats_its_last_frame(tmp_path):
    images = np.full((6, 64, 64, 3), np.arange(6)[:, None, None, None] * 30, np.uint8)

    def add(indices, lost=()):
        parts = VideoParts(tmp_path / "result.mp4", ["a" * 32, "b" * 32], 3, 25)
        with VideoOutput(parts) as target:
            for index in indices:
                target.add(Frame(index, Path("x.png")), None if index in lost else images[index], index not in lost)
        return parts

    add(range(3))
    parts = add(range(3, 6), lost=(3,))
    parts.join(parts.output)
    assert [round(image.mean() / 30) for image in read_frames(parts.output)] == [0, 1, 2, 2, 4, 5]


def test_frames_of_another_size_are_named(tmp_path):
    parts = VideoParts(tmp_path / "result.mp4", ["a" * 32], 9, 25)
    with (
        pytest.raises(UserError, match=r"b\.png: the merged frame is 32x32, the video is 64x64"),
        VideoOutput(parts) as target,
    ):
        target.add(Frame(0, Path("a.png")), np.zeros((64, 64, 3), np.uint8), True)
        target.add(Frame(1, Path("b.png")), np.zeros((32, 32, 3), np.uint8), True)
    assert not list(parts.folder.iterdir())


class VideoRun:
    """A workspace whose frames are a video, merged into another video."""

    def __init__(self, folder, count=40):
        self.workspace = Workspace(folder, count)
        self.source, self.target = folder / "dst.mp4", folder / "result.mp4"
        frames = [cv2.imread(str(path)) for path in sorted(self.workspace.frames.glob("*.png"))]
        with open_writer(self.source, NTSC, (160, 128)) as writer:
            for frame in frames:
                writer.write(frame)

    def start(self, *extra, **variables):
        return self.workspace.start(
            *("--input-video", self.source, "--output-video", self.target, "--no-provenance", "--yes"),
            *("--aligned-dir", self.workspace.frames / "aligned", "--model-dir", self.workspace.model),
            *("--model", "SAEHD", "--output-mask-dir", self.workspace.masks, *extra),
            PART_FRAMES="7",
            **variables,
        )

    def finish(self, *extra):
        process = self.start(*extra)
        output, _ = process.communicate("", timeout=600)
        return process.returncode, output

    def parts(self):
        return list(self.target.with_name("result.mp4.parts").glob("0*.mp4"))


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_an_interrupted_video_goes_on_and_is_equal(tmp_path, how):
    whole, broken = VideoRun(tmp_path / "whole"), VideoRun(tmp_path / "broken")
    extra = ("--smooth-color", "--color-transfer-mode", "rct")
    assert whole.finish(*extra)[0] == 0
    # Frame 14 closes the second part: it comes 12 frames after its colours and 4 before the last one in work.
    process = broken.start(*extra, "--workers", "2", "--batch-size", "2", STOP_AFTER_FACES="34")
    output = interrupt(process, how, lambda: len(broken.parts()) >= 2)
    assert "Traceback" not in output
    assert len(broken.parts()) == 2 and not broken.target.exists()
    code, output = broken.finish(*extra)
    assert code == 0 and "of 40 frames are merged already" in output, output
    assert broken.target.read_bytes() == whole.target.read_bytes()
    assert not broken.target.with_name("result.mp4.parts").exists() and len(frame_times(broken.target)) == 40
    masks = [sorted(path.read_bytes() for path in run.workspace.masks.glob("*.png")) for run in (whole, broken)]
    assert masks[0] == masks[1] and len(masks[0]) == 40
