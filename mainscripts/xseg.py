"""The ``xseg`` step: label masks, apply a trained XSeg network, remove masks and labels."""

import argparse
from dataclasses import fields
from typing import Any

from core.console import interact
from core.console.commands import command
from core.console.counted import counted
from core.console.device_flags import add_device_flags, add_engine_flags
from core.console.number_flags import add_whole_number
from core.console.yes_no_flag import add_yes_no
from core.errors import NothingToDo
from core.files.paths import absolute_path
from facelib.face_type_flag import add_face_type_flag

WARN_MASKS = "!!! WARNING : APPLIED XSEG MASKS WILL BE REMOVED FROM THE FRAMES !!!"
_LARGEST_BATCH = 4096
FACE_TYPE_KEYS = ("h", "mf", "f", "wf", "head")
WARN_LABELS = "!!! WARNING : LABELED XSEG POLYGONS WILL BE REMOVED FROM THE FRAMES !!!"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``xseg`` and its subcommands to the command line."""
    parser = subparsers.add_parser("xseg", help="draw, train, apply and remove face masks")
    parser.set_defaults(group=parser)
    commands = parser.add_subparsers(title="mask tools", metavar="TOOL")
    editor = _add(commands, "editor", run_editor, "label faces in a window")
    editor.add_argument(
        "--queue", nargs="?", const=True, type=absolute_path, help="walk only the faces of the queue (or of this file)"
    )
    apply = _add(commands, "apply", run_apply, "write the masks of a trained (or generic) network into the faces")
    _add_apply_flags(apply)
    _add(commands, "remove", run_remove, "remove applied masks; labels stay")
    _add(commands, "remove_labels", run_remove_labels, "remove labels; applied masks stay")
    fetch = _add(commands, "fetch", run_fetch, "copy labelled faces to the folder <name>_xseg")
    add_yes_no(fetch, "--delete-originals", "delete the copied faces from the input folder (asked)")
    fetch.add_argument(
        "--delete-original", dest="delete_originals", type=_yes_or_no, metavar="yes|no", help=argparse.SUPPRESS
    )
    suggest = _add(commands, "suggest", run_suggest, "propose labels for faces that have none, to be corrected by hand")
    add_whole_number(suggest, "--count", 0, default=0, help="faces to propose for, spread evenly [0 = all]")
    suggest.add_argument(
        "--from-applied", action="store_true", help="trace the applied masks instead of the embedded face mesh"
    )
    suggest.add_argument(
        "--complete", action="store_true", help="add the outline to faces whose labels only exclude, instead"
    )
    queue = _add(commands, "queue", run_queue, "list the faces on which trained mask and face mesh disagree most")
    queue.add_argument("--model-dir", type=absolute_path, help="predict with this XSeg model [use the applied masks]")
    add_whole_number(queue, "--show", 0, default=20, help="lines to print [20]")
    _add_network_flags(queue)


def run_editor(options: argparse.Namespace) -> None:
    """Open the mask editor."""
    from xseglib.editor.app import run_editor as open_editor
    from xseglib.folders import face_files
    from xseglib.queue import read_queue

    interact.info("Running XSeg editor.")
    folder = options.input_dir
    files = face_files(folder)
    if options.queue is not None:
        files = read_queue(folder, None if options.queue is True else options.queue)
    open_editor(folder, files, folder.name if options.queue is None else f"{folder.name} (queue)")


def run_apply(options: argparse.Namespace) -> None:
    """Write masks into the faces of a folder."""
    from xseglib.apply import apply_masks
    from xseglib.folders import face_files
    from xseglib.mask_request import mask_source

    folder = options.input_dir
    face_files(folder)
    source: Any
    source, key = mask_source(_mask_request(options))
    interact.info(f"Applying {_describe(source)} to {folder.name}/ folder.")
    statistics = apply_masks(folder, source, key, options.batch_size, options.restart)
    for own, count in getattr(source, "converted", {}).items():
        interact.info(f"Faces of type {own.text}, converted to {source.face_type.text} and their masks back: {count}")
    if getattr(source, "face_type", folder) is None:
        from samplelib.faces.faceset_types import mention_mixed_types

        mention_mixed_types(source.seen.elements(), str(folder), "All were taken as they are (face type same).")
    unsure = getattr(source, "unsure", ())
    if unsure:
        interact.warning(
            f"In {len(unsure)} of the pictures the mesh saw no face, first {unsure[0].name}: they got the default mask "
            "of their landmarks. Check them in the editor."
        )
    _report(statistics, "Files processed")


def run_remove(options: argparse.Namespace) -> None:
    """Drop the applied masks of a folder."""
    from xseglib.removal import remove_applied_masks

    _warn_and_wait(options.input_dir, WARN_MASKS, "Remove the applied masks?")
    _keep_for_later(options.input_dir, "masks", lambda metadata: metadata.xseg_mask is not None)
    _report(remove_applied_masks(options.input_dir), "Files processed")


def run_remove_labels(options: argparse.Namespace) -> None:
    """Drop the labels of a folder."""
    from xseglib.removal import remove_labels

    _warn_and_wait(options.input_dir, WARN_LABELS, "Remove the labels?")
    _keep_for_later(options.input_dir, "labels", lambda metadata: bool(metadata.polygons))
    _report(remove_labels(options.input_dir), "Files processed")


def run_fetch(options: argparse.Namespace) -> None:
    """Copy the labelled faces of a folder."""
    from samplelib.faces.originals_exchange import ask_before_loss
    from xseglib.fetching import delete_fetched, fetch_folder, fetch_labelled
    from xseglib.folders import face_files

    folder = options.input_dir
    face_files(folder)
    interact.info(f"Copying faces containing XSeg polygons to {fetch_folder(folder).name}/ folder.")
    copied, statistics = fetch_labelled(folder)
    interact.info(f"Files copied: {len(copied)}")
    if copied and ask_before_loss("Delete original files?", options.delete_originals, "--delete-originals"):
        interact.info(f"Files deleted: {delete_fetched(copied)}")
    statistics.raise_if_failed()


def run_suggest(options: argparse.Namespace) -> None:
    """Propose labels for faces without any."""
    from xseglib.suggest import suggest_labels

    statistics, labelled, empty = suggest_labels(
        options.input_dir, options.count, options.from_applied, options.complete
    )
    if labelled:
        interact.info(f"Faces that have labels already and were left alone: {labelled}")
    if empty:
        interact.info(f"Faces for which nothing could be proposed: {empty}")
    interact.info("These are proposals: correct them in the editor, they do not know hands, hair or glasses.")
    _report(statistics, "Faces that got a label")


def run_queue(options: argparse.Namespace) -> None:
    """Make the queue of a folder and print its beginning."""
    from xseglib.mask_request import network_source
    from xseglib.queue import make_queue, write_queue

    network = None
    if options.model_dir is not None:
        network = network_source(_mask_request(options))[0]
    entries, statistics = make_queue(options.input_dir, network)
    path = write_queue(options.input_dir, entries)
    interact.info("Disagreement of trained mask and face mesh (0 = same area, 1 = nothing in common):")
    for entry in entries[: options.show]:
        interact.info(f"  {entry.disagreement:.3f}  {entry.path.name}")
    interact.info(f"{len(entries)} faces without labels are queued in {path}.")
    interact.info(f"Label them: {command('xseg editor --queue --input-dir', options.input_dir)}")
    statistics.raise_if_failed()


def _add_apply_flags(parser):
    parser.add_argument("--model-dir", type=absolute_path, required=True, help="folder of the XSeg model")
    parser.add_argument(
        "--generic",
        nargs="?",
        const=True,
        default=False,
        metavar="NAME",
        help="when the model folder has no network, apply whole-face masks of the embedded face mesh "
        "(goes without saying for a folder named model_generic_xseg); with a NAME, masks of that parser or occluder (networks list)",
    )
    add_whole_number(
        parser, "--batch-size", 1, _LARGEST_BATCH, default=8, help="faces that go through the network together [8]"
    )
    parser.add_argument("--restart", action="store_true", help="do not go on with an interrupted run, begin again")
    _add_network_flags(parser)


def _add_network_flags(parser):
    add_face_type_flag(parser, (*FACE_TYPE_KEYS, "same"), "face type of the model, when its files do not tell")
    add_device_flags(parser, several=False)
    add_engine_flags(parser)


def _add(commands, name, run, help_text):
    parser = commands.add_parser(name, help=help_text, description=help_text)
    parser.add_argument("--input-dir", type=absolute_path, required=True, help="folder of aligned faces")
    parser.set_defaults(run=run, changes=() if name in ("editor", "queue") else ("input_dir",))
    return parser


def _warn_and_wait(folder, warning, question):
    """Show a warning three times and wait for Enter; without a terminal only ``--yes`` or a piped y lets it go on."""
    from xseglib.folders import face_files

    count = len(face_files(folder))
    interact.info(f"Processing folder {folder} ({counted(count, 'picture')})")
    for _ in range(3):
        interact.info(warning)
    if interact.has_terminal():
        interact.wait_enter("Press enter to continue.")
    elif not interact.confirm(question, flag="--yes"):
        raise NothingToDo(f"{folder}: nothing was removed.")


def _keep_for_later(folder, kind, is_wanted):
    """Save what is going to be removed, so that it can be put back."""
    from xseglib.removal import keep_face_data

    place = keep_face_data(folder, kind, is_wanted)
    if place is not None:
        interact.info(
            f"What is removed is kept in {place}. To put it back: copy that file into {folder} (not over a {place.name} that "
            "is there) and run util --restore-faceset-metadata."
        )


def _yes_or_no(text):
    """Value of the flag as it was called in the first releases."""
    if text not in ("yes", "no"):
        raise argparse.ArgumentTypeError("give yes or no")
    return text == "yes"


def _mask_request(flags):
    from xseglib.mask_request import MaskRequest

    names = [field.name for field in fields(MaskRequest) if hasattr(flags, field.name)]
    return MaskRequest(**{name: getattr(flags, name) for name in names})


def _describe(source):
    if hasattr(source, "predictor"):
        return "trained XSeg model"
    return f"masks of the network {source.name}" if hasattr(source, "name") else "generic whole-face masks"


def _report(statistics, label):
    interact.info(f"{label}: {statistics.done}")
    statistics.raise_if_failed()
