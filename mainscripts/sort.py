"""The ``sort`` step."""


def add_parser(subparsers):
    """Add ``sort`` to the command line."""
    parser = subparsers.add_parser("sort")
    parser.set_defaults(group=parser)
