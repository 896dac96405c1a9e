"""The four launchers of the last step, as they are called: videos with sound, masks, bitrate, lossless."""

import numpy as np
import pytest
import video_clips as clips

from core.files.imageio import write_image
from core.video.frames import probe, read_frames
from mainscripts.jobs.step_table import folders, load_steps

FRAMES, WIDTH, HEIGHT = 12, 512, 288
STEPS = load_steps()


def frame(number):
    """Grey noise, of which even 16 megabits a second lose much, and a lossless encoder nothing."""
    noise = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 1), np.uint8)
    return np.repeat(noise, 3, axis=2)


def mask(number):
    """Black around a moving square of grey noise, so that a lossy encoder would be seen here as well."""
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    picture[64:192, 64 + 4 * number : 192 + 4 * number] = frame(100 + number)[64:192, 64:192, 0]
    return picture


@pytest.fixture
def workspace(tmp_path):
    """A destination video with a click at a fifth of a second, merged frames and masks."""
    sound = clips.make_clicks(tmp_path / "s.wav", [0.2], 0.48)
    clips.make_clip(tmp_path / "data_dst.mp4", FRAMES, "25", sound, (WIDTH, HEIGHT))
    for name, picture in (("merged", frame), ("merged_mask", mask)):
        (tmp_path / "data_dst" / name).mkdir(parents=True)
        for number in range(FRAMES):
            write_image(tmp_path / "data_dst" / name / f"{number + 1:05d}.png", picture(number))
    return tmp_path


def launch(workspace, key, *flags):
    """The commands of a launcher; flags go to the first one."""
    for number in range(len(STEPS[key].commands)):
        words = STEPS[key].arguments(folders(workspace), number)
        done = clips.call_main(*words, *(flags if number == 0 else ()), "--keep-priority")
        assert done.returncode == 0, done.stdout + done.stderr


def apart(video, picture):
    """Mean difference of the frames of a video and the pictures that it was made of."""
    frames = list(read_frames(video))
    assert len(frames) == FRAMES
    differences = []
    for number, found in enumerate(frames):
        wanted = picture(number)
        differences.append(np.abs(found.astype(int) - (wanted if wanted.ndim == 3 else wanted[..., None])).mean())
    return max(differences)


@pytest.mark.parametrize(
    ("key", "ending", "flags"),
    [
        ("video-mp4", "mp4", ("--bitrate", 2)), ("video-avi", "avi", ("--bitrate", 2)),
        ("video-mp4-lossless", "mp4", ()), ("video-mov-lossless", "mov", ()),
    ],
)  # fmt: skip
def test_frames_and_masks_become_videos_and_the_sound_goes_with_the_frames(workspace, key, ending, flags):
    launch(workspace, key, *flags)
    result, masks = workspace / f"result.{ending}", workspace / f"result_mask.{ending}"
    assert [len(probe(video).audio) for video in (result, masks)] == [1, 0]
    assert probe(result).fps == probe(masks).fps == 25
    assert clips.find_clicks(result) == pytest.approx([0.2], abs=0.03)
    assert apart(masks, mask) < 1, "masks are lossless in every launcher"
    assert (apart(result, frame) < 1) == ("lossless" in key)


def test_the_bitrate_is_used(workspace):
    sizes, losses = {}, {}
    for rate in (2, 6, 16):
        launch(workspace, "video-mp4", "--bitrate", rate)
        sizes[rate], losses[rate] = (workspace / "result.mp4").stat().st_size, apart(workspace / "result.mp4", frame)
    assert 1.3 * sizes[2] < sizes[6] and 1.3 * sizes[6] < sizes[16], sizes
    assert losses[2] > losses[6] > losses[16] > 1, losses


def test_sound_is_taken_only_when_it_is_asked_for(workspace):
    words = ["videoed", "video-from-sequence", "--input-dir", workspace / "data_dst" / "merged"]
    words += ["--reference-file", workspace / "data_dst.mp4", "--bitrate", 4, "--keep-priority"]
    for flags, tracks in (((), 0), (("--include-audio",), 1)):
        output = workspace / f"{tracks}.mp4"
        assert clips.call_main(*words, "--output-file", output, *flags).returncode == 0
        assert len(probe(output).audio) == tracks
