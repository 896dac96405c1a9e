"""Training on several devices; halves of a processor stand in for graphics cards."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


@pytest.mark.parametrize("arguments", [[], pytest.param(["full"], marks=pytest.mark.slow)])
def test_two_devices_average_their_sums(arguments):
    compare("two_devices.py", *arguments)


def test_weights_and_optimizer_may_stay_in_main_memory():
    """The networks still run on the card, and the training is the same."""
    compare("main_memory.py")


def compare(program, *arguments):
    """Run a program that compares by itself."""
    command = [sys.executable, str(FOLDER / program), *arguments]
    environment = {"PYTHONPATH": f"{FOLDER.parents[1]}:{FOLDER}", "PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert result.stdout.endswith("equal\n"), result.stderr[-3000:]
