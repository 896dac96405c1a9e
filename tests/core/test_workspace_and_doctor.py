"""Clearing a workspace keeps the videos and asks first; the doctor tells the truth."""

import subprocess
import sys
from pathlib import Path

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
