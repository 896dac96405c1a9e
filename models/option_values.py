"""Values for the options of a model: asked at the console, given by flag, read from YAML, checked."""

import re
from pathlib import Path

import numpy as np

from core.console import interact
from core.errors import UsageError
from core.files.paths import atomic_write
from core.records.file_value import FileValue, short
from core.records.yaml_file import read_yaml
from models.options import Context, Option
from models.registry import kind, option_table

_NUMBER = re.compile(r"[+-]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})([eE][+-]?[0-9]{1,3})?")
_LARGEST_NUMBER = 10**15
_TRUE, _FALSE = ("y", "yes", "true", "on", "1"), ("n", "no", "false", "off", "0")


def parse_assignments(class_name: str, assignments: list[str]) -> dict:
    """Turn ``["resolution=128", …]`` into checked values.

    Raises
    ------
    UsageError
        For a text without ``=``, an unknown key, or a value that does not fit.
    """
    values = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise UsageError(f"--set {short(assignment)}: expected KEY=VALUE, for example --set batch_size=4.")
        values[key.strip()] = check_value(class_name, key.strip(), text.strip())
    return values


def read_options_file(class_name: str, path: Path) -> dict:
    """Checked values of a YAML file ``key: value``; a top-level key with the class's name may hold them.

    Raises
    ------
    FormatError, UsageError
        When the file cannot be read, is no mapping, or holds an unknown key or a value that does not fit.
    """
    root = read_yaml(path, "options file")
    content = root.mapping()
    if class_name in content and content[class_name].is_mapping():
        root = content[class_name]
    return checked_options(class_name, root)


def checked_options(class_name: str, values: FileValue) -> dict:
    """Checked values of the mapping in a file, ``key: value``; errors as in :func:`check_value`."""
    checked = {}
    for key, value in values.mapping().items():
        if isinstance(value.data, (dict, list)):
            raise value.unexpected("one value")
        checked[key] = check_value(class_name, str(key), value.data, source=str(values.file))
    return checked


def dump_options(class_name: str, options: dict, path: Path | None = None) -> str:
    """YAML text with every stored option, its help as a comment; also written to ``path`` if given."""
    import yaml

    lines = [f"# Options of a {class_name} model. Use: train --options FILE"]
    for option in option_table(class_name).values():
        if option.stored and option.key in options:
            lines.append(f"# {option.help}{_allowed_text(option)}")
            lines.append(yaml.safe_dump({option.key: options[option.key]}, allow_unicode=True).strip())
    text = "\n".join(lines) + "\n"
    if path is not None:
        atomic_write(path, text.encode())
    return text


def check_value(class_name: str, key: str, value: object, source: str = "--set") -> object:
    """``value`` (a text or a plain value) as the option's type.

    Raises
    ------
    UsageError
        When the key is unknown, or the value is of the wrong kind or outside the allowed values.
    """
    table = option_table(class_name)
    option = table.get(key)
    if option is None:
        constants = kind(class_name).constants
        if key in constants:
            raise UsageError(f"{source}: {key} of {class_name} is constant ({constants[key]}).")
        known = ", ".join(table)
        raise UsageError(f"{source}: {class_name} has no option {short(key, quoted=True)}. Options: {known}.")
    parsed = _parse(option, value)
    if parsed is None:
        raise UsageError(f"{source}: {key}={short(value)} is not {_expected(option)}.")
    if option.low is not None and parsed < option.low or option.high is not None and parsed > option.high:
        raise UsageError(f"{source}: {key}={short(value)} is outside {_range_text(option)}.")
    if option.kind is not str and option.accept is not None and not option.accept(parsed):
        raise UsageError(f"{source}: {key}={short(value)} is outside {option.expected}.")
    return parsed


def from_model_file(class_name: str, stored: dict) -> dict:
    """Options of a ``data.dat`` or default-options file as plain values of today: old spellings converted.

    Unknown keys are kept.
    """
    options = dict(stored)
    if isinstance(options.get("lr_dropout"), bool):
        options["lr_dropout"] = "y" if options["lr_dropout"] else "n"
    options.pop("eyes_prio", None)
    table = option_table(class_name)
    for key, value in list(options.items()):
        if key in table:
            parsed = _parse(table[key], value)
            if parsed is None:
                del options[key]
            else:
                options[key] = parsed
    return options


def ask_options(
    class_name: str,
    current: dict,
    file_defaults: dict,
    given: dict,
    context: Context,
    first_run: bool,
    override: bool,
    silent: bool = False,
) -> dict:
    """Settle the options at the start of training.

    Parameters
    ----------
    current : dict
        The model's stored options (empty at a first run).
    file_defaults : dict
        From the class's default-options file.
    given : dict
        Checked values from flags and files; never asked.
    first_run : bool
        Everything that applies is asked.
    override : bool
        A later run in which the changeable options are asked again.
    silent : bool
        Ask nothing: what would be asked takes its default.

    Returns
    -------
    dict
        The options to store, then the unstored answers under their keys as well.
    """
    table = option_table(class_name)
    refuse_fixed(table, current, given, first_run)
    options = {} if first_run else dict(current)
    for option in table.values():
        asked = option.prompt is not None and not silent and (first_run or override)
        _settle(option, options, current, file_defaults, given, context, asked, first_run, override)
    if "resolution" in table and first_run:
        options["resolution"] = _rounded_resolution(table["resolution"], options)
    _check_together(class_name, options, given)
    options.update({key: value for key, value in current.items() if key not in options and key not in table})
    return options


