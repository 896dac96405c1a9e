"""The one reader of YAML files: plain values only, within stated limits of length, depth and number of values.

A file is read event by event, so that nothing is built that the limits forbid. An alias (``*name``) counts as much as
what it stands for, which stops files whose few lines stand for billions of values. Dates and times stay text.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import FormatError
from core.records.bounded_read import read_bounded_text
from core.records.file_value import FileValue, Node, short

LARGEST_NUMBER = 2**63
LONGEST_TEXT = 10_000
_LONGEST_NUMBER_TEXT = 40
_CORE = "tag:yaml.org,2002:"
_MERGE = "<<"
_MERGE_KEY = object()


@dataclass(frozen=True)
class Limits:
    """What a file may hold at most.

    Parameters
    ----------
    size : int
        Bytes.
    values : int
        Texts, numbers, lists and mappings, those counted again for which aliases stand.
    depth : int
        Lists and mappings inside each other.
    """

    size: int = 1_000_000
    values: int = 50_000
    depth: int = 12


def read_yaml(path: Path, kind: str = "file", limits: Limits = Limits(), as_text: bool = False) -> FileValue:
    """Read a YAML file.

    Parameters
    ----------
    path : Path
    kind : str
        What the file is, for the message when there is none.
    limits : Limits
    as_text : bool
        Leave numbers, dates and truth values as they are written.

    Returns
    -------
    FileValue
        Of texts, finite numbers, truth values, None, lists and mappings; keys are never lists or mappings.

    Raises
    ------
    FormatError
        When the file cannot be read, is no UTF-8 text or no YAML, goes over a limit, has a key twice, or names types.
    """
    path = Path(path)
    try:
        text = read_bounded_text(path, limits.size)
    except FileNotFoundError:
        raise FormatError(path, f"no such {kind}") from None
    return FileValue(path, _Builder(path, kind, limits, as_text).build(text))


@dataclass
class _Open:
    """A list or mapping that is being read."""

    node: Node
    anchor: str | None
    values: int = 1
    height: int = 1
    key: object = None
    has_key: bool = False
    merges: list = field(default_factory=list)


class _Builder:
    def __init__(self, path, kind, limits, as_text):
        import yaml

        self._yaml, self._path, self._kind, self._limits, self._as_text = yaml, path, kind, limits, as_text
        self._resolver, self._constructor = yaml.resolver.Resolver(), yaml.constructor.SafeConstructor()
        self._anchors, self._open, self._count, self._root = {}, [], 0, None

    def build(self, text):
        """The root node; None in a file without a value."""
        for event in self._events(text):
            self._take(event)
        return self._root or Node(None, 1)

    def _events(self, text) -> Iterator:
        """Events of the text; whatever the parser stumbles over becomes one line."""
        yaml = self._yaml
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        documents = 0
        try:
            for event in yaml.parse(text, Loader=loader):
                documents += isinstance(event, yaml.DocumentStartEvent)
                if documents > 1:
                    raise self._error(event, "a second document begins; only one is allowed")
                yield event
        except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
            raise FormatError(self._path, f"not a readable {self._name()} ({_problem(error)}).") from None

    def _name(self):
        return "YAML file" if self._kind in ("file", "job file") else self._kind

    def _take(self, event):
        yaml = self._yaml
        if isinstance(event, yaml.ScalarEvent):
            self._add(event, 1)
            node = Node(self._scalar(event), _line(event))
            self._remember(event.anchor, node, 1, 0)
            self._place(event, node, 1, 0)
        elif isinstance(event, yaml.AliasEvent):
            node, values, height = self._aliased(event)
            self._add(event, values)
            self._place(event, node, values, height)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = self._open.pop()
            self._merge(ended)
            self._remember(ended.anchor, ended.node, ended.values, ended.height)
            self._place(event, ended.node, ended.values, ended.height)

    def _begin(self, event):
        self._check_tag(event, ("map", "seq"))
        if len(self._open) >= self._limits.depth:
            raise self._error(event, f"more than {self._limits.depth} lists or mappings inside each other")
        if self._open and isinstance(self._open[-1].node.data, dict) and not self._open[-1].has_key:
            raise self._error(event, "a key is a list or a mapping; keys are texts or numbers")
        self._add(event, 1)
        if event.anchor:
            self._anchors[event.anchor] = None
        data = [] if isinstance(event, self._yaml.SequenceStartEvent) else {}
        self._open.append(_Open(Node(data, _line(event)), event.anchor))

    def _remember(self, anchor, *found):
        if anchor:
            self._anchors[anchor] = found

    def _place(self, event, node, values, height):
        """Put a whole value where it belongs: into the list or mapping that is open, or at the root."""
        if not self._open:
            self._root = node
            return
        outer = self._open[-1]
        outer.values += values
        outer.height = max(outer.height, height + 1)
        if len(self._open) + height > self._limits.depth:
            raise self._error(event, f"more than {self._limits.depth} lists or mappings inside each other")
        if isinstance(outer.node.data, list):
            outer.node.data.append(node)
        elif outer.has_key:
            outer.has_key = False
            self._store(outer, node, event)
        elif isinstance(node.data, (list, dict)):
            raise self._error(event, "a key is a list or a mapping; keys are texts or numbers")
        else:
            outer.key, outer.has_key = (_MERGE_KEY if self._is_merge(event) else node.data), True

    def _store(self, outer, node, event):
        if outer.key is _MERGE_KEY:
            outer.merges.append((node, event))
            return
        known = outer.node.data.get(outer.key)
        if known is not None:
            raise self._error(event, f"the key {short(outer.key)} is there twice, first in line {known.line}")
        outer.node.data[outer.key] = node

    def _merge(self, ended):
        """Take over the keys of ``<<:``, where the mapping has none of its own."""
        for node, event in ended.merges:
            for source in node.data if isinstance(node.data, list) else [node]:
                if not isinstance(source.data, dict):
                    raise self._error(event, "<< must stand for a mapping, or for a list of mappings")
                for key, value in source.data.items():
                    ended.node.data.setdefault(key, value)

    def _aliased(self, event):
        if event.anchor not in self._anchors:
            raise self._error(event, f"*{short(event.anchor)} stands for nothing; there is no &{short(event.anchor)}")
        found = self._anchors[event.anchor]
        if found is None:
            raise self._error(event, f"&{short(event.anchor)} holds itself")
        return found

    def _add(self, event, values):
        self._count += values
        if self._count > self._limits.values:
            raise self._error(event, f"more than {self._limits.values} values, those counted for which aliases stand")

    def _scalar(self, event):
        text = event.value
        if len(text) > LONGEST_TEXT:
            raise self._error(event, f"a text of {len(text)} characters; at most {LONGEST_TEXT} are allowed")
        if "\0" in text or not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise self._error(event, f"a text holds a character that cannot be used: {short(text)}")
        self._check_tag(event, ("str", "int", "float", "bool", "null"))
        if self._as_text or event.tag == "!":
            return text
        kind = event.tag or self._resolver.resolve(self._yaml.ScalarNode, text, event.implicit)
        return self._constructed(event, kind.removeprefix(_CORE), text)

    def _constructed(self, event, kind, text):
        """The number or truth value for which a text stands, or the text itself."""
        if kind in ("int", "float") and len(text) > _LONGEST_NUMBER_TEXT:
            raise self._error(event, f"a number of {len(text)} characters; at most {_LONGEST_NUMBER_TEXT} are allowed")
        make = {
            "int": self._constructor.construct_yaml_int,
            "float": self._constructor.construct_yaml_float,
            "bool": self._constructor.construct_yaml_bool,
            "null": lambda node: None,
        }.get(kind)
        if make is None or ":" in text and not event.tag:
            return text
        try:
            value = make(self._yaml.ScalarNode(_CORE + kind, text))
        except (ValueError, KeyError, IndexError, OverflowError):
            if event.tag:
                raise self._error(event, f"{short(text, quoted=True)} is not of the type !!{kind}") from None
            return text
        if kind in ("int", "float") and not (math.isfinite(value) and abs(value) < LARGEST_NUMBER):
            raise self._error(event, f"{short(text)} is no number that can be used; it must be finite and below 2^63")
        return value

    def _is_merge(self, event):
        is_scalar = isinstance(event, self._yaml.ScalarEvent)
        return is_scalar and event.value == _MERGE and event.implicit[0] and event.tag is None

    def _check_tag(self, event, allowed):
        if event.tag not in (None, "!", *(_CORE + name for name in allowed)):
            raise self._error(event, f"the tag {short(event.tag.replace(_CORE, '!!'))} is not allowed")

    def _error(self, event, problem):
        places = [f"line {_line(event)}", " > ".join(filter(None, map(_key, self._open)))]
        return FormatError(self._path, f"{', '.join(filter(None, places))}: {problem}")


def _key(outer):
    """What is being read of a list or mapping: its number or its key."""
    if isinstance(outer.node.data, list):
        return str(len(outer.node.data) + 1)
    return short(outer.key) if outer.has_key and outer.key is not _MERGE_KEY else None


def _line(event):
    return event.start_mark.line + 1


def _problem(error):
    mark = getattr(error, "problem_mark", None)
    text = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    line = f"line {mark.line + 1}: " if mark else ""
    return line + " ".join(str(text).split())[:200]
