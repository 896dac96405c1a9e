"""Rules of the house that a reader could break without noticing."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("core", "facelib", "mainscripts", "merger", "models", "samplelib", "xseglib")


def sources():
    return [path for room in ROOMS for path in (ROOT / room).rglob("*.py")] + [ROOT / "main.py"]


def test_every_file_says_what_it_is_for():
    silent = [
        path for path in sources() if path.stat().st_size and not path.read_text(encoding="utf-8").startswith('"""')
    ]
    assert not silent


def test_errors_are_not_swallowed():
    bare = re.compile(r"except( Exception)?:\s*\n\s*pass\b")
    assert not [path for path in sources() if bare.search(path.read_text(encoding="utf-8"))]


def test_files_stay_readable():
    assert not [path for path in sources() if len(path.read_text(encoding="utf-8").splitlines()) > 600]
