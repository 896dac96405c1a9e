"""What AMP is to the rest of the program."""

from models.amp.options import OPTIONS
from models.kind import ExportForm, ModelKind


def _needed_stems(options):
    return ("encoder", "inter_src", "inter_dst", "decoder")


def _conflicts(options):
    if options.get("inter_dims", 0) >= options.get("ae_dims", 0):
        return ()
    reason = f"inter_dims ({options['inter_dims']}) must be at least ae_dims ({options['ae_dims']})"
    return ((("inter_dims", "ae_dims"), reason),)


KIND = ModelKind(
    "AMP",
    OPTIONS,
    network="models.amp.model:Amp",
    data="models.training.training_data:SwapData",
    preview="models.amp.preview:pages",
    graph="models.architectures.onnx_deepfake:morph_graph",
    needed_stems=_needed_stems,
    conflicts_of=_conflicts,
    export=ExportForm(morphs=(0.25, 0.75)),
    is_morphable=True,
)
