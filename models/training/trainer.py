"""The training loop: one iteration after the other, saves, backups, previews, the console line."""

import os
import queue
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.console import events, interact
from core.errors import UserError
from models.base import NonFiniteWeights, SavedModel
from models.preview.previewer import Previewer
from models.saved.backups import BackupClock, make_backup
from models.saved.emergency import EmergencySaves
from models.saved.saving import BackgroundSaver
from models.training.callbacks import Hook
from models.training.save_watch import NotSaved, SaveRules, SaveWatch

SECONDS_PER_MINUTE = 60.0
DEFAULT_SAVE_MINUTES = 25.0
IDLE_SECONDS = 0.1
MOST_SKIPPED_STEPS = 3
STATUS_WIDTH = 60
PLAIN_STATUS_SECONDS = 10.0
EVENT_SECONDS = 0.5
NOTICEABLE_WAITING = 0.05

SAVE, BACKUP, PREVIEW, STOP = "save", "backup", "preview", "stop"


@dataclass
class TrainerSettings:
    """How a run goes on; everything that is no option of the model.

    Parameters
    ----------
    save_minutes : float
        Minutes between saves.
    save_every : int
        Iterations between saves, in addition; 0 = off.
    backup_hours : float
        Hours between backups.
    hooks : list
        See :class:`models.training.callbacks.Hook`.
    fallback_dir : Path, optional
        Where to save while the model folder cannot be written.
    save_rules : SaveRules
    """

    save_minutes: float = DEFAULT_SAVE_MINUTES
    save_every: int = 0
    backup_hours: float = 0.0
    hooks: list[Hook] = field(default_factory=list)
    fallback_dir: Path | None = None
    save_rules: SaveRules = SaveRules()


class LossesNotFinite(UserError):
    """Losses stay NaN or infinite: the present state is of no use, and the last save is kept."""


