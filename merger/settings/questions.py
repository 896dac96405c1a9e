"""The questions of a non-interactive merge."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from core.console import interact
from merger.settings.config import SETTINGS, MergeConfig
from merger.settings.setting import Question, Setting


def ask_settings(start: MergeConfig, given: Mapping[str, Any]) -> MergeConfig:
    """Ask for all settings of a run that are not ``given``.

    Parameters
    ----------
    start : MergeConfig
        Supplies what is never asked and what the chosen mode does not ask.
    given : mapping
        Settings by name, in stored form; these are not asked.
    """
    config = replace(start, **given)
    asked = [(known.question, name, known) for name, known in SETTINGS.items() if known.question is not None]
    for question, name, known in sorted(asked, key=lambda row: row[0].place):
        if name not in given and question.applies(config):
            config = replace(config, **{name: _ask(question, known)})
    interact.info()
    return config


def _ask(question: Question, known: Setting) -> Any:
    if known.limits is not None:
        low, high = known.limits[0], question.high or known.limits[1]
        return interact.ask_int(question.text, question.default, low, high, f"{low}..{high}", question.help)
    if question.yes is not None:
        return question.yes if interact.ask_bool(question.text, bool(question.default), question.help) else 0
    if known.choices is None:
        return interact.ask_bool(question.text, question.default, question.help)
    if question.names_only:
        answer = interact.ask_text(question.text, None, known.choices[1:], question.help)
        return known.choices.index(answer) if answer else 0
    return _ask_by_number(question, known)


def _ask_by_number(question, known):
    """A choice by its number in a list. An unknown one is asked again; without a terminal the default is taken, and that is said."""
    interact.info(question.text)
    for number, name in enumerate(known.choices):
        interact.info(f"({number}) {name}")
    default = known.choices.index(question.default) if known.stored_by_name else question.default
    index = interact.ask_int(
        "", default, help_text=question.help, allowed=range(len(known.choices))
    )  # fmt: skip
    return known.choices[index] if known.stored_by_name else index
