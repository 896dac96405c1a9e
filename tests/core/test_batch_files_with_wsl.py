"""``setup.bat --wsl`` and the launchers after it, run by Wine's ``cmd`` with a stand-in for ``wsl.exe``.

What the stand-in was called with is then run by the real ``bash``, so both ends meet: ``pytest -m slow``, as
``test_batch_files.py``.
"""

import os
import subprocess

import pytest
from test_in_wsl import Linux
from wine_house import SCRIPTS, WINE_TESTS, Wine, windows_path

from mainscripts.jobs.step_table import load_steps

pytestmark = WINE_TESTS

STEPS = load_steps()
TRAIN = "6) train SAEHD.bat"
PYTHONS = "py python wsl"


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    house = Wine(tmp_path_factory.mktemp("wsl"))
    yield house
    house.close()


def toolkit(wine, name="deep face lab", **variables):
    """A toolkit that was set up in WSL, and the run that did it."""
    root = wine.toolkit(name)
    run = wine.run(root / "scripts" / "setup.bat", "--wsl", pythons=PYTHONS, **variables)
    return root, run


def linux_calls(run):
    return [call for call in run.calls if call.program.endswith("wsl.exe")]


def in_linux(call, root, folder):
    """Do for real what the stand-in was asked for; returns the words that ``main.py`` got."""
    linux = Linux(folder)
    (linux.disks / "z").symlink_to("/")
    for name in ("in_wsl.sh", "env.sh"):
        (root / "scripts" / name).write_bytes((SCRIPTS / name).read_bytes())
    (root / "scripts" / "setup.sh").write_text("")
    (root / "main.py").write_text("")
    environment = {"DFL_VENV_WSL": str(folder / "environment"), "HOME": str(folder)}
    for name, value in call.lent.items():
        name, _, flags = name.partition("/")
        environment[name] = value.replace("Z:", "").replace("\\", "/") if flags == "p" else value
    command = call.arguments[call.arguments.index("--exec") + 1 :]
    environment["PATH"] = f"{linux.programs}:{os.environ['PATH']}"
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    program, *words = (folder / "log.txt.words").read_text().split("\0")[:-1]
    assert os.path.samefile(program, root / "main.py")
    return [os.path.normpath(word).replace(str(linux.disks / "z"), "") if "/" in word else word for word in words]


def test_set_up_there_and_taken_back(wine):
    root, run = toolkit(wine)
    assert (run.code, run.waited) == (0, 1) and "The launchers now run their steps in WSL" in run.shown, run.shown
    status, trial, setup = linux_calls(run)
    assert len(run.calls) == 3, "no Python of Windows is asked for"
    assert status.arguments == ("--status",)
    assert setup.arguments[-1] == "setup" and setup.lent["DFL_ROOT/p"] == windows_path(root)
    again = wine.run(root / "scripts" / "setup.bat", pythons=PYTHONS)
    assert again.code == 0 and [call.arguments[-1] for call in linux_calls(again)] == ["--status", "exit 0", "setup"]
    back = wine.run(root / "scripts" / "setup.bat", "--native", pythons=PYTHONS)
    assert back.code == 0 and "in Windows again" in back.shown and not (root / ".wsl").exists()
    assert [words[0] for words in back.modules] == ["venv", "pip"] and not linux_calls(back)
    native = wine.run(root / "scripts" / TRAIN, pythons=PYTHONS)
    assert native.code == 0 and not linux_calls(native) and native.steps[0][0] == "train"


@pytest.mark.parametrize(
    ("codes", "said"),
    [("1 0 0", "wsl --install\n"), ("0 1 0", "wsl --install -d Ubuntu"), ("0 0 1", "Setting up in WSL failed")],
)
def test_what_is_missing_is_said_with_what_to_do(wine, codes, said):
    root, run = toolkit(wine, "incomplete", STAND_IN_WSL=codes)
    assert (run.code, run.waited) == (1, 1) and said in run.shown.split("Press any key")[0], run.shown
    assert not (root / ".wsl").exists(), "the launchers run where they ran before"


