"""The ``sort`` step: renames the pictures of a faceset in a new order."""

import argparse

from core.console import interact
from core.console.commands import command
from core.console.number_flags import add_number, add_whole_number
from core.errors import NothingToDo, UsageError, UserError
from core.files.paths import absolute_path, list_images
from core.records.name_record import NameRecord
from samplelib.sorting.method_names import DEFAULT_NUMBER, METHODS, all_keys, find_method

_LEAST_FACES = 0.1  # of all pictures; a folder with fewer seems to be one of frames


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``sort`` to the command line."""
    parser = subparsers.add_parser(
        "sort",
        help="sort a faceset",
        description="Sort the pictures of a folder by renaming them 00000, 00001, … in the new order. "
        "What a method throws out is moved to <folder>_trash, never deleted. --undo brings everything back.",
    )
    parser.add_argument("--input-dir", type=absolute_path, required=True, metavar="DIR", help="folder of pictures")
    parser.add_argument("--by", choices=all_keys(), metavar="METHOD", help="one of: " + ", ".join(all_keys()))
    add_whole_number(parser, "--target-count", 1, help="final, final-fast: number of faces to keep")
    parser.add_argument("--exact-count", action="store_true", help="final, final-fast: exactly, not about, that many")
    direction = parser.add_mutually_exclusive_group()
    direction.add_argument("--similar", action="store_true", default=None, help="absdiff: the most similar one follows")
    direction.add_argument("--dissimilar", dest="similar", action="store_false", help="absdiff: the most different one")
    parser.add_argument("--trash-multiple", action="store_true",
                        help="oneface: move the faces of frames with several faces to trash")  # fmt: skip
    parser.add_argument("--identity", type=absolute_path, metavar="PICTURE",
                        help="identity: keep the person of this picture, of this folder of pictures, or of this name in cast.yaml, "
                        "and move all others to trash")  # fmt: skip
    add_number(parser, "--threshold", 0,
                        help="identity: least likeness, up to 1; duplicates: most differing bits of 256; "
                        "landmarks-error: largest error that stays, in distances between the eyes")  # fmt: skip
    parser.add_argument("--embedding-model", type=absolute_path, metavar="FILE",
                        help="identity: ONNX face recognition network (ArcFace style, 112 px)")  # fmt: skip
    parser.add_argument(
        "--recognition", metavar="NAME", help="identity: a recognition network of yours (networks list)"
    )
    parser.add_argument("--undo", action="store_true",
                        help="bring back the names that the pictures had before they were sorted for the first time, "
                        "and those that went to the trash")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the new order and rename nothing")
    parser.set_defaults(run=run, changes=("input_dir",))


def run(options: argparse.Namespace) -> None:
    """Sort a folder."""
    from samplelib.faces import rename
    from samplelib.sorting import methods

    folder = options.input_dir
    _check_folder(folder)
    if rename.finish_renaming(folder):
        interact.info("An earlier sort was interrupted while it renamed; its renaming is finished now.")
    if options.undo:
        _undo(folder, options)
        return
    paths = list_images(folder, required=True)
    by = "identity" if options.identity is not None and options.by is None else options.by
    method = find_method(by) if by else _ask_method()
    method_options = _method_options(method.key, options)
    _ask_about_frames(folder, paths, options)
    result = methods.sort_pictures(paths, method.key, method_options)
    if options.dry_run:
        _print_order(result)
        return
    try:
        methods.apply_sorting(folder, result)
    except KeyboardInterrupt:
        interact.warning("Stopped while renaming. No file is lost; the next sort of this folder finishes it.")
        raise


def _undo(folder, options):
    """Bring back the first names."""
    from samplelib.faces import rename

    if options.by or options.identity:
        raise UsageError("--undo stands alone: it brings the names back and sorts by nothing.")
    plan = rename.undo_plan(folder)
    if not len(plan):
        raise NothingToDo(f"{folder}: no sort is recorded here, so there is nothing to undo.")
    if options.dry_run:
        for name, first in (*plan.renames, *plan.restored):
            interact.info(f"{first} <- {name}")
        return
    with interact.progress(len(plan), "Renaming") as bar:
        rename.rename_files(plan, bar.update, NameRecord())
    interact.info(
        f"Pictures that have their first names again: {len(plan.renames)}, back from the trash: {len(plan.restored)}"
    )


def _ask_about_frames(folder, paths, options):
    """A folder of frames, whose names are their order in the film, is sorted only after a yes."""
    from core.parallel import ordered_map
    from samplelib.faces.aligned_face import read_metadata

    if options.dry_run or options.undo:
        return
    faces = sum(outcome.value is not None for outcome in ordered_map(read_metadata, paths))
    if faces >= _LEAST_FACES * len(paths):
        return
    interact.info(
        f"Only {faces} of {len(paths)} pictures in {folder} carry face data, so these seem to be frames, whose names are "
        "their order. (sort --undo would bring the names back.)"
    )
    if not interact.confirm("Sort them all the same?", "--yes"):
        raise UserError(f"{folder}: not sorted. Give the folder of the faces, for example {folder / 'aligned'}.")


def _check_folder(folder):
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. Check the path, or extract faces first.")
    pack = folder / "faceset.pak"
    if pack.is_file():
        raise UserError(
            f"{pack}: is a packed faceset, which cannot be sorted. "
            f"Unpack it first: {command('util --unpack-faceset --input-dir', folder)}"
        )


def _ask_method():
    interact.info("Choose sorting method:")
    for number, method in enumerate(METHODS):
        interact.info(f"[{number}] {method.title}")
    return METHODS[interact.ask_int("", DEFAULT_NUMBER, allowed=range(len(METHODS)))]


def _method_options(key, options):
    from samplelib.sorting.methods import SortOptions

    target, similar = options.target_count, options.similar
    if options.identity is not None and key != "identity":
        raise UsageError(f"--identity belongs to --by identity, not to --by {key}.")
    if key in ("final", "final-fast") and target is None:
        target = interact.ask_int("Target number of faces?", 2000, low=1)
    if key == "absdiff" and similar is None:
        similar = interact.ask_bool("Sort by similar?", True, help_text="Otherwise the most different picture follows.")
    return SortOptions(
        target_count=target or 2000,
        exact_count=options.exact_count,
        similar=similar is not False,
        trash_multiple=options.trash_multiple,
        identity=options.identity,
        threshold=options.threshold,
        embedding_model=options.embedding_model,
        recognition=options.recognition,
    )


def _print_order(result):
    for number, path in enumerate(result.order):
        interact.info(f"{number:05d}{path.suffix} <- {path.name}")
    for path in result.trash:
        interact.info(f"trash <- {path.name}")
