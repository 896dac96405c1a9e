"""The life of a saved model: opened from its files, built, trained, saved as one generation, used for inference."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.console import interact
from core.engines import DEFAULT_PLACE, Place
from core.errors import NothingToDo, UserError
from models.option_values import from_model_file
from models.options import SHOWN_WHILE_PRETRAINING
from models.registry import kind
from models.saved import transaction
from models.saved.model_files import (
    DEFAULT_OPTIONS_SUFFIX,
    STATE_SUFFIX,
    SUMMARY_SUFFIX,
    ModelData,
    model_data_to_bytes,
    read_default_options,
    read_model_data,
    summary_text,
    write_default_options,
)
from models.saved.restore import advice, advice_on_damage
from models.saved.saved_models import choose_model, entries_of_model
from models.saved.set_aside import copy_aside, files_of_generation, move_aside

# Network and optimizer that exist only while an option is on: no file of either just means that it was never on.
_OPTIONAL_PAIRS = (("code_discriminator", "D_code_opt"), ("GAN", "GAN_opt"))
_OPTIMIZER_ENDING = "_opt"
REPLACE_FLAG = "--replace-missing-weights"


def network_class(class_name: str) -> type:
    """The trainable model behind a class name. Imports TensorFlow."""
    return kind(class_name).network_class()


class SavedModel:
    """A model and its files.

    Parameters
    ----------
    model_dir : Path
    class_name : str
        ``SAEHD``, ``AMP``, ``Quick96`` or ``XSeg``.
    name : str or None
        The user's name for it; None for XSeg.

    Attributes
    ----------
    kind : models.kind.ModelKind
    data : ModelData
        Iteration, stored options, loss history.
    is_first_run : bool
        Whether weights start anew; known after :meth:`load_state`.
    network : models.trainable_model.TrainableModel or None
        After :meth:`build`.
    devices : list of (int, str, float)
        Graphics cards as the summary shows them.
    """

    def __init__(self, model_dir: Path, class_name: str, name: str | None):
        self.model_dir, self.class_name, self.name = Path(model_dir), class_name, name
        self.kind = kind(class_name)
        self.prefix = self.kind.file_prefix(name)
        self.data = ModelData()
        self.is_first_run = True
        self.network: Any = None
        self.devices: list[tuple[int, str, float]] = []

    @property
    def state_path(self) -> Path:
        return self.model_dir / f"{self.prefix}{STATE_SUFFIX}"

    @property
    def iteration(self) -> int:
        return self.data.iteration

    @property
    def effective(self) -> dict:
        """The options that training uses; see :meth:`models.kind.ModelKind.effective`."""
        return self.kind.effective(self.data.options)

    def weight_name(self, stem: str) -> str:
        """File name of a network or optimizer."""
        return self.kind.weight_name(self.prefix, stem)

    def load_state(self) -> None:
        """Read ``data.dat`` if there is one.

        Raises
        ------
        DamagedModel
            When it is damaged; nothing falls back to a new model.
        """
        if self.state_path.exists():
            interact.info(f"Loading {self.prefix} model...")
            with advice_on_damage(self.model_dir, self.class_name, self.prefix):
                self.data = read_model_data(self.state_path)
            self.data.options = from_model_file(self.class_name, self.data.options)
        self.is_first_run = self.data.iteration == 0

    def check_state_is_there(self, replace_missing: bool = False) -> None:
        """Refuse to begin anew where only the state of a trained model is missing.

        Raises
        ------
        UserError
            When there are weights without a state, unless ``replace_missing``.
        """
        if replace_missing or self.state_path.exists():
            return
        weights = [path.name for path in files_of_generation(self.model_dir, self.prefix) if path.suffix == ".npy"]
        if weights:
            raise UserError(
                f"{self.state_path}: no such file, but there are weights of this model ({weights[0]}). "
                f"{advice(self.model_dir, self.class_name, self.prefix)[0]}. To begin this model anew: "
                f"{REPLACE_FLAG}, which sets the old files aside."
            )

    def restart(self) -> None:
        """Forget iterations and history; with the next :meth:`build` the weights start anew."""
        self.data = ModelData(options={}, extra=self.data.extra)
        self.is_first_run = True

    def reset_iterations(self) -> None:
        """Count from 0 again with an empty loss history and new preview samples, keeping weights and options."""
        self.data.iteration, self.data.loss_history, self.data.sample_for_preview = 0, [], None

    def default_options(self) -> dict:
        """Options of the latest first run of this class."""
        return from_model_file(self.class_name, read_default_options(self._default_options_path))

    def write_default_options(self) -> None:
        write_default_options(self._default_options_path, self.data.options if self.kind.asks else {})

    def build(
        self,
        training: bool = True,
        seed: int | None = None,
        fresh_stems: tuple[str, ...] = (),
        pretrained_dir: Path | None = None,
        overrides: dict | None = None,
        replace_missing: bool = False,
    ) -> None:
        """Make the networks and fill them: from the files, or with new weights at a first run.

        Parameters
        ----------
        training : bool
            False builds only what prediction needs.
        seed : int, optional
            Makes new weights and random draws repeatable.
        fresh_stems : tuple of str
            Networks that start with new weights although there is a file.
        pretrained_dir : Path, optional
            Quick96: where new weights are taken from if a file without prefix is there.
        overrides : dict, optional
            Options that differ for this time only.
        replace_missing : bool
            Start parts whose weight file is missing with new weights, after a copy of all other files was set aside.

        Raises
        ------
        UserError
            When a weight file is missing or damaged; no question and no ``--yes`` replaces it.
        """
        options = {**self.effective, **(overrides or {})}
        self.network = self.kind.network_class()(options, options["batch_size"], training=training, seed=seed)
        self.network.go_on_at(self.iteration)
        parts = {**self.network.networks, **(self.network.optimizers if training else {})}
        self._check_weights_are_there(parts, fresh_stems, replace_missing)
        with interact.progress(len(parts), "Initializing models") as bar:
            for stem, part in parts.items():
                self._fill(stem, part, fresh_stems, pretrained_dir)
                bar.update()
        for stem in fresh_stems:
            self._clear_moments(stem)

    def set_aside_old_files(self) -> None:
        """At a first run, move files that an earlier model of this name left to a folder, so that none is lost."""
        old = [path for path in entries_of_model(self.model_dir, self.prefix) if _holds_training(path)]
        if old:
            folder = move_aside(self.model_dir, self.prefix, old)
            interact.info(f"Files of an earlier model of this name were moved to {folder.name}.")

    def snapshot(self) -> dict[str, transaction.Content]:
        """The files of the present generation by name, as copies that later training does not change.

        Weights become bytes, in pieces, only when the returned functions are called, which may be on another thread; there a
        weight that is not finite raises :class:`NonFiniteWeights`.
        """
        from core.nn.weights import ITERATIONS_KEY, named_variables

        self.network.settle()
        files: dict[str, transaction.Content] = {}
        for stem, network in self.network.networks.items():
            values = {key: self._frozen(variable.value) for key, variable in named_variables(network).items()}
            files[self.weight_name(stem)] = _late_bytes(self.weight_name(stem), values)
        for stem, optimizer in self.network.optimizers.items():
            values = {ITERATIONS_KEY: np.int64(optimizer.iterations.numpy())}
            values.update({key: self._frozen(slot.value) for key, slot in optimizer.named_slots().items()})
            files[self.weight_name(stem)] = _late_bytes(self.weight_name(stem), values)
        data = ModelData(
            self.data.iteration,
            dict(self.data.options),
            list(self.data.loss_history),
            self.data.sample_for_preview,
            dict(self.data.extra),
        )
        files[f"{self.prefix}{SUMMARY_SUFFIX}"] = self.summary().encode("utf-8", "backslashreplace")
        files[self.state_path.name] = lambda: model_data_to_bytes(data)
        return files

    def save(self) -> None:
        """Write the present generation at once; see :class:`models.saved.saving.BackgroundSaver` for saving while training."""
        transaction.commit(self.model_dir, self.prefix, self.snapshot())

    def restore_last_save(self, folder: Path | None = None) -> int:
        """Put weights and state back to the last saved generation; returns its iteration.

        Parameters
        ----------
        folder : Path, optional
            Where that is, if not in the model folder.
        """
        folder = self.model_dir if folder is None else folder
        transaction.recover(folder, self.prefix)
        data = read_model_data(folder / self.state_path.name)
        data.options = self.data.options
        self.data = data
        for stem, part in {**self.network.networks, **self.network.optimizers}.items():
            if (folder / self.weight_name(stem)).exists():
                self._load(stem, part, folder / self.weight_name(stem))
        self.network.go_on_at(self.data.iteration)
        return self.data.iteration

    def summary(self) -> str:
        """The table that is printed at start and written with each save."""
        shown = dict(self.data.options)
        if shown.get("pretrain"):
            forced = self.effective
            shown.update({key: forced[key] for key in SHOWN_WHILE_PRETRAINING if key in shown})
        return summary_text(self.prefix, self.iteration, shown, self.devices)

    @property
    def _default_options_path(self):
        return self.model_dir / f"{self.class_name}{DEFAULT_OPTIONS_SUFFIX}"

    def _frozen(self, variable):
        """The present value of a TensorFlow variable.

        On the processor a reference is enough: TensorFlow never writes into a tensor that somebody else holds, so nothing
        is copied. Graphics memory is too dear for that; there the value is fetched.
        """
        return variable.numpy() if self.devices else variable.read_value()

    def _fill(self, stem, part, fresh_stems, pretrained_dir):
        path = self.model_dir / self.weight_name(stem)
        if self.is_first_run or stem in fresh_stems:
            if self.kind.takes_pretrained_weights and pretrained_dir is not None and self.is_first_run:
                path = Path(pretrained_dir) / f"{stem}.npy"
                if path.exists():
                    self._load(stem, part, path)
            return
        if path.exists():
            self._load(stem, part, path, keeps_misfits=not fresh_stems)
        elif stem.endswith(_OPTIMIZER_ENDING) and not self._is_new(stem):
            interact.warning(f"{path.name} is missing: the optimizer starts anew.")
        else:
            interact.info(f"{stem}: starts with new weights.")

    def _check_weights_are_there(self, parts, fresh_stems, replace_missing):
        if self.is_first_run:
            return
        lost = [
            self.weight_name(stem)
            for stem in parts
            if not (stem in fresh_stems or stem.endswith(_OPTIMIZER_ENDING) or self._is_new(stem))
            and not (self.model_dir / self.weight_name(stem)).exists()
        ]
        if not lost:
            return
        if not replace_missing:
            raise UserError(
                f"{self.model_dir / lost[0]}: no such file"
                f"{f' (nor {len(lost) - 1} others of this model)' if len(lost) > 1 else ''}. "
                f"{advice(self.model_dir, self.class_name, self.prefix)[0]}. To let this part of the model begin anew, "
                f"with random weights: {REPLACE_FLAG}."
            )
        folder = copy_aside(self.model_dir, self.prefix, files_of_generation(self.model_dir, self.prefix))
        interact.info(f"Missing: {', '.join(lost)}. The files that are there were set aside in {folder.name}.")

    def _is_new(self, stem):
        """Whether a part of an option has never been saved: neither its network nor its optimizer."""
        pair = next((pair for pair in _OPTIONAL_PAIRS if stem in pair), ())
        return bool(pair) and not any((self.model_dir / self.weight_name(each)).exists() for each in pair)

    def _load(self, stem, part, path, keeps_misfits=True):
        from core.networks.weight_files import read_weights
        from core.nn.weights import dict_to_network, dict_to_optimizer

        with advice_on_damage(self.model_dir, self.class_name, self.prefix):
            values = read_weights(path)
            self.network.refresh()
            if stem not in self.network.optimizers:
                dict_to_network(part, values, path)
                return
            reset = dict_to_optimizer(part, values, path)
        if not reset:
            return
        count = len(part.named_slots())
        if len(reset) == count and not any(key in values for key in reset):
            interact.info(f"{path.name}: is of another optimizer; the moments start at zero.")
            return
        interact.warning(
            f"{path.name}: {len(reset)} of {count} moments are missing or of another size. They start at zero."
        )
        if keeps_misfits:
            folder = copy_aside(self.model_dir, self.prefix, [path])
            interact.info(f"{path.name} as it was is kept in {folder.name}.")

    def _clear_moments(self, stem):
        self.network.settle()
        self.network.refresh()
        net_name = self.network.networks[stem].name if stem in self.network.networks else stem
        for optimizer in self.network.optimizers.values():
            for key, slot in optimizer.named_slots().items():
                if key.partition("_")[2].startswith(net_name + "/"):
                    slot.assign(np.zeros(slot.shape, np.float32))


class NonFiniteWeights(UserError):
    """A weight is NaN or infinite: the generation must not be saved."""


class InferenceModel:
    """A trained swap model, ready to predict.

    Attributes
    ----------
    name : str
    resolution : int
    face_type : facelib.face_type.FaceType
    iteration : int
    options : dict
        Effective options.
    is_morphable : bool
        Whether :meth:`predict` looks at ``morph``.
    """

    def __init__(self, saved: SavedModel, network: Any):
        from facelib.face_type import FaceType

        self.name, self.class_name = saved.name, saved.class_name
        self.options, self.iteration = saved.effective, saved.iteration
        self.resolution = network.resolution
        self.face_type = FaceType.from_prompt_key(self.options["face_type"])
        self.network = network
        self.is_morphable = saved.kind.is_morphable

    def predict(self, faces: np.ndarray, morph: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Swap faces.

        Parameters
        ----------
        faces : numpy.ndarray
            (N, R, R, 3) float32 BGR, 0…1, aligned as ``face_type``.
        morph : float
            AMP: 0 keeps the destination's identity, 1 is the full swap.

        Returns
        -------
        tuple of numpy.ndarray
            Face (N, R, R, 3), its mask and the mask of the destination face (N, R, R, 1), float32, 0…1.
        """
        return self.network.predict(faces, morph=morph)


