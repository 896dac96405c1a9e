"""The ``facesettool`` step: make a better copy of a faceset."""

import argparse

from core.console import interact
from core.console.commands import command
from core.console.counted import counted
from core.console.device_flags import add_device_flags, add_engine_flags
from core.console.number_flags import add_whole_number
from core.errors import UserError
from core.files.paths import absolute_path
from facelib.face_type_flag import add_face_type_flag
from mainscripts.cast import add_cast_parser
from mainscripts.faceset_report import add_report_parser

SIZE_RANGE, DEFAULT_SIZE = (128, 2048), 512
FACE_TYPE_KEYS = ("h", "mf", "f", "wf", "head", "same")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``facesettool`` to the command line."""
    parser = subparsers.add_parser("facesettool", help="enhance, resize and compare facesets")
    tools = parser.add_subparsers(title="tools", metavar="TOOL")
    enhance = _add_tool(tools, "enhance", "add detail to the face pictures, with a network", _enhance)
    add_device_flags(enhance)
    add_engine_flags(enhance)
    resize = _add_tool(tools, "resize", "change the size and the face type of the face pictures", _resize)
    add_whole_number(resize, "--image-size", *SIZE_RANGE, help="new side in pixels, 128-2048")
    add_face_type_flag(resize, FACE_TYPE_KEYS, "new face type")
    add_report_parser(tools)
    add_cast_parser(tools)
    parser.set_defaults(group=parser)


def _add_tool(tools, name, help_text, run):
    tool = tools.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
    tool.add_argument("--input-dir", type=absolute_path, required=True, metavar="DIR", help="folder of face pictures")
    tool.add_argument(
        "--merge", action="store_true", default=None, help="put the new pictures in place of the originals"
    )
    tool.add_argument("--no-merge", action="store_false", dest="merge", help="leave them in their own folder")
    tool.set_defaults(run=run, changes=("input_dir",))
    return tool


def _resize(options):
    from facelib.face_type import FaceType
    from samplelib.faces import resize_faceset

    _require_loose(options.input_dir)
    size = _size(options.image_size)
    key = options.face_type or interact.ask_text("Change face type", "same", choices=list(FACE_TYPE_KEYS))
    face_type = None if key == "same" else FaceType.from_prompt_key(key)

    def work(folder, output):
        return resize_faceset.resize_faceset(folder, output, size, face_type)

    return _make_copy(options, resize_faceset.OUTPUT_ENDING, work)


def _enhance(options):
    from samplelib.faces import enhance_faceset

    _require_loose(options.input_dir)
    enhance = _load_enhancer(options)

    def work(folder, output):
        return enhance_faceset.enhance_faceset(folder, output, enhance)

    return _make_copy(options, enhance_faceset.OUTPUT_ENDING, work)


def _load_enhancer(options):
    """The network as a function; loaded before any file is touched, because its weights may be missing."""
    from facelib.weights import require_weights

    path = require_weights("FaceEnhancer")
    from core.device_choice import choose_places
    from facelib.enhancer import FaceEnhancer

    places, _ = choose_places(options.engine, options.provider, options.cpu_only, options.force_gpu_idxs)
    return FaceEnhancer(path, places[0]).enhance


def _make_copy(options, ending, work):
    """Run a tool into the folder beside the input, then offer to merge; exit code 1 when pictures failed."""
    from samplelib.faces.originals_exchange import finish_merge, offer_merge, prepare_output_folder

    folder = options.input_dir
    if finish_merge(folder.with_name(folder.name + ending), folder):
        interact.info(
            "An earlier run was interrupted while it merged; that is finished now. Run it again for another size."
        )
        return 0
    output = prepare_output_folder(folder.with_name(folder.name + ending))
    try:
        written, failed = work(folder, output)
    except BaseException:
        _remove_if_empty(output)
        raise
    interact.info(f"Processed: {len(written)}")
    if not offer_merge(output, folder, written, options.merge):
        interact.info(f"The new pictures are in {output}")
    if failed:
        interact.error(f"{counted(failed, 'picture')} could not be processed; see the warnings above.")
        return 1
    return 0


def _remove_if_empty(folder):
    try:
        folder.rmdir()
    except OSError:
        pass


def _require_loose(folder):
    from core.files.paths import list_images
    from samplelib.packs.names import PACK_NAME

    list_images(folder)
    if (folder / PACK_NAME).is_file() and not list_images(folder):
        raise UserError(
            f"{folder}: the faceset is packed. Unpack it first: {command('util --unpack-faceset --input-dir', folder)}"
        )


def _size(given):
    return interact.ask_int("New image size", DEFAULT_SIZE, *SIZE_RANGE) if given is None else given
