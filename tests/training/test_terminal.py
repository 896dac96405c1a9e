"""Training in a terminal: Ctrl+C, also in a job, and a closed window end it with everything saved."""

import json
import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from models.saved import transaction
from models.saved.model_files import read_model_data

MAIN = Path(__file__).parents[2] / "main.py"
OPTIONS = ("archi=df", "resolution=64", "ae_dims=32", "e_dims=16", "d_dims=16", "d_mask_dims=16", "batch_size=2")


def training_command(facesets, model_dir):
    """It saves by itself after the first iteration only."""
    words = ["train", "--model", "SAEHD", "--model-dir", model_dir, "--force-model-name", "t", "--cpu-only"]
    words += ["--training-data-src-dir", facesets[0], "--training-data-dst-dir", facesets[1], "--no-preview"]
    words += ["--silent-start", "--yes", "--save-every", 1_000_000]
    words += [word for option in OPTIONS for word in ("--set", option)]
    return list(map(str, words))


class Terminal:
    """A terminal in which one ``main.py`` command runs in the foreground."""

    def __init__(self, words):
        self.process, self.screen = pty.fork()
        if self.process == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.execv(sys.executable, [sys.executable, str(MAIN), *words])
        self.text = b""

    def wait_for(self, text):
        """Read until the program has printed something."""
        end = time.monotonic() + 300
        while text not in self.text:
            assert time.monotonic() < end, self.text.decode()
            if select.select([self.screen], [], [], 1)[0]:
                self.text += self._read()

    def exit_code(self):
        """Read on until the program ends."""
        end = time.monotonic() + 300
        while True:
            done, status = os.waitpid(self.process, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > end:
                os.kill(self.process, signal.SIGKILL)
                pytest.fail(self.text.decode())
            if self.screen is not None and select.select([self.screen], [], [], 0.1)[0]:
                self.text += self._read()

    def type(self, keys):
        os.write(self.screen, keys)

    def close(self):
        os.close(self.screen)
        self.screen = None

    def _read(self):
        try:
            return os.read(self.screen, 65536)
        except OSError:  # the program has closed its side
            time.sleep(0.1)
            return b""


def saved_iteration(model_dir):
    transaction.wait_until_whole(model_dir, "t_SAEHD")
    return read_model_data(model_dir / "t_SAEHD_data.dat").iteration


def test_control_c_in_a_job_reaches_training_once(facesets, tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(f"workspace: .\nsteps:\n  - command: {json.dumps(training_command(facesets, tmp_path / 'model'))}\n")
    terminal = Terminal(["run", str(job)])
    terminal.wait_for(b"[#000005]")
    terminal.type(b"\x03")
    assert terminal.exit_code() == 130, terminal.text.decode()
    assert saved_iteration(tmp_path / "model") >= 5, terminal.text.decode()


def test_closed_terminal_ends_training_saved(facesets, tmp_path):
    terminal = Terminal(training_command(facesets, tmp_path / "model"))
    terminal.wait_for(b"[#000005]")
    terminal.close()
    assert terminal.exit_code() == 0
    assert saved_iteration(tmp_path / "model") >= 5
