"""What is known of one merge setting, in one place: values, question, flag, keys, and what is written about it."""

from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, cast

LARGE_STEP = 5


def always(config: Any) -> bool:
    """The condition that never keeps anything back."""
    return True


@dataclass(frozen=True)
class Question:
    """How a merge without a window asks for a setting.

    Parameters
    ----------
    place : int
        Of the question among the others.
    text : str
    default
        Stored value that is offered; DeepFaceLab offers other values here than its window starts with.
    help : str, optional
    applies : callable
        Takes the configuration as far as it is known; whether the question is asked.
    high : int, optional
        Largest number that is asked for, if it is not that of the range.
    names_only : bool
        Choices are answered by name (the first, "None", by no answer), not by their number in a list that is shown.
    yes : int, optional
        Asked as yes or no; the stored value of a yes.
    """

    place: int
    text: str
    default: Any = 0
    help: str | None = None
    applies: Callable[[Any], bool] = always
    high: int | None = None
    names_only: bool = False
    yes: int | None = None


@dataclass(frozen=True)
class Keys:
    """The keys of the interactive merger for a setting.

    Parameters
    ----------
    signs : str
        One key that goes through the values; two that count up and down; or one for each choice.
    effect : str
        For the key map.
    applies : callable
        Takes the configuration; whether the keys do anything.
    large_steps : bool
        Whether Shift makes steps of 5.
    """

    signs: str
    effect: str
    applies: Callable[[Any], bool] = always
    large_steps: bool = True


@dataclass(frozen=True)
class Setting:
    """One setting; the name and the start value of the window are those of its field in ``MergeConfig``.

    Parameters
    ----------
    choices : tuple of str, optional
        Names of its values. Stored is the index, or the name itself with ``stored_by_name``.
    limits : (int, int), optional
        Smallest and largest whole number. Without choices and limits a setting is true or false.
    stored_by_name : bool
    flag : str
        Help of the flag.
    note : str
        For the table of ``docs/merging.md``.
    question : Question, optional
        None: never asked.
    keys : Keys, optional
    label : str, optional
        Before the value in the text of the settings.
    shown : callable
        Takes the configuration; whether the text of the settings names it.
    """

    choices: tuple[str, ...] | None = None
    limits: tuple[int, int] | None = None
    stored_by_name: bool = False
    flag: str = ""
    note: str = ""
    question: Question | None = None
    keys: Keys | None = None
    label: str | None = None
    shown: Callable[[Any], bool] = always

    def valid(self, value: Any, default: Any) -> Any:
        """The nearest value that can be stored."""
        if self.choices is not None:
            if self.stored_by_name:
                return value if value in self.choices else default
            return min(max(int(value), 0), len(self.choices) - 1)
        if self.limits is not None:
            low, high = self.limits
            return int(min(max(int(value), low), high))
        return bool(value)

    def readable(self, value: Any) -> Any:
        """A stored value as people write it: choices by name."""
        return value if self.choices is None or self.stored_by_name else self.choices[value]

    def after_key(self, value: Any, sign: str, shift: bool) -> Any:
        """The value after one of its keys."""
        keys = cast(Keys, self.keys)
        if self.limits is not None:
            step = LARGE_STEP if shift and keys.large_steps else 1
            return value + (step if sign == keys.signs[0] else -step)
        if self.choices is None:
            return not value
        if self.stored_by_name:
            return self.choices[keys.signs.index(sign)]
        return (value + 1) % len(self.choices)


def setting(default: Any, **known: Any) -> Any:
    """A field of ``MergeConfig`` with its start value and what :class:`Setting` takes."""
    return field(default=default, metadata={"setting": Setting(**known)})


def settings_of(config_class: type) -> dict[str, Setting]:
    """The settings of a class of fields made by :func:`setting`, by name, in order."""
    return {item.name: item.metadata["setting"] for item in fields(config_class) if "setting" in item.metadata}


def starts_of(config_class: type) -> dict[str, Any]:
    """The start values of those settings."""
    return {item.name: item.default for item in fields(config_class) if item.default is not MISSING}
