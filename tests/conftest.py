"""Common to all tests: the same surroundings, whatever the shell that starts them has set."""

import os
import shutil
import signal
import tempfile

import pytest
from hypothesis import settings

from core.console import interact, process
from core.console.repeated_warnings import RepeatedWarnings

# A shell that starts the suite in the background lets it ignore Ctrl+C, and programs started by tests would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):  # nohup ignores it likewise
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

_KEPT = ("DFL_VENV", "DFL_FFMPEG", "DFL_KILLS", "DFL_LAUNCHER_TABLE", "DFL_TEST_ANY_ISA")
_FORGOTTEN = ("DISPLAY", "WAYLAND_DISPLAY", "COLUMNS", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
for _name in list(os.environ):
    if (_name.startswith(("DFL_", "QT_")) and _name not in _KEPT) or _name.upper() in _FORGOTTEN:
        del os.environ[_name]

# Neither fetched weights nor certificates of the user are found by tests, and none of theirs stays behind.
_home = tempfile.mkdtemp(prefix="deepfacelab-tests-")
os.environ["XDG_CACHE_HOME"] = os.path.join(_home, "cache")
os.environ["XDG_CONFIG_HOME"] = os.path.join(_home, "config")

# Commands that a test runs in its own process would make all tests after it wait for everything else on the machine.
process.lower_priority = lambda: None

# Golden numbers are compared within tolerances that hold for one kind of arithmetic. oneDNN would pick another on processors
# with AVX-512, where sums are taken in another order, and kinks of the losses make that visible after a few steps. A test
# of what only such processors do (bfloat16) starts a Python of its own without this limit.
if "DFL_TEST_ANY_ISA" not in os.environ:
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"

# Several test processes beside each other (pytest-xdist) share the cores.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

# Property tests try the same examples in every run, so that a run fails only for what has changed.
settings.register_profile("suite", deadline=None, derandomize=True, database=None)
settings.load_profile("suite")


@pytest.fixture(autouse=True)
def warnings_of_this_test_alone():
    """What one test was warned of keeps no warning of another one back."""
    interact._state["repeated"] = RepeatedWarnings()


def pytest_unconfigure():
    shutil.rmtree(_home, ignore_errors=True)
