"""A program whose output nobody reads any more goes on to its end."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from core.console import events

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import sys, signal
from core.console.output_streams import tolerate_closed_output
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
tolerate_closed_output()
print("started", flush=True)
sys.stdin.readline()
for number in range(3):
    print("a line", flush=True)
    print("a complaint", file=sys.stderr, flush=True)
open(sys.argv[1], "w").write("done")
"""


def start(path, output):
    command = [sys.executable, "-c", CODE, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=ROOT)


def test_reader_of_a_pipe_that_ended(tmp_path):
    reading, writing = os.pipe()
    process = start(tmp_path / "end", writing)
    os.close(writing)
    assert os.read(reading, 100).startswith(b"started")
    os.close(reading)
    process.communicate(b"\n", timeout=60)
    assert process.returncode == 0 and (tmp_path / "end").read_text() == "done"


def test_terminal_that_was_closed(tmp_path):
    screen, program_side = pty.openpty()
    process = start(tmp_path / "end", program_side)
    os.close(program_side)
    assert b"started" in os.read(screen, 100)
    os.close(screen)
    process.communicate(b"\n", timeout=60)
    assert process.returncode == 0 and (tmp_path / "end").read_text() == "done"


def test_command_whose_reader_ends_at_once():
    done = subprocess.run(
        f'"{sys.executable}" main.py workspace --help | true; echo ${{PIPESTATUS[0]}}',
        shell=True, executable="/bin/bash", capture_output=True, text=True, cwd=ROOT, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "0" and done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_into_a_file_on_a_full_disk(tmp_path):
    with open("/dev/full", "w") as full:
        process = start(tmp_path / "end", full)
        process.communicate(b"\n", timeout=60)
    assert process.returncode == 0 and (tmp_path / "end").read_text() == "done"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_log_and_events_on_a_full_disk_are_told_of_once(capsys):
    events.open_files(Path("/dev/full"), Path("/dev/full"))
    try:
        for number in range(3):
            events.log("info", f"line {number}")
    finally:
        events.close_files()
    assert capsys.readouterr().err.count("/dev/full: cannot be written any more (No space left on device)") == 2
