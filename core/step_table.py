"""The numbered steps as data, read from ``scripts/steps.yaml``: shared by launchers and jobs."""

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError

TABLE = Path(__file__).resolve().parents[1] / "scripts" / "steps.yaml"


@dataclass(frozen=True)
class Step:
    """One row of the table; texts may hold ``{W}`` … placeholders of :func:`folders`."""

    key: str
    windows: str
    shell: str
    commands: tuple[str, ...]
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    end: str = "pause"
    once: bool = False

    def arguments(self, places: dict[str, str], command: int = 0) -> list[str]:
        """Arguments of ``main.py`` for one of the commands, placeholders filled in."""
        return [word.format(**places) for word in shlex.split(self.commands[command])]


def load_steps(path: Path = TABLE) -> dict[str, Step]:
    """All steps by key, in workflow order."""
    import yaml

    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path}: the table of steps cannot be read ({error}).") from None
    steps = {}
    for row in rows:
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
        values.setdefault("shell", shell_name(row["windows"]))
        steps[row["key"]] = Step(**values)
    return steps


def shell_name(windows: str) -> str:
    """Launcher name for ``.sh``: the same words, joined by ``_``."""
    words = re.sub(r"[^\w.\-]+", "_", windows.replace(")", ""))
    return re.sub(r"_-_", "_", words)


def folders(workspace, program=None) -> dict[str, str]:
    """Values of the placeholders for a workspace and the program's own folder."""
    program = Path(program or TABLE.parents[1])
    workspace = Path(workspace)
    return {
        "W": str(workspace),
        "S": str(workspace / "data_src"),
        "D": str(workspace / "data_dst"),
        "M": str(workspace / "model"),
        "P": os.environ.get("DFL_PRETRAIN_FACES", str(program / "pretrain_faces")),
        "Q": os.environ.get("DFL_PRETRAIN_QUICK96", str(program / "pretrain_Quick96")),
        "G": os.environ.get("DFL_GENERIC_XSEG", str(program / "model_generic_xseg")),
    }
