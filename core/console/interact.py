"""Questions, log lines and progress bars of the console, with or without a terminal."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.console import events
from core.console.answers import Answers, as_bool_answer
from core.console.number_answer import NumberAnswer
from core.console.repeated_warnings import RepeatedWarnings
from core.errors import UsageError
from core.records.file_value import short

_ANY_TEXT = "a text"
_LINES_ABOVE = 100  # of an unlabelled question, which an answers file may call it by
_state: dict[str, Any] = {
    "assume_yes": False,
    "answers": None,
    "printed": deque(maxlen=_LINES_ABOVE),
    "pending": b"",
    "bar": None,
    "status": False,
    "repeated": RepeatedWarnings(),
}

_PIPE_PATIENCE_SECONDS = 0.3
_PLAIN_PROGRESS_SECONDS = 5.0
_EVENT_SECONDS = 0.5


def configure(assume_yes: bool = False, answers: Path | None = None) -> None:
    """Set how questions are answered.

    Parameters
    ----------
    assume_yes : bool
        Every default is taken and every confirmation is a yes.
    answers : Path, optional
        Answers file; what it does not answer is asked, or decided, as without it.
    """
    _state["assume_yes"] = assume_yes
    _state["answers"] = None if answers is None else Answers.load(answers)
    _state["printed"].clear()


def unused_answers() -> list:
    """Entries of the answers file that no question of this run has used."""
    return [] if _state["answers"] is None else _state["answers"].unused()


def has_terminal() -> bool:
    """Whether a person can answer questions (standard input is a terminal and ``--yes`` was not given)."""
    return not _state["assume_yes"] and _is_terminal(sys.stdin)


def confirms_all() -> bool:
    """Whether ``--yes`` was given. It never agrees to throw away what exists nowhere else; see :mod:`core.console.loss`."""
    return _state["assume_yes"]


def named_answer(label: str) -> str | None:
    """The answer that an answers file gives to a question by its name, or None; ``*`` alone is no name."""
    answers = _state["answers"]
    return None if answers is None else answers.take_named(label)


def info(text: object = "") -> None:
    """Print a line to standard output, above any progress bar."""
    events.log("info", str(text))
    if _state["answers"] is not None:
        _state["printed"].extend(str(text).splitlines())
    _print(str(text), sys.stdout)


def warning(text: object) -> None:
    """Print a warning line to standard error; of many that differ only in their file, those after the tenth at the end."""
    events.log("warning", str(text))
    if _state["repeated"].is_new(str(text)):
        _print(f"Warning: {text}", sys.stderr)


def tell_repeated_warnings() -> None:
    """Print what :func:`warning` has kept back: one line with a count and the names for each kind of warning."""
    for line in _state["repeated"].summary():
        _print(f"Warning: {line}", sys.stderr)


def status(text: str, width: int) -> None:
    """Show a line of at least ``width`` characters that the next status overwrites; any other line stands below it."""
    print(f"\r{text:<{width}}", end="", flush=True)
    _state["status"] = True


def error(text: object) -> None:
    """Print an error line to standard error, with the prefix that users of DeepFaceLab know."""
    events.log("error", str(text))
    _print(f"/!\\ {text}", sys.stderr)


def ask_int(
    label: str,
    default: Any,
    low: float | None = None,
    high: float | None = None,
    range_text: str | None = None,
    help_text: str | None = None,
    allowed: Collection[int] | None = None,
    problem: Callable[[Any], str | None] | None = None,
) -> Any:
    """Ask for a whole number.

    Parameters
    ----------
    label : str
        Question text; may be empty.
    default : int or None
        Taken for an empty line and at the end of input; never clamped.
    low, high : int, optional
        The prompt shows them as ``low-high``. An answer out of this range is asked again at a terminal; from a pipe or a
        file of answers it is brought into the range, and that is said.
    range_text : str, optional
        Shown instead; an empty one shows nothing.
    help_text : str, optional
        Printed for the answer ``?``.
    allowed : collection of int, optional
        Other numbers are refused.
    problem : callable, optional
        As of :func:`ask_text`.
    """
    shown = range_text
    if shown is None and low is not None and high is not None:
        shown = f"{low}-{high}"
    prompt = _prompt(str(default), label, [shown], help_text)
    expected = "a whole number" if allowed is None else "one of " + ", ".join(str(value) for value in allowed)
    parse = NumberAnswer(int, low, high, allowed)
    return _until_right(lambda: _settle(label, prompt, default, parse, expected, help_text), problem)


def ask_number(
    label: str,
    default: Any,
    low: float | None = None,
    high: float | None = None,
    range_text: str | None = None,
    help_text: str | None = None,
) -> Any:
    """Ask for a decimal number from ``low`` to ``high`` where given. Arguments as :func:`ask_int`."""
    prompt = _prompt(None if default is None else str(default), label, [range_text], help_text)
    return _settle(label, prompt, default, NumberAnswer(float, low, high), "a number", help_text)


def ask_bool(label: str, default: bool, help_text: str | None = None, from_file: bool = True) -> bool:
    """Ask a yes/no question; returns bool. Without ``from_file`` an answers file is not looked into."""
    prompt = _prompt("y" if default else "n", label, ["y/n"], help_text)

    def parse(text):
        return {"y": True, "n": False}[text.lower()]

    if not from_file:
        return _ask(prompt, default, parse, "y or n", help_text, echo=False)
    return _settle(label, prompt, default, parse, "y or n", help_text, echo=False)


def ask_text(
    label: str,
    default: Any = None,
    choices: Collection[str] | None = None,
    help_text: str | None = None,
    show_default: bool = True,
    problem: Callable[[Any], str | None] | None = None,
) -> Any:
    """Ask for a text.

    Parameters
    ----------
    label : str
    default : str or None
    choices : list of str, optional
        Lower case; the answer is lower-cased and must be one of them.
    help_text : str, optional
    show_default : bool
    problem : callable, optional
        Takes the answer; returns what is wrong with it, or None. Asked again at a terminal.

    Raises
    ------
    UsageError
        When there is a problem with the answer, and nobody to ask again.
    """
    shown = ["/".join(choices)] if choices else [None]
    prompt = _prompt(default if show_default else None, label, shown, help_text)

    def parse(text):
        if choices is None:
            return text
        if text.lower() not in choices:
            raise ValueError
        return text.lower()

    expected = "one of " + "/".join(choices) if choices else _ANY_TEXT
    return _until_right(lambda: _settle(label, prompt, default, parse, expected, help_text), problem)


def _until_right(ask, problem):
    """The first answer without a problem; an error at the first one with, when there is nobody to ask again."""
    while True:
        answer = ask()
        wrong = problem(answer) if problem is not None else None
        if wrong is None:
            return answer
        if not has_terminal():
            raise UsageError(wrong)
        print(wrong)


def confirm(label: str, flag: str | None = None) -> bool:
    """Ask before something is done that costs nothing but time; default no, and no without a terminal.

    ``--yes`` agrees, so what may exist nowhere else is asked about with :mod:`core.console.loss`.

    Parameters
    ----------
    label : str
        The question, for example ``"Delete 12 images in aligned?"``.
    flag : str, optional
        Named in the message of a run that has nobody to ask, for example ``"--yes"``.
    """
    if _state["assume_yes"] and _state["answers"] is None:
        info(f"{label} yes")
        return True
    answer = ask_bool(label, _state["assume_yes"])
    if not answer and flag and not has_terminal():
        info(f"Nobody to ask; answered no. Give {flag} to allow it.")
    return answer


def wait_enter(text: object) -> None:
    """Print a warning text and wait for Enter; without a terminal go on at once."""
    info(text)
    if has_terminal():
        _read_line(None)


def ask_timed(text: str, seconds: float) -> bool:
    """Print ``text`` and return True when a line is entered within ``seconds``. Without a terminal: False at once."""
    info(text)
    given = _from_file(text, takes_order=False)
    if given is not None:
        return as_bool_answer(given).lower() != "n"
    if not has_terminal():
        return False
    return _read_line(seconds) is not None


def discard_pending_input(seconds: float = 0.5) -> None:
    """Throw away key presses made while nothing was asked. Only at a terminal; piped answers are kept."""
    if not has_terminal():
        return
    end = time.monotonic() + seconds
    while _read_line(max(0.0, end - time.monotonic())) is not None:
        pass


def enter_pressed() -> bool:
    """Whether a line was entered at the terminal. Never waits, and leaves the input of a shell in front alone."""
    return has_terminal() and _is_in_front() and _read_line(0.0) is not None


class Progress:
    """A progress bar: :meth:`update` counts on (also backwards), :meth:`describe` changes the caption.

    On a terminal this is a ``tqdm`` bar; elsewhere a plain line every few seconds and one at the end.
    """

    def __init__(self, total: int | None, description: str, initial: int = 0):
        self.total, self.count, self._description = total, initial, description
        self._bar, self._start = None, time.monotonic()
        self._shown_at = self._told_at = self._start
        if _is_terminal(sys.stdout):
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=description, initial=initial, ascii=True, file=sys.stdout)

    def update(self, count: int = 1) -> None:
        self.count += count
        if time.monotonic() - self._told_at > _EVENT_SECONDS:
            self._tell()
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() - self._shown_at > _PLAIN_PROGRESS_SECONDS:
            self._shown_at = time.monotonic()
            self._line()

    def describe(self, description: str) -> None:
        self._description = description
        if self._bar is not None:
            self._bar.set_description(description)

    def close(self) -> None:
        self._tell()
        if self._bar is not None:
            self._bar.close()
        else:
            self._line()

    def _tell(self):
        self._told_at = time.monotonic()
        events.emit("progress", step=self._description, done=self.count, total=self.total)

    def _line(self):
        seconds = time.monotonic() - self._start
        total = "" if self.total is None else f"/{self.total}"
        print(f"{self._description}: {self.count}{total} [{seconds:.1f} s]", flush=True)


@contextmanager
def progress(total: int | None, description: str, initial: int = 0) -> Iterator[Progress]:
    """Context manager that yields a :class:`Progress`; log lines printed meanwhile appear above it."""
    bar = Progress(total, description, initial)
    before, _state["bar"] = _state["bar"], bar
    try:
        yield bar
    finally:
        _state["bar"] = before
        bar.close()


def track(items: Iterable, description: str, total: int | None = None) -> Iterator:
    """Iterate over ``items`` with a progress bar."""
    total = len(items) if total is None and isinstance(items, Sized) else total
    with progress(total, description) as bar:
        for item in items:
            yield item
            bar.update()


def _print(text, stream):
    bar = _state["bar"]
    if bar is not None and bar._bar is not None:
        bar._bar.clear()
    if _state["status"]:
        _state["status"] = False
        if not text.startswith("\r"):
            print(flush=True)
            text = text.removeprefix("\n")
    print(text, file=stream, flush=True)
    if bar is not None and bar._bar is not None:
        bar._bar.refresh()


def _prompt(default, label, parts, help_text):
    parts = [part for part in parts if part]
    if help_text:
        parts.append("?:help")
    text = f"[{default}] " if default is not None else ""
    text += label
    if parts:
        text += (" " if label else "") + "( " + " ".join(parts) + " )"
    return f"{text} : " if label or parts else f"{text}: "


def _settle(label, prompt, default, parse, expected, help_text, echo=True):
    given = _from_file(label)
    if given is not None:
        return _use_answer(prompt, default, parse, expected, given if echo else as_bool_answer(given))
    return _ask(prompt, default, parse, expected, help_text, echo)


def _ask(prompt, default, parse, expected, help_text, echo=True):
    while True:
        print(prompt, end="", flush=True)
        line = None if _state["assume_yes"] else _read_line(None if has_terminal() else _PIPE_PATIENCE_SECONDS)
        text = (line or "").strip()
        if text == "":
            if line is None or echo:
                print()
            print(_echo(default))
            return default
        if text == "?":
            print(help_text or _plain_help(default, parse, expected))
            continue
        try:
            value = parse(text)
        except (ValueError, KeyError, OverflowError):
            if has_terminal():
                print(f"{short(text, quoted=True)} is not {expected}.")
                continue
            print(f"\n{short(text, quoted=True)} is not {expected}; taking {_echo(default)!r}.")
            return default
        outside = _out_of_range(parse, text)
        if outside and has_terminal():
            print(f"{outside}.")
            continue
        if outside:
            print(f"\n{outside}; taking {_echo(value)}.")
        if echo:
            print(_echo(value))
        return value


def _plain_help(default, parse, expected):
    """What may be answered to a question that has no help of its own."""
    wanted = expected
    if isinstance(parse, NumberAnswer):
        wanted = f"{expected}, {parse.range}".rstrip(", ")
    enter = f" Enter takes {_echo(default)}." if default not in (None, "") else ""
    return f"Answer with {wanted}.{enter}"


def _out_of_range(parse, text):
    """What to say of a number that the question does not allow; None for any other answer."""
    if not isinstance(parse, NumberAnswer) or parse(text) == parse.number(text):
        return None
    return f"{short(text, quoted=True)} is out of range, which is {parse.range}"


def _from_file(label, takes_order=True):
    """The answer of the answers file to a question; one without a label is called by any line printed since the last."""
    if _state["answers"] is None:
        return None
    names = [label] if label else list(_state["printed"])
    _state["printed"].clear()
    return _state["answers"].take(names, takes_order)


def _use_answer(prompt, default, parse, expected, text):
    print(f"{prompt}{text}", flush=True)
    if text.strip() == "":
        value = default
    else:
        try:
            value = parse(text.strip())
        except (ValueError, KeyError, OverflowError):
            source = _state["answers"].path
            asked = f"for the question {prompt.strip()!r}"
            raise UsageError(f"{source}: {short(text, quoted=True)} is not {expected}, {asked}") from None
        outside = _out_of_range(parse, text.strip())
        if outside:
            print(f"{outside}; taking {_echo(value)}.")
    print(_echo(value))
    return value


def _echo(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "y" if value else "n"
    return str(value)


def _is_terminal(stream):
    try:
        return bool(stream) and stream.isatty()
    except ValueError:
        return False


def _is_in_front():
    """Whether what is typed is meant for this program; reading in the background of a shell would stop it."""
    if os.name != "posix":
        return True
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (AttributeError, OSError, ValueError):
        return False


def _read_line(timeout):
    """One line of standard input without its end, or None at the end of input or after ``timeout`` seconds.

    Reads the descriptor itself, so that lines which a pipe delivered together are not lost between waits.
    """
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        line = sys.stdin.readline() if sys.stdin else ""
        return line.rstrip("\r\n") if line else None
    if os.name == "nt":
        return _read_line_windows(timeout)
    import select

    end = None if timeout is None else time.monotonic() + timeout
    while b"\n" not in _state["pending"]:
        wait = None if end is None else max(0.0, end - time.monotonic())
        if not select.select([descriptor], [], [], wait)[0]:
            return None
        data = os.read(descriptor, 4096)
        if not data:
            rest, _state["pending"] = _state["pending"], b""
            return rest.decode(errors="replace") if rest else None
        _state["pending"] += data
    line, _, _state["pending"] = _state["pending"].partition(b"\n")
    return line.decode(errors="replace").rstrip("\r")


def _read_line_windows(timeout):
    import msvcrt

    if timeout is None or not _is_terminal(sys.stdin):
        line = sys.stdin.readline()
        return line.rstrip("\r\n") if line else None
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if msvcrt.kbhit():
            return sys.stdin.readline().rstrip("\r\n")
        time.sleep(0.02)
    return None
