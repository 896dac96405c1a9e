"""The ``xseg`` step."""


def add_parser(subparsers):
    """Add ``xseg`` to the command line."""
    parser = subparsers.add_parser("xseg")
    parser.set_defaults(group=parser)
