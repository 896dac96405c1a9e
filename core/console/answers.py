"""Answers to questions from a file, for runs without anybody at the console.

The file is YAML: a mapping of question to answer, or a list of answers in the order of the questions. A list may hold
mappings too; what they name is answered by name, all other questions in order. ``docs/jobs.md`` describes it for users.
"""

import fnmatch
import re
from pathlib import Path

from core.errors import FormatError, UsageError
from core.records.file_value import describe, short
from core.records.yaml_file import read_yaml

_SAME_ANSWER_LIMIT = 100
_LONGEST_QUESTION = 1000
_BOOL_WORDS = {"yes": "y", "true": "y", "no": "n", "false": "n"}


class Answers:
    """The answers of one file; each question takes its own.

    Parameters
    ----------
    path : Path
        Named in messages.
    named : dict of str to list or str
        Text or pattern of a question; a list holds one answer for each time that it is asked.
    in_order : list of str
        For the questions that are not named; an empty text is the default.
    """

    def __init__(self, path: Path, named: dict, in_order: list):
        self.path = path
        self._named = {_normal(question).replace("[", "[[]"): (question, answer) for question, answer in named.items()}
        self._in_order = list(in_order)
        self._times = dict.fromkeys(self._named, 0)

    @classmethod
    def load(cls, path: Path) -> "Answers":
        """Read an answers file.

        Raises
        ------
        UsageError
            When there is none, or when it is neither a mapping nor a list of texts.
        """
        try:
            root = read_yaml(path, "answers file", as_text=True)
            named: dict[str, list] = {}
            in_order: list = []
            for item in root.sequence() if isinstance(root.data, list) else [root]:
                if item.is_mapping() or item is root and item.data is None:
                    _add_named(named, item)
                else:
                    in_order.append(_answer(item))
        except FormatError as error:
            raise UsageError(f"{str(error).rstrip('.')}.") from None
        return cls(path, named, in_order)

    def take(self, texts: list[str], takes_order: bool = True) -> str | None:
        """The answer to a question, or None when the file has none.

        Parameters
        ----------
        texts : list of str
            What the question may be called: its label, or the lines printed above it.
        takes_order : bool
            Whether an answer of the list may be used.
        """
        called = [_normal(text) for text in texts]
        for pattern, (question, answer) in self._named.items():
            if not any(fnmatch.fnmatchcase(name, pattern) for name in called):
                continue
            self._times[pattern] += 1
            if isinstance(answer, list):
                return answer[self._times[pattern] - 1] if self._times[pattern] <= len(answer) else None
            if self._times[pattern] > _SAME_ANSWER_LIMIT:
                raise UsageError(
                    f"{self.path}: {question!r} was asked {_SAME_ANSWER_LIMIT} times; a list gives an answer for each time."
                )
            return answer
        return self._in_order.pop(0) if takes_order and self._in_order else None

    def take_named(self, text: str) -> str | None:
        """As :meth:`take`, only from an entry that names the question in letters: for what must not be answered by chance."""
        question = _normal(text)
        for pattern in self._named:
            if re.search(r"[^\W\d_]", pattern) and fnmatch.fnmatchcase(question, pattern):
                return self.take([text], takes_order=False)
        return None

    def unused(self) -> list[str]:
        """Questions of the file that were not asked, then answers that were left over."""
        never = [question for pattern, (question, _) in self._named.items() if not self._times[pattern]]
        return [*never, *self._in_order]


def _add_named(named, item):
    """Add the answers of a mapping, each a text or a list of texts."""
    for question, value in item.mapping().items():
        if len(question) > _LONGEST_QUESTION:
            raise value.error(f"a question of {len(question)} characters; at most {_LONGEST_QUESTION} are allowed")
        if question in named:
            raise value.error(f"{short(question)} is there twice; a list gives an answer for each time")
        named[question] = list(map(_answer, value.sequence())) if isinstance(value.data, list) else _answer(value)


def _answer(value):
    if not isinstance(value.data, str):
        raise value.error(f"{describe(value.data)} is not an answer; write 'question: answer', or a list of answers")
    return value.data


def as_bool_answer(text: str) -> str:
    """``yes``, ``no``, ``true`` and ``false`` of a YAML file as the ``y`` or ``n`` that a question expects."""
    return _BOOL_WORDS.get(text.lower(), text)


def _normal(text):
    """Without the signs at the end, in lower case and with single blanks."""
    return re.sub(r"[\s:.?]+$", "", " ".join(str(text).split()).casefold())
