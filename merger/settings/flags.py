"""The flags of the merge settings: one for each row of the table."""

import argparse
from typing import Any

from merger.settings.config import SETTINGS, parse_value
from merger.settings.setting import Setting


def add_setting_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--mode``, ``--mask-mode`` …; what they hold is read by :func:`given_settings`."""
    group = parser.add_argument_group("settings (each is asked if left out)")
    for name, known in SETTINGS.items():
        group.add_argument(flag(name), dest=_destination(name), metavar="V", help=_help(known))


def given_settings(flags: argparse.Namespace) -> tuple[dict[str, Any], dict]:
    """Values by name, and tracks of keyframes, from the settings file of ``--config`` and the flags, which win.

    Raises
    ------
    UsageError
        When one cannot be used; names the flag or the file.
    """
    from merger.settings.settings_file import read_settings

    values, tracks = read_settings(flags.config) if flags.config else ({}, {})
    for name in SETTINGS:
        text = getattr(flags, _destination(name))
        if text is not None:
            values[name] = parse_value(name, text, f"{flag(name)}: ")
            tracks.pop(name, None)
    return values, tracks


def flag(name: str) -> str:
    """The flag of a setting."""
    return "--" + name.replace("_", "-")


def _destination(name):
    return f"setting_{name}"


def _help(known: Setting) -> str:
    limits = "" if known.limits is None else f"{known.limits[0]}…{known.limits[1]}"
    return "; ".join(filter(None, (limits, known.flag)))
