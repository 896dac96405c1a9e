"""Poisson blending against OpenCV's."""

import cv2
import numpy as np
import pytest

from core.imagelib.poisson import seamless_clone


def pictures(size, seed):
    rng = np.random.default_rng(seed)
    return [cv2.resize(rng.integers(0, 256, (9, 9, 3)).astype(np.uint8), (size, size)) for _ in range(2)]


@pytest.mark.parametrize("size, radius, seed", [(60, 20, 0), (90, 31, 1), (200, 71, 2), (64, 3, 3)])
def test_equals_opencv(size, radius, seed):
    source, destination = pictures(size, seed)
    mask = np.zeros((size, size), np.uint8)
    cv2.ellipse(mask, (size // 2 + 3, size // 2 - 2), (radius, max(1, radius * 2 // 3)), 25, 0, 360, 255, -1)
    left, top, width, height = cv2.boundingRect(mask)
    centre = (int(left + width / 2), int(top + height / 2))
    ours = seamless_clone(source, destination, mask)
    theirs = cv2.seamlessClone(source, destination, mask.copy(), centre, cv2.NORMAL_CLONE)
    apart = np.abs(ours.astype(int) - theirs)
    assert apart.max() <= 1 and (apart > 0).mean() < 0.01


def test_a_mask_too_small_changes_nothing_and_inputs_stay():
    source, destination = pictures(40, 5)
    mask = np.zeros((40, 40), np.uint8)
    mask[10:12, 10:30] = 255
    kept = destination.copy(), mask.copy()
    assert np.array_equal(seamless_clone(source, destination, mask), destination)
    assert np.array_equal(destination, kept[0]) and np.array_equal(mask, kept[1])


def test_a_pasted_step_takes_the_colour_around_it():
    destination = np.full((80, 80, 3), 90, np.uint8)
    source = np.full((80, 80, 3), 200, np.uint8)
    mask = np.zeros((80, 80), np.uint8)
    mask[20:60, 20:60] = 255
    assert np.abs(seamless_clone(source, destination, mask).astype(int) - 90).max() <= 1