class Trainer:
    """Trains a model on one thread; other threads send it commands.

    Parameters
    ----------
    saved : SavedModel
        Built for training.
    data : object
        ``next()``, ``preview_batch(number, count)``, ``batch_before(iteration)``, ``close()``; see
        :class:`models.training.training_data.SwapData`.
    settings : TrainerSettings
    previewer : Previewer
    """

    def __init__(self, saved: SavedModel, data: Any, settings: TrainerSettings, previewer: Previewer):
        self.saved, self.data, self.settings, self.previewer = saved, data, settings, previewer
        self._emergency = EmergencySaves(saved.model_dir, saved.prefix, settings.fallback_dir)
        self._saver = BackgroundSaver(saved, self._emergency)
        self.watch = SaveWatch(self._saver, saved.model_dir, settings.save_rules, saved.iteration)
        self.failure: BaseException | None = None
        self.finished = threading.Event()
        self.reached_target = False
        self.last_batch: dict[str, np.ndarray] | None = None
        self._commands: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._line = ConsoleLine()
        self._skipped_steps = 0
        self._stop_announced = False
        self._preview_number = 0
        self._event_at = 0.0
        self._training_seconds, self._waited_at_first = 0.0, None

    def send(self, command: str) -> None:
        """Ask for ``SAVE``, ``BACKUP``, ``PREVIEW`` or ``STOP`` from any thread."""
        self._commands.put(command)

    def stop(self) -> None:
        """Ask to save and end after the present iteration, and say at once that this is going to be done."""
        if self._stop_announced:
            return
        self._stop_announced = True
        interact.info("\nEnding." if self.reached_target else "\nSaving after this iteration, then ending...")
        self.send(STOP)

    def run(self) -> None:
        """Train until the target, a stop command or an error; the error is kept in ``failure``.

        The last state is saved, be it in another folder, unless it must not be; what could not be saved is a failure.
        """
        try:
            self._loop()
            self.watch.finish()
        except (NonFiniteWeights, LossesNotFinite, NotSaved) as error:
            self.failure = error
        except BaseException as error:
            self.failure = error
            if not isinstance(error, UserError) or self.saved.iteration > self.watch.saved_iteration:
                self._save_beside()
        finally:
            self._close()

    def _close(self):
        """End everything that belongs to the run; whatever fails in it, the run counts as finished."""
        steps = [
            self._saver.wait,
            *(hook.close for hook in self.settings.hooks),
            self._advise_on_waiting,
            self.data.close,
        ]
        try:
            for step in steps:
                try:
                    step()
                except Exception as error:
                    self.failure = self.failure or error
        finally:
            self.finished.set()

    def start(self) -> threading.Thread:
        """:meth:`run` on a thread of its own."""
        thread = threading.Thread(target=self.run, name="trainer", daemon=True)
        thread.start()
        return thread

    def save(self, with_backup: bool = False) -> None:
        """Save in the background; with ``with_backup`` a backup of the saved files follows."""
        self._line.status("Saving....")
        for hook in self.settings.hooks:
            hook.before_save(self)
        pages = self.previewer.pages_for_backup() if with_backup else []
        self.watch.start((lambda: make_backup(self.saved, pages)) if with_backup else None)
        self._line.after_save()
        for hook in self.settings.hooks:
            hook.after_save(self)

    def _advise_on_waiting(self):
        """Say so when the networks have waited for samples for a noticeable part of the time."""
        share = self.waiting_share()
        if share > NOTICEABLE_WAITING:
            interact.info(f"{share:.0%} of the training time was spent on waiting for samples: try more --workers.")

    def waiting_share(self) -> float:
        """Part of the iterations' time, the first one left out, in which no batch was ready."""
        if self._waited_at_first is None or not self._training_seconds:
            return 0.0
        return (self.data.loader.waited_seconds - self._waited_at_first) / self._training_seconds

    def save_and_settle(self) -> bool:
        """Save and wait for it; whether the model folder holds the present state now."""
        self.save()
        return self.watch.settle()

    def _save_beside(self):
        """After an error that nobody expected: keep the present state in a folder of its own, the last save as it is."""
        iteration = self.saved.iteration
        if not iteration:
            return
        try:
            folder = self._emergency.save(iteration, self.saved.snapshot(), beside_first=True)
            interact.info(f"\nThe state of iteration {iteration} was saved to {folder}.")
        except Exception as error:
            interact.warning(f"The state of iteration {iteration} could not be saved ({error}).")

    def _loop(self):
        self._announce(self.saved.effective["target_iter"])
        start = time.monotonic()
        next_save = start + self.settings.save_minutes * SECONDS_PER_MINUTE
        clock = BackupClock(self.settings.backup_hours or self.saved.effective.get("autobackup_hour", 0), start)
        first = True
        while True:
            if not self.reached_target:
                first_ever = self.saved.iteration == 0
                self._iterate()
                now = time.monotonic()
                due = now >= next_save
                if due:
                    interval = self.settings.save_minutes * SECONDS_PER_MINUTE
                    next_save += interval * (1 + (now - next_save) // interval)
                every = self.settings.save_every and self.saved.iteration % self.settings.save_every == 0
                target = self.saved.effective["target_iter"]
                if target and self.saved.iteration >= target:
                    self._reach_target()
                elif due or every or first_ever:
                    self.save(with_backup=clock.is_due(now))
                if due or first:
                    self.previewer.show(self.last_batch)
                first = False
            if not self.watch.look():
                return
            self._line.warning = self.watch.warning
            if not self._handle_commands(wait=self.reached_target):
                return

    def _announce(self, target):
        places = ["Ctrl+C here"]
        if interact.has_terminal():
            places.insert(0, "Enter here")
        if self.previewer.has_window:
            places.insert(0, "Enter in the preview window")
        stop = f"Press {' or '.join(places)}"
        goal = f" Target iteration: {target}." if target else ""
        if target and self.saved.iteration >= target:
            interact.info("Model already trained to target iteration. You can use preview.")
            self.reached_target = True
            self.previewer.show(self.data.preview_batch(0, self.previewer.rows))
            return
        interact.info(f"Starting.{goal} {stop} to stop training and save model.")
        if self.saved.iteration == 0:
            if self.saved.kind.suggests_pretraining and not self.saved.effective.get("pretrain"):
                interact.info(
                    "A pretrained model learns faster: pretrain this one first, or start from a pretrained one."
                )
            interact.info("\nTrying to do the first iteration. If an error occurs, reduce the model parameters.\n")
            if os.name == "nt":
                interact.info("Windows: turn on hardware-accelerated GPU scheduling in the graphics settings.\n")

    def _iterate(self):
        start = time.perf_counter()
        network = self.saved.network
        if network.reuses_previous_batch():
            batch = self.last_batch
        else:
            batch = self.data.next()
        self.last_batch = batch
        self.previewer.write_history(self.saved.iteration)
        losses = network.train_one_iteration(batch)
        if not np.all(np.isfinite(losses)):
            self._recover_from_bad_step()
            return
        self._skipped_steps = 0
        self.saved.data.iteration += 1
        self.saved.data.loss_history.append([float(value) for value in losses])
        seconds = time.perf_counter() - start
        if self._waited_at_first is None:
            self._waited_at_first = self.data.loader.waited_seconds
        else:
            self._training_seconds += seconds
        self._line.show(self.saved.iteration, seconds, losses)
        if time.monotonic() - self._event_at > EVENT_SECONDS:
            self._event_at = time.monotonic()
            events.emit("iteration", iteration=self.saved.iteration, losses=list(map(float, losses)), seconds=seconds)
        for hook in self.settings.hooks:
            hook.after_iteration(self, losses, seconds)

    def _recover_from_bad_step(self):
        """A loss or gradient is NaN or infinite, so the network has left its weights alone: skip the step.

        When several steps in a row are skipped, go back to the last save; when that does not help, end.
        """
        self._skipped_steps += 1
        iteration = self.saved.iteration + 1
        interact.warning(f"Iteration {iteration}: a loss or gradient is not finite. The step was skipped.")
        if self._skipped_steps % MOST_SKIPPED_STEPS:
            return
        self.watch.settle()
        if self._skipped_steps > MOST_SKIPPED_STEPS or not self.saved.state_path.exists():
            raise LossesNotFinite(
                f"Iteration {iteration}: losses stay not finite. The last good save was kept; nothing was overwritten. "
                "Lower gan_power, true_face_power and the style powers, or turn on clipgrad, and train again."
            )
        place = self.watch.emergency_place
        restored = self.saved.restore_last_save() if place is None else self.saved.restore_last_save(place)
        interact.warning(f"{MOST_SKIPPED_STEPS} steps were skipped; went back to the save of iteration {restored}.")

    def _reach_target(self):
        interact.info("\nReached target iteration.")
        self.save_and_settle()
        self.reached_target = True
        self.previewer.show(self.last_batch)
        if self.previewer.has_window:
            interact.info("You can use preview now.")

    def _handle_commands(self, wait):
        """Carry out waiting commands; False to end. After the target, without a window, there is nothing to wait for."""
        if wait and not self.previewer.keeps_open:
            return False
        while True:
            try:
                command = self._commands.get(block=wait, timeout=IDLE_SECONDS if wait else None)
            except queue.Empty:
                return True
            if command == STOP:
                if not self.reached_target:
                    self.save()
                return False
            self._carry_out(command)

    def _carry_out(self, command):
        if command == PREVIEW:
            batch = self.last_batch
            if self.reached_target:
                self._preview_number += 1
                batch = self.data.preview_batch(self._preview_number, self.previewer.rows)
            self.previewer.show(batch)
        elif command in (SAVE, BACKUP) and not self.reached_target:
            if command == BACKUP:
                interact.info("\nCreating backup...")
            self.save(with_backup=command == BACKUP)


class ConsoleLine:
    """The line ``[time][#iteration][duration][losses]`` that overwrites itself, kept once per save with the mean losses."""

    def __init__(self):
        self.warning = ""
        self._width = STATUS_WIDTH
        self._sums: np.ndarray | None = None
        self._count = 0
        self._keep_next = False
        self._is_terminal = sys.stdout.isatty()
        self._plain_at = 0.0

    def after_save(self) -> None:
        """The next line shows the mean since the save before and stays."""
        self._keep_next = True

    def show(self, iteration: int, seconds: float, losses: np.ndarray) -> None:
        losses = np.asarray(losses, np.float64)
        self._sums = losses if self._sums is None else self._sums + losses
        self._count += 1
        if self._keep_next:
            start = "\r" if self._is_terminal else ""
            interact.info(start + self._warned(console_line(iteration, seconds, self._sums / self._count)))
            self._sums, self._count, self._keep_next = None, 0, False
        else:
            self.status(self._warned(console_line(iteration, seconds, losses)))

    def status(self, text: str) -> None:
        """A line that the next one overwrites; without a terminal one every few seconds."""
        if self._is_terminal:
            interact.status(text, self._width)
            self._width = max(STATUS_WIDTH, len(text))  # the next line covers this one whole
        elif time.monotonic() - self._plain_at > PLAIN_STATUS_SECONDS:
            self._plain_at = time.monotonic()
            interact.info(text)

    def _warned(self, text):
        return f"{text} {self.warning}" if self.warning else text


def console_line(iteration: int, seconds: float, losses: np.ndarray) -> str:
    """``[16:05:09][#000123][0456ms][0.1234][0.5678]``; from 10 s on the duration is ``[12.34s]``."""
    duration = f"[{f'{seconds:.4f}'[:5]}s]" if seconds >= 10 else f"[{int(seconds * 1000):04d}ms]"
    text = "".join(f"[{value:.4f}]" for value in losses)
    return f"[{time.strftime('%X')}][#{iteration:06d}]{duration}{text}"


__all__ = ["BACKUP", "PREVIEW", "SAVE", "STOP", "NonFiniteWeights", "Trainer", "TrainerSettings", "console_line"]
