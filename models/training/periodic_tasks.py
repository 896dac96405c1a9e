"""Things that happen at set times while a model trains: saves, backups, previews, external programs."""

import math
import shlex
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

from core.console import interact
from core.errors import UsageError
from models.training.callbacks import Hook
from models.training.trainer import BACKUP, PREVIEW, SAVE, STOP

NAMED = {"save": SAVE, "backup": BACKUP, "preview": PREVIEW, "stop": STOP}


class ScheduledCommands(Hook):
    """Hook of the trainer.

    Parameters
    ----------
    trainer : models.training.trainer.Trainer
    named : list of [str, str, …]
        ``--execute-program N NAME``: after N seconds once, or every -N seconds. Names are those of :data:`NAMED`;
        Python code, which DeepFaceLab runs here, is refused.
    programs : list of [str, str]
        ``--run-every SECONDS COMMAND``: an external program, started without a shell and not waited for.
    """

    def __init__(self, trainer: Any, named: Any, programs: Any):
        self._trainer = trainer
        self._due: list[list] = []
        start = time.monotonic()
        for words in named:
            seconds = _number(words[0], "--execute-program")
            name = words[1] if len(words) > 1 else ""
            if name not in NAMED:
                raise UsageError(
                    f"--execute-program {words[0]} {name!r}: Python code is not run here. Use one of "
                    f"{', '.join(NAMED)}, or --run-every SECONDS COMMAND for a program of your own."
                )
            self._due.append([start + abs(seconds), abs(seconds) if seconds < 0 else None, name])
        for seconds, command in programs:
            every = _number(seconds, "--run-every")
            if every <= 0:
                raise UsageError(f"--run-every {seconds}: give a positive number of seconds.")
            self._due.append([start + every, every, shlex.split(command)])

    def after_iteration(self, trainer: Any, losses: Sequence[float], seconds: float) -> None:
        now = time.monotonic()
        for entry in self._due:
            if entry[0] is not None and now >= entry[0]:
                entry[0] = None if entry[1] is None else now + entry[1]
                self._run(entry[2])

    def _run(self, what):
        if isinstance(what, str):
            self._trainer.send(NAMED[what])
            return
        try:
            process = subprocess.Popen(what, stdin=subprocess.DEVNULL)
            threading.Thread(target=process.wait, daemon=True).start()
        except OSError as error:
            interact.warning(f"Unable to execute program: {' '.join(what)} ({error.strerror})")


def _number(text, flag):
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise UsageError(f"{flag} {text}: the first value is a number of seconds.")
    return seconds
