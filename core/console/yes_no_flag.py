"""Flags that answer a question with yes or no: ``--name`` and ``--no-name``."""

from typing import Any


def add_yes_no(group: Any, flag: str, help_text: str) -> None:
    """Add ``flag`` and its opposite to a parser or a group of one; the value is None when neither is given."""
    either = group.add_mutually_exclusive_group()
    either.add_argument(flag, action="store_true", default=None, help=help_text)
    dest = flag[2:].replace("-", "_")
    either.add_argument(f"--no-{flag[2:]}", action="store_false", dest=dest, help="answer no to that")
