"""What XSeg is to the rest of the program."""

from models.kind import ExportForm, ModelKind
from models.xseg.options import CONSTANTS, OPTIONS


def _needed_stems(options):
    return ("XSeg_256",)


KIND = ModelKind(
    "XSeg",
    OPTIONS,
    network="models.xseg.model:XSeg",
    data="models.xseg.data:XSegData",
    preview="models.xseg.preview:pages",
    graph="models.architectures.onnx_xseg:xseg_graph",
    needed_stems=_needed_stems,
    constants=CONSTANTS,
    export=ExportForm(13, "onnx", ("out_mask:0",), output_order=(0,), may_quantize=False, asks_to_quantize=False),
    swaps_faces=False,
    is_named=False,
    stores_preview_sample=False,
    history_follows_resolution=False,
)
