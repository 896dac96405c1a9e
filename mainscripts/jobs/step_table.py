"""The numbered steps as data, read from ``steps.yaml`` beside this module: shared by launchers and jobs."""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from core.records.file_value import short
from core.records.yaml_file import read_yaml

TABLE = Path(__file__).resolve().with_name("steps.yaml")
_PROGRAM = TABLE.parents[2]
_PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


class PlaceholderError(ValueError):
    """A text holds a placeholder that is not known."""


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

    def arguments(self, places: dict[str, str], command: int = 0, flags: Sequence[str] = ()) -> list[str]:
        """Arguments of ``main.py`` for one of the commands, placeholders and extra flags filled in."""
        words = shlex.split(self.commands[command])
        position = words.index(FLAGS) if FLAGS in words else len(words)
        before, after = ([fill(word, places) for word in part] for part in (words[:position], words[position + 1 :]))
        return [*before, *flags, *after]


FLAGS = "{FLAGS}"
"""Where the extra flags of a launcher or job go in a command."""
_COLUMNS = tuple(field.name for field in fields(Step))


def load_steps(path: Path = TABLE) -> dict[str, Step]:
    """All steps by key, in workflow order."""
    steps = {}
    for row in read_yaml(path, "table of steps").sequence():
        texts = row.mapping(_COLUMNS)
        values: dict[str, Any] = {
            name: tuple(text.text() for text in value.sequence()) if isinstance(value.data, list) else value.text()
            for name, value in texts.items()
        }
        if not {"key", "windows", "commands"} <= values.keys():
            raise row.unexpected("a step with key, windows and commands")
        values.setdefault("shell", shell_name(values["windows"]))
        steps[values["key"]] = Step(**values)
    return steps


def fill(text: str, places: dict[str, str]) -> str:
    """A text with ``{W}`` … replaced by their values, and ``{{`` and ``}}`` by single braces; nothing else is a placeholder.

    Raises
    ------
    PlaceholderError
        For another placeholder, or a brace that stands alone.
    """

    def value(match):
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] in places:
            return places[match[1]]
        known = ", ".join(f"{{{name}}}" for name in places)
        raise PlaceholderError(
            f"{short(match[0])} is no placeholder; known are {known}, and a brace of a name is written twice"
        )

    return _PLACEHOLDER.sub(value, text)


def shell_name(windows: str) -> str:
    """Launcher name for ``.sh``: the same words, joined by ``_``."""
    words = re.sub(r"[^\w.\-]+", "_", windows.replace(")", ""))
    return re.sub(r"_-_", "_", words)


def folders(workspace: Path, program: Any = None) -> dict[str, str]:
    """Values of the placeholders for a workspace and the program's own folder."""
    program = Path(program or _PROGRAM)
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
