"""Trained models as ONNX files: ``.dfm`` for live face swap programs, ``.onnx`` for XSeg."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from core.errors import UserError
from core.files.paths import atomic_write
from models.base import SavedModel

LARGEST_DIFFERENCE = {"float32": 1e-3, "float16": 3e-2}


@dataclass(frozen=True)
class Exported:
    """An exported file and how far its outputs are from the model's."""

    path: Path
    difference: float


def export_path(saved: SavedModel) -> Path:
    """Where the exported model goes."""
    return saved.model_dir / f"{saved.prefix}_model.{saved.kind.export.ending}"


def export_model(saved: SavedModel, quantized: bool = False) -> Exported:
    """Write a trained model as ONNX, run the file, and compare it with the model.

    Parameters
    ----------
    saved : SavedModel
        Opened by :func:`models.base.open_trained`.
    quantized : bool
        Half-precision convolutions.

    Raises
    ------
    UserError
        When a package is missing, or the file's outputs differ too much; no file is left then.
    """
    precision = "float16" if quantized else "float32"
    if quantized:
        saved.build(training=False, overrides={"precision": precision})
    path = export_path(saved)
    content = _to_onnx(saved, quantized)
    onnx.checker.check_model(content)
    difference = _largest_difference(saved, content)
    if not difference <= LARGEST_DIFFERENCE[precision]:
        raise UserError(
            f"{path}: the exported network differs from the model by {difference:.3g} (allowed "
            f"{LARGEST_DIFFERENCE[precision]}). It was not written."
        )
    atomic_write(path, content)
    return Exported(path, difference)


def _to_onnx(saved, half):
    """The ONNX file as bytes."""
    form = saved.kind.export
    inputs = ("in_face:0", "morph_value:0") if form.morphs else ("in_face:0",)
    outputs = dict(zip(form.output_order, form.output_names))
    parts = {
        stem: (_weights(saved, stem), saved.weight_name(stem)) for stem in saved.kind.needed_stems(saved.effective)
    }
    names = (*inputs, *(outputs[index] for index in range(len(outputs))))
    graph = saved.kind.make_graph(parts, saved.effective, names=names, opset=form.opset, half=half)
    graph.order_outputs(form.output_names)
    values = {"face_type": saved.effective["face_type"], "iteration": str(saved.iteration), "model": saved.prefix}
    return graph.to_bytes(values, saved.class_name, f"converted from {saved.class_name}")


def _weights(saved, stem):
    from core.nn.weights import network_to_dict

    return network_to_dict(saved.network.networks[stem])


def _in_order(outputs, form):
    """What a prediction gives, one tensor or several, in the file's order."""
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(outputs[index] for index in form.output_order)


def _largest_difference(saved, content):
    """Run the file and the model on the same random faces; largest absolute difference of any output."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    random = np.random.default_rng(0)
    resolution = saved.network.resolution
    coarse = random.uniform(0, 1, (2, resolution // 8, resolution // 8, 3))
    faces = np.repeat(np.repeat(coarse, 8, axis=1), 8, axis=2).astype(np.float32)
    worst = 0.0
    for morph in saved.kind.export.morphs or (None,):
        feeds = {"in_face:0": faces}
        arguments = [faces]
        if morph is not None:
            feeds["morph_value:0"] = np.array([morph], np.float32)
            arguments.append(np.float32(morph))
        expected = _outputs_now(saved, arguments)
        for found, wanted in zip(session.run(None, feeds), expected):
            worst = max(worst, float(np.abs(found - wanted).max()))
    return worst


def _outputs_now(saved, arguments):
    outputs = _in_order(saved.network._predict_function(*arguments), saved.kind.export)
    return [np.array(output) for output in outputs]
