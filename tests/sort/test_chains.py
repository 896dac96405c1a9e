"""Histogram and pixel orders equal those of plain loops over all pairs, on anything."""

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.imagelib import pixel_chain as pixel_chain_module
from core.imagelib.histograms import (
    bhattacharyya,
    channel_histograms,
    dissimilarities,
    grey_histogram,
    similarity_chain,
)
from core.imagelib.pixel_chain import GRID_FOR_DISSIMILAR, GRID_FOR_SIMILAR, l1_distances, pixel_chain, thumbnail
from samplelib.sorting import methods
from samplelib.sorting.methods import histogram_chunks


def _swap_chain(distance):
    """The definition: the nearest of those left changes places with the one after the current."""
    order = list(range(len(distance)))
    for place in range(len(order) - 1):
        rest = [distance[order[place], other] for other in order[place + 1 :]]
        nearest = place + 1 + int(np.argmin(rest))
        order[place + 1], order[nearest] = order[nearest], order[place + 1]
    return order


def _pick_chain(distance, similar):
    """The definition: the nearest or farthest of those not used, the first of equals."""
    order, left = [0], list(range(1, len(distance)))
    while left:
        row = distance[order[-1]][left]
        order.append(left.pop(int(row.argmin() if similar else row.argmax())))
    return order


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 3), st.integers(1, 6), st.integers(0, 10**6))
def test_histogram_chain_equals_the_loop(count, channels, levels, seed):
    """Few different levels, so that many distances are equal or nearly so."""
    generator = np.random.default_rng(seed)
    histograms = np.zeros((count, channels, 256), np.float32)
    histograms[:, :, :8] = generator.integers(0, levels, (count, channels, 8)) * generator.integers(1, 900)
    histograms[:, :, 9] += 1
    distance = bhattacharyya(histograms[:, None], histograms[None]).sum(axis=-1)
    assert similarity_chain(histograms).tolist() == _swap_chain(distance)


def test_distance_is_opencvs():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 500, (2, 256)).astype(np.float32)
    expected = cv2.compareHist(first, second, cv2.HISTCMP_BHATTACHARYYA)
    assert abs(bhattacharyya(first, second) - expected) < 1e-9
    assert bhattacharyya(first, first) == 0


def test_dissimilarities_are_the_sums(monkeypatch):
    monkeypatch.setattr("core.imagelib.histograms._ROWS_AT_ONCE", 7)
    histograms = np.random.default_rng(3).integers(0, 50, (30, 256)).astype(np.float32) + np.eye(30, 256) * 1000
    done = []
    expected = bhattacharyya(histograms[:, None], histograms[None]).sum(axis=1)
    np.testing.assert_allclose(dissimilarities(histograms, done.append), expected, rtol=1e-9)
    assert sum(done) == 30


def test_histograms_count_every_pixel():
    image = np.random.default_rng(1).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    channels = channel_histograms(image)
    assert channels.shape == (3, 256) and (channels.sum(axis=1) == 33 * 47).all()
    assert channels[2, 10] == (image[:, :, 2] == 10).sum()
    assert grey_histogram(image).sum() == 33 * 47


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 70), st.integers(1, 70), st.sampled_from([2, 30, 256]), st.booleans(),
    st.integers(0, 10**6),
)  # fmt: skip
def test_pixel_chain_equals_the_loop(count, height, width, levels, similar, seed):
    generator = np.random.default_rng(seed)
    smooth = generator.integers(0, levels, (count, 4, 4, 3)).astype(np.uint8)
    images = np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST) for image in smooth])
    images[:: max(1, count // 3)] ^= generator.integers(0, 2, (height, width, 3), dtype=np.uint8)
    pixels = images.reshape(count, -1)
    distance = np.abs(pixels[:, None].astype(int) - pixels[None]).sum(axis=2)
    done = []
    order = pixel_chain(pixels, images[0].shape, similar, done.append)
    assert order.tolist() == _pick_chain(distance, similar)
    assert sum(done) == 2 * count


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(0, 10**6))
def test_bounds_hold(height, width, seed):
    generator = np.random.default_rng(seed)
    images = [
        cv2.resize(
            generator.integers(0, 256, (5, 5, 3), dtype=np.uint8), (width, height), interpolation=cv2.INTER_CUBIC
        )
        for _ in range(2)
    ]
    exact = int(np.abs(images[0].astype(int) - images[1]).sum())
    for grid, similar in ((GRID_FOR_SIMILAR, True), (GRID_FOR_DISSIMILAR, False)):
        (first, first_spread), (second, second_spread) = (thumbnail(image, grid) for image in images)
        left = pixel_chain_module._Left(
            second[None].copy(),
            np.array([second_spread]),
            pixel_chain_module._cell_sizes(images[0].shape, grid),
            similar,
        )
        bound = int(left.lower_bounds(first, first_spread)[0])
        assert bound <= (exact if similar else -exact)


def test_distances_of_huge_pictures_do_not_overflow(monkeypatch):
    rows = np.zeros((2, 300_000), np.uint8)
    rows[1] = 255
    assert l1_distances(rows, rows[0]).tolist() == [0, 255 * 300_000]
    monkeypatch.setattr(pixel_chain_module, "_COLUMNS_AT_ONCE", 1000)
    assert l1_distances(rows, rows[1]).tolist() == [255 * 300_000, 0]


def test_very_long_lists_are_chained_in_parts():
    assert histogram_chunks(20_000) == [(0, 20_000)]
    assert histogram_chunks(45_000) == [(0, 20_000), (20_000, 40_000), (40_000, 45_000)]
    parts = histogram_chunks(400_000)
    assert parts[0][1] == int(400_000 / 11.9) and parts[-1][1] == 400_000 and len(parts) == 12
    assert histogram_chunks(0) == []


def test_many_pictures_go_to_a_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr(methods, "_PIXELS_IN_MEMORY", 1000)
    paths = []
    for number in (0, 200, 10, 210):
        paths.append(tmp_path / f"{number:03d}.png")
        cv2.imwrite(str(paths[-1]), np.full((64, 64, 3), number, np.uint8))
    result = methods.sort_pictures(paths, "absdiff", methods.SortOptions())
    assert [path.stem for path in result.order] == ["000", "010", "200", "210"]