def open_for_inference(
    model_dir: Path,
    model_class: str,
    name: str | None = None,
    cpu_only: bool = False,
    place: Place = DEFAULT_PLACE,
) -> InferenceModel:
    """Open a trained model for merging or export.

    Parameters
    ----------
    model_dir : Path
    model_class : str
        ``SAEHD``, ``AMP`` or ``Quick96``.
    name : str, optional
        Asked for if left out.
    cpu_only : bool
        Hide the graphics cards (before TensorFlow uses one).
    place : Place
        Engine and device.

    Raises
    ------
    UserError
        When there is no trained model of that name.
    """
    if place.is_onnx:
        from models.inference import OnnxSwap

        saved = find_trained(model_dir, model_class, name)
        return InferenceModel(saved, OnnxSwap(saved, place))
    saved = open_trained(model_dir, model_class, name, cpu_only)
    return InferenceModel(saved, saved.network)


def check_knows_faces(prefix: str, options: dict, allowed: bool | None, deed: str) -> None:
    """Refuse to use a model in pretraining, which has not seen the user's faces yet, unless the user wants that.

    Parameters
    ----------
    prefix : str
        Of the model, for messages.
    options : dict
    allowed : bool or None
        Given by flag; None asks where somebody can answer.
    deed : str
        What is to be done, for example ``"merge"``.

    Raises
    ------
    UserError
        Without a yes; ``--yes`` is none.
    """
    if not options.get("pretrain") or allowed:
        return
    told = f"{prefix} is still in pretraining: it knows the faces of the pretraining set, not yours"
    if not interact.has_terminal() or not interact.ask_bool(
        f"{told}. Do you want to {deed} with it all the same?", False
    ):
        raise UserError(
            f"{told}. Train it on your faces first (train --set pretrain=n), or give --allow-pretraining to {deed} with it."
        )


