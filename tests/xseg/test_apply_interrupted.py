"""A thousand faces get their masks: a bar, Ctrl+C, a kill in the middle, and no picture ever half written."""

import os
import select
import signal
import struct
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest
from labelled_faces import ROOT, TRIANGLE, write_face

from core.files.imageio import decode_image
from samplelib.faces.aligned_face import metadata_from_jpeg
from xseglib.apply import ApplyJournal

fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))

pytestmark = pytest.mark.slow

COUNT = 1000
# The program itself, with a mask source that takes a moment and needs no network.
PROGRAM = """
import sys, time
import numpy as np
from xseglib import source_choice

class HalfMasks:
    def check(self, metadata, path):
        pass

    def masks(self, faces):
        time.sleep(0.1)
        mask = np.zeros((256, 256, 1), np.float32)
        mask[:, 128:] = 1
        return [mask] * len(faces)

source_choice.mesh_source = lambda: (HalfMasks(), "half masks")
import main
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.fixture
def faces(tmp_path):
    """A thousand labelled faces in a folder, and their bytes."""
    folder = tmp_path / "aligned"
    folder.mkdir()
    for number in range(10):
        write_face(folder / f"{number:05d}.jpg", number, size=64, polygons=[TRIANGLE])
    data = [path.read_bytes() for path in sorted(folder.iterdir())]
    for number in range(10, COUNT):
        (folder / f"{number:05d}.jpg").write_bytes(data[number % 10])
    return folder


class Run:
    """``xseg apply`` on a terminal of its own, whose text is collected."""

    def __init__(self, folder):
        reading, writing = pty.openpty()
        fcntl.ioctl(writing, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 100, 0, 0))
        command = [sys.executable, "-c", PROGRAM, "xseg", "apply", "--input-dir", str(folder)]
        command += ["--model-dir", str(folder.parent / "model_generic_xseg"), "--keep-priority"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=writing, stdout=writing, stderr=writing)
        os.close(writing)
        self._reading, self.text = reading, ""

    def read_until(self, condition):
        """Collect text until the condition holds or the program has ended."""
        end = time.monotonic() + 300
        while not condition() and time.monotonic() < end:
            if not select.select([self._reading], [], [], 0.02)[0]:
                continue
            try:
                self.text += os.read(self._reading, 65536).decode(errors="replace")
            except OSError:
                return

    def stop(self, kind):
        """Send a signal and return the exit code."""
        self._process.send_signal(kind)
        return self.end()

    def end(self):
        """Wait for the end and return the exit code."""
        self.read_until(lambda: False)
        os.close(self._reading)
        return self._process.wait(60)


def masked_and_plain(folder):
    """How many pictures have the mask and how many none; each one is whole, with its label."""
    counts = {True: 0, False: 0}
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    assert len(paths) == COUNT
    for path in paths:
        data = path.read_bytes()
        assert data.startswith(b"\xff\xd8") and data.endswith(b"\xff\xd9")
        assert decode_image(data, path).shape == (64, 64, 3)
        metadata = metadata_from_jpeg(data, path)
        assert metadata.polygons == (TRIANGLE,)
        mask = metadata.decode_xseg_mask()
        if mask is not None:
            assert not mask[:, :128].any() and mask[:, 128:].all()
        counts[mask is not None] += 1
    return counts[True], counts[False]


def test_killed_then_stopped_then_finished(faces):
    journal = faces / ApplyJournal.FILE_NAME
    noted = lambda: journal.exists() and len(journal.read_bytes().splitlines()) - 1  # noqa: E731
    pixels = cv2.imread(str(faces / "00500.jpg"))

    first = Run(faces)
    first.read_until(lambda: noted() and noted() > 100)
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    killed = masked_and_plain(faces)[0]
    # What was written just before the kill may not be noted yet.
    assert 100 < noted() <= killed < COUNT

    second, before = Run(faces), noted()
    second.read_until(lambda: noted() > before + 200)
    assert second.stop(signal.SIGINT) == 130
    assert f"Going on with an interrupted run: {before} of {COUNT} files are done." in second.text
    assert "Traceback" not in second.text
    stopped = masked_and_plain(faces)[0]
    assert before + 200 < noted() == stopped < COUNT

    third = Run(faces)
    assert third.end() == 0
    assert f"Going on with an interrupted run: {stopped} of {COUNT} files are done." in third.text
    assert "Processing: 100%|" in third.text and f"{COUNT}/{COUNT}" in third.text
    assert f"Files processed: {COUNT}" in third.text
    assert masked_and_plain(faces) == (COUNT, 0) and not journal.exists()
    np.testing.assert_array_equal(cv2.imread(str(faces / "00500.jpg")), pixels)
