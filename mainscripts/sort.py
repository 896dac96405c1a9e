"""The ``sort`` step: renames the pictures of a faceset in a new order."""

from core import interact
from core.errors import UsageError, UserError
from core.paths import absolute_path, list_images
from samplelib.sort_methods import DEFAULT_NUMBER, METHODS, all_keys, find_method


def add_parser(subparsers):
    """Add ``sort`` to the command line."""
    parser = subparsers.add_parser(
        "sort",
        help="sort a faceset",
        description="Sort the pictures of a folder by renaming them 00000, 00001, … in the new order. "
        "What a method throws out is moved to <folder>_trash, never deleted.",
    )
    parser.add_argument("--input-dir", type=absolute_path, required=True, metavar="DIR", help="folder of pictures")
    parser.add_argument("--by", choices=all_keys(), metavar="METHOD", help="one of: " + ", ".join(all_keys()))
    parser.add_argument("--target-count", type=int, metavar="N", help="final, final-fast: number of faces to keep")
    parser.add_argument("--exact-count", action="store_true", help="final, final-fast: exactly, not about, that many")
    direction = parser.add_mutually_exclusive_group()
    direction.add_argument("--similar", action="store_true", default=None, help="absdiff: the most similar one follows")
    direction.add_argument("--dissimilar", dest="similar", action="store_false", help="absdiff: the most different one")
    parser.add_argument("--trash-multiple", action="store_true",
                        help="oneface: move the faces of frames with several faces to trash")  # fmt: skip
    parser.add_argument("--identity", type=absolute_path, metavar="PICTURE",
                        help="identity: keep the person of this picture and move all others to trash")  # fmt: skip
    parser.add_argument("--threshold", type=float, metavar="X",
                        help="identity: least likeness, up to 1; duplicates: most differing bits of 256; "
                        "landmarks-error: largest error that stays, in distances between the eyes")  # fmt: skip
    parser.add_argument("--embedding-model", type=absolute_path, metavar="FILE",
                        help="identity: ONNX face recognition network (ArcFace style, 112 px)")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the new order and rename nothing")
    parser.set_defaults(run=run, changes=("input_dir",))


def run(options):
    """Sort a folder."""
    from samplelib import rename, sorting

    folder = options.input_dir
    _check_folder(folder)
    if rename.finish_renaming(folder):
        interact.info("An earlier sort was interrupted while it renamed; its renaming is finished now.")
    paths = list_images(folder, required=True)
    if options.identity is not None and options.by is None:
        options.by = "identity"
    method = find_method(options.by) if options.by else _ask_method()
    result = sorting.sort_pictures(paths, method.key, _method_options(method.key, options))
    if options.dry_run:
        _print_order(result)
        return
    try:
        sorting.apply_sorting(folder, result)
    except KeyboardInterrupt:
        interact.warning("Stopped while renaming. No file is lost; the next sort of this folder finishes it.")
        raise


def _check_folder(folder):
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder. Check the path, or extract faces first.")
    pack = folder / "faceset.pak"
    if pack.is_file():
        raise UserError(
            f"{pack}: is a packed faceset, which cannot be sorted. "
            f"Unpack it first: main.py util --input-dir {folder} --unpack-faceset"
        )


def _ask_method():
    interact.info("Choose sorting method:")
    for number, method in enumerate(METHODS):
        interact.info(f"[{number}] {method.title}")
    return METHODS[interact.ask_int("", DEFAULT_NUMBER, allowed=range(len(METHODS)))]


def _method_options(key, options):
    from samplelib.sorting import SortOptions

    target, similar = options.target_count, options.similar
    if options.threshold is not None and options.threshold < 0:
        raise UsageError(f"--threshold {options.threshold}: must not be negative.")
    if options.identity is not None and key != "identity":
        raise UsageError(f"--identity belongs to --by identity, not to --by {key}.")
    if target is not None and target < 1:
        raise UsageError(f"--target-count {target}: must be at least 1.")
    if key in ("final", "final-fast") and target is None:
        target = max(1, interact.ask_int("Target number of faces?", 2000))
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
    )


def _print_order(result):
    for number, path in enumerate(result.order):
        interact.info(f"{number:05d}{path.suffix} <- {path.name}")
    for path in result.trash:
        interact.info(f"trash <- {path.name}")