def open_trained(
    model_dir: Path,
    class_name: str,
    name: str | None,
    cpu_only: bool = False,
    check: Callable[[SavedModel], None] | None = None,
) -> SavedModel:
    """A trained model with its networks, without what only training needs.

    ``check`` is called before the networks are built, and may raise.
    """
    saved = find_trained(model_dir, class_name, name, check)
    if cpu_only:
        from core.nn import devices

        devices.configure(cpu_only=True)
    saved.build(training=False)
    return saved


def find_trained(
    model_dir: Path, class_name: str, name: str | None, check: Callable[[SavedModel], None] | None = None
) -> SavedModel:
    """A trained model whose files are all there, without networks; ``check`` may raise."""
    name = choose_model(model_dir, class_name, name, may_create=False)
    saved = SavedModel(model_dir, class_name, name)
    transaction.wait_until_whole(saved.model_dir, saved.prefix)
    saved.load_state()
    if saved.is_first_run:
        raise NothingToDo(f"{saved.state_path}: this model is not trained yet. Train it first.")
    if check is not None:
        check(saved)
    for stem in saved.kind.needed_stems(saved.effective):
        path = saved.model_dir / saved.weight_name(stem)
        if not path.exists():
            raise UserError(f"{path}: no such file. {advice(saved.model_dir, class_name, saved.prefix)[0]}.")
    return saved


def _holds_training(path):
    """Whether an entry of the model folder holds weights, state or history pictures of an earlier training."""
    return path.suffix == ".npy" or path.name.endswith((STATE_SUFFIX, "_history"))


def _late_bytes(name, values):
    """Function that gives the bytes of a weight file, in pieces, from arrays or tensors."""

    def to_pieces():
        from core.networks.weight_files import weights_to_pieces

        arrays = {
            key: np.ascontiguousarray(value) if np.ndim(value) else np.int64(value) for key, value in values.items()
        }
        for key, array in arrays.items():
            if not np.isfinite(np.sum(array, dtype=np.float64)):
                raise NonFiniteWeights(f"{name}: {key} is not finite. This state is not saved.")
        return weights_to_pieces(arrays)

    return to_pieces


__all__ = ["InferenceModel", "NonFiniteWeights", "SavedModel", "open_for_inference", "open_trained"]
