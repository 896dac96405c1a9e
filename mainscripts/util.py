"""The ``util`` step."""


def add_parser(subparsers):
    """Add ``util`` to the command line."""
    parser = subparsers.add_parser("util")
    parser.set_defaults(group=parser)
