"""Rasterised label polygons against masks that DeepFaceLab drew."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.imagelib.polygons import rasterize

GOLDEN = Path(__file__).parents[1] / "golden" / "xseg"

SEG_MASKS = np.load(GOLDEN / "seg_polys.npz")
SEG_CASES = json.loads((GOLDEN / "seg_polys.json").read_text())["cases"]
STEP_MASKS = np.load(GOLDEN / "steps_polys.npz")
STEP_CASES = json.loads(str(STEP_MASKS["cases_json"]))

# OpenCV 4.8 and 5 disagree on a few edge pixels of long oblique edges and of vertices outside of the picture.
MOST_DIFFERENT_PIXELS = 40


def as_pairs(case, scale=1.0):
    entries = [(item["type"], item["pts"]) for item in case["polys"]] if isinstance(case, dict) else case
    return [(kind == 1, np.asarray(points, np.float32) * scale) for kind, points in entries]


@pytest.mark.parametrize("index", range(len(SEG_CASES)))
def test_seg_golden(index):
    mask = rasterize(as_pairs(SEG_CASES[index]), 96, 112)
    assert mask.shape == (96, 112, 1) and mask.dtype == np.float32
    names = ["mask3", "mask3_opencv5"] if index == 3 else [f"mask{index}"]
    assert min(np.count_nonzero(mask[:, :, 0] != SEG_MASKS[name]) for name in names) == 0


@pytest.mark.parametrize("index", range(len(STEP_CASES)))
def test_step_golden(index):
    case = STEP_CASES[index]
    for suffix, scale, shape in (("", 1.0, (96, 112)), ("_half", 0.5, (48, 56))):
        different = np.count_nonzero(
            rasterize(as_pairs(case, scale), *shape)[:, :, 0] != STEP_MASKS[f"mask{index}{suffix}"]
        )
        assert different <= (MOST_DIFFERENT_PIXELS if index in (3, 6) else 0)


def test_drawn_over_a_base_that_stays_untouched():
    base = np.full((96, 112, 1), 0.5, np.float32)
    for cases, golden in ((SEG_CASES, SEG_MASKS), (STEP_CASES, STEP_MASKS)):
        np.testing.assert_array_equal(rasterize(as_pairs(cases[1]), 96, 112, base)[:, :, 0], golden["mask1_over_half"])
    assert (base == 0.5).all()


def test_truncates_towards_zero():
    assert rasterize([(True, [(2.9, 2.9), (10.9, 2.2), (10, 10)])], 20, 20).sum() == 45


def test_few_points_paint_a_pixel_or_a_line_and_none_nothing():
    assert rasterize([(True, [(3, 4)])], 10, 10).sum() == 1
    assert rasterize([(True, [(1, 4), (7, 4)])], 10, 10).sum() == 7
    assert rasterize([(True, np.zeros((0, 2)))], 10, 10).sum() == 0


points = st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(-50, 50)), max_size=8)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), points), max_size=5))
def test_excludes_always_cut_whatever_the_order(polygons):
    mask = rasterize(polygons, 24, 32)
    assert set(np.unique(mask)) <= {0.0, 1.0}
    np.testing.assert_array_equal(mask, rasterize(sorted(polygons, key=lambda item: not item[0]), 24, 32))
    for include, outline in polygons:
        if not include:
            assert (mask[rasterize([(True, outline)], 24, 32) > 0] == 0).all()
