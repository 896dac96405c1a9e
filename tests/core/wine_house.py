"""Runs batch files in Wine's ``cmd`` as Windows' Explorer would, with stand-ins for Python."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SOURCE = Path(__file__).parent / "stand_ins" / "windows_programs.c"
COMPILER = "x86_64-w64-mingw32-gcc"
EVERYTHING_IS_THERE = bool(shutil.which("wine") and shutil.which("wineserver") and shutil.which(COMPILER))
WINE_TESTS = [
    pytest.mark.slow,
    pytest.mark.skipif(not EVERYTHING_IS_THERE, reason="needs wine and mingw (apt install wine gcc-mingw-w64-x86-64)"),
]
"""The marks of every file of tests that needs Wine."""


@dataclass(frozen=True)
class Call:
    """One call of Python or wsl.exe: the program, the graphics cards it was told of, what WSLENV lends, its arguments."""

    program: str
    cards: str
    lent: dict[str, str]
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """What came of one batch file."""

    code: int
    shown: str
    calls: list[Call]

    @property
    def waited(self):
        return self.shown.count("Press any key")

    @property
    def steps(self):
        """Arguments of ``main.py`` in each of its calls, but for the look at the cards after an installation."""
        called = [call.arguments for call in self.calls if call.arguments and call.arguments[0].endswith("main.py")]
        return [arguments[1:] for arguments in called if arguments[1:] != ("doctor", "--cards")]

    @property
    def modules(self):
        """Arguments after ``-m`` of each call of a module."""
        found = []
        for call in self.calls:
            words = [word for word in call.arguments if not re.fullmatch(r"-3\.\d+", word)]
            found += [words[1:]] if words[:1] == ["-m"] else []
        return found


def lent_by(text):
    """Name with its flag → value, as the stand-in for wsl.exe notes what Linux would get."""
    return dict(pair.split("=", 1) for pair in text.split("\x02") if pair)


def windows_path(path):
    """``Z:\\…`` for a path of Linux; Wine shows the whole disk as that drive."""
    return "Z:" + str(path).replace("/", "\\")


class Wine:
    """One Wine with stand-ins; ``toolkit`` makes copies of the scripts that it runs."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8",
            "WINEPREFIX": str(folder / "wine"), "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=",
        }  # fmt: skip
        program = folder / "stand_in.exe"
        subprocess.run([COMPILER, "-O1", "-s", SOURCE, "-o", program], check=True)
        for name in ("explorer/explorer", "tools/fc", "py/py", "python/python", "wsl/wsl"):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(program, folder / f"{name}.exe")
        subprocess.run(["wineboot", "-i"], env=self.environment, capture_output=True, timeout=300)

    def close(self):
        subprocess.run(["wineserver", "-k"], env=self.environment, capture_output=True, timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def toolkit(self, name):
        """A folder with the scripts as a user has them, without an environment."""
        root = self.folder / "toolkits" / name
        shutil.rmtree(root, ignore_errors=True)
        (root / "scripts").mkdir(parents=True)
        for path in SCRIPTS.glob("*.bat"):
            shutil.copy(path, root / "scripts")
        (root / "requirements.txt").write_text("# networks\ntensorflow>=2\nnumpy>=1\n")
        return root

    def run(self, batch_file, arguments="", pythons="py python", fit="py-3.11 python venv", switches="", **variables):
        """Start a batch file as Explorer does; ``pythons`` are those in PATH, ``fit`` those that may be taken."""
        log, line = self.folder / "calls.txt", self.folder / "line.txt"
        log.unlink(missing_ok=True)
        line.write_text(f'cmd.exe {switches} /c ""{windows_path(batch_file)}" {arguments}"', encoding="utf-8")
        places = [windows_path(self.folder / name) for name in ("tools", *pythons.split())]
        variables |= {
            "STAND_IN_LINE": windows_path(line), "STAND_IN_LOG": windows_path(log), "STAND_IN_FIT": fit,
            "STAND_IN_PATH": ";".join([*places, "C:\\windows\\system32"]),
        }  # fmt: skip
        done = subprocess.run(
            ["wine", windows_path(self.folder / "explorer" / "explorer.exe")], env=self.environment | variables,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, cwd=self.folder,
        )  # fmt: skip
        shown = done.stdout.decode("utf-8", "replace").replace("\r\n", "\n")
        code = re.search(r"\nexit code (-?\d+)\n", shown)
        assert code, shown
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        calls = [
            Call(words[0], words[1], lent_by(words[2]), tuple(words[3:]))
            for words in (line.split("\x1f") for line in lines)
        ]
        return Run(int(code[1]), shown[: code.start()], calls)
