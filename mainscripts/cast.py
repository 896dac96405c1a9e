"""The ``facesettool cast`` step: who is in a faceset."""

import argparse

from core.console import interact
from core.console.commands import command
from core.console.counted import counted
from core.console.number_flags import add_number
from core.files.paths import absolute_path

_MOST_TOLD = 10


def add_cast_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add ``cast`` to the tools of ``facesettool``."""
    parser = subparsers.add_parser(
        "cast",
        help="write a page of the persons in a faceset, and a file in which they get names",
        description="Group the faces of a faceset by person. The faceset is not changed.",
    )
    parser.add_argument("--input-dir", type=absolute_path, required=True, metavar="DIR", help="folder of face pictures")
    add_number(
        parser, "--likeness", -1, 1, metavar="X", help="least mean likeness of the faces of a person, up to 1 [0.6]"
    )
    parser.add_argument("--recognition", metavar="NAME", help="a recognition network of yours (networks list)")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    parser.set_defaults(run=run, changes=("input_dir",))


def run(options: argparse.Namespace) -> None:
    """Write the page and the file."""
    from samplelib.report.cast import find_persons, write_cast

    embedding = None
    if options.recognition is not None:
        from facelib.registry.roles import open_recognizer

        embedding = open_recognizer(options.recognition)
    persons = find_persons(options.input_dir, options.likeness, embedding)
    page, names = write_cast(options.input_dir, persons)
    interact.info(f"{counted(len(persons), 'person')}:")
    for person in persons[:_MOST_TOLD]:
        interact.info(
            f"  {person.name}: {counted(len(person.faces), 'face')} in {counted(len(person.frames), 'frame')}"
        )
    if len(persons) > _MOST_TOLD:
        interact.info(f"  … and {len(persons) - _MOST_TOLD} more")
    interact.info(f"Page: {page}\nNames: {names}. To swap one of them: {command('merge --keep NAME')} …")
    if options.open:
        import webbrowser

        webbrowser.open(page.as_uri())
