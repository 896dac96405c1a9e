"""What SAEHD is to the rest of the program."""

from models.kind import ModelKind
from models.saehd.options import OPTIONS, PRETRAINING


def _needed_stems(options):
    if str(options.get("archi", "")).startswith("liae"):
        return ("encoder", "inter_AB", "inter_B", "decoder")
    return ("encoder", "inter", "decoder_src", "decoder_dst")


def _fresh_after_pretraining(options):
    return {"df": ("inter",), "liae": ("inter_AB", "inter_B")}[options["archi"].partition("-")[0]]


KIND = ModelKind(
    "SAEHD",
    OPTIONS,
    network="models.saehd.model:Saehd",
    data="models.training.training_data:SwapData",
    preview="models.saehd.preview:pages",
    graph="models.architectures.onnx_deepfake:swap_graph",
    needed_stems=_needed_stems,
    pretraining=PRETRAINING,
    fresh_after_pretraining=_fresh_after_pretraining,
    suggests_pretraining=True,
)
