"""Clearing a workspace keeps the videos and asks first; the doctor tells the truth."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from core import ffmpeg
from core.errors import UserError
from mainscripts import doctor

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments, answers=""):
    command = [sys.executable, str(ROOT / "main.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, input=answers, timeout=120)


def test_clear_asks_and_keeps_the_videos(tmp_path):
    for name in (
        "data_src.mp4",
        "data_src/00001.png",
        "data_dst/aligned/00001_0.jpg",
        "model/a_SAEHD_data.dat",
        "notes.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    refused = run("workspace", "clear", "--workspace", tmp_path)
    assert refused.returncode == 1 and (tmp_path / "data_src" / "00001.png").is_file()
    assert run("workspace", "clear", "--workspace", tmp_path, answers="y\n").returncode == 0
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"data_src.mp4", "notes.txt"}
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != tmp_path]
    assert (tmp_path / "data_dst" / "aligned_debug").is_dir()


def test_doctor_reports_versions_and_finds_no_problem():
    done = run("doctor", "--workspace", ROOT)
    assert "[ok] Python: 3." in done.stdout
    assert "tensorflow 2." in done.stdout
    assert "[ok] Processor: a convolution gives the right numbers" in done.stdout
    assert (done.returncode == 0) == ("[!!]" not in done.stdout)


def fails(*arguments):
    raise UserError("ffmpeg was not found.")


def set_up(monkeypatch, **environment):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays of X")
def test_doctor_tells_a_dead_display_from_none(monkeypatch, capsys):
    set_up(monkeypatch)
    assert doctor._display() and "[ok] Display: none: previews go to files" in capsys.readouterr().out
    set_up(monkeypatch, DISPLAY=":98765")
    assert not doctor._display() and "[!!] Display: the display :98765 does not answer" in capsys.readouterr().out


def test_doctor_tells_a_card_without_libraries_from_none(monkeypatch, capsys):
    set_up(monkeypatch)
    monkeypatch.setattr(doctor, "_has_nvidia_driver", lambda: False)
    assert doctor._no_gpu() and "no NVIDIA driver" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "_has_nvidia_driver", lambda: True)
    assert not doctor._no_gpu()
    shown = capsys.readouterr().out
    assert "[!!] GPU: an NVIDIA driver is there" in shown and "DFL_CUDA=1 bash scripts/setup.sh" in shown
    set_up(monkeypatch, CUDA_VISIBLE_DEVICES="-1")
    assert doctor._no_gpu() and "switched off by CUDA_VISIBLE_DEVICES" in capsys.readouterr().out


def test_doctor_counts_problems_and_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "_tensorflow", lambda: True)
    monkeypatch.setattr(ffmpeg, "ffmpeg_program", fails)
    monkeypatch.setattr(doctor, "PACKAGES", ("numpy", "no-such-package-of-ours"))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e9))
    set_up(monkeypatch)
    assert doctor.run(SimpleNamespace(workspace=tmp_path / "not" / "made" / "yet")) == 1
    shown = capsys.readouterr().out
    for line in ("; missing: no-such-package-of-ours", "Run scripts/setup.sh, which installs requirements.txt.",
                 "[!!] ffmpeg: ffmpeg was not found.", "[!!] Disk: 1.0 GB free at ", "3 of 9 checks found a problem."):  # fmt: skip
        assert line in shown
