"""Whole merges against both golden sets, and the promises of the box: untouched pixels and equal results."""

import json

import cv2
import numpy as np
import pytest
from merge_stubs import (
    FixedNetworks,
    config_of,
    first_set_networks,
    generator_of,
    load,
    merge,
    read_json,
    unit,
    xseg_second_set,
)

from core.imagelib import color_transfer
from merger import masks
from merger.compose import Motion, prepare_face
from merger.settings.config import MergeConfig

INPUTS, OUTPUTS = load("merge_inputs.npz"), load("merge_outputs.npz")
CASES = read_json("merge_cases.json")
RUNS = load("merger_runs.npz")
RUN_LIST = json.loads(str(RUNS["runs_json"]))

EDGES = {"overlay_mask0", "overlay_mask1", "overlay_scale_m20_sharp", "raw_rgb", "raw_rgb_scale_m10"}
SHARPENED = {"sharpen_box20", "sharpen_gauss20"}
PALETTES = {"color_degrade_100", "everything"}
RANDOM = {"overlay_idt": (4, 0.15), "overlay_idt_m": (4, 0.15), "overlay_sot_m": (1, 0.0), "overlay_mix_m": (8, 0.30)}


def limits(name):
    """Largest level difference, share above 1, share above 3."""
    if name in EDGES:
        return 12, 0.006, 0.001
    if name.startswith("seamless"):
        return 10, 0.006, 0.0005
    if name in SHARPENED:
        return 14, 0.05, 0.015
    if name in PALETTES:
        return 255, 0.04, 0.02
    return 3, 0.001, 0.0002


def expected_of(case):
    stored = OUTPUTS[case["name"]]
    if case["name"] == "sr100_raw_predict":
        return np.dstack([stored[..., :3], OUTPUTS["sr100_raw_predict__mask_clipped_u8"].reshape(stored.shape[:2])])
    frame = INPUTS["frame_u8"]
    if stored.shape[:2] == frame.shape[:2]:
        return np.dstack([frame + stored[..., :3], stored[..., 3]])
    return stored


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_first_set(case):
    landmarks = [INPUTS[f"lm_{name}"] for name in case["landmarks"]]
    motion = Motion(case["motion_deg"], case["motion_power"])
    result = merge(
        INPUTS["frame_u8"], landmarks, config_of(case), first_set_networks(), motion, generator_of(case), False
    )
    expected = expected_of(case)
    assert result.shape == expected.shape
    apart = np.abs(result.astype(int) - expected)
    if case["name"] in RANDOM:
        mean, share = RANDOM[case["name"]]
        inside = apart[expected[..., 3] > 0][:, :3]
        assert inside.mean() <= mean and (inside > 8).mean() <= share
        apart = apart[expected[..., 3] == 0]
        assert apart.max() <= 3
        return
    largest, above_one, above_three = limits(case["name"])
    assert apart.max() <= largest
    assert (apart > 1).mean() <= above_one
    assert (apart > 3).mean() <= above_three
    if case["name"] in PALETTES:
        assert apart.mean() <= 0.3


@pytest.mark.parametrize("case", RUN_LIST, ids=[case["name"] for case in RUN_LIST])
def test_second_set(case, monkeypatch):
    if f"idt_rot_{case['name']}" in RUNS:
        rotations = RUNS[f"idt_rot_{case['name']}"]
        monkeypatch.setattr(color_transfer, "random_rotations", lambda count, rng: rotations)
    frame = RUNS[f"frame_{case['frame']}"]
    masks_ = (unit(RUNS["prdmask"]), unit(RUNS["dstmask"]))
    networks = FixedNetworks(unit(RUNS["face"]), *masks_, xseg_second_set)
    names = case["landmarks"] if isinstance(case["landmarks"], list) else [case["landmarks"]]
    motion = Motion(case["motion_deg"], case["motion_power"])
    landmarks = [RUNS[f"lm_{name}"] for name in names]
    result = merge(frame, landmarks, config_of(case), networks, motion, generator_of(case), False)
    if case["name"] == "raw_predict":
        expected = RUNS["out_raw_predict"]
    else:
        stored = RUNS[f"dout_{case['name']}"]
        expected = np.dstack([frame + stored[..., :3], stored[..., 3]])
    apart = np.abs(result.astype(int) - expected)
    allowed = 4 if "sharpen" in case["name"] else 6 if "everything" in case["name"] else 3
    assert apart[..., :3].mean() < 0.15
    assert (apart[..., :3] > allowed).mean() < 0.001
    assert apart[..., 3].max() <= 6


@pytest.mark.parametrize("name", ["mask_modifiers.npz", "steps_masks.npz"])
def test_mask_modifiers_equal_golden(name):
    data = load(name)
    mask = unit(data["mask_u8"])
    mask[mask < masks.LEAST_VISIBLE] = 0
    enlarged = cv2.resize(mask, (128, 128), interpolation=cv2.INTER_CUBIC)
    checked = 0
    for number, (erode, blur) in enumerate(data["combos"]):
        if f"out{number}" in data:
            assert np.abs(masks.modify(enlarged, int(erode), int(blur)) - data[f"out{number}"]).max() < 1e-4
            checked += 1
    assert checked >= 7
    if "full_blur30" in data:
        ones = np.ones((128, 128), np.float32)
        assert np.abs(masks.modify(ones, 0, 30) - data["full_blur30"]).max() < 1e-4
        assert np.abs(masks.modify(ones, 0, 0) - data["full_blur0"]).max() == 0


