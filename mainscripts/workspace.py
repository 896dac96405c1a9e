"""The ``workspace`` command: the first and the last of the numbered steps."""

import shutil
from pathlib import Path

from core import interact
from core.errors import UserError
from core.files.folder_lock import refuse_if_in_use
from core.paths import absolute_path

FOLDERS = (
    "data_src", "data_src/aligned", "data_src/aligned_debug", "data_dst", "data_dst/aligned", "data_dst/aligned_debug",
    "model",
)  # fmt: skip
CPU_ONLY_MARK = Path(__file__).resolve().parents[1] / ".cpu_only"


def add_parser(subparsers):
    """Add ``workspace clear`` and ``workspace cpu-only`` to the command line."""
    parser = subparsers.add_parser("workspace", help="clear the workspace; make every step use the processor")
    parser.set_defaults(group=parser)
    group = parser.add_subparsers(metavar="ACTION")

    clear = group.add_parser("clear", help="remove frames, faces and models; the videos stay")
    clear.add_argument("--workspace", type=absolute_path, required=True, help="the workspace folder")
    clear.set_defaults(run=run_clear)

    cpu_only = group.add_parser("cpu-only", help="make the numbered scripts use the processor even if there is a GPU")
    cpu_only.add_argument("--off", action="store_true", help="let them use the GPU again")
    cpu_only.set_defaults(run=run_cpu_only)


def run_clear(options):
    """Delete ``data_src``, ``data_dst`` and ``model`` after a yes, and make the empty folders."""
    workspace = options.workspace
    for name in ("data_src", "data_dst", "model"):
        refuse_if_in_use(workspace / name)
    full = [name for name in ("data_src", "data_dst", "model") if _count_files(workspace / name)]
    if full:
        counts = ", ".join(f"{name} ({_count_files(workspace / name)} files)" for name in full)
        interact.info(f"In {workspace}: {counts}. The videos and all other files stay.")
        if not interact.confirm("Delete these folders with everything in them?", "--yes"):
            raise UserError("Nothing was deleted.")
    for name in ("data_src", "data_dst", "model"):
        if (workspace / name).is_dir():
            shutil.rmtree(workspace / name)
    for name in FOLDERS:
        (workspace / name).mkdir(parents=True, exist_ok=True)
    interact.info(f"{workspace} is clear.")


def run_cpu_only(options):
    """Set or remove the mark that ``scripts/env.sh`` and ``env.bat`` look for."""
    if options.off:
        CPU_ONLY_MARK.unlink(missing_ok=True)
        interact.info("The numbered scripts use the GPU again, if there is one.")
        return
    CPU_ONLY_MARK.write_text("The numbered scripts use the processor only while this file is here.\n", encoding="utf-8")
    interact.info(f"The numbered scripts now use the processor only. To undo: delete {CPU_ONLY_MARK}, or run")
    interact.info("main.py workspace cpu-only --off")


def _count_files(folder):
    return sum(1 for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
