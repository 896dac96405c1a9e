"""The ``networks`` command: networks that can be added to the program, fetched and looked at."""

import argparse

from core.console import interact
from core.errors import FormatError
from core.files.paths import absolute_path
from facelib.registry.kinds import KINDS, ROLES


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``networks`` and its actions to the command line."""
    parser = subparsers.add_parser("networks", help="networks that a user adds: list, fetch, add")
    parser.set_defaults(group=parser)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    listing = actions.add_parser("list", help="all known networks, and which are on this computer")
    listing.set_defaults(run=run_list)
    fetch = actions.add_parser("fetch", help="download a network and check it")
    fetch.add_argument("name", metavar="NAME", help="of the list")
    fetch.add_argument("--accept-unverified", action="store_true", help="take a file that nobody could check")
    fetch.set_defaults(run=run_fetch)
    add = actions.add_parser("add", help="take an ONNX file into the list")
    add.add_argument("file", metavar="FILE", type=absolute_path)
    add.add_argument("--name", required=True, help="one of the list, or a new one")
    add.add_argument("--role", choices=ROLES, help="what it is for")
    add.add_argument("--kind", choices=tuple(KINDS), help="how it is asked (docs/networks_of_yours.md)")
    add.add_argument("--licence", metavar="TEXT", help="its terms, for the list")
    add.set_defaults(run=run_add)


def run_list(options: argparse.Namespace) -> None:
    """Print a line for each network."""
    from facelib.registry.entries import all_entries
    from facelib.registry.store import find_network
    from facelib.weights import REGISTRY, find_weights

    for weights in REGISTRY:
        path = find_weights(weights.name)
        state = "can be fetched" if path is None else str(path)
        interact.info(f"{weights.name.removesuffix('.npy'):14} {weights.use:42} {weights.licence:38} {state}")
    for entry in all_entries():
        try:
            path, changed = find_network(entry), False
        except FormatError:
            path, changed = None, True
        if changed:
            state = "is not the file that was checked, so it is not used: remove it and get it again"
        elif path is not None and entry.sha256 is not None:
            state = str(path)
        elif entry.source is not None:
            state = f"to be exported, from {entry.source}"
        elif entry.address is None:
            state = f"by hand, from {entry.home}"
        else:
            state = "can be fetched" if entry.sha256 else "can be fetched, unverified"
        interact.info(f"{entry.name:14} {f'{entry.role} ({entry.kind})':42} {entry.licence:38} {state}")


def run_fetch(options: argparse.Namespace) -> None:
    """Download one network."""
    from facelib.registry.store import fetch_network
    from facelib.weights import REGISTRY, fetch_weights

    if options.name in {weights.name.removesuffix(".npy") for weights in REGISTRY}:
        fetch_weights([options.name])
        return
    fetch_network(options.name, options.accept_unverified)


def run_add(options: argparse.Namespace) -> None:
    """Try a file out and keep a copy of it."""
    from facelib.registry.store import add_network, networks_folder

    entry = add_network(options.file, options.name, options.role, options.kind, options.licence)
    interact.info(
        f"{entry.name}: {entry.role}, kept as {networks_folder() / entry.file}; its SHA-256 is {entry.sha256}."
    )
