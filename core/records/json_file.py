"""The one reader and writer of JSON files: stated limits, finite numbers, and a check of the form."""

import json
import math
from pathlib import Path
from typing import Any

from core.errors import FormatError
from core.records.bounded_read import read_bounded_text

SMALL_FILE = 1_000_000
"""Bytes of a file that holds a few facts."""
LARGE_FILE = 256_000_000
"""Bytes of a file with a line or an entry for every frame of a film."""
_LONGEST_NUMBER_TEXT = 40
# A list takes some twenty times the memory of its two signs, so that a file of nothing but lists is refused.
_BYTES_PER_LIST, _SPARE_LISTS = 8, 10_000


def read_json(path: Path, form: Any = None, most_bytes: int = SMALL_FILE) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : Path
    form : optional
        What it must look like; see :func:`fits`.
    most_bytes : int
        The longest file that is read.

    Raises
    ------
    FileNotFoundError
        When there is none.
    FormatError
        When it cannot be read, is no JSON, goes over a limit, or does not have the form.
    """
    try:
        content = parse_json(read_bounded_text(path, most_bytes))
    except ValueError as error:
        raise FormatError(path, f"is no valid JSON ({error})") from None
    if form is not None and not fits(content, form):
        raise FormatError(path, "is valid JSON, but does not hold what it should")
    return content


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises
    ------
    ValueError
        When it is none, is nested too deeply, holds too many lists for its length, or a number that is not finite or
        longer than 40 characters.
    """
    if text.count("[") + text.count("{") > _SPARE_LISTS + len(text) // _BYTES_PER_LIST:
        raise ValueError("it holds too many lists")
    try:
        return json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_json_line(line: str | bytes, form: Any) -> Any:
    """The value of one line of a journal; None when it is damaged or does not have the form of :func:`fits`."""
    try:
        value = parse_json(line if isinstance(line, str) else line.decode("utf-8"))
    except ValueError:
        return None
    return value if fits(value, form) else None


def json_bytes(content: Any, **layout: Any) -> bytes:
    """JSON as UTF-8, readable where it can be; names of files that are no UTF-8 are written as escapes.

    Parameters
    ----------
    content
        Numbers in it must be finite.
    layout
        As for :func:`json.dumps`: ``indent``, ``separators``.
    """
    try:
        return json.dumps(content, ensure_ascii=False, **layout).encode()
    except UnicodeEncodeError:
        return json.dumps(content, **layout).encode()


def fits(value: Any, form: Any) -> bool:
    """Whether a value has a form.

    Parameters
    ----------
    value
    form
        A type (``bool`` does not fit ``int``, whole numbers fit ``float``); a tuple of forms, one of which must fit;
        ``[form]``, a list of any length; ``{str: form}``, an object with any keys; ``{"key": form, "other?": form}``,
        an object that has at least these keys, those with ``?`` only perhaps; ``None``; or ``object``, which fits all.
    """
    if isinstance(form, tuple):
        return any(fits(value, each) for each in form)
    if isinstance(form, list):
        return isinstance(value, list) and all(fits(item, form[0]) for item in value)
    if isinstance(form, dict):
        return isinstance(value, dict) and _has_keys(value, form)
    if form is None:
        return value is None
    if isinstance(value, bool):
        return form in (bool, object)
    return isinstance(value, (int, float) if form is float else form)


def _has_keys(value, form):
    if str in form:
        return all(fits(item, form[str]) for item in value.values())
    for key, each in form.items():
        name = key.removesuffix("?")
        if name not in value:
            if name == key:
                return False
        elif not fits(value[name], each):
            return False
    return True


def _whole(text):
    if len(text) > _LONGEST_NUMBER_TEXT:
        raise ValueError("a number is too long")
    return int(text)


def _finite(text):
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number


def _refuse(name):
    raise ValueError(f"{name} is no number")
