"""Rules of the house that a reader could break without noticing."""

import ast
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


def test_public_functions_say_the_types_of_everything():
    """mypy looks into functions with types only, so one that lacks them would go unchecked."""
    lacking = []
    for path in sources():
        for function, owner in public_functions(ast.parse(path.read_text(encoding="utf-8"))):
            given = function.args
            arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs]
            is_method = owner and not any(ast.unparse(mark) == "staticmethod" for mark in function.decorator_list)
            typed = all(argument.annotation for argument in arguments[1 if is_method else 0 :])
            if not typed or (function.returns is None and function.name != "__init__"):
                lacking.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name}")
    assert not lacking


def test_flags_stay_at_the_door():
    """Requests go further (``ExtractRequest``, ``MergeRequest`` …): what a function needs is told by its signature."""
    named = {path.relative_to(ROOT).as_posix() for path in sources() if "Namespace" in path.read_text(encoding="utf-8")}
    assert {name for name in named if not name.startswith("mainscripts/")} == {
        "core/console/person_flags.py",
        "merger/settings/flags.py",
    }
    made = [
        path.name
        for path in (ROOT / "tests").rglob("*.py")
        if "argparse.Namespace(" in path.read_text(encoding="utf-8")
    ]
    assert made in ([], [Path(__file__).name])


def public_functions(tree, owner=None):
    """Functions of a module and methods of its public classes, each with its class."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node, node)
        elif isinstance(node, ast.FunctionDef) and (not node.name.startswith("_") or node.name == "__init__"):
            yield node, owner
