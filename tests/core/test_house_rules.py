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


def test_pictures_are_decoded_in_one_place():
    """Elsewhere nobody would look at the header first; XSeg's samples decode only what they have just encoded."""
    decoders = re.compile(
        r"cv2\.(imread|imdecode|imreadmulti)|Image\.open\(|QImageReader|QPixmap\([^)]*path|imageio\.v\d"
    )
    found = {
        path.relative_to(ROOT).as_posix() for path in sources() if decoders.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"core/files/imageio.py", "samplelib/training/xseg_samples.py"}


def test_temporary_files_are_made_in_one_place():
    """Elsewhere the next run could not tell what is left of a dead one."""
    makers = re.compile(r"mkstemp|mkdtemp|NamedTemporaryFile|TemporaryDirectory")
    found = {path.relative_to(ROOT).as_posix() for path in sources() if makers.search(path.read_text(encoding="utf-8"))}
    assert found == {"core/files/temporary.py"}


def test_files_stay_readable():
    assert not [path for path in sources() if len(path.read_text(encoding="utf-8").splitlines()) > 600]
