"""Image and package have all that the program needs, and conda's environment agrees with ``requirements.txt``."""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / "docker" / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
NOT_NEEDED = {"tests", "docs", "benchmarks", "workspace", "docker"}


def instructions():
    """(instruction, its words) of the Dockerfile, in order."""
    joined = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return [(line.split()[0], shlex.split(line)[1:]) for line in joined.splitlines() if line.strip()]


def tracked():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True)
    return listed.stdout.decode().splitlines()


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A folder with what the Dockerfile copies."""
    root = tmp_path_factory.mktemp("image")
    for instruction, words in instructions():
        if instruction == "COPY":
            *sources, target = words
            for source in sources:
                place = root / (target if target != "./" else source)
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place, ignore=left_out)
                else:
                    shutil.copy(ROOT / source, place)
    return root


def left_out(folder, names):
    """As the ignore file: weights that were put there for use."""
    return {
        name for name in names if name == "__pycache__" or (Path(folder).name == "weights" and name.endswith(".npy"))
    }


def run(image, *arguments):
    command = [sys.executable, str(image / "main.py"), *map(str, arguments)]
    return subprocess.run(command, cwd=image, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)


def test_what_is_copied_passes_the_ignore_file_and_nothing_of_users_does():
    let_in = {line[1:] for line in IGNORED if line.startswith("!")}
    sources = {word for instruction, words in instructions() if instruction == "COPY" for word in words[:-1]}
    assert IGNORED[1] == "*" and sources == {name.split("/")[0] for name in let_in}
    assert not let_in & {"workspace", "pretrain_faces", ".git", ".venv"}


def test_every_folder_of_the_program_is_in_it():
    folders = {name.split("/")[0] for name in tracked() if "/" in name and not name.startswith(".")}
    copied = {word for instruction, words in instructions() if instruction == "COPY" for word in words[:-1]}
    assert folders - NOT_NEEDED <= copied


def test_the_program_runs_from_what_is_copied(image, tmp_path):
    assert run(image, "--help").returncode == 0
    clips = [sys.executable, str(image / "scripts" / "make_demo_clips.py"), str(tmp_path), "--frames", "4"]
    subprocess.run(clips, check=True, capture_output=True, timeout=120)
    frames = tmp_path / "data_src"
    done = run(image, "videoed", "extract-video", "--input-file", tmp_path / "data_src.*", "--output-dir", frames)
    assert done.returncode == 0, done.stderr
    done = run(image, "extract", "--input-dir", frames, "--output-dir", frames / "aligned", "--detector", "s3fd")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((frames / "aligned").glob("*.jpg"))


def test_both_stages_install_by_the_script_that_the_launchers_use():
    stages = {words[2]: words[0] for instruction, words in instructions() if instruction == "FROM"}
    assert stages == {"files": "python:3.12-slim", "cpu": "files", "cuda": "files"}
    runs = [" ".join(words) for instruction, words in instructions() if instruction == "RUN"]
    assert [re.search(r"DFL_CUDA=(\d) bash scripts/setup.sh", line)[1] for line in runs] == ["0", "1"]


def test_the_package_has_every_file_that_is_no_python(monkeypatch):
    """What is not named in ``setup.py`` is missing after ``pip install .``, where nothing else would tell."""
    setuptools = pytest.importorskip("setuptools")
    said = {}
    monkeypatch.setattr(setuptools, "setup", said.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(ROOT / "setup.py"))
    folders = {name.split(".")[0] for name in said["packages"]}
    data = [name for name in tracked() if name.split("/")[0] in folders and not name.endswith(".py")]
    assert "mainscripts/jobs/steps.yaml" in data
    for name in data:
        folder, _, rest = name.partition("/")
        assert any(fnmatch(rest, pattern) for pattern in said["package_data"][folder]), name
    packages = {str(Path(name).parent).replace("/", ".") for name in tracked() if name.endswith(".py")}
    assert {name for name in packages if name.split(".")[0] in folders} <= set(said["packages"])


def test_conda_gets_the_same_versions():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    plain = [entry.replace(" ", "") for entry in environment["dependencies"] if isinstance(entry, str)]
    [pip] = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [entry for entry in plain if entry.startswith("tensorflow")] == [
        line for line in requirements if line.startswith("tensorflow")
    ]
    assert "python" + re.search(r'python_requires="(.*?)"', (ROOT / "setup.py").read_text(encoding="utf-8"))[1] in plain
    assert pip == ["-r requirements.txt"]
