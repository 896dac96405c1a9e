"""What the program knows of a kind of model before its networks are made; nothing here loads TensorFlow."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from models.options import Context, Option


def _nothing(options: dict) -> tuple:
    return ()


@dataclass(frozen=True)
class ExportForm:
    """How a trained model is written as ONNX.

    Parameters
    ----------
    opset : int
        Version of the operator set.
    ending : str
        Of the file's name.
    output_names : tuple of str
    output_order : tuple of int
        Which result of the network's prediction each output is.
    morphs : tuple of float
        Values of the input ``morph_value`` at which the file is checked; empty: there is no such input.
    may_quantize, asks_to_quantize : bool
        Whether convolutions in half precision can be had, and whether the user is asked.
    """

    opset: int = 12
    ending: str = "dfm"
    output_names: tuple[str, ...] = ("out_face_mask:0", "out_celeb_face:0", "out_celeb_face_mask:0")
    output_order: tuple[int, ...] = (2, 0, 1)
    morphs: tuple[float, ...] = ()
    may_quantize: bool = True
    asks_to_quantize: bool = True


@dataclass(frozen=True)
class ModelKind:
    """One kind of model.

    Parameters
    ----------
    name : str
        As in file names and on the command line.
    options : tuple of Option
        In the order of asking.
    network, data, preview, graph : str
        Where its trainable model, its batches, the function that makes its preview pages and the one that makes the ONNX
        graph of its prediction are: ``module:name``.
    needed_stems : callable
        Takes effective options; the networks without which a model is of no use.
    constants : dict
        Options that nobody can change.
    pretraining : dict
        Values that pretraining forces; the stored options keep what was answered.
    conflicts_of : callable
        Takes options; the keys that do not fit each other, and why.
    fresh_after_pretraining : callable
        Takes options; the networks that start anew when pretraining ends.
    export : ExportForm
    swaps_faces : bool
        False for a model of masks.
    is_named : bool
        Whether there can be several in a folder, told apart by the user's names.
    is_morphable : bool
        Whether the strength of the swap can be chosen afterwards.
    suggests_pretraining : bool
        Whether a new model's user is told of pretraining.
    takes_pretrained_weights : bool
        Whether a new model can start with weights of another folder.
    stores_preview_sample : bool
        Whether the fixed sample of the previews is kept with the model.
    history_follows_resolution : bool
        Whether larger models write history pictures more seldom.
    """

    name: str
    options: tuple[Option, ...]
    network: str
    data: str
    preview: str
    graph: str
    needed_stems: Callable[[dict], tuple[str, ...]]
    constants: dict = field(default_factory=dict)
    pretraining: dict = field(default_factory=dict)
    conflicts_of: Callable[[dict], tuple] = _nothing
    fresh_after_pretraining: Callable[[dict], tuple[str, ...]] = _nothing
    export: ExportForm = ExportForm()
    swaps_faces: bool = True
    is_named: bool = True
    is_morphable: bool = False
    suggests_pretraining: bool = False
    takes_pretrained_weights: bool = False
    stores_preview_sample: bool = True
    history_follows_resolution: bool = True

    @property
    def table(self) -> dict[str, Option]:
        """The options by key, in the order of asking."""
        return {option.key: option for option in self.options}

    @property
    def asks(self) -> bool:
        """Whether there is any question."""
        return any(option.prompt is not None for option in self.options)

    def file_prefix(self, name: str | None) -> str:
        """What the file names of a model begin with."""
        return f"{name}_{self.name}" if self.is_named else self.name

    def weight_name(self, prefix: str, stem: str) -> str:
        """File name of a network or optimizer of the model whose file names begin with ``prefix``."""
        return f"{prefix}_{stem}.npy" if self.is_named else f"{stem}.npy"

    def effective(self, options: dict) -> dict:
        """What training uses: stored options, the kind's constants, and the values that pretraining forces.

        Options that are neither stored nor constant get their built-in default.
        """
        effective: dict[str, Any] = {}
        for option in self.options:
            if option.stored:
                merged = {**effective, **options}
                effective[option.key] = merged.get(option.key, _quiet_default(option, merged))
        effective.update({key: value for key, value in options.items() if key not in effective})
        effective.update(self.constants)
        if effective.get("pretrain"):
            effective.update(self.pretraining)
        return effective

    def conflicts(self, options: dict) -> list[tuple[tuple[str, ...], str]]:
        """Options that do not fit each other: the keys concerned, and why."""
        found = list(self.conflicts_of(options))
        if options.get("lr_dropout") == "cpu" and options.get("compile_step"):
            reason = "lr_dropout=cpu draws its masks on the CPU, which a step compiled whole (compile_step) cannot: use lr_dropout=y"
            found.append((("lr_dropout", "compile_step"), reason))
        return found

    def network_class(self) -> type:
        """The trainable model. Imports TensorFlow."""
        return _imported(self.network)

    def make_graph(self, parts: dict, options: dict, **form) -> Any:
        """The ONNX graph of the prediction.

        Parameters
        ----------
        parts : dict
            Stem of each needed network to its weights and the file that they come from.
        options : dict
            Effective options.
        **form
            ``names`` of inputs and outputs, and what :class:`core.networks.onnx_graph.OnnxGraph` takes.

        Returns
        -------
        core.networks.onnx_graph.OnnxGraph
        """
        return _imported(self.graph)(parts, options, **form)

    def data_class(self) -> type:
        """The batches of a training run; see :class:`models.training.training_data.SwapData`."""
        return _imported(self.data)

    def preview_pages(self, *arguments) -> list:
        """Preview pages of a batch; the arguments are those of :func:`models.preview.pages.swap_pages`."""
        return _imported(self.preview)(*arguments)


def _quiet_default(option, options):
    try:
        return option.default_value(options, Context())
    except KeyError:
        return None


def _imported(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
