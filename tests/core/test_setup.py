"""What ``scripts/setup.sh`` brings along, with stand-ins for Python and pip; and ffmpeg without a system's ffmpeg."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from core.errors import UserError
from core.video import ffmpeg

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ("DFL_PYTHON", "DFL_CUDA", "DFL_VENV", "DFL_SKIP_SETUP", "DFL_FFMPEG", "IMAGEIO_FFMPEG_EXE")

# A Python of some version: runs -c as that version, and makes environments whose Python only notes how it is called.
PYTHON = """#!/bin/bash
case "$1" in
--version) echo "Python {version}" ;;
-c) exec "{real}" -c "import sys; sys.version_info = tuple(map(int, '{version}.0'.split('.'))); exec(sys.argv[1])" "$2" ;;
-m) echo "{name} -m $2" >>"{log}"; mkdir -p "$3/bin"; cp "{noting}" "$3/bin/python" ;;
esac
"""
NOTING = """#!/bin/bash
[ "$*" != "-c import pip" ] || exit 0  # setup asks whether the environment is whole
echo "env $*" >>"{log}"
exit ${{STUB_PIP_EXIT:-0}}
"""
BROKEN = "#!/bin/bash\nexit 1\n"


class House:
    """A copy of the scripts in a folder with a blank in its name, and a PATH of stand-ins."""

    def __init__(self, folder):
        self.root, self.bin, self.log = folder / "a house", folder / "bin", folder / "log.txt"
        self.venv = self.root / ".venv"
        for path in (self.root / "scripts", self.root / "tests", self.bin):
            path.mkdir(parents=True)
        for name in ("scripts/setup.sh", "scripts/env.sh", "requirements.txt", "tests/requirements.txt"):
            shutil.copy(ROOT / name, self.root / name)
        for name in ("bash", "cat", "cksum", "cp", "dirname", "id", "mkdir"):
            (self.bin / name).symlink_to(shutil.which(name))
        self.program("dpkg-query", '#!/bin/bash\necho "install ok installed"\n')
        self.noting = self.program("noting", NOTING.format(log=self.log))

    def program(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def python(self, name, version):
        return self.program(
            name, PYTHON.format(name=name, version=version, real=sys.executable, log=self.log, noting=self.noting)
        )

    def run(self, *words, **variables):
        """Run a command of the house; returns (exit code, output)."""
        environment = {name: value for name, value in os.environ.items() if name not in FLAGS}
        environment |= {"PATH": str(self.bin), **variables}
        done = subprocess.run(
            ["bash", *map(str, words)], env=environment, capture_output=True, text=True, cwd="/", timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    def setup(self, *arguments, **variables):
        return self.run(self.root / "scripts" / "setup.sh", *arguments, **variables)

    def noted(self):
        """What was called since the last look."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        lines = [line for line in lines if not line.endswith(("main.py doctor --cards", "--if-empty"))]
        self.log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def installs(house, *more):
    quiet = "env -m pip install --quiet --disable-pip-version-check"
    return " ".join([quiet, f"-r {house.root}/requirements.txt", *more])


# --- a Python


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        ({"python3": "3.11.4"}, "python3"),
        ({"python3": "3.9.2", "python3.10": "3.10.1"}, "python3.10"),
        ({"python3": "3.14.0", "python3.12": "3.12.5", "python3.11": "3.11.0"}, "python3.12"),
        ({"python3": "3.13.1"}, "python3"),
        ({"python": "3.12.0"}, "python"),
    ],
)
def test_a_supported_python_is_found(house, pythons, chosen):
    for name, version in pythons.items():
        house.python(name, version)
    code, output = house.setup()
    assert code == 0 and f"Making the environment in {house.venv} with Python {pythons[chosen]}" in output
    assert house.noted() == [f"{chosen} -m venv", installs(house)]


def test_a_python_that_cannot_make_environments_is_passed_over(house):
    house.program("python3", BROKEN)
    house.python("python3.12", "3.12.0")
    assert house.setup()[0] == 0 and house.noted()[0] == "python3.12 -m venv"


def test_a_python_may_be_given(house):
    house.python("python3", "3.11.0")
    other = house.python("mine", "3.10.9")
    assert house.setup(DFL_PYTHON=str(other))[0] == 0
    assert house.noted()[0] == "mine -m venv"


