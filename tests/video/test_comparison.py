"""A video that shows an original beside its results: every layout, the frames, the sound, the mark."""

import cv2
import numpy as np
import pytest
import video_clips as clips

import main
from core.video.comparison import arranged
from core.video.frames import read_frames
from core.video.reading.probe import probe
from mainscripts.videoed import COMPARISONS

GREY, DARK, LIGHT = ((np.full((48, 64, 3), value, np.uint8)) for value in (100, 60, 130))


def test_layouts():
    assert arranged([GREY, DARK], "beside").shape == (48, 128, 3)
    assert arranged([GREY, DARK, LIGHT], "above").shape == (144, 64, 3)
    strips = arranged([GREY, DARK, LIGHT], "wipe")
    assert strips.shape == GREY.shape
    assert [int(strips[5, x, 0]) for x in (5, 30, 60)] == [100, 60, 130]
    changed = arranged([GREY, DARK, LIGHT], "difference")
    assert changed.shape == (48, 128, 3) and (changed[:, :64] == 160).all() and (changed[:, 64:] == 120).all()


@pytest.mark.parametrize("layout", COMPARISONS)
def test_labels_are_written_into_what_is_shown_and_leave_the_pictures_alone(layout):
    picture = arranged([GREY, GREY], layout, ("original", "result"))
    plain = arranged([GREY, GREY], layout)
    assert (picture != plain).any() == (layout != "wipe")
    assert (GREY == 100).all()


@pytest.fixture
def videos(tmp_path):
    """A clip with sound, a result whose pictures are darker, and one of half the size."""
    sound = clips.make_clicks(tmp_path / "s.wav", [0.4], 0.96)
    original = clips.make_clip(tmp_path / "original.mp4", 24, "25", sound)
    frames = list(read_frames(original))
    results = []
    for name, scale in (("result", 1), ("small", 2)):
        folder = tmp_path / name
        folder.mkdir()
        for number, frame in enumerate(frames, 1):
            part = frame[::scale, ::scale] // 2
            cv2.imwrite(str(folder / f"{number:05d}.png"), part)
        words = ["--input-dir", folder, "--output-file", tmp_path / f"{name}.mp4", "--reference-file", original]
        assert run("video-from-sequence", *words, "--bitrate", 8, "--include-audio") == 0
        results.append(tmp_path / f"{name}.mp4")
    return original, results


def run(*words):
    return main.main(["videoed", *map(str, words)])


def test_a_result_beside_its_original_with_sound_and_mark(tmp_path, videos, capsys):
    original, results = videos
    output = tmp_path / "compared.mp4"
    words = ["--original-file", original, "--output-file", output, "--bitrate", 8, "--no-labels"]
    assert run("compare", *words, "--result-file", results[0]) == 0
    info, before = probe(output), probe(original)
    width, height = before.display_size
    assert info.display_size == (2 * width, height) and info.audio and before.audio
    assert abs(info.duration - before.duration) < 0.06
    np.testing.assert_allclose(clips.find_clicks(output), clips.find_clicks(original), atol=0.03)
    shown, frames = list(read_frames(output)), list(read_frames(original))
    assert len(shown) == len(frames)
    for number, (picture, frame) in enumerate(zip(shown, frames)):
        assert clips.read_number(picture[:, :width]) == number
        assert np.abs(picture[:, :width].astype(int) - frame).mean() < 6
        assert np.abs(picture[:, width:].astype(int) - frame // 2).mean() < 8
    assert run("verify", output) == 0
    assert "Made from: result.mp4" in capsys.readouterr().out


def test_several_results_and_another_size(tmp_path, videos, capsys):
    original, results = videos
    output = tmp_path / "compared.mkv"
    words = ["--original-file", original, "--output-file", output, "--bitrate", 8, "--layout", "above", "--no-audio"]
    assert run("compare", *words, "--result-file", results[0], "--result-file", results[1], "--no-provenance") == 0
    width, height = probe(original).display_size
    assert probe(output).display_size == (width, 3 * height) and not probe(output).audio
    assert f"Results of another size are scaled to {width}x{height}." in capsys.readouterr().out


def test_a_shorter_result_ends_the_comparison_and_that_is_said(tmp_path, videos, capsys):
    original, _ = videos
    short = clips.make_clip(tmp_path / "short.mp4", 10)
    output = tmp_path / "compared.mp4"
    words = [
        "--original-file",
        original,
        "--result-file",
        short,
        "--output-file",
        output,
        "--bitrate",
        8,
        "--no-provenance",
    ]
    assert run("compare", *words) == 0
    assert len(list(read_frames(output))) == 10
    told = capsys.readouterr()
    assert "short.mp4: ends after 10 frames, before the others; so does the comparison." in told.out + told.err


def test_a_longer_result_is_said_too(tmp_path, capsys):
    original, longer = clips.make_clip(tmp_path / "o.mp4", 6), clips.make_clip(tmp_path / "r.mp4", 9)
    words = ["--original-file", original, "--result-file", longer, "--output-file", tmp_path / "c.mp4", "--bitrate", 8]
    assert run("compare", *words, "--no-provenance") == 0
    told = capsys.readouterr()
    assert "o.mp4: ends after 6 frames, before the others" in told.out + told.err


def test_a_compared_video_is_not_written_over(tmp_path, videos, capsys):
    original, results = videos
    before = results[0].read_bytes()
    words = ["--original-file", original, "--result-file", results[0], "--output-file", results[0], "--bitrate", 8]
    assert run("compare", *words) == 2
    assert "is one of the videos that are compared" in capsys.readouterr().err
    assert results[0].read_bytes() == before
