"""Write the numbered launchers and their reference page from ``steps.yaml``. Usage: ``make_launchers.py [--check]``."""

import argparse
import shlex
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from mainscripts.jobs.step_table import load_steps  # noqa: E402

SHELL_PLACES = {
    "W": "$DFL_WORKSPACE",
    "S": "$DFL_WORKSPACE/data_src",
    "D": "$DFL_WORKSPACE/data_dst",
    "M": "$DFL_WORKSPACE/model",
    "P": "$DFL_PRETRAIN_FACES",
    "Q": "$DFL_PRETRAIN_QUICK96",
    "G": "$DFL_GENERIC_XSEG",
}


# "call" reads a path once more, where a caret doubles and %NAME% is filled in; in a variable's name both stay as they are.
CALL_ENV = """\
set "DFL_SCRIPTS=%~dp0"
set "DFL_CALL=%%DFL_SCRIPTS%%env.bat"
call "%DFL_CALL%"
if errorlevel 1 goto end"""
# An exit code can be negative (a crash), which "if errorlevel 1" does not see; and a variable called ERRORLEVEL hides it.
FORGET_ERRORLEVEL = 'set "ERRORLEVEL="'
PAUSES = {
    "pause": "if not defined DFL_NO_PAUSE pause",
    "pause-on-error": "if not %DFL_EXIT%==0 if not defined DFL_NO_PAUSE pause",
}


def words(command, places, quote, handed_on):
    """The words of one command with placeholders filled in; paths are quoted, ``handed_on`` are the launcher's arguments."""
    filled = []
    given = shlex.split(command)
    for word in given if "{FLAGS}" in given else [*given, "{FLAGS}"]:
        if word == "{FLAGS}":
            filled.append(handed_on)
        elif word != "{FILE}":
            filled.append(quote(word.format(**places)) if "{" in word else word)
    return " ".join(filled)


def shell_text(step):
    """Content of the ``.sh`` launcher."""
    lines = ["#!/usr/bin/env bash", f"# {step.windows} (written by make_launchers.py)", "set -euo pipefail"]
    if any("{FILE}" in command for command in step.commands):
        lines.append('[ $# -gt 0 ] || { echo "Usage: $0 VIDEO [flags]" >&2; exit 2; }')
    lines.append('. "$(dirname "${BASH_SOURCE[0]}")/env.sh"')
    lines += ["dfl " + words(command, SHELL_PLACES, lambda text: f'"{text}"', '"$@"') for command in step.commands]
    return "\n".join(lines) + "\n"


def batch_text(step):
    """Content of the ``.bat`` launcher."""
    places = {name: "%" + value[1:].replace("/", "%\\", 1) + ("" if "/" in value else "%")
              for name, value in SHELL_PLACES.items()}  # fmt: skip
    lines = ["@echo off", "setlocal EnableExtensions DisableDelayedExpansion",
             f"rem {step.windows} (written by make_launchers.py)", FORGET_ERRORLEVEL]  # fmt: skip
    if any("{FILE}" in command for command in step.commands):
        lines += [
            "set DFL_EXIT=2",
            'if "%~1"=="" echo Drop a video on this file.',
            'if "%~1"=="" goto end',
            'if not exist "%~1" echo "%~1" is not there. Windows hands on a name with "&" but no blank in part only: rename it.',
            'if not exist "%~1" goto end',
        ]
    lines += ["set DFL_EXIT=1", *CALL_ENV.splitlines()]
    for index, command in enumerate(step.commands):
        if index:
            lines.append("if not %DFL_EXIT%==0 goto end")
        arguments = words(command, places, lambda text: '"' + text.replace("/", "\\") + '"', "%*")
        lines.append(f'"%DFL_PYTHON_EXE%" %DFL_VIA% "%DFL_ROOT%\\main.py" {arguments}')
        lines.append("set DFL_EXIT=%ERRORLEVEL%")
    lines += [":end", PAUSES[step.end], "exit /b %DFL_EXIT%"]
    return "\r\n".join(lines) + "\r\n"


def launchers():
    """File name → bytes of every launcher."""
    files = {}
    for step in load_steps().values():
        files[f"{step.shell}.sh"] = shell_text(step).encode()
        files[f"{step.windows}.bat"] = batch_text(step).encode()
    return files


def reference_page():
    """Content of ``docs/launchers.md``: every launcher with the command that it runs."""
    lines = [
        "# Launchers", "",
        "Written by `scripts/make_launchers.py` from `mainscripts/jobs/steps.yaml`. All are in `scripts/`. Extra arguments are handed on to",
        "every command, at its end or where `{FLAGS}` stands; the last of two equal flags counts. `{W}` is the workspace, `{S}`",
        "its `data_src`, `{D}` its `data_dst`, `{M}` its `model`, `{P}` the pretraining faces, `{Q}` start weights of Quick96,",
        "`{G}` a generic XSeg model.", "",
        "| Windows (`.bat`) | Linux (`.sh`) | in a job | `main.py` … |", "|---|---|---|---|",
    ]  # fmt: skip
    for step in load_steps().values():
        commands = "<br>".join(f"`{command}`" for command in step.commands)
        lines.append(f"| `{step.windows}` | `{step.shell}` | `{step.key}` | {commands} |")
    return ("\n".join(lines) + "\n").encode()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say which files differ; exit 1 if any")
    options = parser.parse_args()
    wanted = {HERE / name: data for name, data in launchers().items()}
    wanted[HERE.parent / "docs" / "launchers.md"] = reference_page()
    differing = [path for path, data in wanted.items() if not path.is_file() or path.read_bytes() != data]
    for path in differing:
        print(path.name)
        if not options.check:
            path.write_bytes(wanted[path])
            if path.parent == HERE:
                path.chmod(0o755)
    sys.exit(bool(options.check and differing))


if __name__ == "__main__":
    main()
