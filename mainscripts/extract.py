"""The ``extract`` step."""


def add_parser(subparsers):
    """Add ``extract`` to the command line."""
    parser = subparsers.add_parser("extract")
    parser.set_defaults(group=parser)
