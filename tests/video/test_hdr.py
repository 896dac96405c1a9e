"""HDR videos: tone-mapped and said to be, or kept with all their bits; the tags of results are true."""

import subprocess

import numpy as np
import pytest
import video_clips as clips

from core.files.imageio import read_image
from core.files.paths import list_images
from core.video.ffmpeg import ffmpeg_program
from core.video.frames import probe, read_frames
from core.video.reading.hdr import pq_decode, pq_encode, tone_map
from core.video.reading.probe import SDR

TRANSFERS = {"PQ": "smpte2084", "HLG": "arib-std-b67"}
WIDTH, HEIGHT = 128, 64
LIGHTS = (0, 1, 50, 203, 1000)  # cd/m², a bar of each


def hdr_clip(path, kind, peak=None):
    """Three grey pictures with a bar for each of ``LIGHTS``, ten bits, tagged as PQ or HLG."""
    values = pq_encode(LIGHTS) if kind == "PQ" else np.linspace(0, 1, len(LIGHTS))
    row = np.repeat(np.round(values * 65535).astype("<u2"), WIDTH // len(LIGHTS) + 1)[:WIDTH]
    picture = np.repeat(np.tile(row, (HEIGHT, 1))[:, :, None], 3, axis=2)
    tags = f"colorprim=bt2020:transfer={TRANSFERS[kind]}:colormatrix=bt2020nc:range=limited:log-level=error:lossless=1"
    if peak:
        tags += f":hdr10=1:max-cll={peak},100"
    command = [
        ffmpeg_program(),
        "-v",
        "error",
        "-y",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb48le",
        "-s",
        f"{WIDTH}x{HEIGHT}",
    ]
    command += [
        "-framerate",
        "25",
        "-i",
        "pipe:",
        "-vf",
        "scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le",
    ]
    marks = [
        "-colorspace",
        "bt2020nc",
        "-color_primaries",
        "bt2020",
        "-color_trc",
        TRANSFERS[kind],
        "-color_range",
        "tv",
    ]
    command += [*marks, "-c:v", "libx265", "-x265-params", tags, str(path)]
    subprocess.run(command, input=picture.tobytes() * 3, check=True)
    return path


def bars(image):
    """The middle value of each bar."""
    width = WIDTH // len(LIGHTS) + 1
    return [int(image[HEIGHT // 2, min(WIDTH - 3, number * width + width // 2), 1]) for number in range(len(LIGHTS))]


@pytest.fixture(scope="module", params=TRANSFERS)
def hdr(request, tmp_path_factory):
    return hdr_clip(tmp_path_factory.mktemp("hdr") / "in.mkv", request.param), request.param


def extract(video, folder, *arguments):
    done = clips.call_main("videoed", "extract-video", "--input-file", video, "--output-dir", folder, "--fps", 0,
                           *arguments)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done, list_images(folder)


def encode(folder, video, output, *arguments):
    done = clips.call_main("videoed", "video-from-sequence", "--input-dir", folder, "--output-file", output,
                           "--reference-file", video, "--no-provenance", "--lossless", *arguments)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done, probe(output)


def test_pq_follows_its_standard():
    assert pq_encode([0, 100, 10000]) == pytest.approx([7.3e-7, 0.50808, 1], abs=1e-4)
    assert pq_decode(pq_encode([0.5, 203, 4000])) == pytest.approx([0.5, 203, 4000])


@pytest.mark.parametrize("peak", [None, 150, 1000, 4000])
def test_tone_mapping_keeps_dark_grey_and_order_and_ends_at_white(peak):
    lights = np.array([0, 1, 10, 50, 100, 203, 400, 1000, peak or 1000])
    picture = np.repeat(np.round(pq_encode(np.sort(lights)) * 65535).astype(np.uint16)[None, :, None], 3, axis=2)
    mapped = tone_map(picture, "smpte2084", peak)[0]
    assert mapped.dtype == np.uint8 and np.ptp(mapped.astype(int), axis=1).max() <= 1
    level = mapped[:, 1].astype(int)
    assert (np.diff(level) >= 0).all() and level[0] == 0 and level[-1] == 255
    assert level[3] == pytest.approx(255 * (50 / 203) ** (1 / 2.4), abs=2)


def test_saturated_colours_keep_their_hue():
    blue, green, red = (np.round(pq_encode([light]) * 65535).astype(np.uint16) for light in (5, 20, 600))
    mapped = tone_map(np.dstack([blue, green, red]).reshape(1, 1, 3), "smpte2084")[0, 0]
    assert mapped[2] > 240 and mapped[2] > mapped[1] + 60 and mapped[2] > mapped[0] + 60


def test_frames_are_tone_mapped_and_the_user_is_told(tmp_path, hdr):
    video, kind = hdr
    done, images = extract(video, tmp_path / "f", "--output-ext", "png")
    assert f"is HDR ({kind})" in done.stdout and "tone-mapped" in done.stdout
    frame = read_image(images[0])
    assert frame.dtype == np.uint8 and len(images) == 3
    level = bars(frame)
    assert level == sorted(level) and level[0] <= 1 and level[-1] >= 250
    if kind == "PQ":
        assert level[2] == pytest.approx(255 * (50 / 203) ** (1 / 2.4), abs=3)
    _, jpegs = extract(video, tmp_path / "j", "--output-ext", "jpg")
    assert bars(read_image(jpegs[0])) == pytest.approx(level, abs=4)
    done, info = encode(tmp_path / "f", video, tmp_path / "o.mp4")
    assert info.colour == SDR and "tone-mapped" in done.stdout
    assert bars(next(read_frames(tmp_path / "o.mp4"))) == pytest.approx(level, abs=3)


def test_kept_values_come_back_with_true_tags(tmp_path, hdr):
    video, kind = hdr
    done, images = extract(video, tmp_path / "f", "--output-ext", "png", "--hdr", "keep")
    assert "its values are kept" in done.stdout
    frame = read_image(images[0])
    assert frame.dtype == np.uint16
    wanted = pq_encode(LIGHTS) if kind == "PQ" else np.linspace(0, 1, len(LIGHTS))
    assert bars(frame) == pytest.approx(wanted * 65535, abs=120)
    done, info = encode(tmp_path / "f", video, tmp_path / "o.mkv", "--ten-bit")
    assert info.colour == probe(video).colour and info.colour.transfer == TRANSFERS[kind] and info.bit_depth == 10
    assert bars(next(read_frames(tmp_path / "o.mkv", deep=True))) == pytest.approx(bars(frame), abs=160)
    done, _ = encode(tmp_path / "f", video, tmp_path / "o.mp4")
    assert "shows bands" in done.stderr


def test_the_peak_of_a_film_is_read_and_spares_its_highlights(tmp_path):
    video = hdr_clip(tmp_path / "bright.mkv", "PQ", peak=4000)
    assert probe(video).peak_luminance == 4000
    assert probe(hdr_clip(tmp_path / "plain.mkv", "PQ")).peak_luminance is None
    assert bars(next(read_frames(video, keep_hdr=False)))[-1] < 253


def test_usual_videos_are_not_touched(tmp_path):
    video = clips.make_clip(tmp_path / "a.mp4", 2)
    done, _ = extract(video, tmp_path / "f", "--output-ext", "png")
    assert "HDR" not in done.stdout + done.stderr
