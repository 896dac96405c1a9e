"""The Linux side of ``setup.bat --wsl``: paths of Windows are translated, everything else arrives as it was written."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="runs in Linux")


class Linux:
    """A toolkit on a disk of Windows as WSL shows it, with stand-ins for ``wslpath``, ``uname`` and Python."""

    def __init__(self, folder):
        self.folder, self.disks = folder, folder / "disks"
        self.root = self.disks / "c" / "deep face & lab"
        self.log, self.programs = folder / "log.txt", folder / "programs"
        (self.root / "scripts").mkdir(parents=True)
        for name in ("in_wsl.sh", "env.sh"):
            (self.root / "scripts" / name).write_bytes((SCRIPTS / name).read_bytes())
        setup = f'echo "setup $DFL_VENV cuda ${{DFL_CUDA:-}}" >>"{self.log}"\nexit ${{SETUP_CODE:-0}}\n'
        (self.root / "scripts" / "setup.sh").write_text(setup)
        self.program("wslpath", f'echo "{self.disks}/c/"\n')
        self.program("uname", 'echo "${KERNEL:-5.15.146.1-microsoft-standard-WSL2}"\n')
        self.python = folder / "environment" / "bin" / "python"
        self.program(self.python, f'printf "%s\\0" "$@" >"{self.log}.words"\nexit ${{STEP_CODE:-0}}\n')

    def program(self, name, text):
        path = self.programs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/bash\n" + text)
        path.chmod(0o755)

    def run(self, *arguments, what=r"C:\deep face & lab\main.py", cwd=None, **variables):
        """Call it as a launcher does, by way of wsl.exe."""
        environment = {
            "PATH": f"{self.programs}:{os.environ['PATH']}", "HOME": str(self.folder), "DFL_ROOT": str(self.root),
            "DFL_VENV_WSL": str(self.folder / "environment"), "DFL_WSL_LIBRARIES": str(self.folder / "wsl"),
        }  # fmt: skip
        command = ["bash", "-c", "IFS=; set -f; . $DFL_ROOT/scripts/in_wsl.sh", what, *arguments]
        return subprocess.run(
            command, cwd=cwd or self.root, env=environment | variables, capture_output=True, text=True, timeout=60
        )

    @property
    def words(self):
        """What ``main.py`` got."""
        program, *words = Path(f"{self.log}.words").read_text().split("\0")[:-1]
        assert program == f"{self.root}/main.py"
        return words


@pytest.fixture
def linux(tmp_path):
    return Linux(tmp_path)


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        (r"C:\deep face & lab\workspace\data_src", "{disks}/c/deep face & lab/workspace/data_src"),
        (r"d:\Filme\Ünï 顔.mp4", "{disks}/d/Filme/Ünï 顔.mp4"),
        (r"C:/mixed\slashes", "{disks}/c/mixed/slashes"),
        ("E:\\", "{disks}/e/"),
        (r"C:\deep face & lab\workspace\data_src.*", "{disks}/c/deep face & lab/workspace/data_src.*"),
        (r"--output-video=C:\a b\result.mp4", "--output-video={disks}/c/a b/result.mp4"),
        (r"\\wsl.localhost\Ubuntu\home\me\film.mp4", "/home/me/film.mp4"),
        (r"\\wsl$\Ubuntu\home\me", "/home/me"),
        (r"scripts\env.sh", "scripts/env.sh"),
        (r"scripts\not there yet", "scripts/not there yet"),
        (r"a\b", r"a\b"),
        (r"^shot\d+\.png$", r"^shot\d+\.png$"),
        ("resolution=128", "resolution=128"),
        ("0:01:30", "0:01:30"),
        ("a  b\n", "a  b\n"),
        ("* ? [a] ~ $HOME 'x' \"y\" ;|&", "* ? [a] ~ $HOME 'x' \"y\" ;|&"),
        ("", ""),
        ("/already/of/linux", "/already/of/linux"),
    ],
)
def test_paths_are_translated_and_nothing_else(linux, written, arrives):
    done = linux.run("step", "--flag", written)
    assert done.returncode == 0, done.stderr
    assert linux.words == ["step", "--flag", arrives.format(disks=linux.disks)]


def test_a_name_of_the_network_is_refused_with_a_way_out(linux):
    done = linux.run("step", r"\\server\share\clip.mp4")
    assert done.returncode == 1 and r"\\server\share\clip.mp4" in done.stderr and "drive" in done.stderr
    assert not linux.log.exists(), "nothing ran"


@pytest.mark.parametrize("code", [0, 1, 3, 130])
def test_the_exit_code_is_that_of_the_step(linux, code):
    assert linux.run("step", STEP_CODE=str(code)).returncode == code


def test_relative_paths_count_from_where_the_launcher_was_called(linux):
    elsewhere = linux.folder / "elsewhere"
    (elsewhere / "clips").mkdir(parents=True)
    linux.run("step", r"clips\a.mp4", cwd=elsewhere)
    assert linux.words == ["step", "clips/a.mp4"]


def test_the_environment_lies_in_the_linux_and_each_folder_has_its_own(linux):
    own = linux.run("step", DFL_VENV_WSL="")
    assert own.returncode != 0, "there is no such environment yet: its setup is a stand-in"
    place = linux.log.read_text().split()[1]
    assert place.startswith(str(linux.folder / ".local" / "share" / "deepfacelab-tf2"))
    linux.run("step", DFL_VENV_WSL="", DFL_ROOT=f"{linux.root}/.")
    assert linux.log.read_text().split("\n")[1].split()[1] != place


@pytest.mark.parametrize(
    ("card", "before", "chosen", "cuda"),
    [(True, False, "", "1"), (True, True, "", ""), (True, False, "0", "0"), (False, False, "", "")],
)
def test_a_card_that_windows_lends_gets_cuda_unless_chosen_otherwise(linux, card, before, chosen, cuda):
    if card:
        (linux.folder / "wsl").mkdir()
        (linux.folder / "wsl" / "libcuda.so.1").write_text("")
    if before:
        (linux.folder / "environment").mkdir(exist_ok=True)
        (linux.folder / "environment" / ".cuda").write_text("0\n")
    assert linux.run(what="setup", DFL_CUDA=chosen).returncode == 0
    assert linux.log.read_text() == f"setup {linux.folder}/environment cuda {cuda}\n"


def test_a_setup_that_fails_is_told_by_its_exit_code_and_no_step_runs(linux):
    assert linux.run(what="setup", SETUP_CODE="1").returncode == 1
    assert linux.run("step", SETUP_CODE="1").returncode == 1
    assert not Path(f"{linux.log}.words").exists()


def test_wsl_1_is_told_apart(linux):
    done = linux.run("step", KERNEL="4.4.0-19041-Microsoft", WSL_DISTRO_NAME="Ubuntu")
    assert done.returncode == 1 and "wsl --set-version Ubuntu 2" in done.stderr
    assert not linux.log.exists()
