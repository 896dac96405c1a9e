"""Clear the demo's workspace of what an earlier demo left there, and of nothing else.

Usage: ``demo_workspace.py begin WORKSPACE`` before the demo, ``demo_workspace.py end WORKSPACE`` after it. The file
``.made_by_demo.json`` in the workspace lists what the demo has left. Frames, faces and models that are not in it are of the
user: beside them the demo does not start, or, where it had been before, moves all aside.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

MARK = ".made_by_demo.json"
FOLDERS = ("data_src", "data_dst", "model")
MAIN = Path(__file__).resolve().parents[1] / "main.py"


def begin(workspace):
    """Make room for a demo; a text that says why there is none, else None."""
    workspace.mkdir(parents=True, exist_ok=True)
    present = [workspace / name for name in FOLDERS if os.path.lexists(workspace / name)]
    if present:
        left = read_mark(workspace)
        if left is None:
            return (
                f"{workspace} holds {', '.join(path.name for path in present)}, which no demo has made, so the demo does not "
                "touch it. Move that away, or give another folder: DFL_DEMO_WORKSPACE=/path bash scripts/demo.sh"
            )
        if left and left == look(workspace):
            for path in present:
                shutil.rmtree(path)
        else:
            print("Something was changed or added since the last demo, or it was interrupted.", flush=True)
            command = [sys.executable, str(MAIN), "workspace", "clear", "--workspace", str(workspace), "--yes"]
            if subprocess.run(command, stdin=subprocess.DEVNULL).returncode:
                return f"{workspace} could not be cleared; see above."
    write_mark(workspace, {}, look(workspace))
    return None


def end(workspace):
    """Note what the demo has left: all that was not there before it."""
    others = read_mark(workspace, "others") or {}
    write_mark(workspace, {name: stamp for name, stamp in look(workspace).items() if name not in others}, others)


def look(workspace):
    """Size and time of every file in the folders of the demo; of a link where it leads to."""
    found = {}
    for name in FOLDERS:
        for folder, folders, files in os.walk(workspace / name):
            for path in (Path(folder, entry) for entry in (*folders, *files)):
                if path.is_symlink() or not path.is_dir():
                    status = os.lstat(path)
                    found[path.relative_to(workspace).as_posix()] = [status.st_size, status.st_mtime_ns]
        if (workspace / name).is_symlink():
            found[name] = [0, 0]  # never what a demo has left
    return found


def read_mark(workspace, part="files"):
    """What the last demo has left, {} after one that was interrupted, or what was there before; None without a demo."""
    try:
        content = json.loads((workspace / MARK).read_text(encoding="utf-8"))
        return content[part] if isinstance(content[part], dict) else {}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write_mark(workspace, files, others):
    about = "The demo keeps here what it has left in this folder. What is not listed is yours and is not deleted."
    temporary = workspace / f"{MARK}.tmp"
    temporary.write_text(json.dumps({"about": about, "files": files, "others": others}), encoding="utf-8")
    os.replace(temporary, workspace / MARK)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("begin", "end"))
    parser.add_argument("workspace", type=Path)
    options = parser.parse_args()
    if options.action == "end":
        return end(options.workspace)
    return begin(options.workspace)


if __name__ == "__main__":
    sys.exit(main())
