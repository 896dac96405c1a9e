"""The sharpness measure against DeepFaceLab's numbers, and its behaviour on odd pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from core.imagelib.sharpness import canny_edges, edge_widths, laplacian_variance, sharpness, sobel_edges

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "sort" / "sharpness.npz")


def test_scores_equal_golden():
    for name, image, expected in zip(GOLDEN["names"], GOLDEN["images"], GOLDEN["sharpness"]):
        assert sharpness(image) == pytest.approx(expected, abs=1e-12), name
    assert sharpness(GOLDEN["color"]) == pytest.approx(float(GOLDEN["color_sharpness"]), abs=1e-12)


def test_laplacian_variance_equals_golden():
    for image, expected in zip(GOLDEN["images"], GOLDEN["laplacian11_var"]):
        assert laplacian_variance(image) == pytest.approx(expected, rel=1e-9)
    expected = float(GOLDEN["color_laplacian11_var"])
    assert laplacian_variance(GOLDEN["color"]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("number", [0, 3, 9])
def test_stages_equal_golden(number):
    grey = GOLDEN["images"][number].astype(np.float64)
    np.testing.assert_array_equal(sobel_edges(grey), GOLDEN[f"sobel_{number}"])
    np.testing.assert_array_equal(edge_widths(grey), GOLDEN[f"width_{number}"])
    # Between two equal gradients the last bit decides; within a kernel's reach of the border it differs by library.
    canny, expected = canny_edges(grey), GOLDEN[f"canny_{number}"]
    np.testing.assert_array_equal(canny[5:-5, 5:-5], expected[5:-5, 5:-5])
    assert (canny != expected).sum() < 0.01 * expected.sum()


def _width_by_walking(grey, row, column, sign):
    """The width of one edge, step by step as in the definition."""
    line, length = grey[row] * sign, []
    for way in (-1, 1):
        m = 0
        while True:
            near, far = column + way * (1 + m), column + way * (2 + m)
            if not 0 <= far < len(line) or m == 100 or way * (line[far] - line[near]) <= 0:
                break
            m += 1
        length.append(1 + m)
    return sum(length)


def test_widths_equal_a_walk_along_the_row():
    generator = np.random.default_rng(1)
    smooth = cv2.GaussianBlur(generator.integers(0, 256, (80, 300)).astype(np.float64), (0, 0), 2)
    smooth = (smooth - smooth.min()) * 255 / np.ptp(smooth)
    ramp = np.tile(np.concatenate([np.full(20, 0.0), np.linspace(0, 250, 260), np.full(20, 250.0)]), (80, 1))
    for grey in (smooth, ramp + smooth / 50, smooth[:, ::-1]):
        widths = edge_widths(grey)
        rows, columns = np.nonzero(widths)
        assert len(rows)
        for row, column in zip(rows, columns):
            sign = np.sign(np.gradient(grey)[1][row, column])
            assert widths[row, column] == _width_by_walking(grey, row, column, sign)


def test_small_flat_and_one_channel_pictures():
    assert sharpness(np.full((63, 200, 3), 99, np.uint8)) == 0
    assert sharpness(np.zeros((64, 64), np.uint8)) == 0
    image = GOLDEN["images"][3]
    assert sharpness(image[:, :, None]) == sharpness(image) == sharpness(np.repeat(image[:, :, None], 3, axis=2))
