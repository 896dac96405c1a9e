"""The ``exportdfm`` step: a trained model as an ONNX file for live programs."""

import argparse

from core.console import interact
from core.errors import UsageError
from core.files.paths import absolute_path
from models.pretraining_flag import add_pretraining_flag
from models.registry import NAMES, kind

QUANTIZED_HELP = "Export with half-precision convolutions: faster, smaller, slightly less exact."


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``exportdfm`` to the command line."""
    parser = subparsers.add_parser("exportdfm", help="export a trained model as .dfm, or XSeg as .onnx")
    parser.add_argument("--model-dir", required=True, type=absolute_path, metavar="DIR", help="folder of the models")
    parser.add_argument("--model", required=True, choices=NAMES, help="model class")
    parser.add_argument("--force-model-name", metavar="NAME", help="do not ask for the model")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--quantize", action="store_true", default=None, help=QUANTIZED_HELP)
    group.add_argument("--no-quantize", dest="quantize", action="store_false", help="export in full precision")
    add_pretraining_flag(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Export a model on the CPU."""
    form = kind(options.model).export
    if options.quantize and not form.may_quantize:
        raise UsageError(f"--quantize: {options.model} is exported in full precision only.")
    from models.base import check_knows_faces, open_trained
    from models.export import export_model, export_path

    def check(saved):
        check_knows_faces(saved.prefix, saved.data.options, getattr(options, "allow_pretraining", None), "export")

    saved = open_trained(options.model_dir, options.model, options.force_model_name, cpu_only=True, check=check)
    quantized = options.quantize
    if quantized is None and form.asks_to_quantize:
        quantized = interact.ask_bool("Export quantized?", False, QUANTIZED_HELP)
    interact.info(f"Dumping .{form.ending} to {export_path(saved)}")
    exported = export_model(saved, bool(quantized))
    size = exported.path.stat().st_size / 2**20
    interact.info(f"{size:.1f} MB; largest difference to the model {exported.difference:.2g}")
