"""A training run from start to end: name, lock, devices, options, networks, data, loop, clean exit."""

import dataclasses
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.console import interact, process
from core.engines import JAX
from core.errors import UsageError, UserError
from core.random_streams import new_seed
from models.base import SavedModel
from models.option_values import ask_options, check_value, dump_options, parse_assignments, read_options_file
from models.options import Context
from models.preview.previewer import Previewer
from models.registry import kind
from models.saved import transaction
from models.saved.emergency import check_fallback, parents_to_search
from models.saved.lock import ModelLock
from models.saved.restore import DamagedModel, find_copy, newer_copy, restore
from models.saved.saved_models import choose_model, file_prefix
from models.training.request import TrainRequest
from models.training.side_work import SideWork
from models.training.trainer import Trainer, TrainerSettings
from models.training.training_data import DataSettings
from samplelib.faces.consent import report_consent

OVERRIDE_SECONDS, OVERRIDE_SECONDS_NOTEBOOK = 2, 5
_GIB = 2**30


class TrainingSession:
    """One call of ``train``.

    Parameters
    ----------
    request : TrainRequest
    """

    def __init__(self, request: TrainRequest):
        self.request = request
        self.notebook = request.notebook or "google.colab" in sys.modules
        self.recipe = None

    def run(self) -> int:
        """Train until the target or until told to stop; returns the exit code."""
        request = self.request
        class_name = request.model
        given = self._given_options(class_name)
        for folder in (request.training_data_src_dir, request.training_data_dst_dir, request.model_dir):
            make_folder(folder)
        if request.fallback_save_dir is not None:
            check_fallback(request.fallback_save_dir)
        report_consent(request.training_data_src_dir)
        report_consent(request.training_data_dst_dir)
        name = choose_model(request.model_dir, class_name, request.force_model_name, request.silent_start)
        with ModelLock(request.model_dir, file_prefix(class_name, name)):
            if request.restore_backup is not None:
                self._restore(name, find_copy(request.model_dir, class_name, name, request.restore_backup))
            try:
                return self._run_model(name, given)
            except DamagedModel as error:
                if error.copy is None or not self._agrees_to_restore(error):
                    raise
                self._restore(name, error.copy)
            return self._run_model(name, given)

    def _run_model(self, name, given):
        """Load, ask, train; the model's lock is held."""
        request = self.request
        saved = SavedModel(request.model_dir, request.model, name)
        if transaction.recover(saved.model_dir, saved.prefix):
            interact.info("The latest save was cut off while files were put in place; it is complete now.")
        saved.load_state()
        saved.check_state_is_there(request.replace_missing_weights)
        self._mention_newer_copy(saved)
        if saved.is_first_run:
            interact.info("\nModel first run.")
        gpus = self._devices()
        saved.devices = [(gpu.index, gpu.name, gpu.memory_gib) for gpu in gpus]
        if self.recipe is not None:
            given = {**self._recipe_options(saved), **given}
        fresh = self._settle_options(saved, given, gpus)
        if request.dump_options:
            dump_options(request.model, saved.effective, request.dump_options)
            interact.info(f"Options written to {request.dump_options}.")
            return 0
        return self._train(saved, fresh)

    def _restore(self, name, copy):
        request = self.request
        kept = restore(request.model_dir, file_prefix(request.model, name), copy)
        interact.info(f"Restored: {copy.described()}.")
        if kept is not None:
            interact.info(f"The files that were there before are kept in {kept.name}.")

    def _agrees_to_restore(self, error):
        """Offer the newest whole backup where somebody can answer; ``--yes`` alone does not go back to it."""
        if not interact.has_terminal():
            return False
        interact.error(error)
        return interact.ask_bool(
            f"Put back backup {error.copy.described()} and go on? The damaged files are kept", False
        )

    def _mention_newer_copy(self, saved):
        folders = parents_to_search(saved.model_dir, saved.prefix, [self.request.fallback_save_dir])
        copy = newer_copy(saved.model_dir, saved.class_name, saved.prefix, saved.iteration, folders)
        if copy is not None:
            interact.warning(
                f"{copy.folder} holds a newer state of this model (iteration {copy.iteration}; here: {saved.iteration}), "
                f"saved when it could not be saved here. Take it back: train --restore-backup {copy.folder}"
            )

    def _given_options(self, class_name):
        """Options of file, recipe and flags; later ones win."""
        request, given = self.request, {}
        if request.options:
            given.update(read_options_file(class_name, request.options))
        if request.recipe:
            from models.training.recipe import read_recipe

            self.recipe = read_recipe(class_name, request.recipe)
            if any(phase.plateau_saves for phase in self.recipe.phases) and not request.holdout:
                interact.warning(
                    "The recipe's plateau rules need held-out faces; without --holdout N they never end a phase."
                )
        given.update(parse_assignments(class_name, request.set))
        if request.target_iter is not None:
            given["target_iter"] = check_value(class_name, "target_iter", request.target_iter, "--target-iter")
        return given

    def _recipe_options(self, saved):
        from models.training.recipe import EXTRA_KEY, resume_phase

        return self.recipe.options_up_to(resume_phase(self.recipe, saved.data.extra.get(EXTRA_KEY)))

    def _devices(self):
        import core.nn  # noqa: F401, I001 - first, because it loads TensorFlow without its messages
        import tensorflow as tf

        from core.device_choice import choose_devices, choose_jax_device

        tf.get_logger().setLevel("ERROR")
        request = self.request
        if request.engine == JAX:
            chosen = choose_jax_device(
                request.cpu_only, request.force_gpu_idxs, request.silent_start, request.seed is not None
            )
        else:
            chosen = choose_devices(request.cpu_only, request.force_gpu_idxs, request.silent_start)
        if request.seed is not None:
            from core.nn import devices

            devices.make_deterministic(request.seed)
        return chosen

    def _settle_options(self, saved, given, gpus):
        """Ask or take the options, store them; returns the networks that start anew."""
        request = self.request
        context = Context(len(gpus), int(min((gpu.memory_gib for gpu in gpus), default=0) * _GIB), self.notebook)
        defaults = saved.default_options()
        silent = request.silent_start or self.recipe is not None
        override = False
        if not saved.is_first_run and not silent and saved.kind.asks:
            seconds = OVERRIDE_SECONDS_NOTEBOOK if self.notebook else OVERRIDE_SECONDS
            override = interact.ask_timed(f"Press enter in {seconds} seconds to override model settings.", seconds)
        before = dict(saved.data.options)
        if "restart_training" in saved.kind.table and not saved.is_first_run:
            if self._asks_restart(saved, given, override):
                saved.restart()
                given = {key: value for key, value in given.items() if key != "restart_training"}
                before = {}
            else:
                given = {**given, "restart_training": False}
        first_run = saved.is_first_run
        interact.discard_pending_input()
        options = ask_options(saved.class_name, before, defaults, given, context, first_run, override, silent)
        self.choose_sample = bool(options.pop("choose_preview_history", False))
        options.pop("restart_training", None)
        saved.data.options = options
        if first_run:
            SideWork("Defaults for the next new model").run(saved.write_default_options)
        wanted = options["batch_size"]
        if gpus:
            count = len(gpus)
            options["batch_size"] = max(1, wanted // count) * count
        options["batch_size"] = max(1, options["batch_size"])
        if options["batch_size"] != wanted:
            interact.info(f"batch_size becomes {options['batch_size']}.")
        if options.get("pretrain") and request.pretraining_data_dir is None:
            raise UsageError("Pretraining mode needs a faceset: give --pretraining-data-dir, or set pretrain to no.")
        return self.fresh_networks(saved, before, options)

    def fresh_networks(self, saved: Any, before: Any, options: dict) -> Any:
        """Networks whose weights start anew because of a change of options; resets the count after pretraining."""
        if saved.is_first_run:
            return ()
        fresh: tuple[str, ...] = ()
        if before.get("pretrain") and not options.get("pretrain"):
            interact.info("Pretraining ended: iterations count from 0 again.")
            saved.reset_iterations()
            fresh = saved.kind.fresh_after_pretraining(options)
        changed = [key for key in ("gan_patch_size", "gan_dims") if key in before and before[key] != options.get(key)]
        if changed and options.get("gan_power"):
            interact.info("The discriminator (GAN) starts with new weights, as its settings changed.")
            fresh += ("GAN",)
        return fresh

    def change_options(self, trainer: Any, changes: dict) -> bool:
        """Put changed options into force in the middle of a run: save, build again from the files, go on.

        Returns
        -------
        bool
            False when saving failed, so that nothing was changed: the files hold an older state.
        """
        saved = trainer.saved
        if not trainer.save_and_settle():
            return False
        before = dict(saved.data.options)
        context = Context(len(saved.devices), 0, self.notebook)
        options = ask_options(saved.class_name, before, {}, changes, context, False, False, silent=True)
        options.pop("choose_preview_history", None)
        saved.data.options = options
        if options.get("pretrain") and self.request.pretraining_data_dir is None:
            raise UsageError("The recipe's next phase is pretraining: give --pretraining-data-dir.")
        fresh = self.fresh_networks(saved, before, options)
        saved.network = None
        saved.build(True, self.request.seed, fresh)
        trainer.data.restart(saved.effective, saved.iteration)
        if saved.data.sample_for_preview is None:
            trainer.previewer.load_sample()
        saved.network.resume(trainer.data, saved.iteration)
        interact.info(saved.summary())
        return True

    def _asks_restart(self, saved, given, override):
        if "restart_training" in given:
            return given["restart_training"]
        if not override:
            return False
        option = saved.kind.table["restart_training"]
        return interact.ask_bool(option.prompt, False, option.help)

    def _train(self, saved, fresh):
        request = self.request
        if request.debug:
            return self._show_samples(saved)
        data = make_data(saved, self._data_settings())
        trainer = None
        try:
            if saved.is_first_run:
                saved.set_aside_old_files()
            with advice_on_memory(saved):
                saved.build(
                    True,
                    request.seed,
                    fresh,
                    request.pretrained_model_dir,
                    replace_missing=request.replace_missing_weights,
                )
            saved.network.resume(data, saved.iteration)
            trainer = self._make_trainer(saved, data)
            interact.info(saved.summary())
        finally:
            if trainer is None:
                data.close()
        with stop_signals() as asked, advice_on_memory(saved):
            self._run_beside_window(trainer, asked)
            if trainer.failure is not None:
                raise trainer.failure
        return 0

    def _show_samples(self, saved):
        from models.preview.sample_chooser import show_samples

        data = make_data(saved, dataclasses.replace(self._data_settings(), draw_landmarks=True, workers=1))
        count = min(4, saved.effective["batch_size"])
        path = saved.model_dir / f"{saved.prefix}_preview.jpg"
        try:
            show_samples(lambda number: data.preview_batch(number, count), path, self._opens_window())
        finally:
            data.close()
        return 0

    def _make_trainer(self, saved, data):
        request = self.request
        window = self._opens_window()
        previewer = Previewer(saved, data, window, bool(request.web_preview), self.notebook)
        previewer.load_sample()
        if self.choose_sample:
            self._choose_sample(previewer, window)
        settings = TrainerSettings(
            request.saving_time, request.save_every, request.backup_every, fallback_dir=request.fallback_save_dir
        )
        trainer = Trainer(saved, data, settings, previewer)
        settings.hooks.append(previewer)
        settings.hooks.extend(self._hooks(trainer))
        return trainer

    def _hooks(self, trainer):
        request = self.request
        hooks = []
        if request.execute_program or request.run_every:
            from models.training.periodic_tasks import ScheduledCommands

            hooks.append(ScheduledCommands(trainer, request.execute_program, request.run_every))
        if request.holdout:
            from models.training.holdout import HoldoutScores

            hooks.append(HoldoutScores(trainer))
        if request.tensorboard:
            from models.training.tensorboard import TensorBoardLog

            hooks.append(TensorBoardLog(request.tensorboard, trainer))
        if request.web_preview:
            from models.preview.web_preview import WebPreview

            hooks.append(WebPreview(request.web_preview, trainer))
        if self.recipe is not None:
            from models.training.recipe import RecipeRunner

            hooks.append(RecipeRunner(self.recipe, trainer, self.change_options))
        return hooks

    def _choose_sample(self, previewer, window):
        if self.notebook or not window:
            previewer.set_sample(previewer.draw_sample(new_seed() % 100_000))
            return
        from models.preview.sample_chooser import choose_sample

        choose_sample(previewer)

    def _data_settings(self):
        request = self.request
        return DataSettings(
            request.training_data_src_dir,
            request.training_data_dst_dir,
            request.pretraining_data_dir,
            new_seed() if request.seed is None else request.seed,
            request.workers,
            None if request.cache_mb is None else request.cache_mb * 2**20,
            request.holdout,
            sample_store=request.sample_store,
        )

    def _opens_window(self):
        from core.window.picture_window import window_problem

        if self.request.no_preview or self.notebook:
            return False
        problem = window_problem()
        if problem is not None:
            interact.info(f"No preview window: {problem}. Previews are written to the model folder.")
        return problem is None

    def _run_beside_window(self, trainer, asked):
        """Run the trainer beside the window (or beside nothing) on the main thread; ``asked``: a signal asks to end."""
        trainer.start()

        def tick():
            if asked.is_set() or interact.enter_pressed():
                trainer.stop()

        if trainer.previewer.has_window:
            from models.preview.preview_window import PreviewWindow

            PreviewWindow(trainer).run(tick)
        while not trainer.finished.wait(0.2):
            tick()


def make_folder(folder: Path) -> None:
    """Make a folder with its parents, or say why that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: this folder cannot be made ({error.strerror}).") from None


def make_data(saved: SavedModel, settings: DataSettings) -> Any:
    """The batches for a model, starting at its iteration."""
    return saved.kind.data_class()(saved.effective, settings, saved.iteration)


@contextmanager
def stop_signals() -> Iterator[threading.Event]:
    """Yield an event that Ctrl+C, SIGTERM or a closed terminal sets, for a clean end; a second one ends at once."""
    asked = threading.Event()

    def handle(number, frame):
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, handle) for number in process.stop_signals()}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def advice_on_memory(saved: SavedModel) -> Any:
    """Turn TensorFlow's out-of-memory errors into advice on the options to lower."""
    import tensorflow as tf

    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise UserError(memory_advice(saved.class_name, saved.effective)) from error
    except (tf.errors.InternalError, RuntimeError) as error:
        # JAX's errors are RuntimeErrors, whose text begins with the status.
        text = str(error).lower()
        if "out of memory" in text or "failed to allocate" in text or "resource_exhausted" in text:
            raise UserError(memory_advice(saved.class_name, saved.effective)) from error
        raise


def memory_advice(class_name: str, options: dict) -> str:
    """What to lower when the memory does not suffice."""
    steps = [f"batch_size (now {options['batch_size']})"]
    if options.get("gan_power"):
        steps.append("gan_dims or gan_patch_size")
    if "ae_dims" in kind(class_name).table:
        if options.get("models_opt_on_gpu"):
            steps.append("models_opt_on_gpu=n")
        if options.get("adabelief"):
            steps.append("adabelief=n")
        steps.append("in a new model resolution, ae_dims, e_dims, d_dims")
    return f"Not enough memory. Lower, in this order: {'; '.join(steps)}. The last save is untouched."


__all__ = ["TrainingSession", "make_data", "memory_advice"]
