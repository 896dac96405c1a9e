"""Writes ``docs/options.md`` from the option tables: ``python -m models.option_docs``."""

from pathlib import Path

from models.registry import NAMES, kind

PAGE = Path(__file__).parents[1] / "docs" / "options.md"

_HEAD = """# Options of the models

Made from the tables in `models/*/options.py` by `python -m models.option_docs`; do not edit.

Every option can be given as `--set KEY=VALUE` or in a YAML file (`--options FILE`); `--dump-options FILE` writes such a
file. What is not given is asked, or takes its default where there is nobody to ask. "fixed" options cannot change after the
first run. Options without a question are marked "by flag"; they are stored only when they differ from the default.
Values outside the range are refused when given, and asked again when typed. Numbers are rounded as the help says.
"""


def options_markdown() -> str:
    """The whole page."""
    parts = [_HEAD]
    for each in map(kind, NAMES):
        parts.append(f"\n## {each.name}\n\n| option | question | values | default | |\n|---|---|---|---|---|\n")
        parts.extend(_row(option) for option in each.options)
        if each.constants:
            constants = ", ".join(f"{key} {_text(value)}" for key, value in each.constants.items())
            parts.append(f"\nConstant: {constants}.\n")
        if each.pretraining:
            forced = ", ".join(f"{key} {_text(value)}" for key, value in each.pretraining.items())
            parts.append(f"\nWhile `pretrain` is on, these values hold, whatever is stored: {forced}.\n")
    return "".join(parts)


def _row(option):
    notes = [option.help]
    if option.fixed and option.prompt:
        notes.append("**fixed**")
    question = option.prompt or "by flag"
    return f"| `{option.key}` | {question} | {_values(option)} | {_default(option)} | {_escaped(' '.join(notes))} |\n"


def _escaped(text):
    return text.replace("<", "&lt;")


def _values(option):
    if option.kind is bool:
        return "y, n"
    if option.choices:
        return ", ".join(option.choices)
    if option.expected and option.kind is not str:
        return option.expected.replace("or more", "…")
    if option.low is None:
        return "see right" if option.kind is str else ""
    return f"{option.low} …" if option.high is None else f"{option.low} … {option.high}"


def _default(option):
    if callable(option.default):
        return {
            "batch_size": "8 with a GPU of 4 GB or more, else 4",
            "d_mask_dims": "a third of d_dims, even",
            "gan_patch_size": "resolution / 8",
        }[option.key]
    return _text(option.default)


def _text(value):
    return {True: "y", False: "n"}[value] if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    PAGE.write_text(options_markdown(), encoding="utf-8")
