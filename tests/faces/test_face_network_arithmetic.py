"""Box decoding, landmark crops and heat maps, and the enhancer's patches against DeepFaceLab's numbers."""

from pathlib import Path

import numpy as np
import pytest

from facelib.aligners.fan_points import SAMPLE_SHIFTS, FanCrop, peaks
from facelib.detectors.boxes import (
    boxes_in_frame,
    decode_maps,
    non_maximum_suppression,
    select_faces,
)
from facelib.enhancer import enhance_in_patches, enhance_picture

GOLDEN = Path(__file__).parents[1] / "golden" / "facenets"
BOXES, FAN, PATCHES = (np.load(GOLDEN / name) for name in ("s3fd_decode.npz", "fan.npz", "enhancer_patches.npz"))


def network_size_by_rule(width, height):
    longest = max(width, height)
    target = max(64, 640 if longest >= 1280 else longest / 2)
    return longest / target


@pytest.mark.parametrize("case", range(3))
def test_boxes_equal_golden(case):
    maps = [[BOXES[f"c{case}_{kind}_{level}"] for level in range(6)] for kind in ("score", "reg")]
    refined = select_faces(decode_maps(*maps))
    np.testing.assert_array_equal(refined, BOXES[f"c{case}_refined"])
    scale = network_size_by_rule(*BOXES[f"c{case}_image_wh"])
    faces = boxes_in_frame(refined, scale)
    np.testing.assert_array_equal(faces, BOXES[f"c{case}_faces"])


def test_suppression_equals_golden_and_handles_nothing():
    np.testing.assert_array_equal(non_maximum_suppression(BOXES["nms_dets"]), BOXES["nms_keep_03"])
    nothing = decode_maps([np.zeros((3, 4), np.float32)], [np.zeros((3, 4, 4), np.float32)])
    assert select_faces(nothing).shape == (0, 4)
    assert boxes_in_frame(select_faces(nothing), 2.0) == []


def test_crops_equal_golden():
    for rect, center, scale in zip(FAN["rects"], FAN["centers"], FAN["scales"]):
        crop = FanCrop.around(rect)
        np.testing.assert_allclose(crop.center, center)
        assert crop.side == pytest.approx(200 * scale)
    for rect, expected in zip(FAN["rects"], FAN["crops"]):
        np.testing.assert_array_equal(FanCrop.around(rect).cut(FAN["image_bgr"]), expected)


def test_a_crop_outside_the_picture_is_none():
    image = FAN["image_bgr"]
    for rect in ((-900, 0, -800, 100), (0, 2000, 100, 2100), (50, 50, 50, 50), (60, 60, 20, 10)):
        assert FanCrop.around(rect).cut(image) is None


def test_points_equal_golden():
    heatmaps = FAN["heatmaps_x256"] / 256
    for number, rect in enumerate(FAN["rects"]):
        crop = FanCrop.around(rect)
        points = crop.to_picture(peaks(heatmaps), 64)
        np.testing.assert_allclose(points, FAN["points"][number], atol=1e-9)
        averaged = np.mean([crop.shifted(shift).to_picture(peaks(heatmaps), 64) for shift in SAMPLE_SHIFTS], axis=0)
        np.testing.assert_allclose(averaged, FAN["points_multi_sample"][number], atol=1e-9)


def _stand_in(patches):
    ramp = np.linspace(-0.3, 0.3, 768, dtype=np.float32)
    large = np.repeat(np.repeat(patches, 4, axis=1), 4, axis=2) * np.float32(0.7)
    down = ramp[:, None, None] * np.array([0.5, -0.3, 0.2], np.float32)
    return large + down + ramp[None, :, None] * np.float32(0.4)


def _waves(height, width):
    y, x = np.mgrid[:height, :width]
    return np.stack([0.5 + 0.45 * np.sin(x / 9 + k) * np.cos(y / (7 + 2 * k)) for k in range(3)], axis=-1).astype(
        np.float32
    )


@pytest.mark.parametrize("name, size", [("a", (150, 230)), ("b", (200, 300)), ("c", (192, 192))])
def test_patches_equal_golden(name, size):
    expected = PATCHES[f"out_{name}_ch0"]
    image = _waves(*size)
    np.testing.assert_allclose(enhance_picture(image, _stand_in, edge_weight=0)[::2, ::2, 0], expected, atol=1e-5)
    # The border of DeepFaceLab's result leans to grey; ours does not, and differs nowhere else.
    ours = enhance_picture(image, _stand_in)[::2, ::2, 0]
    np.testing.assert_allclose(ours[3:-3, 3:-3], expected[3:-3, 3:-3], atol=2e-3)


@pytest.mark.parametrize("size", [(1, 1), (64, 300), (193, 191), (289, 288)])
def test_patches_leave_what_the_network_leaves(size):
    """A network that only enlarges must give the enlarged picture, border and all."""
    image = np.random.default_rng(0).random((*size, 3), np.float32)

    def enlarge(patches):
        return np.repeat(np.repeat(patches, 4, axis=1), 4, axis=2)

    result = enhance_in_patches(image, enlarge, batch_size=3)
    np.testing.assert_allclose(result, enlarge(image[None])[0], atol=1e-5)
