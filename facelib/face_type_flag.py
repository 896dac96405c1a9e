"""The flag ``--face-type``, which takes the names stored in faces and the short ones of the questions alike."""

import argparse
from collections.abc import Sequence

_STORED_NAMES = {"h": "half_face", "mf": "midfull_face", "f": "full_face", "wf": "whole_face"}
_SHORT_NAMES = {stored: short for short, stored in _STORED_NAMES.items()}


def add_face_type_flag(parser: argparse.ArgumentParser, choices: Sequence[str], help_text: str) -> None:
    """Add ``--face-type``; its value is one of ``choices``, whichever of both names was given."""

    def name_of_choices(text):
        names = (text, _STORED_NAMES.get(text), _SHORT_NAMES.get(text))
        return next((name for name in names if name in choices), text)

    parser.add_argument("--face-type", type=name_of_choices, choices=choices, help=help_text)
