"""The ``merge`` step."""


def add_parser(subparsers):
    """Add ``merge`` to the command line."""
    parser = subparsers.add_parser("merge")
    parser.set_defaults(group=parser)
