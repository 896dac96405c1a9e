"""Write ``docs/file_map.md``, one line for each file, from the first sentence of each. Usage: ``make_file_map.py [--check]``."""

import argparse
import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "file_map.md"
ROOMS = ("core", "facelib", "samplelib", "models", "merger", "xseglib", "mainscripts")
HEAD = """\
# File map

Written by `scripts/make_file_map.py` from the first sentence of each file. The rooms stand in the order of their layers, the
lowest first: each imports only from those above it in this page. How they work together is told in
[architecture.md](architecture.md)."""
SENTENCE_END = re.compile(r"[.!?](?=\s+[A-Z`]|$)")


def first_sentence(path):
    """First sentence of a module's docstring in Markdown; empty when there is none."""
    text = " ".join((ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split())
    end = SENTENCE_END.search(text)
    sentence = text[: end.start()] if end else text
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", sentence).replace("``", "`").replace("|", "\\|")


def line(path, shown):
    """One line of a list: the file and what it is for."""
    return f"- `{shown}`: {first_sentence(path)}"


def folders_with_modules(room):
    """The room and its wings, each before what lies in it."""
    wings = sorted(path.parent for path in (ROOT / room).rglob("__init__.py"))
    return [ROOT / room, *(folder for folder in wings if folder != ROOT / room)]


def section(folder):
    """Heading, purpose and modules of one folder."""
    name = folder.relative_to(ROOT).as_posix()
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    purpose = first_sentence(folder / "__init__.py")
    lines = [f"{'##' if '/' not in name else '###'} {name}", "", *([f"{purpose}.", ""] if purpose else [])]
    return lines + [line(path, path.name) for path in modules] + ([""] if modules else [])


def file_map():
    """Content of ``docs/file_map.md``."""
    lines = [*HEAD.splitlines(), "", line(ROOT / "main.py", "main.py"), ""]
    for room in ROOMS:
        for folder in folders_with_modules(room):
            lines += section(folder)
    for name in ("scripts", "benchmarks"):
        lines += [f"## {name}", "", *(line(path, path.name) for path in sorted((ROOT / name).glob("*.py"))), ""]
    return "\n".join(lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether the page differs; exit 1 if so")
    options = parser.parse_args()
    text = file_map()
    differs = not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != text
    if differs:
        print(PAGE.name)
        if not options.check:
            PAGE.write_text(text, encoding="utf-8", newline="\n")
    sys.exit(bool(options.check and differs))


if __name__ == "__main__":
    main()
