"""What Quick96 is to the rest of the program."""

from models.kind import ExportForm, ModelKind
from models.quick96.options import CONSTANTS, OPTIONS


def _needed_stems(options):
    return ("encoder", "inter", "decoder_src", "decoder_dst")


KIND = ModelKind(
    "Quick96",
    OPTIONS,
    network="models.quick96.model:Quick96",
    data="models.quick96.data:Quick96Data",
    preview="models.quick96.preview:pages",
    graph="models.architectures.onnx_deepfake:swap_graph",
    needed_stems=_needed_stems,
    constants=CONSTANTS,
    export=ExportForm(asks_to_quantize=False),
    takes_pretrained_weights=True,
)
