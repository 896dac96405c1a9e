"""``python -m benchmarks`` keeps the numbers of the tables and compares them line by line."""

import importlib.util
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"
spec = importlib.util.spec_from_file_location("benchmarks_main", FOLDER / "__main__.py")
benchmarks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(benchmarks)


def test_numbers_are_kept_by_the_text_around_them():
    table = {}
    benchmarks.add_round(
        table, "1280×720 jpg, 48 frames\n  load    3.6 ms a frame\n  load    4.0 ms a frame\nno numbers\n"
    )
    benchmarks.add_round(table, "  load    3.0 ms a frame\n")
    assert table["load # ms a frame"] == [[3.6], [3.0]] and table["load # ms a frame (2)"] == [[4.0]]
    assert "no numbers" not in table


def test_ratios_have_a_spread_over_the_rounds():
    assert benchmarks.ratios([[2.0, 5.0], [4.0, 5.0]], [[4.0, 0.0]]) == [(0.75, 0.5, 1.0), None]


@pytest.mark.parametrize("name", benchmarks.BENCHMARKS)
def test_every_benchmark_is_there(name):
    assert (FOLDER / f"{name}.py").is_file()
