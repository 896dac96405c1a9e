"""Steadiness: less jitter of a still face, no worse error on a turn, less flicker of colours, cuts respected."""

from pathlib import Path

import numpy as np
import pytest
from merge_stubs import load

from merger.frames import Frame
from merger.pipeline import Job, merge_frames
from merger.settings.config import COLOR_TRANSFER_MODES, MergeConfig
from merger.smoothing import ColoredFace, face_tracks, smallest_gain, smooth_colors, smooth_landmarks

FACE = load("merge_inputs.npz")["lm_A"].astype(np.float64) * 3


def frames_of(points):
    return [Frame(index, Path(f"{index}.png"), (face,)) for index, face in enumerate(points)]


def smoothed(points, factor=5):
    return np.stack([frame.faces[0] for frame in smooth_landmarks(frames_of(points), factor)])


def turn(count=60, at=30, width=6, distance=60):
    """A still face that quickly moves to the side and turns: its points move by different amounts."""
    progress = np.clip((np.arange(count) - at) / width, 0, 1)
    progress = progress**2 * (3 - 2 * progress)
    depth = 0.5 + (FACE[:, 0] - FACE[:, 0].min()) / np.ptp(FACE[:, 0])
    moves = np.zeros((count, 68, 2))
    moves[..., 0] = progress[:, None] * distance * depth
    return FACE + moves


def jitter(points):
    """Movement from frame to frame."""
    return np.sqrt(np.mean(np.diff(points, axis=0) ** 2))


@pytest.mark.parametrize("seed", range(4))
def test_jitter_of_a_still_face_falls_four_times(seed):
    noisy = FACE + np.random.default_rng(seed).normal(0, 1.0, (120, 68, 2))
    calm = smoothed(noisy)
    assert jitter(noisy) / jitter(calm) >= 4
    assert np.std(noisy - FACE) / np.std(calm - FACE) >= 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("width", [2, 6, 15])
def test_peak_error_on_a_fast_turn_does_not_grow(seed, width):
    truth = turn(width=width)
    noisy = truth + np.random.default_rng(seed).normal(0, 1.0, truth.shape)
    peak = np.abs(noisy - truth).max()
    result = smoothed(noisy)
    assert np.abs(result - truth).max() <= peak
    assert np.std(result[:20] - truth[:20]) < np.std(noisy[:20] - truth[:20]) / 3


def test_a_blink_of_one_part_is_kept():
    truth = np.repeat(FACE[None], 60, axis=0)
    truth[30:33, 36:48, 1] += 12
    noisy = truth + np.random.default_rng(1).normal(0, 1.0, truth.shape)
    assert np.abs(smoothed(noisy) - truth).max() <= np.abs(noisy - truth).max()


def test_tracks_end_at_cuts_and_missing_faces():
    other = FACE + [400, 0]
    faces = [[FACE], [FACE + 1], [], [FACE], [other], [other, FACE], [FACE, other]]
    tracks = sorted(face_tracks(faces))
    assert tracks == [[(0, 0), (1, 0)], [(3, 0)], [(4, 0), (5, 0), (6, 1)], [(5, 1), (6, 0)]]


def test_a_cut_is_not_smoothed_over():
    points = np.concatenate([np.repeat(FACE[None], 20, 0), np.repeat(FACE[None] + [300, 0], 20, 0)])
    noisy = points + np.random.default_rng(0).normal(0, 0.5, points.shape)
    assert np.abs(smoothed(noisy) - points).max() < 2.5


def test_factor_one_and_short_tracks_change_nothing():
    noisy = FACE + np.random.default_rng(0).normal(0, 1, (30, 68, 2))
    assert np.array_equal(smoothed(noisy, 1), noisy)
    assert np.array_equal(smoothed(noisy[:3]), noisy[:3])


def test_smallest_gain_divides_white_noise():
    noise = np.random.default_rng(0).normal(size=200_000)
    gain = smallest_gain(5)
    for _ in range(2):
        value, result = 0.0, []
        for sample in noise:
            value += gain * (sample - value)
            result.append(value)
        noise = np.array(result[::-1])
    assert 1 / np.std(noise) == pytest.approx(5, rel=0.05)


def colors(values, cut=None):
    for index, value in enumerate(values):
        landmarks = FACE + ([400, 0] if cut is not None and index >= cut else [0, 0])
        yield index, [ColoredFace(landmarks, np.stack([np.full(3, value), np.full(3, 10.0)]))]


def test_flicker_falls_and_cuts_stay():
    rng = np.random.default_rng(0)
    light = np.where(np.arange(80) < 40, 50.0, 70.0)
    noisy = light + rng.normal(0, 2, 80)
    results = list(smooth_colors(colors(noisy, cut=40)))
    assert [index for index, _ in results] == list(range(80))
    calm = np.array([statistics[0][0, 0] for _, statistics in results])

    def flicker(values):
        return np.abs(np.diff(values[:40])).mean() + np.abs(np.diff(values[40:])).mean()

    assert flicker(noisy) / flicker(calm) >= 2
    assert np.abs(calm - light).max() < np.abs(noisy - light).max()


def test_look_ahead_is_bounded():
    taken = []

    def stream():
        for index, faces in colors(np.zeros(100)):
            taken.append(index)
            yield index, faces

    for index, _ in smooth_colors(stream()):
        assert taken[-1] <= index + 12


class FlickeringNetworks:
    """Its face follows the light of what it sees, as a trained model's does."""

    resolution = 64

    def predict(self, faces, morph):
        light = faces.mean(axis=(1, 2, 3), keepdims=True)
        data = load("merge_inputs.npz")
        face = data["face_u8"].astype(np.float32) / 255
        masks = [
            np.stack([data[name].astype(np.float32) / 255] * len(faces)) for name in ("prd_mask_u8", "dst_mask_u8")
        ]
        return face[None] * (0.5 + light), *masks


@pytest.mark.parametrize("transfer", ["rct", "mkl"])
def test_flicker_of_a_merged_clip_falls_at_least_twice(transfer):
    data = load("merge_inputs.npz")
    landmarks = data["lm_A"]
    config = MergeConfig(color_transfer_mode=COLOR_TRANSFER_MODES.index(transfer), mask_mode=2)

    def jobs(lights):
        for index, light in enumerate(lights):
            image = np.clip(data["frame_u8"] * light, 0, 255).astype(np.uint8)
            yield Job(Frame(index, Path(f"{index}.png"), (landmarks,)), config, image)

    def flicker(steady):
        light = []

        def write(job, image, mask):
            light.append((job.frame.index, image[mask > 128].mean()))

        lights = 0.8 + np.random.default_rng(3).normal(0, 0.03, 40)
        list(merge_frames(jobs(lights), FlickeringNetworks(), write, 2, 4, steady))
        values = np.array([value for _, value in sorted(light)])
        assert len(values) == 40
        return np.abs(np.diff(values)).mean()

    assert flicker(False) / flicker(True) >= 2
