"""The ``--hdr`` flag of the commands that read videos."""

import argparse

HDR_CHOICES = ("tonemap", "keep")


def add_hdr_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--hdr`` with the default ``tonemap``."""
    parser.add_argument(
        "--hdr",
        choices=HDR_CHOICES,
        default="tonemap",
        help="PQ and HLG video: to 8-bit BT.709 (default), or its values as they are",
    )
