"""Entry point: the table of subcommands, argument parsing and exit codes. Imports nothing heavy."""

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack

from core.console import events, interact, process
from core.console.output_streams import tolerate_closed_output
from core.errors import UserError
from core.files.paths import absolute_path
from core.files.picture_limits import frame_limit
from core.files.system_errors import as_user_error
from core.locks.folder_lock import FolderLock
from core.version import NAME, VERSION

COMMANDS = (
    "extract", "sort", "util", "xseg", "train", "backups", "merge", "videoed", "exportdfm", "facesettool",
    "networks", "workspace", "view", "run", "doctor",
)  # fmt: skip

EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


def build_parser() -> argparse.ArgumentParser:
    """The whole command line. Each module of ``mainscripts`` adds its own subcommand."""
    parser = argparse.ArgumentParser(prog="main.py", description="Swap faces in videos, step by step.")
    parser.add_argument("--version", action="version", version=f"{NAME} {VERSION}")
    subparsers = parser.add_subparsers(title="steps", metavar="STEP")
    for name in COMMANDS:
        importlib.import_module(f"mainscripts.{name}").add_parser(subparsers)
    for command in _leaves(parser):
        command.add_argument("--yes", action="store_true", help="take every default and confirm every question")
        command.add_argument("--answers", type=absolute_path, metavar="FILE", default=_answers_of_environment(),
                             help="answers to questions (YAML; docs/jobs.md)")  # fmt: skip
        command.add_argument("--debug-errors", action="store_true", help="show the traceback of an error")
        command.add_argument("--keep-priority", action="store_true", help="do not give way to other programs")
        command.add_argument("--log-file", type=absolute_path, metavar="FILE", help="also append all lines to FILE")
        command.add_argument("--json-events", type=absolute_path, metavar="FILE",
                             help="append what happens to FILE, one JSON object a line")  # fmt: skip
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return the exit code."""
    parser = build_parser()
    try:
        options = parser.parse_args(arguments)
    except UserError as error:  # a number that is out of its range; see core.console.number_flags
        interact.error(error)
        return error.exit_code
    if not hasattr(options, "run"):
        getattr(options, "group", parser).print_help()
        return EXIT_DONE
    try:
        interact.configure(assume_yes=options.yes, answers=options.answers)
        events.open_files(options.json_events, options.log_file)
        frame_limit()
        events.emit("start", command=_words(arguments), version=VERSION)
        try:
            code = _run(options)
        finally:
            interact.tell_repeated_warnings()
        events.emit("result", exit_code=code)
    except UserError as error:
        interact.error(error)
        code = error.exit_code
    finally:
        events.close_files()
    return code


def _run(options):
    """Run the chosen step; errors become one line and an exit code."""
    if not options.keep_priority:
        process.lower_priority()
    try:
        with ExitStack() as locks:
            for lock in _locks(options):
                locks.enter_context(lock)
            code = options.run(options) or EXIT_DONE
    except UserError as error:
        return _fail(error, error.exit_code, str(error), options.debug_errors)
    except KeyboardInterrupt as error:
        return _fail(error, EXIT_INTERRUPTED, "Interrupted.", False)
    except Exception as error:
        known = as_user_error(error)
        if known is not None:
            return _fail(error, known.exit_code, str(known), options.debug_errors)
        hint = "" if options.debug_errors else " (run again with --debug-errors for the traceback)"
        return _fail(error, EXIT_FAILED, f"{type(error).__name__}: {error}{hint}", options.debug_errors)
    for entry in interact.unused_answers():
        interact.info(f"{options.answers}: not used in this step: {entry!r}.")
    if code == EXIT_DONE:
        interact.info("Done.")
    return code


def _locks(options):
    """Locks of what the step works on: its parser names the options of folders that it ``changes`` or ``fills`` (and
    makes), and of files that it ``writes``.
    """
    for kind in ("changes", "fills", "writes"):
        for path in filter(None, (getattr(options, name, None) for name in getattr(options, kind, ()))):
            if kind == "writes":
                yield FolderLock(path.parent, file=path.name)
            else:
                yield FolderLock(path, make=kind == "fills")


def _fail(error, code, text, with_traceback):
    if with_traceback:
        traceback.print_exception(error)
    interact.error(text)
    events.emit("error", text=text, kind=type(error).__name__, exit_code=code)
    return code


def _answers_of_environment():
    return absolute_path(os.environ["DFL_ANSWERS"]) if os.environ.get("DFL_ANSWERS") else None


def _words(arguments):
    return list(sys.argv[1:] if arguments is None else arguments)


def _leaves(parser):
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        return [parser]
    return [leaf for group in groups for child in dict.fromkeys(group.choices.values()) for leaf in _leaves(child)]


if __name__ == "__main__":
    tolerate_closed_output()
    sys.exit(main())
