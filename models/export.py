"""Trained models as ONNX files: ``.dfm`` for live face swap programs, ``.onnx`` for XSeg."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import UserError
from core.files.paths import atomic_write
from models.base import SavedModel

# Versions of ONNX's file format that belong to these operator sets, so that old runtimes open the files.
IR_VERSIONS = {12: 7, 13: 7}
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
    content = _to_onnx(saved)
    difference = _largest_difference(saved, content)
    if not difference <= LARGEST_DIFFERENCE[precision]:
        raise UserError(
            f"{path}: the exported network differs from the model by {difference:.3g} (allowed "
            f"{LARGEST_DIFFERENCE[precision]}). It was not written."
        )
    atomic_write(path, content)
    return Exported(path, difference)


def _to_onnx(saved):
    """The ONNX file as bytes."""
    tf2onnx, onnx = _packages()
    import tensorflow as tf

    resolution, form = saved.network.resolution, saved.kind.export
    signature = [tf.TensorSpec((None, resolution, resolution, 3), tf.float32, name="in_face")]
    if form.morphs:
        signature.append(tf.TensorSpec((1,), tf.float32, name="morph_value"))
    function = tf.function(_outputs(saved), input_signature=signature, autograph=False)
    proto, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=form.opset)
    _name_tensors(proto.graph, [f"{spec.name}:0" for spec in signature], form.output_names)
    _fix_shapes(proto.graph, resolution)
    proto.ir_version = IR_VERSIONS[form.opset]
    proto.graph.name, proto.graph.doc_string = saved.class_name, f"converted from {saved.class_name}"
    values = {"face_type": saved.effective["face_type"], "iteration": str(saved.iteration), "model": saved.prefix}
    onnx.helper.set_model_props(proto, values)
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def _outputs(saved):
    """Function from the inputs to the outputs in the file's order."""
    form = saved.kind.export

    def predict(in_face, morph_value=None):
        inputs = (in_face,) if morph_value is None else (in_face, morph_value[0])
        return _in_order(saved.network._predict(*inputs), form)

    return predict


def _in_order(outputs, form):
    """What a prediction gives, one tensor or several, in the file's order."""
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(outputs[index] for index in form.output_order)


def _name_tensors(graph, input_names, output_names):
    """Give inputs and outputs the names by which programs feed and fetch them."""
    renames = {}
    for tensors, names in ((graph.input, input_names), (graph.output, output_names)):
        if len(tensors) != len(names):
            raise UserError(f"The exported network has {len(tensors)} tensors where {len(names)} are expected.")
        for tensor, name in zip(tensors, names):
            renames[tensor.name] = name
            tensor.name = name
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = renames.get(name, name)


def _fix_shapes(graph, resolution):
    """A free batch, fixed sides and channels: live programs read the side from the file."""
    for tensor in (*graph.input, *graph.output):
        dimensions = tensor.type.tensor_type.shape.dim
        if len(dimensions) != 4:
            continue
        channels = 3 if tensor.name in ("in_face:0", "out_celeb_face:0") else 1
        dimensions[0].Clear()
        dimensions[0].dim_param = "N"
        for dimension, value in zip(dimensions[1:], (resolution, resolution, channels)):
            dimension.Clear()
            dimension.dim_value = value


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


def _packages():
    try:
        import onnx
        import onnxruntime  # noqa: F401 - wanted here, used later
        import tf2onnx
    except ImportError as error:
        raise UserError(f"Exporting needs the package {error.name}: pip install tf2onnx onnx onnxruntime") from None
    return tf2onnx, onnx
