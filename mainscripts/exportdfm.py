"""The ``exportdfm`` step."""


def add_parser(subparsers):
    """Add ``exportdfm`` to the command line."""
    parser = subparsers.add_parser("exportdfm")
    parser.set_defaults(group=parser)
