"""The flag by which a step uses a model that is still in pretraining."""

import argparse


def add_pretraining_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--allow-pretraining``, which becomes None when it is not given."""
    parser.add_argument(
        "--allow-pretraining", action="store_true", default=None,
        help="use a model that is still in pretraining and does not know your faces",
    )  # fmt: skip
