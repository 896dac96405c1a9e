"""Runs the real program and kills it (SIGKILL) at its n-th change on disk."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

_PROGRAM = """
import sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import killed_program
killed_program.die_at(int(sys.argv[3]))
code = sys.argv[4]
sys.argv = ["main.py", *sys.argv[5:]]
exec(code)
"""
MAIN = "import main; sys.exit(main.main(sys.argv[1:]))"


def die_at(moment):
    """From now on count the changes on disk; the one of number ``moment`` is not made, the process is killed instead."""
    import atexit
    import builtins
    import signal
    import tempfile

    count, real_open = [0], builtins.open

    def change():
        count[0] += 1
        if count[0] == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function):
        def call(*arguments, **options):
            change()
            return function(*arguments, **options)

        return call

    def patched_open(file, mode="r", *arguments, **options):
        stream = real_open(file, mode, *arguments, **options)
        if set(mode) & set("wax+") and "b" in mode:
            change()
        return stream

    for name in ("replace", "rename", "unlink", "remove", "rmdir", "mkdir", "fsync", "link"):
        setattr(os, name, counted(getattr(os, name)))
    tempfile.mkstemp, tempfile.mkdtemp = counted(tempfile.mkstemp), counted(tempfile.mkdtemp)
    builtins.open = patched_open
    atexit.register(lambda: print("changes:", count[0], flush=True))


def run(arguments, moment=0, code=MAIN):
    """Output and exit code of a run, killed at a moment (0: never)."""
    words = [sys.executable, "-c", _PROGRAM, str(ROOT), str(Path(__file__).parent), str(moment), code]
    done = subprocess.run(
        [*words, *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300, cwd=ROOT
    )
    return done.stdout + done.stderr, done.returncode


def changes(output):
    """Number of changes that a run made which was not killed."""
    return int(re.search(r"changes: (\d+)", output)[1])


def hidden(folder):
    """Names that begin with a dot, and other temporary ones, anywhere in a folder."""
    found = [path for path in folder.rglob("*") if path.name.startswith(".") or ".tmp" in path.name]
    return sorted(
        re.sub(r"[0-9a-f]{8}-[0-9a-f]+-[0-9a-f]+\.\w{8}", "<owner>", str(p.relative_to(folder))) for p in found
    )
