"""The ``train`` step."""


def add_parser(subparsers):
    """Add ``train`` to the command line."""
    parser = subparsers.add_parser("train")
    parser.set_defaults(group=parser)
