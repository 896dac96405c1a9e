"""The ``videoed`` step."""


def add_parser(subparsers):
    """Add ``videoed`` to the command line."""
    parser = subparsers.add_parser("videoed")
    parser.set_defaults(group=parser)
