"""Frames that claim too much, pipes among them and names that are not UTF-8: the others are merged."""

import os
import shutil
import struct
import zlib

import pytest
from merge_workspace import Workspace


def png_that_claims(width, height, data_length):
    """A small PNG; ``data_length`` is what the chunk of its pixels claims to hold (None: the truth)."""

    def chunk(kind, body, length=None):
        length = len(body) if length is None else length
        return struct.pack(">I", length) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(9 * 8)), data_length)
    return b"\x89PNG\r\n\x1a\n" + head + pixels + chunk(b"IEND", b"")


@pytest.mark.skipif(os.name == "nt", reason="pipes and names as POSIX has them")
def test_bombs_pipes_and_odd_names_among_the_frames(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:backslashreplace")
    work, odd = Workspace(tmp_path, 3), os.fsdecode(b"\xe9\xff.png")
    peak = int(work.merge("--no-interactive", "--workers", "2", "--yes")[1].rpartition("PEAK ")[2])
    shutil.rmtree(work.merged)
    (work.frames / "00004.png").write_bytes(png_that_claims(8, 8, 0x7FFFFFFF))
    (work.frames / "00005.png").write_bytes(png_that_claims(20000, 20000, None))
    os.mkfifo(work.frames / "00006.png")
    shutil.copy(work.frames / "00001.png", work.frames / odd)
    code, told = work.merge("--no-interactive", "--workers", "2", "--yes")
    assert code == 1 and "2 of 6 frames were not merged: 00004.png, 00005.png" in told
    assert "00004.png: is cut off: a part of it claims 2147483647 bytes" in told
    assert "00005.png: is 20000x20000 pixels large, 382 megapixels; the limit is 64" in told
    assert "00006.png: is no file but a pipe or a device. It is left out." in told
    assert sorted(path.name for path in work.merged.glob("*.png")) == ["00001.png", "00002.png", "00003.png", odd]
    assert int(told.rpartition("PEAK ")[2]) - peak < 300 * 1024
