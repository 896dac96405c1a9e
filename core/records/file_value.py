"""A value of a text file that knows its place, so that every complaint names file, line and key."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import FormatError

_LONGEST_SHOWN = 80
_NAMES_SHOWN = 12


@dataclass(slots=True)
class Node:
    """A value as the reader leaves it: a dict or list of nodes, or a plain text, number, truth value or None."""

    data: Any
    line: int


@dataclass(frozen=True)
class FileValue:
    """A node together with the file and the keys that lead to it.

    Parameters
    ----------
    file : Path
    node : Node
    place : str
        Keys that lead to it; empty for the whole file.
    """

    file: Path
    node: Node
    place: str = ""

    @property
    def data(self) -> Any:
        return self.node.data

    def called(self, place: str) -> "FileValue":
        """The same under another name of its place."""
        return replace(self, place=place)

    def error(self, problem: str) -> FormatError:
        """A complaint about this value."""
        where = f"line {self.node.line}" + (f", {self.place}" if self.place else "")
        return FormatError(self.file, f"{where}: {problem}")

    def unexpected(self, expected: str) -> FormatError:
        """A complaint that something else was expected here."""
        return self.error(f"expected {expected}, found {describe(self.data)}")

    def is_mapping(self) -> bool:
        return isinstance(self.data, dict)

    def mapping(
        self, known: Collection[str] | None = None, expected: str = "lines of the form 'key: value'"
    ) -> dict[Any, "FileValue"]:
        """Its values by key; an empty value counts as an empty mapping.

        Parameters
        ----------
        known : collection of str, optional
            The keys that it may have.
        expected : str
            For the message when it is no mapping.
        """
        if self.data is None:
            return {}
        if not isinstance(self.data, dict):
            raise self.unexpected(expected)
        values = {key: self._child(key, node) for key, node in self.data.items()}
        unknown = [] if known is None else [key for key in values if key not in known]
        if known is not None and unknown:
            names = ", ".join(map(short, unknown[:_NAMES_SHOWN]))
            first = values[unknown[0]]
            place = f"{self.place}: " if self.place else ""
            raise FormatError(
                self.file, f"line {first.node.line}, {place}unknown keys: {names}. Known are {', '.join(sorted(known))}"
            )
        return values

    def sequence(self, expected: str = "a list") -> list["FileValue"]:
        """Its items."""
        if not isinstance(self.data, list):
            raise self.unexpected(expected)
        return [self._child(number, node) for number, node in enumerate(self.data, 1)]

    def text(self, longest: int = 1000, expected: str = "a text") -> str:
        """Its text; a number or truth value as it would be written."""
        if self.data is None or isinstance(self.data, (dict, list)):
            raise self.unexpected(expected)
        text = str(self.data)
        if len(text) > longest:
            raise self.error(f"is {len(text)} characters long; at most {longest} are allowed")
        return text

    def truth(self) -> bool:
        """True or false."""
        if not isinstance(self.data, bool):
            raise self.unexpected("true or false")
        return self.data

    def plain(self) -> Any:
        """The value without its places: dicts, lists, texts, numbers."""
        return _plain(self.node)

    def _child(self, key, node):
        return FileValue(self.file, node, f"{self.place} > {short(key)}" if self.place else short(key))


def describe(value: Any) -> str:
    """What a value is, for a message: ``a list``, ``'abc'``, ``5``."""
    value = value.data if isinstance(value, Node) else value
    if value is None:
        return "nothing"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "a mapping" if isinstance(value, dict) else short(value, quoted=True)


def short(value: Any, quoted: bool = False) -> str:
    """A value in one line that is never long; ``quoted`` puts quotation marks around a text."""
    value = value[: 2 * _LONGEST_SHOWN] if isinstance(value, str) else value
    text = repr(value)
    if isinstance(value, str) and not quoted and value.isprintable():
        text = value
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _plain(node):
    if isinstance(node.data, dict):
        return {key: _plain(child) for key, child in node.data.items()}
    return [_plain(child) for child in node.data] if isinstance(node.data, list) else node.data
