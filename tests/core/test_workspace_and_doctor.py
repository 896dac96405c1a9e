"""Clearing a workspace keeps the videos and asks first; the doctor tells the truth."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import main
from core.errors import UserError
from core.graphics_cards import GraphicsCard
from core.video import ffmpeg
from mainscripts import doctor
from models.saved.lock import ModelLock

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


def fill(workspace):
    """Everything that a workspace may hold; returns what clearing must leave alone."""
    made = (
        "data_src/00001.png", "data_src/.extracted_frames.json", "data_src/aligned/00001_0.jpg", "data_src/aligned/anna/1.jpg",
        "data_src/aligned_debug/00001.jpg", "data_dst/00001.JPG", "data_dst/merged/00001.png", "data_dst/merged_mask/00001.png",
        "model/a b_SAEHD_data.dat", "model/XSeg_256.npy", "model/SAEHD_default_options.dat", "model/x_AMP.lock",
        "model/a b_SAEHD_autobackups/01/a b_SAEHD_data.dat", "model/a b_SAEHD_history/wf/0000030.jpg",
    )  # fmt: skip
    others = (
        "data_src.mp4", "notes.txt", "result.mp4", "mine/1.png", "data_src/aligned-copy/3.jpg", "data_src/notes.txt",
        "data_src/aligned_trash/4.jpg", "data_src/clip.mp4", "data_dst/mattes/1.png", "model/best so far/a_SAEHD_data.dat",
        "model/actor.dfm", "model/notes.txt",
    )  # fmt: skip
    for name in (*made, *others):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_bytes(name.encode())
    return set(made), set(others)


def files_in(workspace):
    return {str(path.relative_to(workspace)) for path in workspace.rglob("*") if path.is_file() or path.is_symlink()}


def test_clear_leaves_alone_what_no_step_made(tmp_path):
    made, others = fill(tmp_path)
    done = run("workspace", "clear", "--workspace", tmp_path, answers="y\n")
    assert done.returncode == 0 and files_in(tmp_path) == others
    assert "Left alone: data_src/aligned-copy" in done.stdout and "model/best so far" in done.stdout
    assert (tmp_path / "data_dst" / "aligned").is_dir()


def test_yes_moves_aside_and_the_flag_deletes(tmp_path):
    made, others = fill(tmp_path)
    for number in (1, 2):
        done = run("workspace", "clear", "--workspace", tmp_path, "--yes")
        assert done.returncode == 0 and (number == 2 or "cleared_1" in done.stdout)
        assert files_in(tmp_path) == others | {f"cleared_1/{name}" for name in made}
    assert all((tmp_path / "cleared_1" / name).read_bytes() == name.encode() for name in made)
    fill(tmp_path)
    assert run("workspace", "clear", "--workspace", tmp_path, "--delete").returncode == 0
    assert files_in(tmp_path) == others | {f"cleared_1/{name}" for name in made}


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
@pytest.mark.parametrize("flag", ["--delete", "--yes"])
def test_links_are_removed_and_never_followed(tmp_path, flag):
    elsewhere, workspace = tmp_path / "elsewhere", tmp_path / "workspace"
    fill(elsewhere)
    workspace.mkdir()
    before = files_in(elsewhere)
    (workspace / "data_src").symlink_to("../elsewhere/data_src")
    (workspace / "model").symlink_to(tmp_path / "nowhere")
    (workspace / "data_dst").mkdir()
    (workspace / "data_dst" / "aligned").symlink_to(elsewhere / "data_src" / "aligned")
    (workspace / "data_dst" / "00001.png").symlink_to(elsewhere / "data_src" / "00001.png")
    done = run("workspace", "clear", "--workspace", workspace, flag)
    assert done.returncode == 0, done.stderr
    assert "data_src is a link to ../elsewhere/data_src; only the link is removed" in done.stdout
    assert files_in(elsewhere) == before and not list((workspace / "data_src").glob("*.png"))
    aside = workspace / "cleared_1" / "data_src"
    assert aside.is_dir() == (flag == "--yes") and (flag != "--yes" or aside.samefile(elsewhere / "data_src"))
    for name in ("data_src", "data_src/aligned", "data_dst/aligned", "model"):
        assert (workspace / name).is_dir() and not (workspace / name).is_symlink(), name


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_workspace_that_is_a_link_and_a_folder_in_a_circle(tmp_path):
    fill(tmp_path / "real")
    (tmp_path / "real" / "data_src" / "aligned" / "circle").symlink_to(tmp_path / "real" / "data_src")
    (tmp_path / "workspace").symlink_to(tmp_path / "real")
    done = run("workspace", "clear", "--workspace", tmp_path / "workspace", "--delete")
    assert done.returncode == 0 and (tmp_path / "real" / "data_src" / "aligned-copy" / "3.jpg").is_file()
    assert not (tmp_path / "real" / "data_src" / "00001.png").exists() and (tmp_path / "workspace").is_symlink()


@pytest.mark.parametrize("name", ["data_src", "data_dst", "model"])
def test_a_file_in_place_of_a_folder_stops_before_anything_is_deleted(tmp_path, name):
    fill(tmp_path)
    shutil.move(tmp_path / name, tmp_path / "away")
    (tmp_path / name).write_bytes(b"mine")
    before = files_in(tmp_path)
    done = run("workspace", "clear", "--workspace", tmp_path, "--delete")
    assert done.returncode == 1 and f"{tmp_path / name}: is a file, not a folder" in done.stderr
    assert files_in(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_what_cannot_be_removed_is_named(tmp_path):
    fill(tmp_path)
    os.chmod(tmp_path / "data_src" / "aligned", 0o555)
    done = run("workspace", "clear", "--workspace", tmp_path, "--delete")
    os.chmod(tmp_path / "data_src" / "aligned", 0o755)
    assert done.returncode == 1 and "cannot be removed" in done.stderr and "Traceback" not in done.stderr


def test_a_removal_that_fails_is_one_line(tmp_path, monkeypatch, capsys):
    fill(tmp_path)

    def fail(path, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", fail)
    assert main.main(["workspace", "clear", "--workspace", str(tmp_path), "--delete"]) == 1
    assert "cannot be removed (Permission denied)" in capsys.readouterr().err


def test_a_model_in_training_stops_it(tmp_path):
    fill(tmp_path)
    before = files_in(tmp_path)
    with ModelLock(tmp_path / "model", "x_AMP"):
        done = run("workspace", "clear", "--workspace", tmp_path, "--delete")
    assert done.returncode == 1 and "is being trained" in done.stderr and files_in(tmp_path) == before


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


CUDA_BUILD = {
    "is_cuda_build": True,
    "cuda_version": "12.5.1",
    "cuda_compute_capabilities": ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"],
}


@pytest.mark.parametrize(
    ("cards", "seen", "good", "told"),
    [
        ([GraphicsCard("NVIDIA", "RTX 5090", (12, 0), 31.8, (570, 86))], 1, False,
         ["[!!] RTX 5090: compute capability 12.0 is newer than the installed TensorFlow, which has kernels for 6.0 to 9.0",
          "A newer driver does not mend that.", "DFL_TENSORFLOW=<requirement, wheel or address> bash scripts/setup.sh."]),
        ([GraphicsCard("NVIDIA", "RTX 3090", (8, 6), 24.0, (550, 54))], 1, True,
         ["[ok] RTX 3090: compute capability 8.6; the installed TensorFlow has kernels for it."]),
        ([GraphicsCard("NVIDIA", "RTX 3090", (8, 6), 24.0, (550, 54))], 0, False,
         ["TensorFlow sees no graphics card, though one would work", "DFL_CUDA=1 bash scripts/setup.sh"]),
        ([GraphicsCard("AMD", "Radeon RX 7900", ())], 0, True, ["[ok] Radeon RX 7900: TensorFlow has no kernels for AMD"]),
        ([], 0, True, ["[ok] GPU: none found; training on the processor is slow"]),
    ],
    ids=["too new", "works", "libraries missing", "AMD", "none"],
)  # fmt: skip
def test_doctor_says_what_each_card_can_do(monkeypatch, capsys, cards, seen, good, told):
    set_up(monkeypatch)
    monkeypatch.setattr(doctor, "list_graphics_cards", lambda: cards)
    monkeypatch.setattr(doctor, "has_nvidia_driver", lambda: False)
    assert doctor._cards(CUDA_BUILD, seen) is good
    shown = capsys.readouterr().out
    assert all(part in shown for part in told), shown
    assert "Update the driver" not in shown


def test_doctor_tells_a_driver_that_does_not_answer_and_cards_switched_off(monkeypatch, capsys):
    set_up(monkeypatch)
    monkeypatch.setattr(doctor, "list_graphics_cards", list)
    monkeypatch.setattr(doctor, "has_nvidia_driver", lambda: True)
    assert not doctor._cards(CUDA_BUILD, 0)
    assert "[!!] GPU: an NVIDIA driver is there, but it does not answer" in capsys.readouterr().out
    set_up(monkeypatch, CUDA_VISIBLE_DEVICES="-1")
    assert doctor._cards(CUDA_BUILD, 0) and "switched off by CUDA_VISIBLE_DEVICES" in capsys.readouterr().out


def test_doctor_looks_at_the_cards_alone(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "_tensorflow", lambda: False)
    monkeypatch.setattr(doctor, "has_nvidia_driver", lambda: False)
    monkeypatch.setattr(doctor, "list_graphics_cards", lambda: [GraphicsCard("NVIDIA", "RTX 3090", (8, 6))])
    assert doctor.run(SimpleNamespace(workspace=ROOT, cards=True)) == 1
    assert "Python" not in capsys.readouterr().out
    monkeypatch.setattr(doctor, "list_graphics_cards", list)
    assert doctor.run(SimpleNamespace(workspace=ROOT, cards=True)) == 0
    assert capsys.readouterr().out == "[ok] GPU: none found; training on the processor is slow\n"


def test_doctor_counts_problems_and_says_what_to_do(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(doctor, "_tensorflow", lambda: True)
    monkeypatch.setattr(ffmpeg, "ffmpeg_program", fails)
    monkeypatch.setattr(doctor, "REQUIREMENTS", tmp_path / "requirements.txt")
    doctor.REQUIREMENTS.write_text(
        "# needed\nnumpy>=1\nscipy<0.1\nno-such-package-of-ours>=2\nfor-others; platform_system == 'Plan 9'\n"
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e9))
    set_up(monkeypatch)
    assert doctor.run(SimpleNamespace(workspace=tmp_path / "not" / "made" / "yet", cards=False)) == 1
    shown = capsys.readouterr().out
    for line in ("missing: scipy<0.1 (found ", "), no-such-package-of-ours>=2\n", "Run bash scripts/setup.sh, which installs requirements.txt.",
                 "[!!] ffmpeg: ffmpeg was not found.", "[!!] Disk: 1.0 GB free at ", "3 of 10 checks found a problem."):  # fmt: skip
        assert line in shown
