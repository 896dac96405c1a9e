"""Colour transfers against DeepFaceLab's numbers, and what they promise for any input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from merge_stubs import load, unit

from core.imagelib import color_transfer as transfer

FIRST, SECOND = load("color_transfer.npz"), load("steps_color.npz")


def pictures(data, target):
    return unit(data["src_u8"]), unit(data[target]), (data["mask_u8"] > 0).astype(np.float32)[..., None]


@pytest.fixture(params=["first", "second"])
def golden(request):
    return (FIRST, *pictures(FIRST, "dst_u8")) if request.param == "first" else (SECOND, *pictures(SECOND, "trg_u8"))


def difference(result, expected):
    return np.abs(result.astype(np.float64) - expected).max()


def test_deterministic_modes_equal_golden(golden):
    data, source, target, area = golden
    for mode, name in (("rct", "rct_area"), ("lct", "lct"), ("mkl", "mkl"), ("mkl-m", "mkl_m")):
        result = transfer.color_transfer(mode, source, target, area, area)
        assert difference(result, data[name]) < 1e-4, mode
        assert result.dtype == np.float32


def test_reinhard_counts_soft_mask_pixels_below_half_as_black():
    source, target, _ = pictures(FIRST, "dst_u8")
    soft = unit(FIRST["mask_u8"])
    assert difference(transfer.reinhard(source, target, soft, soft), FIRST["rct_softmask"]) < 1e-4


def test_histogram_match_equals_golden(golden):
    data, source, target, area = golden
    assert difference(transfer.histogram_match(source, target, 238), data["hist_238"]) < 1e-6
    white = [np.minimum(image * area + 1 - area, 1) for image in (source, target)]
    assert difference(transfer.histogram_match(*white, 238), data["hist_masked_238"]) < 1e-6
    if "hist_0" in data:
        assert difference(transfer.histogram_match(source, target, 255), data["hist_255"]) < 1e-6
        assert difference(transfer.histogram_match(source, target, 0), data["hist_0"]) < 1e-6


def test_idt_with_stored_rotations_equals_golden():
    source, target = unit(FIRST["t_src_u8"]), unit(FIRST["t_dst_u8"])
    for result, expected in (
        (transfer.idt(source, target, bins=64, rotations=FIRST["idt16_rot"]), FIRST["idt16_4rot_64bins"]),
        (transfer.idt(source, target, rotations=FIRST["idt16_rot20"]), FIRST["idt16_20rot"]),
        (
            transfer.idt(
                unit(SECOND["t16_src_u8"]), unit(SECOND["t16_trg_u8"]), bins=64, rotations=SECOND["t16_idt_rot"]
            ),
            SECOND["t16_idt_4rot_64bins"],
        ),
    ):
        apart = np.abs(result - expected)
        assert np.quantile(apart, 0.99) < 1e-3 and apart.max() < 5e-2
    source, target, _ = pictures(SECOND, "trg_u8")
    assert difference(transfer.idt(source, target, rotations=SECOND["idt_rot"]), SECOND["idt"]) < 1e-3


def test_sot_with_stored_directions_equals_golden():
    source, target = unit(FIRST["t_src_u8"]), unit(FIRST["t_dst_u8"])
    normals = FIRST["sot16_normals"]
    for regularise, name in ((False, "sot16_2x3_noreg"), (True, "sot16_2x3_reg")):
        result = transfer.sot(source, target, None, 2, 3, regularise, directions=normals)
        assert difference(result, FIRST[name]) < 1e-4
    source, target, area = pictures(SECOND, "trg_u8")
    result = np.clip(transfer.sot(source, target, directions=SECOND["sot_dir"]), 0, 1)
    assert difference(result, SECOND["sot"]) < 2e-4
    result = transfer.sot(source * area, target * area, batch_size=30, directions=SECOND["sot_m_dir"])
    assert difference(np.clip(result, 0, 1), SECOND["sot_m"]) < 2e-3


def test_seeded_modes_follow_numpy_generator():
    source, target, area = pictures(FIRST, "dst_u8")
    for mode, name, tolerance in (("sot", "sot_seed0", 1e-3), ("sot-m", "sot_m_seed0", 2e-3)):
        result = transfer.color_transfer(mode, source, target, area, area, np.random.RandomState(0))
        assert difference(result, FIRST[name]) < tolerance


@pytest.mark.parametrize("mode, name", [("idt", "idt"), ("idt-m", "idt_m"), ("sot-m", "sot_m")])
def test_random_modes_are_statistically_equal(mode, name):
    source, target, area = pictures(FIRST, "dst_u8")
    result = transfer.color_transfer(mode, source, target, area, area, np.random.RandomState(5))
    if f"{name}_mean" in FIRST:
        mean, deviation = (FIRST[f"{name}_{part}"].astype(np.float64) for part in ("mean", "std"))
        assert np.mean(np.abs(result - mean) <= 4 * deviation + 0.01) >= 0.999
    assert_channels_fit(result, name)


@pytest.mark.parametrize("seed", range(4))
def test_mix_has_the_channel_statistics_of_deepfacelab(seed):
    """Single pixels of mix-m jump by up to 0.12 with the order in which a sort leaves equal values; means do not."""
    source, target, area = pictures(FIRST, "dst_u8")
    result = transfer.color_transfer("mix-m", source, target, area, area, np.random.RandomState(seed))
    assert_channels_fit(result, "mix_m")


def assert_channels_fit(result, name):
    """Mean and spread of each channel lie within five deviations of what other seeds gave."""
    pixels = result.reshape(-1, 3).astype(np.float64)
    for values, stored in ((pixels.mean(0), FIRST[f"{name}_chan_mean"]), (pixels.std(0), FIRST[f"{name}_chan_std"])):
        assert (np.abs(values - stored[0]) <= 5 * stored[1] + 0.003).all()


def test_fast_smoothing_equals_the_bilateral_filter():
    import cv2

    rng = np.random.default_rng(1)
    for height, width, strength in ((256, 256, 0.1), (96, 130, 0.1), (96, 96, 0.6)):
        change = cv2.resize(rng.normal(0, strength, (9, 9, 3)).astype(np.float32), (width, height))
        change += rng.normal(0, 0.05, change.shape).astype(np.float32)
        assert difference(transfer.smooth_change(change, 5, 16), cv2.bilateralFilter(change, 0, 5, 16)) < 3e-4


def test_random_rotations_are_proper_rotations():
    rotations = transfer.random_rotations(50, np.random.default_rng(3))
    assert np.allclose(rotations @ rotations.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(rotations), 1)


@settings(max_examples=25, deadline=None)
@given(
    mode=st.sampled_from(transfer.MODES),
    size=st.sampled_from([16, 33]),
    seed=st.integers(0, 10**6),
    flat=st.booleans(),
    empty_mask=st.booleans(),
)
def test_any_picture_gives_finite_values_in_range_and_repeats(mode, size, seed, flat, empty_mask):
    rng = np.random.default_rng(seed)
    source = np.full((size, size, 3), 0.4, np.float32) if flat else rng.random((size, size, 3), np.float32)
    target = rng.random((size, size, 3), np.float32)
    area = np.zeros((size, size), np.float32) if empty_mask else (rng.random((size, size)) > 0.5).astype(np.float32)
    before = source.copy()
    result = transfer.color_transfer(mode, source, target, area, area)
    assert np.isfinite(result).all() and result.min() >= 0 and result.max() <= 1
    assert np.array_equal(result, transfer.color_transfer(mode, source, target, area, area))
    assert np.array_equal(source, before)


def test_large_pictures_sort_exactly():
    values = np.random.default_rng(0).normal(size=70_000).astype(np.float32)
    order = transfer._ascending_order(values, np.arange(len(values), dtype=np.uint64))
    assert np.abs(np.sort(values) - values[order]).max() < 1e-6


@pytest.mark.parametrize("mode", ["rct", "mkl-m", "idt-m", "sot-m", "mix-m"])
def test_with_inside_only_the_pixels_of_the_mask_count(mode):
    rng = np.random.default_rng(1)
    source = (0.3 + 0.05 * rng.random((64, 64, 3))).astype(np.float32)
    target = (0.6 + 0.1 * rng.random((64, 64, 3))).astype(np.float32)
    results, masks = [], [np.zeros((64, 64, 1), np.float32) for _ in range(2)]
    masks[0][16:48, 16:48] = masks[1][8:56, 8:56] = 1
    for mask in masks:
        # What lies outside of the mask must not matter at all.
        dirty = np.where(mask > 0, target, rng.random(target.shape, np.float32))
        changed = transfer.color_transfer(mode, source, dirty, mask, mask, inside=True)
        results.append(changed[20:44, 20:44])
        # idt goes only part of such a long way.
        assert abs(results[-1].mean() - 0.65) < (0.15 if mode == "idt-m" else 0.02)
    assert np.abs(results[0] - results[1]).mean() < 0.02
