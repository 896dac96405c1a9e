"""Filters against DeepFaceLab's numbers."""

import numpy as np
import pytest
from merge_stubs import load, unit

from core.imagelib import filters

FIRST, SECOND = load("filters.npz"), load("steps_filters.npz")


def difference(result, expected):
    return np.abs(result.astype(np.float64) - expected).max()


def test_blur_sharpen_equals_golden():
    image = unit(FIRST["img_u8"])
    for number, (mode, amount) in enumerate(FIRST["bs_combos"]):
        if f"bs{number}_out" in FIRST:
            assert difference(filters.blur_sharpen(image, int(mode), amount), FIRST[f"bs{number}_out"]) < 1e-4
    image = unit(SECOND["img_u8"])
    assert difference(filters.box_sharpen(image, 3, 5), SECOND["bs_k5_box_3"]) < 1e-4
    assert difference(filters.gaussian_sharpen(image, 3, 4), SECOND["bs_k4_gauss_3"]) < 1e-4


def test_motion_blur_equals_golden():
    image = unit(FIRST["img_u8"])
    for number, (size, degrees) in enumerate(FIRST["mb_combos"]):
        expected = FIRST[f"mb{number}_impulse"]
        impulse = np.zeros_like(expected)
        impulse[expected.shape[0] // 2, expected.shape[1] // 2] = 1
        assert difference(filters.motion_blur(impulse, int(size), degrees), expected) < 6e-3
        if f"mb{number}_out" in FIRST:
            assert difference(filters.motion_blur(image, int(size), degrees), FIRST[f"mb{number}_out"]) < 1e-3


def test_degrades_equal_golden():
    image, frame = unit(FIRST["img_u8"]), unit(SECOND["frame_u8"])
    assert difference(filters.denoise(image, 55), FIRST["denoise_55"]) < 1e-4
    assert difference(filters.denoise(frame, 55), SECOND["denoise_55"]) < 1e-4
    assert difference(filters.bicubic_degrade(image, 90), FIRST["bicubic_90"]) < 1e-4
    assert difference(filters.bicubic_degrade(frame, 50), SECOND["bicubic_50"]) < 1e-4


def test_color_reduction_equals_golden():
    for picture, colors, expected in (
        (FIRST["img_u8"], 256, FIRST["reduce_256"]),
        (FIRST["img_u8"], 16, FIRST["reduce_16"]),
        (FIRST["reduce_big_in_u8"], 256, FIRST["reduce_big_256"]),
        (SECOND["img_u8"], 64, SECOND["reduce_64_u8"]),
    ):
        reduced = np.rint(filters.reduce_colors(unit(picture), colors) * 255)
        assert np.mean((reduced != expected).any(axis=-1)) <= 0.005


def test_bicubic_degrade_leaves_a_pixel_of_a_small_frame():
    image = np.random.default_rng(0).random((20, 30, 3), np.float32)
    assert filters.bicubic_degrade(image, 100).shape == image.shape


def test_repeated_median_stops_when_nothing_changes(monkeypatch):
    passes = []
    median = filters.cv2.medianBlur
    monkeypatch.setattr(filters.cv2, "medianBlur", lambda *arguments: passes.append(1) or median(*arguments))
    flat = np.full((32, 32, 3), 0.25, np.float32)
    assert np.array_equal(filters.denoise(flat, 500), flat)
    assert len(passes) == 1


@pytest.mark.parametrize("shape", [(9, 9), (9, 9, 1), (9, 9, 3)])
def test_filters_keep_the_shape(shape):
    image = np.random.default_rng(0).random(shape, np.float32)
    for mode in (0, 1, 2):
        for amount in (-15, 0, 7):
            assert filters.blur_sharpen(image, mode, amount).shape == shape
    assert filters.motion_blur(image, 4, 30).shape == shape
    assert filters.color_degrade(image, 0) is image