@pytest.mark.parametrize("case", ["overlay_mask4", "sr50_overlay_rct", "ft_whole_face"])
def test_network_input_equals_golden(case):
    settings = {"overlay_mask4": {}, "sr50_overlay_rct": {"super_resolution_power": 50}, "ft_whole_face": {}}[case]
    config = MergeConfig(face_type="whole_face" if case == "ft_whole_face" else "full", **settings)
    face = prepare_face(INPUTS["frame_u8"], INPUTS["lm_A"], config, 64)
    expected = INPUTS[f"predictor_input_{case}"].astype(np.float32)
    assert np.abs(face.network_input - expected).max() <= 2 / 255


def test_xseg_sees_the_faces_that_dfl_shows_it():
    networks = first_set_networks()
    merge(INPUTS["frame_u8"], [INPUTS["lm_A"]], MergeConfig(mask_mode=8, color_transfer_mode=0), networks)
    for seen, name in zip(networks.xseg_inputs, ("xseg_in_prd_u8x", "xseg_in_dst_u8x"), strict=True):
        expected = INPUTS[name].astype(int)
        assert np.abs(np.rint(np.clip(seen, 0, 1) * 255)[::2, ::2] - expected).max() <= 2


def embedded(frame, left, top, width, height):
    """The frame as part of a larger one."""
    rng = np.random.default_rng(4)
    large = rng.integers(0, 256, (height, width, 3), np.uint8)
    large[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return large


@pytest.mark.parametrize("mode", ["overlay", "hist-match", "seamless", "seamless-hist-match", "raw-rgb"])
@pytest.mark.parametrize("transfer", [0, 1, 7])
def test_pixels_away_from_the_face_are_untouched(mode, transfer):
    frame = embedded(INPUTS["frame_u8"], 300, 200, 900, 600)
    landmarks = INPUTS["lm_A"] + [300, 200]
    config = MergeConfig(mode=mode, color_transfer_mode=transfer, blur_mask_modifier=20, blursharpen_amount=10)
    result = merge(frame, [landmarks], config, first_set_networks())
    if mode == "raw-rgb":
        outside = np.ones(frame.shape[:2], bool)
        outside[190:340, 290:470] = False
    else:
        outside = result[..., 3] == 0
    assert np.array_equal(result[outside][:, :3], frame[outside])
    assert (result[~outside][:, :3] != frame[~outside]).any()


@pytest.mark.parametrize("denoise", [0, 10])
def test_a_face_larger_than_its_crop_has_no_black_rim(denoise):
    settings = {"mask_mode": 0, "color_transfer_mode": 0, "output_face_scale": -20, "image_denoise_power": denoise}
    config = MergeConfig(**settings, sharpen_mode=1, blursharpen_amount=1)
    arguments = (INPUTS["frame_u8"], [INPUTS["lm_A"]], config, first_set_networks())
    ours, theirs = merge(*arguments), merge(*arguments, keep_rim=False)
    rim = (ours != theirs).any(axis=2)
    assert rim.mean() > 0.02
    assert ours[rim].mean() > 2 * theirs[rim].mean()


def test_a_face_outside_of_the_frame_changes_nothing():
    frame = INPUTS["frame_u8"]
    for mode in ("overlay", "seamless", "raw-rgb"):
        result = merge(frame, [INPUTS["lm_A"] + [5000, 0]], MergeConfig(mode=mode), first_set_networks())
        assert np.array_equal(result[..., :3], frame) and not result[..., 3].any()


def test_original_asks_the_networks_only_for_the_mask():
    networks = first_set_networks()
    result = merge(INPUTS["frame_u8"], [INPUTS["lm_A"]], MergeConfig(mode="original", mask_mode=1), networks)
    assert networks.calls == 0 and result[..., 3].any()
    merge(INPUTS["frame_u8"], [INPUTS["lm_A"]], MergeConfig(mode="original", mask_mode=4), networks)
    assert networks.calls == 1


def test_enhancer_runs_only_with_power():
    networks = first_set_networks()
    merge(INPUTS["frame_u8"], [INPUTS["lm_A"]], MergeConfig(), networks)
    assert networks.enhanced == 0
    merge(INPUTS["frame_u8"], [INPUTS["lm_A"]], MergeConfig(super_resolution_power=1), networks)
    assert networks.enhanced == 1


def test_all_frames_use_the_same_random_directions():
    config = MergeConfig(color_transfer_mode=7)
    first, second = (merge(INPUTS["frame_u8"], [INPUTS["lm_A"]], config, first_set_networks()) for _ in range(2))
    assert np.array_equal(first, second)
