"""The ``util`` step: work on the files of a faceset as a whole."""

import argparse

from core.console import interact
from core.console.commands import command
from core.console.counted import counted
from core.console.loss import Fate, ask_fate
from core.console.yes_no_flag import add_yes_no
from core.errors import NothingToDo, UsageError, UserError
from core.files.paths import absolute_path, list_images

_DESCRIPTION = "Work on the files of a faceset. Several of the actions run in the order in which they are listed here."
_SAME_NAME_CHOICES = ("loose", "packed", "both")
_SAME_NAME_HELP = (
    "loose: those of the folder; the packed ones go to the trash folder. packed: those of the pack; the loose ones stay in "
    "the folder. both: all; the loose ones get a number behind their names. none: change nothing."
)


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``util`` to the command line."""
    parser = subparsers.add_parser("util", help="pack, rename, inspect a faceset", description=_DESCRIPTION)
    parser.add_argument("--input-dir", type=absolute_path, metavar="DIR", help="folder of face pictures")
    actions = parser.add_argument_group("actions")
    for flag, help_text, _ in _ACTIONS:
        actions.add_argument(flag, action="store_true", help=help_text)
    answers = parser.add_argument_group("answers to the questions that actions ask")
    add_yes_no(answers, "--person-faceset", "pack each sub-folder as a person of its own")
    add_yes_no(answers, "--delete-originals", "after packing, delete the pictures that are in the pack")
    answers.add_argument(
        "--same-name",
        choices=_SAME_NAME_CHOICES,
        help="which picture goes into the pack where a loose one differs from one of the same name in the pack",
    )
    answers.add_argument(
        "--overwrite",
        action="store_true",
        help="replace pictures when unpacking; when packing the same as --same-name loose",
    )
    answers.add_argument(
        "--allow-damaged", action="store_true", help="take the whole pictures out of a damaged pack, which stays"
    )
    answers.add_argument(
        "--mask-at-image-size", action="store_true", help="bring exported masks to the size of the pictures"
    )
    parser.set_defaults(run=run, changes=("input_dir",))


def run(options: argparse.Namespace) -> int | None:
    """Run the actions that were asked for; exit code 1 when one of them could not do everything."""
    chosen = [(flag, action) for flag, _, action in _ACTIONS if getattr(options, flag[2:].replace("-", "_"))]
    if not chosen:
        interact.info("Nothing to do: give at least one action, see --help.")
    if any(action is not _fetch_weights for _, action in chosen) and options.input_dir is None:
        raise UsageError("--input-dir is missing: the folder of face pictures to work on.")
    codes = [action(options) for _, action in chosen]
    return max((code or 0 for code in codes), default=0)


def _loose_folder(options):
    """The folder, when its pictures are not inside a pack."""
    from samplelib.faces.aligned_face import read_metadata
    from samplelib.packs.names import PACK_NAME

    folder = options.input_dir
    images = list_images(folder)
    if (folder / PACK_NAME).is_file() and not any(read_metadata(image) for image in images):
        raise UserError(
            f"{folder}: the faceset is packed. Unpack it first: {command('util --unpack-faceset --input-dir', folder)}"
        )
    if not images:
        raise NothingToDo(f"{folder}: no images found in this folder.")
    return folder


def _fetch_weights(options):
    from facelib.weights import fetch_weights

    fetch_weights()


def _add_landmark_pictures(options):
    from samplelib.faces.landmark_pictures import add_landmark_pictures

    folder = _loose_folder(options)
    interact.info("Adding landmarks debug images")
    interact.info(f"Written: {add_landmark_pictures(folder)}")


def _recover_names(options):
    from samplelib.faces.original_names import recover_original_names

    folder = _loose_folder(options)
    interact.info("Recovering original filenames")
    interact.info(f"Face pictures with their original name: {recover_original_names(folder)}")


def _save_metadata(options):
    from samplelib.faces.metadata import save_faceset_metadata

    path = save_faceset_metadata(_loose_folder(options))
    interact.info(f"Metadata saved to {path}")
    interact.info("The pictures can be edited now.")
    interact.info("!!! Keep their file names. Their size may change: restoring brings them back to the present one.")
    interact.info("When done, restore the metadata (util --restore-faceset-metadata).")


def _restore_metadata(options):
    from samplelib.faces.metadata import METADATA_NAME, restore_faceset_metadata

    restored, left = restore_faceset_metadata(options.input_dir)
    interact.info(f"Restored: {restored}")
    if left:
        interact.error(f"{len(left)} pictures could not be restored; {METADATA_NAME} was kept for them.")
        return 1
    return 0


def _pack(options):
    from samplelib.faces.originals_exchange import ask_before_loss
    from samplelib.packs import packed_faceset

    folder = options.input_dir
    list_images(folder)
    persons = _process_as_persons(options, packed_faceset.person_folders(folder))

    def choose(files, only_packed):
        return _choose_of_same_name(options, files, only_packed)

    packed = packed_faceset.pack_faceset(folder, persons, choose=choose)
    _tell_what_is_packed(packed)
    if not packed.files and not persons:
        return
    if ask_before_loss("Delete original files?", options.delete_originals, "--delete-originals"):
        packed_faceset.delete_originals(packed)


def _tell_what_is_packed(packed):
    if packed.is_new:
        interact.info(f"Packed {counted(len(packed.files), 'picture')} into {packed.path}")
    elif not packed.files:
        interact.info(f"{packed.path}: there is no face picture in the folder to add.")
    else:
        interact.info(f"{packed.path} holds all {len(packed.files)} face pictures of the folder already.")
    if packed.only_packed:
        interact.info(f"The pack holds {packed.only_packed} pictures more, which are only there. They stay in it.")
    if packed.replaced:
        interact.info(
            f"{len(packed.replaced)} pictures that the pack held before are in {packed.replaced[0].parent} now."
        )
    if packed.left_out:
        interact.info(f"Not packed, so they stay in the folder: {len(packed.left_out)} pictures")


def _choose_of_same_name(options, files, only_packed):
    """What becomes of loose pictures that have the name of another picture of the pack."""
    from samplelib.packs.names import PACK_NAME

    if options.same_name is not None:
        return options.same_name
    if options.overwrite:
        return "loose"
    interact.info(
        f"{len(files)} pictures of the folder differ from those of the same names in {PACK_NAME}, for example "
        f"{files[0].name}. {only_packed} pictures are only in the pack."
    )
    default = "loose" if interact.confirms_all() else "none"
    choices = [*_SAME_NAME_CHOICES, "none"]
    choice = interact.ask_text("Which of the same name belong into the pack?", default, choices, _SAME_NAME_HELP)
    if choice == "none":
        raise UserError(
            f"{files[0].parent}: {len(files)} pictures have the names of others in {PACK_NAME} ({files[0].name} …). "
            "Nothing was changed. Give --same-name loose, packed or both."
        )
    return choice


def _process_as_persons(options, folders):
    if not folders:
        if options.person_faceset:
            from samplelib.packs.packed_faceset import packed_persons

            if packed_persons(options.input_dir):
                return True
            raise UsageError(f"--person-faceset: {options.input_dir} has no sub-folders.")
        return False
    if options.person_faceset is not None:
        return options.person_faceset
    return interact.ask_bool(f"{len(folders)} subdirectories found, process as person faceset?", True)


def _unpack(options):
    from core.files.trash import move_to_trash, trash_folder_of
    from samplelib.packs.names import PACK_NAME
    from samplelib.packs.packed_faceset import unpack_faceset

    path = options.input_dir / PACK_NAME
    if not path.is_file():
        list_images(options.input_dir)
        raise NothingToDo(f"{path}: no such file, so there is nothing to unpack.")

    def may_replace(files):
        question = f"Replace {len(files)} files of the same names that have other content, for example {files[0].name}?"
        fate = Fate.DELETE if options.overwrite else ask_fate(question, "--overwrite")
        if fate is Fate.SET_ASIDE:
            places = move_to_trash(files, trash_folder_of(options.input_dir))
            interact.info(f"{len(files)} pictures of the folder were moved to {places[0].parent}.")
        return fate is not Fate.KEEP

    interact.info(f"Unpacked: {unpack_faceset(options.input_dir, may_replace, allow_damaged=options.allow_damaged)}")
    return 1 if path.is_file() else 0


def _export_masks(options):
    from samplelib.faces.mask_export import export_masks

    written, without = export_masks(_loose_folder(options), options.mask_at_image_size)
    interact.info(f"Masks exported: {written}, pictures without a mask: {without}")


_ACTIONS = (
    (
        "--fetch-weights",
        "get the weight files of the face finder (needs the internet, not --input-dir)",
        _fetch_weights,
    ),
    ("--add-landmarks-debug-images", "write NAME_debug.jpg with drawn landmarks beside each", _add_landmark_pictures),
    ("--recover-original-aligned-filename", "name pictures after their frames again", _recover_names),
    ("--save-faceset-metadata", "keep the face data in meta.dat while pictures are edited", _save_metadata),
    ("--restore-faceset-metadata", "put the face data of meta.dat back", _restore_metadata),
    ("--pack-faceset", "pack the folder into one file, faceset.pak", _pack),
    ("--unpack-faceset", "write the pictures of faceset.pak back", _unpack),
    ("--export-faceset-mask", "write NAME_mask.jpg beside each picture that has a mask", _export_masks),
)
