"""Errors that a user can do something about; ``main.py`` prints them in one line and picks the exit code."""

from pathlib import Path


class UserError(Exception):
    """A problem that the message explains: what, which file, what to do next. Exit code 1."""

    exit_code = 1


class UsageError(UserError):
    """A flag or an option has a value that cannot be used. Exit code 2."""

    exit_code = 2


class NothingToDo(UserError):
    """There is no work, for example because a folder holds no images. Exit code 3."""

    exit_code = 3


class DiskError(UserError):
    """A disk that is full or write-protected: the next file will fare no better, so the work ends here."""


class FormatError(UserError):
    """A file is damaged, of an unknown kind, or unsafe to read.

    Parameters
    ----------
    path
        The file, or a text that names it.
    problem : str
        What is wrong with it, in one sentence.
    """

    def __init__(self, path: Path | str, problem: str):
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem
