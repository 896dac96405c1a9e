"""Rules that every launcher of either system keeps, read from the files themselves; test_batch_files.py runs them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
BATCH_FILES = sorted(SCRIPTS.glob("*.bat"))
SHELL_FILES = sorted(SCRIPTS.glob("*.sh"))
LAUNCHERS = [path for path in BATCH_FILES if path.name[0].isdigit()]
# Values without a blank or a sign that means something to cmd: numbers, words that the file itself has put in quotes, and the
# name of a Linux.
BARE = {"DFL_EXIT", "ERRORLEVEL", "DFL_CALL", "DFL_VERSION", "DFL_VIA", "DFL_WSL", "DFL_DISTRIBUTION"}


def by_name(path):
    return path.name


def lines(path):
    return path.read_bytes().decode("ascii").split("\r\n")


def commands(path):
    """Lines that do something: no remarks, no labels."""
    return [line for line in lines(path) if line and not line.startswith(("rem ", ":"))]


def outside_quotes(line):
    """What cmd reads with its signs: the line without what stands in quotes."""
    return "".join(line.split('"')[::2])


# --- Windows


@pytest.mark.parametrize("path", BATCH_FILES, ids=by_name)
def test_batch_files_are_ascii_with_windows_line_ends(path):
    data = path.read_bytes()
    assert data.isascii() and data.endswith(b"\r\n")
    assert data.count(b"\n") == data.count(b"\r") == data.count(b"\r\n")


@pytest.mark.parametrize("path", BATCH_FILES, ids=by_name)
def test_batch_files_change_nothing_around_them(path):
    assert lines(path)[:2] == ["@echo off", "setlocal EnableExtensions DisableDelayedExpansion"]
    assert 'set "ERRORLEVEL="' in lines(path), "a variable of that name would hide the exit codes"


@pytest.mark.parametrize("path", BATCH_FILES, ids=by_name)
def test_paths_of_batch_files_are_quoted(path):
    for line in commands(path):
        bare = outside_quotes(line)
        given = set(re.findall(r"%(~?\w+)(?::[^%]*)?%", bare.replace("%%", ""))) - BARE
        if "%~" in bare or given:
            assert re.match(r"if /i \"%DFL_PYTHON:~0,3%\"==\"py \" call :try %DFL_PYTHON%$", line), line
        assert line.count('"') % 2 == 0 or ':"=%' in line, line


@pytest.mark.parametrize("path", BATCH_FILES, ids=by_name)
def test_batch_files_are_called_by_a_variable(path):
    """``call`` doubles carets and fills in ``%NAME%`` once more in what it is given literally."""
    for line in commands(path):
        called = re.search(r"\bcall (\S+)", line)
        assert not called or called[1].startswith((":", "%DFL_CALL%", '"%DFL_CALL%"', "%1")), line


@pytest.mark.parametrize("path", BATCH_FILES, ids=by_name)
def test_every_pause_can_be_switched_off(path):
    pauses = [line for line in commands(path) if re.search(r"\bpause\b", outside_quotes(line))]
    assert all("if not defined DFL_NO_PAUSE pause" in line for line in pauses)
    assert len(pauses) == (0 if path.name == "env.bat" else 1)


@pytest.mark.parametrize("path", LAUNCHERS, ids=by_name)
def test_launchers_end_in_one_place(path):
    """Also where the environment fails: the message stays on the screen, and the exit code is that of what failed."""
    text = lines(path)
    end = text.index(":end")
    assert text[end + 2 :] == ["exit /b %DFL_EXIT%", ""] and text[end + 1].endswith("if not defined DFL_NO_PAUSE pause")
    assert not any("exit" in line.lower().split() for line in text[:end])
    called = text.index('call "%DFL_CALL%"')
    assert "set DFL_EXIT=1" in text[:called] and text[called + 1] == "if errorlevel 1 goto end"
    assert sum("errorlevel 1" in line for line in text) == 1, "a crash's exit code is negative"
    steps = [number for number, line in enumerate(text) if "main.py" in line]
    assert steps and all(text[number + 1] == "set DFL_EXIT=%ERRORLEVEL%" for number in steps)
    assert all(text[number - 1] == "if not %DFL_EXIT%==0 goto end" for number in steps[1:])
    assert all(text[number].split().count("%*") == 1 for number in steps)


def test_jumps_of_batch_files_have_a_target():
    for path in BATCH_FILES:
        labels = {line[1:] for line in lines(path) if line.startswith(":")}
        assert labels >= set(re.findall(r"(?:goto |call :)(\w+)", "\n".join(commands(path))))


# --- Linux


@pytest.mark.parametrize("path", SHELL_FILES, ids=by_name)
def test_shell_scripts_stop_at_the_first_error(path):
    data = path.read_bytes()
    assert b"\r" not in data and data.endswith(b"\n")
    text = data.decode()
    assert "set -euo pipefail\n" in text or path.name == "env.sh", "env.sh is sourced by those that say so"
    assert not re.search(r"\bcd \"", text), 'a CDPATH of the user would lead elsewhere: CDPATH="" cd -- …'
    assert subprocess.run(["bash", "-n", path]).returncode == 0


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
def test_shell_scripts_are_quoted():
    done = subprocess.run(["shellcheck", "-S", "style", "-e", "SC1091", *SHELL_FILES], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


# --- git


def test_git_keeps_the_line_ends():
    rules = [line.split() for line in (ROOT / ".gitattributes").read_text().splitlines() if not line.startswith("#")]
    assert ["*.sh", "text", "eol=lf"] in rules and ["*.bat", "text", "eol=crlf"] in rules
