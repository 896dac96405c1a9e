"""The ``xseg`` step: label masks, apply a trained XSeg network, remove masks and labels."""

from core import interact
from core.errors import NothingToDo
from core.paths import absolute_path

WARN_MASKS = "!!! WARNING : APPLIED XSEG MASKS WILL BE REMOVED FROM THE FRAMES !!!"
WARN_LABELS = "!!! WARNING : LABELED XSEG POLYGONS WILL BE REMOVED FROM THE FRAMES !!!"


def add_parser(subparsers):
    """Add ``xseg`` and its subcommands to the command line."""
    parser = subparsers.add_parser("xseg", help="draw, train, apply and remove face masks")
    parser.set_defaults(group=parser)
    commands = parser.add_subparsers(title="mask tools", metavar="TOOL")
    _add(commands, "remove", run_remove, "remove applied masks; labels stay")
    _add(commands, "remove_labels", run_remove_labels, "remove labels; applied masks stay")
    fetch = _add(commands, "fetch", run_fetch, "copy labelled faces to the folder <name>_xseg")
    fetch.add_argument(
        "--delete-original", choices=("yes", "no"), help="delete the copied faces from the input folder (asked)"
    )


def run_remove(options):
    """Drop the applied masks of a folder."""
    from xseglib.tools import remove_applied_masks

    _warn_and_wait(options.input_dir, WARN_MASKS, "Remove the applied masks?")
    _report(remove_applied_masks(options.input_dir), "Files processed")


def run_remove_labels(options):
    """Drop the labels of a folder."""
    from xseglib.tools import remove_labels

    _warn_and_wait(options.input_dir, WARN_LABELS, "Remove the labels?")
    _report(remove_labels(options.input_dir), "Files processed")


def run_fetch(options):
    """Copy the labelled faces of a folder."""
    from xseglib.folders import face_files
    from xseglib.tools import delete_fetched, fetch_folder, fetch_labelled

    folder = options.input_dir
    face_files(folder)
    interact.info(f"Copying faces containing XSeg polygons to {fetch_folder(folder).name}/ folder.")
    copied, statistics = fetch_labelled(folder)
    interact.info(f"Files copied: {len(copied)}")
    if copied and _wants_deletion(options):
        interact.info(f"Files deleted: {delete_fetched(copied)}")
    statistics.raise_if_failed()


def _add(commands, name, run, help_text):
    parser = commands.add_parser(name, help=help_text, description=help_text)
    parser.add_argument("--input-dir", type=absolute_path, required=True, help="folder of aligned faces")
    parser.set_defaults(run=run)
    return parser


def _warn_and_wait(folder, warning, question):
    """Show a warning three times and wait for Enter; without a terminal only ``--yes`` or a piped y lets it go on."""
    from xseglib.folders import face_files

    count = len(face_files(folder))
    interact.info(f"Processing folder {folder} ({count} pictures)")
    for _ in range(3):
        interact.info(warning)
    if interact.has_terminal():
        interact.wait_enter("Press enter to continue.")
    elif not interact.confirm(question, flag="--yes"):
        raise NothingToDo(f"{folder}: nothing was removed.")


def _wants_deletion(options):
    if options.delete_original is not None:
        return options.delete_original == "yes"
    return interact.ask_bool("Delete original files?", True)


def _report(statistics, label):
    interact.info(f"{label}: {statistics.done}")
    statistics.raise_if_failed()
