"""The flags that name one person whose faces are wanted."""

import argparse

from core.console.number_flags import add_number
from core.errors import UsageError
from core.files.paths import absolute_path


def add_person_flags(parser: argparse.ArgumentParser, what_becomes_of_others: str) -> None:
    """Add ``--keep``, which becomes a list of Path, and ``--keep-likeness``."""
    parser.add_argument(
        "--keep",
        metavar="PICTURE",
        type=absolute_path,
        action="append",
        default=[],
        help="take only the faces of the person in this picture, in this folder of pictures, or of this name in cast.yaml; repeatable. "
        f"{what_becomes_of_others} (docs/faces.md)",
    )
    add_number(
        parser, "--keep-likeness", -1, 1, metavar="X", help="least likeness to a picture of --keep, up to 1 [0.6]"
    )


def check_person_flags(flags: argparse.Namespace) -> None:
    """Refuse a likeness without a person.

    Raises
    ------
    UsageError
    """
    if flags.keep_likeness is not None and not flags.keep:
        raise UsageError("--keep-likeness belongs to --keep.")