def test_no_python_and_a_wrong_one_are_told_and_nothing_is_made(house):
    code, output = house.setup()
    assert code == 1 and "No Python 3.10, 3.11, 3.12 or 3.13 with the venv module found. Install one" in output
    house.python("python3", "3.11.0")
    old = house.python("old", "3.8.1")
    code, output = house.setup(DFL_PYTHON=str(old))
    assert code == 1 and f"DFL_PYTHON={old} is not a working Python 3.10, 3.11, 3.12 or 3.13" in output
    assert not house.venv.exists() and not house.noted()


# --- packages


def test_packages_are_installed_once_and_again_when_the_list_changes(house):
    house.python("python3", "3.11.0")
    house.setup(), house.noted()
    assert house.setup() == (0, "") and house.noted() == []
    with open(house.root / "requirements.txt", "a") as stream:
        stream.write("one-more\n")
    assert house.setup()[0] == 0 and house.noted() == [installs(house)]


def test_an_installation_that_failed_is_made_up_for(house):
    house.python("python3", "3.11.0")
    assert house.setup(STUB_PIP_EXIT="1")[0] != 0
    house.noted()
    assert house.setup()[0] == 0 and house.noted() == [installs(house)]


def test_cuda_comes_with_tensorflow_when_it_is_asked_for(house):
    house.python("python3", "3.11.0")
    assert house.setup(DFL_CUDA="1")[0] == 0
    assert house.noted() == ["python3 -m venv", installs(house, "tensorflow[and-cuda]")]
    assert '"cuda": ["tensorflow[and-cuda]' in (ROOT / "setup.py").read_text()


def test_a_launcher_sets_up_by_itself_and_calls_the_program_in_the_environment(house):
    house.python("python3", "3.11.0")
    command = f'. "{house.root}/scripts/env.sh"; dfl doctor --workspace "$DFL_WORKSPACE"'
    assert house.run("-c", command)[0] == 0
    called = f"env {house.root}/main.py doctor --workspace {house.root}/workspace"
    assert house.noted() == ["python3 -m venv", installs(house), called]
    assert house.run("-c", command, DFL_SKIP_SETUP="1")[0] == 0 and house.noted() == [called]
    house.program("python3", BROKEN)
    shutil.rmtree(house.venv)
    assert house.run("-c", f"set -e; {command}")[0] != 0 and house.noted() == []


def test_the_list_has_all_that_the_doctor_looks_for():
    names = {
        re.match(r"[\w.-]+", line)[0].lower()
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    assert {"tensorflow", "opencv-python", "av", "imageio-ffmpeg"} <= names


# --- ffmpeg


@pytest.fixture
def forgotten():
    """Nothing is remembered of where ffmpeg was found."""

    def forget():
        for function in (ffmpeg.ffmpeg_program, ffmpeg.ffmpeg_version):
            function.cache_clear()

    forget()
    yield forget
    forget()


def test_ffmpeg_is_that_of_the_user_else_of_the_system_else_the_bundled_one(house, monkeypatch, forgotten):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    monkeypatch.delenv("DFL_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", str(house.bin))
    bundled = Path(ffmpeg.ffmpeg_program())
    assert bundled == Path(imageio_ffmpeg.get_ffmpeg_exe())
    assert Path(imageio_ffmpeg.__file__).parent in bundled.parents, "it lies inside of the package"
    assert ffmpeg.ffmpeg_version() >= (4, 0)
    forgotten()
    works = f'#!/bin/sh\nexec "{bundled}" "$@"\n'
    system = house.program("ffmpeg", works)
    assert ffmpeg.ffmpeg_program() == str(system)
    forgotten()
    mine = house.program("my-ffmpeg", works)
    monkeypatch.setenv("DFL_FFMPEG", str(mine))
    assert ffmpeg.ffmpeg_program() == str(mine)
    forgotten()
    monkeypatch.delenv("DFL_FFMPEG")
    system.unlink()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match="ffmpeg was not found. Install it"):
        ffmpeg.ffmpeg_program()


def test_a_video_is_taken_apart_with_nothing_but_what_is_bundled(house, tmp_path):
    """The real command where the PATH has no ffmpeg and no ffprobe."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    video = tmp_path / "data_src.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=0.2"]
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, video], check=True, timeout=60)
    environment = {name: value for name, value in os.environ.items() if name not in FLAGS}
    command = ["videoed", "extract-video", "--input-file", video, "--output-dir", tmp_path / "out"]
    done = subprocess.run(
        [sys.executable, ROOT / "main.py", *command, "--fps", "0", "--output-ext", "png", "--keep-priority"],
        env=environment | {"PATH": str(house.bin)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [f"{n:05d}.png" for n in range(1, 6)]
