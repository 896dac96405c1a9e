"""Devices are named the same way in every step."""

import argparse

import pytest

from core.device_flags import add_device_flags, gpu_indexes


@pytest.mark.parametrize(("text", "indexes"), [("0", [0]), ("0,1", [0, 1]), (" 2 , 0", [2, 0])])
def test_indexes_become_a_list(text, indexes):
    assert gpu_indexes(text) == indexes


@pytest.mark.parametrize("text", ["", "a", "0,", "-1"])
def test_anything_else_is_a_usage_error(text):
    with pytest.raises(argparse.ArgumentTypeError, match="no list of indexes"):
        gpu_indexes(text)


def test_a_step_for_one_card_refuses_two():
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_device_flags(parser, several=False)
    assert parser.parse_args(["--force-gpu-idxs", "1", "--cpu-only"]).force_gpu_idxs == [1]
    with pytest.raises(argparse.ArgumentError, match="uses one graphics card"):
        parser.parse_args(["--force-gpu-idxs", "0,1"])