def refuse_fixed(table: dict[str, Option], current: dict, given: dict, first_run: bool) -> None:
    """Raise UsageError when ``given`` changes an option that is fixed after the first run."""
    for key, value in given.items():
        option = table[key]
        if first_run or not option.fixed or key not in current:
            continue
        if option.adjusted(value, current) != current[key]:
            raise UsageError(
                f"{key} is fixed after the first run: this model has {current[key]}, {value} was given. "
                "Leave it out, or start a new model."
            )


def _check_together(class_name, options, given):
    """Refuse given values that do not fit the others; typed ones are only told of, as DeepFaceLab takes them."""
    for keys, reason in kind(class_name).conflicts(options):
        if any(key in given for key in keys):
            raise UsageError(f"{reason}.")
        interact.warning(f"{reason}.")


def _settle(option, options, current, file_defaults, given, context, asked, first_run, override):
    """Put the value of one option into ``options``."""
    key = option.key
    if option.fixed and not first_run and key in options:
        return
    if option.later_only and first_run:
        return
    applies = option.applies is None or option.applies(options)
    if not applies and option.otherwise is not None:
        value = option.otherwise
        if given.get(key, value) != value:
            interact.warning(f"{key}={given[key]} has no effect with the other options; {key} is {value}.")
    elif key in given:
        value = option.adjusted(given[key], options)
        if value != given[key]:
            interact.info(f"{key}: {given[key]} becomes {value}.")
    elif not applies:
        value = _offered(option, options, current, file_defaults, context)
    elif asked and not (option.later_only and not override):
        value = _ask(option, _offered(option, options, current, file_defaults, context), options, context)
    elif not first_run and key not in options and not option.stored:
        return
    elif not first_run and key in options:
        value = options[key]
    else:
        value = option.adjusted(_offered(option, options, current, file_defaults, context), options)
    never_asked = option.prompt is None
    if never_asked and value == option.default and key not in current and key != "batch_size":
        return
    options[key] = value


def _offered(option, options, current, file_defaults, context):
    """The default that a question offers: this model's value, else the class's file, else the built-in one."""
    if option.key in current:
        return current[option.key]
    if option.defaults_file and option.stored and option.key in file_defaults:
        return file_defaults[option.key]
    return option.default_value(options, context)


def _ask(option, default, options, context):
    prompt = option.prompt
    if option.key == "choose_preview_history" and context.notebook:
        prompt = "Randomly choose new image for preview history"
    help_text = option.help if option.has_help else None
    if option.kind is bool:
        return interact.ask_bool(prompt, default, help_text)
    if option.kind is str:
        value = _ask_text(option, prompt, default, help_text)
        return option.adjusted(value, options)
    ask = interact.ask_int if option.kind is int else interact.ask_number
    if option.clamped_by_question:
        value = ask(prompt, default, option.low, option.high, help_text=help_text)
    else:
        value = ask(prompt, default, option.low, option.high, range_text=option.info or "", help_text=help_text)
    adjusted = option.adjusted(option.kind(value), options)
    if adjusted != value:
        interact.info(f"{prompt} becomes {adjusted}.")
    return adjusted


def _ask_text(option, prompt, default, help_text):
    while True:
        value = interact.ask_text(prompt, default, option.choices and list(option.choices), help_text)
        if option.accept is None or option.accept(value):
            return value
        interact.info(f"{value!r} is not {option.expected}.")
        if not interact.has_terminal():
            interact.info(f"Taking {default}.")
            return default


def _rounded_resolution(option, options):
    rounded = option.adjusted(options["resolution"], options)
    if rounded != options["resolution"]:
        interact.info(f"Resolution becomes {rounded} (architecture {options['archi']}).")
    return rounded


def _parse(option, value):
    """``value`` as the option's kind, or None when it is not of that kind or not among the choices."""
    if option.kind is bool:
        text = str(value).lower()
        return True if text in _TRUE else False if text in _FALSE else None
    if option.kind is str:
        text = "y" if value is True else "n" if value is False else str(value).lower()
        if option.choices is not None and text not in option.choices:
            return None
        return text if option.accept is None or option.accept(text) else None
    number = _number(value)
    if option.kind is int:
        return int(number) if number is not None and number == int(number) else None
    return None if number is None else float(number)


def _number(value):
    """A plain number, or a text in plain digits, as int or float; None for all else, also for what is not finite."""
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value.strip()):
            return None
        value = float(value) if not value.strip().lstrip("+-").isdigit() else int(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < _LARGEST_NUMBER else None  # not so for what is no number or infinite


def _expected(option):
    if option.expected and option.kind is str:
        return option.expected
    if option.choices:
        return "one of " + ", ".join(option.choices)
    return {bool: "y or n", int: "a whole number", float: "a number"}[option.kind]


def _range_text(option):
    if option.high is None:
        return f"{option.low} or more"
    return f"{option.low} to {option.high}"


def _allowed_text(option):
    if option.choices:
        return " One of: " + ", ".join(option.choices) + "."
    if option.low is not None:
        return f" Range: {_range_text(option)}."
    return ""
