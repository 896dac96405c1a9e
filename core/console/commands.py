"""Commands that messages tell the user to run, written so that they can be pasted as they are."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[2] / "main.py"
_INSTALLED = "deepfacelab-tf2"


def command(*words: object) -> str:
    """The command line that runs this program with these words.

    Parameters
    ----------
    *words : str or Path
        A text may hold several words, as ``"util --fetch-weights"``; a Path is one word, quoted where that is needed.
    """
    return " ".join([_program(), *(_quoted(str(word)) if isinstance(word, Path) else str(word) for word in words)])


def setup_script() -> str:
    """The script that makes the environment on this system."""
    return r"scripts\setup.bat" if os.name == "nt" else "bash scripts/setup.sh"


def _program():
    """How this program was started: by its installed name, or by the interpreter that runs it."""
    if Path(sys.argv[0]).stem == _INSTALLED:
        return _INSTALLED
    return f"{_quoted(_interpreter())} {_quoted(_from_here(PROGRAM))}"


def _interpreter():
    for name in ("python", "python3"):
        found = shutil.which(name)
        if found and os.path.abspath(found) == os.path.abspath(sys.executable):
            return name
    return _from_here(Path(sys.executable)) if sys.executable else "python"


def _from_here(path):
    """The path from the working folder if it lies in there, else whole."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _quoted(word):
    return subprocess.list2cmdline([word]) if os.name == "nt" else shlex.quote(word)
