"""The random warp and transform against their formulas."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.imagelib.warp import (
    draw_geometry,
    remap_picture,
    transform_mask,
    transform_picture,
    truncated_normal,
    warp_maps,
    warp_picture,
)
from core.random_streams import generator


class Still:
    """A generator that draws the wanted cell size and no noise."""

    def __init__(self, choice):
        self.choice = choice

    def integers(self, high):
        return self.choice

    def standard_normal(self, shape):
        return np.zeros(shape)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([64, 80, 96, 112, 128, 144, 160]))
def test_vertical_map_is_the_transposed_horizontal_map(seed, size):
    map_x, map_y = warp_maps(size, generator(seed))
    assert map_x.shape == (size, size) and map_x.dtype == np.float32
    np.testing.assert_array_equal(map_y, map_x.T)


@pytest.mark.parametrize("choice", [0, 1, 2])
def test_without_noise_the_map_sits_half_a_pixel_off(choice):
    map_x, map_y = warp_maps(128, Still(choice))
    columns = np.broadcast_to(np.arange(128, dtype=np.float32), (128, 128))
    np.testing.assert_allclose(map_x, columns + 0.5, atol=1e-4)
    np.testing.assert_allclose(map_y, columns.T + 0.5, atol=1e-4)
    plain_x, plain_y = warp_maps(128, Still(choice), independent=True)
    np.testing.assert_allclose(plain_x, columns, atol=1e-4)
    np.testing.assert_allclose(plain_y, columns.T, atol=1e-4)


@pytest.mark.parametrize("independent", [False, True])
def test_strength_of_the_noise(independent):
    """Node displacement: standard deviation 0.13 of the cell, at most 0.48 of it; zero mean; all three cell sizes."""
    size, offset = 128, 0.0 if independent else 0.5
    columns = np.arange(size, dtype=np.float32)
    by_cell = {16: [], 32: [], 64: []}
    for seed in range(600):
        random = generator(7, seed)
        cell = size // (2, 4, 8)[generator(7, seed).integers(3)]
        map_x, _ = warp_maps(size, random, independent)
        # A node lies in the middle between two pixels: mean of the four around it.
        for row in range(cell, size, cell):
            for column in range(cell, size, cell):
                around = map_x[row - 1 : row + 1, column - 1 : column + 1].mean()
                by_cell[cell].append((around - columns[column - 1 : column + 1].mean() - offset) / cell)
    assert 160 < len(by_cell[64]) < 240
    for cell, values in by_cell.items():
        values = np.array(values)
        smoothing = 1.0 - 1.0 / cell  # bilinear enlargement: the four pixels see a little of the neighbours
        assert np.abs(values).max() < 0.48
        assert abs(values.mean()) < 0.02
        assert np.std(values) == pytest.approx(0.1286 * smoothing, rel=0.12)


def test_independent_maps_differ():
    map_x, map_y = warp_maps(128, generator(1), independent=True)
    assert np.abs(map_x - map_y.T).max() > 1


def test_truncated_normal_stays_inside_and_keeps_its_spread():
    values = truncated_normal((200_000,), generator(3))
    assert np.abs(values).max() <= 2.5
    assert values.std() == pytest.approx(0.9546, abs=0.01)


def test_small_pictures_are_warped_at_64():
    geometry = draw_geometry(32, generator(1), 0.15, False, generator(2))
    assert geometry.warp_x.shape == (64, 64)
    assert warp_picture(np.ones((32, 32, 3), np.float32), geometry).shape == (32, 32, 3)


@pytest.mark.parametrize("scale", [0.05, 0.15])
def test_ranges_of_the_transform(scale):
    size, count = 100, 3000
    drawn = [draw_geometry(size, generator(5, number), scale, True) for number in range(count)]
    linear = np.array([geometry.matrix[:, :2] for geometry in drawn])
    factors = np.sqrt(np.linalg.det(linear))
    angles = np.degrees(np.arctan2(linear[:, 0, 1], linear[:, 0, 0]))
    centers = np.array([geometry.matrix @ (size // 2, size // 2, 1) for geometry in drawn]) / size - 0.5
    assert factors.min() >= 1 / (1 + scale) - 1e-9 and factors.max() <= 1 + scale + 1e-9
    assert factors.mean() == pytest.approx((1 + scale + 1 / (1 + scale)) / 2, abs=0.005)
    assert 9.5 < np.abs(angles).max() <= 10 and abs(angles.mean()) < 0.5
    assert 0.045 < np.abs(centers).max() <= 0.05 + 1e-9
    assert np.mean([geometry.flip for geometry in drawn]) == pytest.approx(0.4, abs=0.03)
    assert not any(draw_geometry(size, generator(5, n), scale, False).flip for n in range(50))


def test_input_and_target_move_alike():
    """With and without warp the same stream gives the same transform, so input and target stay on each other."""
    with_warp = draw_geometry(128, generator(9), 0.15, True, generator(10))
    without = draw_geometry(128, generator(9), 0.15, True)
    np.testing.assert_array_equal(with_warp.matrix, without.matrix)
    assert with_warp.flip == without.flip


def test_borders_of_pictures_are_replicated_and_those_of_masks_empty():
    geometry = draw_geometry(64, generator(4), 0.15, False)
    white = np.ones((64, 64, 3), np.float32)
    np.testing.assert_allclose(transform_picture(white, geometry), 1.0, atol=1e-5)
    assert transform_mask(white[..., 0], geometry).min() == 0.0
    warped = warp_picture(white, draw_geometry(64, generator(4), 0.0, False, Still(0), rotation=0, shift=0))
    assert warped[-1, -1, 0] < 0.6 and warped[0, 0, 0] > 0.9


def test_flip_is_the_last_step():
    picture = np.zeros((64, 64), np.float32)
    picture[20:30, 10:20] = 1
    for seed in range(30):
        geometry = draw_geometry(64, generator(seed), 0.15, True)
        if geometry.flip:
            straight = transform_mask(picture, type(geometry)(geometry.matrix, False, None, None, 64))
            np.testing.assert_array_equal(transform_mask(picture, geometry), straight[:, ::-1])
            return
    raise AssertionError("no flip was drawn")


@pytest.mark.parametrize("size", [64, 112, 128])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_pictures_come_out_as_from_one_plain_call_each(size, dtype):
    """The frame that makes it faster changes nothing."""
    picture = cv2.GaussianBlur(generator(1).integers(0, 256, (size, size, 3), np.uint8), (0, 0), 1.5).astype(dtype)
    for seed in range(12):
        drawn = draw_geometry(size, generator(2, seed), 0.15, True, generator(3, seed))
        warped = cv2.remap(picture, drawn.warp_x, drawn.warp_y, cv2.INTER_CUBIC)
        np.testing.assert_allclose(remap_picture(picture, drawn.warp_x, drawn.warp_y), warped, atol=1)
        moved = cv2.warpAffine(
            warped, drawn.matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        wanted = moved[:, ::-1] if drawn.flip else moved
        np.testing.assert_allclose(transform_picture(warped, drawn), wanted, atol=1)
        np.testing.assert_allclose(warp_picture(picture, drawn), wanted, atol=1)


def test_a_mask_moved_in_part_is_the_mask_moved_as_a_whole():
    for seed in range(40):
        random = generator(6, seed)
        mask = np.zeros((96, 96), np.uint8)
        left, top, width, height = random.integers((0, 0, 0, 0), (90, 90, 90, 90)).tolist()
        mask[top : top + height, left : left + width] = random.integers(100, 256)
        drawn = draw_geometry(96, random, 0.15, True)
        whole = cv2.warpAffine(mask, drawn.matrix, (96, 96), flags=cv2.INTER_LINEAR)
        wanted = whole[:, ::-1] if drawn.flip else whole
        # The position of a pixel is counted in 32nds, and may be rounded the other way.
        np.testing.assert_allclose(transform_mask(mask, drawn), wanted, atol=255 / 32 + 1)
        assert np.abs(transform_mask(mask, drawn) - wanted.astype(float)).mean() < 0.05


def test_map_of_the_pixels_is_the_enlarged_map_of_the_nodes():
    size, cell, seed = 128, 16, next(n for n in range(100) if generator(n).integers(3) == 2)
    map_x, map_y = warp_maps(size, generator(seed), independent=True)
    random = generator(seed)
    random.integers(3)
    noises = np.zeros((4, 9, 9))
    noises[:, 1:-1, 1:-1] = truncated_normal((4, 7, 7), random) * 0.24 * cell / 2.5
    even = np.tile(np.arange(9) * 16.0, (9, 1))
    for found, nodes in ((map_x, even + noises[0] + noises[1].T), (map_y, even.T + noises[2] + noises[3])):
        large = cv2.resize(nodes.astype(np.float32), (size + cell, size + cell), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(found, large[8:-8, 8:-8] - 0.5, atol=1e-3)