def test_a_computer_without_wsl(wine):
    root = wine.toolkit("no wsl")
    run = wine.run(root / "scripts" / "setup.bat", "--wsl")
    assert run.code == 1 and "wsl --install" in run.shown and not (root / ".wsl").exists()


def test_another_flag_is_refused(wine):
    run = wine.run(wine.toolkit("flag") / "scripts" / "setup.bat", "--wls")
    assert (run.code, run.waited) == (2, 1) and "--wls" in run.shown and not run.calls


@pytest.mark.parametrize("key", STEPS)
def test_every_launcher_runs_its_step_there(wine, tmp_path, key):
    root, _ = toolkit(wine)
    step = STEPS[key]
    clip = root / "a clip.mp4"
    clip.write_bytes(b"")
    given = f'"{windows_path(clip)}"' if "{FILE}" in step.commands[0] else '--name "a b"'
    run = wine.run(root / "scripts" / f"{step.windows}.bat", given, pythons=PYTHONS, DFL_NO_PAUSE="1")
    calls = linux_calls(run)
    assert run.code == 0 and len(calls) == len(run.calls) == len(step.commands), run.shown
    places = {
        "W": root / "workspace", "S": root / "workspace" / "data_src", "D": root / "workspace" / "data_dst",
        "M": root / "workspace" / "model", "P": root / "pretrain_faces", "Q": root / "pretrain_Quick96",
        "G": root / "model_generic_xseg", "FILE": clip,
    }  # fmt: skip
    extra = [] if "{FILE}" in step.commands[0] else ["--name", "a b"]
    for number, call in enumerate(calls):
        folder = tmp_path / str(number)
        expected = step.arguments({name: str(place) for name, place in places.items()}, number, extra)
        assert in_linux(call, root, folder) == expected


@pytest.mark.parametrize("name", ["a & b", "(c) d)", "a^b ^^c", "ünï 顔", "a'b;c,d=e", "a! b! c", "$HOME `x`"])
def test_folders_of_any_name(wine, tmp_path, name):
    root, _ = toolkit(wine, name)
    run = wine.run(root / "scripts" / TRAIN, pythons=PYTHONS)
    [call] = linux_calls(run)
    words = in_linux(call, root, tmp_path)
    assert words[words.index("--model-dir") + 1] == str(root / "workspace" / "model")


@pytest.mark.parametrize("code", [0, 1, 3, 130])
def test_the_exit_code_is_that_of_the_step(wine, code):
    root, _ = toolkit(wine)
    run = wine.run(root / "scripts" / TRAIN, pythons=PYTHONS, STAND_IN_CODES=str(code))
    assert (run.code, run.waited) == (code, 1)


def test_a_linux_and_a_workspace_by_name(wine, tmp_path):
    root, run = toolkit(wine, DFL_WSL="Ubuntu-24.04")
    assert all(call.arguments[:2] == ("--distribution", "Ubuntu-24.04") for call in linux_calls(run)[1:])
    film = tmp_path / "my film"
    run = wine.run(root / "scripts" / TRAIN, pythons=PYTHONS, DFL_WORKSPACE=windows_path(film), DFL_ONNX="gpu",
                   WSLENV="MINE", MINE="1", CUDA_VISIBLE_DEVICES="1")  # fmt: skip
    [call] = linux_calls(run)
    assert call.arguments[:2] == ("--distribution", "Ubuntu-24.04")
    assert call.lent["DFL_WORKSPACE/p"] == windows_path(film) and call.lent["DFL_ONNX"] == "gpu"
    assert call.lent["MINE"] == "1" and call.lent["CUDA_VISIBLE_DEVICES"] == "1"
    words = in_linux(call, root, tmp_path / "linux")
    assert words[words.index("--model-dir") + 1] == str(film / "model")
