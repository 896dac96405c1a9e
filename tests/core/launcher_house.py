"""A copy of the program in a folder with a blank in its name, with a workspace and a display of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from mainscripts.jobs.step_table import load_steps

ROOT = Path(__file__).resolve().parents[2]
STEPS = load_steps()
FRAMES = 8
PATIENCE_SECONDS = 540


def wait_until(condition, complaint, seconds=240):
    """Wait for a condition; an AssertionError with ``complaint`` (text or function) when it does not come true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.1)
    raise AssertionError(complaint() if callable(complaint) else complaint)


def copy_checkout(folder: Path):
    """Copy the program without its tests, as it is now: with changed and new files, without what git ignores."""
    command = ["git", "ls-files", "-coz", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


class House:
    """The copied program, the folders of its workspace, and what its launchers have done so far."""

    def __init__(self, folder: Path, display: str):
        self.root = folder / "deep face lab"
        self.workspace = self.root / "workspace"
        self.source, self.destination = self.workspace / "data_src", self.workspace / "data_dst"
        self.model = self.workspace / "model"
        self.display = display
        self.console = folder / "console.txt"
        self.viewed = folder / "viewed.txt"
        self.viewer = folder / "viewer.sh"
        self.viewer.write_text(f'#!/bin/sh\necho "$1" > "{self.viewed}"\n')
        self.viewer.chmod(0o755)
        self.table = []
        self.process = None
        copy_checkout(self.root)

    def make_clips(self):
        """The demo's clips, short, as the two videos of the workspace."""
        maker = self.root / "scripts" / "make_demo_clips.py"
        command = [sys.executable, maker, self.workspace, "--frames", str(FRAMES)]
        subprocess.run(command, check=True, timeout=120)

    def launch(self, key, flags, window=None, display=False):
        """Run one launcher from a foreign folder, without a terminal; returns (exit code, console).

        ``window`` is called with this house once the program runs, and presses the keys.
        """
        script = self.root / "scripts" / f"{STEPS[key].shell}.sh"
        environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        environment |= {
            "DFL_VENV": sys.prefix, "DFL_SKIP_SETUP": "1", "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8",
            "CUDA_VISIBLE_DEVICES": "-1", "QT_QPA_PLATFORM": "xcb", "XDG_CONFIG_HOME": str(self.root.parent / "config"),
        }  # fmt: skip
        if window or display:
            environment["DISPLAY"] = self.display
        if key == "view-src":
            environment["DFL_VIEWER"] = str(self.viewer)
        before, start = self._files(), time.monotonic()
        with open(self.console, "wb") as console:
            process = self.process = subprocess.Popen(
                ["bash", str(script), *map(str, flags)], stdin=subprocess.DEVNULL, stdout=console,
                stderr=subprocess.STDOUT, cwd="/", env=environment, start_new_session=True,
            )  # fmt: skip
        try:
            if window:
                window(self)
            code = process.wait(PATIENCE_SECONDS)
        except BaseException:
            print(self.text())
            raise
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)
        after = self._files()
        new = sorted(set(after) - set(before))
        changed = [name for name in after if name in before and after[name] != before[name]]
        gone = len(set(before) - set(after))
        self.table.append((STEPS[key].shell, code, len(new), len(changed), gone, time.monotonic() - start))
        return code, self.text()

    def interrupt(self):
        """Ctrl+C in the console of the running launcher."""
        os.killpg(self.process.pid, signal.SIGINT)

    def text(self):
        """What the running or last launcher has printed."""
        return self.console.read_text(encoding="utf-8", errors="replace")

    def xdotool(self, *arguments):
        """Mouse and keyboard; returns the words that xdotool prints."""
        done = subprocess.run(
            ["xdotool", *map(str, arguments)], env={**os.environ, "DISPLAY": self.display}, capture_output=True,
            text=True, timeout=30,
        )  # fmt: skip
        return done.stdout.split()

    def focus(self, title):
        """Wait for a window and give it the keyboard; returns its number."""
        found = wait_until(lambda: self.xdotool("search", "--name", title), lambda: f"no window {title}\n{self.text()}")
        time.sleep(1.0)
        self.xdotool("windowfocus", "--sync", found[-1])
        return found[-1]

    def press(self, *keys, pause=0.3):
        for key in keys:
            self.xdotool("key", key)
            time.sleep(pause)

    def table_text(self):
        """What every launcher did, as a Markdown table."""
        head = "| launcher | exit code | files new | changed | gone | seconds |\n|---|---|---|---|---|---|\n"
        return head + "".join(
            f"| `{name}` | {code} | {new} | {changed} | {gone} | {seconds:.0f} |\n"
            for name, code, new, changed, gone, seconds in self.table
        )

    def _files(self):
        return {
            str(path): (path.stat().st_mtime_ns, path.stat().st_size)
            for path in self.root.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
