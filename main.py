"""Entry point: the table of subcommands, argument parsing and exit codes. Imports nothing heavy."""

import argparse
import importlib
import sys
import traceback

from core import interact
from core.errors import UserError
from core.version import NAME, VERSION

COMMANDS = ("extract", "sort", "util", "xseg", "train", "merge", "videoed", "exportdfm", "facesettool")

EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130


def build_parser():
    """The whole command line. Each module of ``mainscripts`` adds its own subcommand."""
    parser = argparse.ArgumentParser(prog="main.py", description="Swap faces in videos, step by step.")
    parser.add_argument("--version", action="version", version=f"{NAME} {VERSION}")
    subparsers = parser.add_subparsers(title="steps", metavar="STEP")
    for name in COMMANDS:
        importlib.import_module(f"mainscripts.{name}").add_parser(subparsers)
    for command in _leaves(parser):
        command.add_argument("--yes", action="store_true", help="take every default and confirm every question")
        command.add_argument("--debug-errors", action="store_true", help="show the traceback of an error")
    return parser


def main(arguments=None):
    """Run one subcommand and return the exit code."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        getattr(options, "group", parser).print_help()
        return EXIT_DONE
    interact.configure(assume_yes=options.yes)
    try:
        code = options.run(options)
    except UserError as error:
        if options.debug_errors:
            traceback.print_exc()
        interact.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        interact.error("Interrupted.")
        return EXIT_INTERRUPTED
    except Exception as error:
        if options.debug_errors:
            traceback.print_exc()
        interact.error(f"{type(error).__name__}: {error} (run again with --debug-errors for the traceback)")
        return EXIT_FAILED
    if code:
        return code
    interact.info("Done.")
    return EXIT_DONE


def _leaves(parser):
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        return [parser]
    return [leaf for group in groups for child in dict.fromkeys(group.choices.values()) for leaf in _leaves(child)]


if __name__ == "__main__":
    sys.exit(main())
