"""The ``facesettool`` step."""


def add_parser(subparsers):
    """Add ``facesettool`` to the command line."""
    parser = subparsers.add_parser("facesettool")
    parser.set_defaults(group=parser)
