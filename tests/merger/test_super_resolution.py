"""Super resolution in the merger: how much of the enhancer's picture ends up in the frame, by its power and its keys."""

import cv2
import numpy as np
import pytest
from merge_stubs import first_set_networks, load, merge
from test_interactive_run import Setup

from merger.settings.config import MergeConfig

INPUTS = load("merge_inputs.npz")
GREEN = np.array((0.1, 0.8, 0.2), np.float32)
PLAIN = {"color_transfer_mode": 0, "mask_mode": 1}


def networks_with(enhance):
    """Fixed networks, with a stand-in for the enhancer: takes a (R, R, 3) face, returns (4R, 4R, 3)."""
    networks = first_set_networks()
    networks.enhance = lambda faces: [enhance(face) for face in faces]
    return networks


def enlarged(face):
    """An enhancer that adds nothing."""
    return cv2.resize(face, (4 * face.shape[1], 4 * face.shape[0]))


def stripes(face):
    """An enhancer whose detail is finer than the face of the model can hold: blue and black columns."""
    picture = np.zeros((4 * face.shape[0], 4 * face.shape[1], 3), np.float32)
    picture[:, ::4, 0] = picture[:, 1::4, 0] = 1
    return picture


def green(face):
    """An enhancer that makes everything green."""
    return np.zeros((4 * face.shape[0], 4 * face.shape[1], 3), np.float32) + GREEN


def merged(enhance, power, **settings):
    """(H, W, 4) float of the frame, with its mask."""
    config = MergeConfig(super_resolution_power=power, **PLAIN | settings)
    return merge(INPUTS["frame_u8"], [INPUTS["lm_A"]], config, networks_with(enhance)).astype(float)


@pytest.mark.parametrize("power", [1, 25, 50, 99, 100])
def test_the_face_is_mixed_by_the_power(power):
    networks = first_set_networks()
    found = merged(stripes, power, mode="raw-predict")
    assert found.shape[:2] == (4 * networks.resolution,) * 2, "four times the size, whatever the power"
    share = power / 100
    expected = 255 * ((1 - share) * enlarged(networks.face) + share * stripes(networks.face))
    np.testing.assert_allclose(found[..., :3], expected, atol=1.01)


@pytest.mark.parametrize("power", [10, 50, 100])
def test_the_frame_gets_the_mix_through_the_mask(power):
    frame, blur = INPUTS["frame_u8"].astype(float), {"blur_mask_modifier": 60}
    without, found = merged(enlarged, 100, **blur), merged(green, power, **blur)
    mask = found[..., 3:] / 255
    np.testing.assert_array_equal(mask, without[..., 3:] / 255)
    outside, inside = mask[..., 0] == 0, mask[..., 0] == 1
    border = ~outside & ~inside
    assert min(outside.sum(), inside.sum(), border.sum()) > 300
    np.testing.assert_array_equal(found[outside][:, :3], frame[outside])
    # What the enhancer adds fades out with the mask: without it, plus the share of the way to green.
    expected = without[..., :3] + power / 100 * (mask * GREEN * 255 + (1 - mask) * frame - without[..., :3])
    np.testing.assert_allclose(found[..., :3], expected, atol=2.5)


def test_without_power_the_enhancer_is_not_asked():
    def fails(face):
        raise AssertionError("asked")

    plain = merged(fails, 0)
    # An enhancer that adds nothing changes the face only by the finer grid on which it is pasted.
    assert np.abs(merged(enlarged, 100) - plain)[..., :3].mean() < 1


@pytest.mark.parametrize(
    ("keys", "power"),
    [
        ("", 0),
        ("t", 1),
        ("T", 5),
        ("tTT", 11),
        ("TTg", 9),
        ("TTG", 5),
        ("g", 0),
        ("G", 0),
        ("T" * 22, 100),
        ("T" * 22 + "G", 95),
    ],
)
def test_keys_set_the_power_of_what_is_written(tmp_path, keys, power):
    setup = Setup(tmp_path, 1)
    setup.networks = networks_with(stripes)
    run = setup.run(keys)
    assert run.merger.frames[0].config.super_resolution_power == power
    expected = merge(
        INPUTS["frame_u8"], [INPUTS["lm_A"]], MergeConfig(super_resolution_power=power), networks_with(stripes)
    )
    found = cv2.imread(str(tmp_path / "merged" / "00001.png"))
    np.testing.assert_array_equal(found, expected[..., :3])
    plain = merge(INPUTS["frame_u8"], [INPUTS["lm_A"]], MergeConfig(), first_set_networks())[..., :3]
    assert (found != plain).any() == (power > 0)
