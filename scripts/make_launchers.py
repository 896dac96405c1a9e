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


def words(command, places, quote):
    """The words of one command with placeholders filled in; paths are quoted."""
    filled = []
    for word in shlex.split(command):
        if word == "{FILE}":
            continue
        filled.append(quote(word.format(**places)) if "{" in word else word)
    return " ".join(filled)


def shell_text(step):
    """Content of the ``.sh`` launcher."""
    lines = ["#!/usr/bin/env bash", f"# {step.windows} (written by make_launchers.py)", "set -euo pipefail",
             '. "$(dirname "${BASH_SOURCE[0]}")/env.sh"']  # fmt: skip
    for index, command in enumerate(step.commands):
        handed_on = ' "$@"' if index == 0 else ""
        if "{FILE}" in command:
            lines.append('[ $# -gt 0 ] || { echo "Usage: $0 VIDEO [flags]" >&2; exit 2; }')
        lines.append("dfl " + words(command, SHELL_PLACES, lambda text: '"' + text + '"') + handed_on)
    return "\n".join(lines) + "\n"


def batch_text(step):
    """Content of the ``.bat`` launcher."""
    places = {name: "%" + value[1:].replace("/", "%\\", 1) + ("" if "/" in value else "%")
              for name, value in SHELL_PLACES.items()}  # fmt: skip
    lines = ["@echo off", f"rem {step.windows} (written by make_launchers.py)", 'call "%~dp0env.bat"',
             "if errorlevel 1 exit /b 1"]  # fmt: skip
    for index, command in enumerate(step.commands):
        handed_on = " %*" if index == 0 else ""
        if "{FILE}" in command:
            lines += ['if "%~1"=="" (', "    echo Drop a video on this file.", "    pause", "    exit /b 2", ")"]
        arguments = words(command, places, lambda text: '"' + text.replace("/", "\\") + '"')
        lines.append(f'"%DFL_PYTHON_EXE%" "%DFL_ROOT%\\main.py" {arguments}{handed_on}')
        lines.append("set DFL_EXIT=%errorlevel%" if index == 0 else "if errorlevel 1 set DFL_EXIT=%errorlevel%")
        if index + 1 < len(step.commands):
            lines.append("if not %DFL_EXIT%==0 goto end")
    lines.append(":end")
    if step.end == "pause":
        lines.append("if not defined DFL_NO_PAUSE pause")
    elif step.end == "pause-on-error":
        lines.append("if not %DFL_EXIT%==0 if not defined DFL_NO_PAUSE pause")
    lines.append("exit /b %DFL_EXIT%")
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
        "Written by `scripts/make_launchers.py` from `scripts/steps.yaml`. All are in `scripts/`; extra arguments are handed",
        "on to the (first) command. `{W}` is the workspace, `{S}` its `data_src`, `{D}` its `data_dst`, `{M}` its `model`,",
        "`{P}` the pretraining faces, `{Q}` start weights of Quick96, `{G}` a generic XSeg model.", "",
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
