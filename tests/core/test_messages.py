"""What users are told when something is wrong: every error names the thing, and the page of troubles quotes what the program says."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("core", "facelib", "samplelib", "models", "merger", "xseglib", "mainscripts")
ERRORS = {"UserError", "UsageError", "NothingToDo", "DiskError", "UnsafePickle", "NonFiniteWeights", "NonFiniteLoss"}
# Of FormatError the first argument is the file, so that it always names the thing.
SHORTEST = 8
# Quoted on the page, and said by other programs or by the system.
OF_OTHERS = (
    "libGL.so.1: cannot open shared object file", "Terminate batch job (Y/N)?", ".bat", "Killed", "No space left on device", "%", "is not there",
)  # fmt: skip


def trees():
    yield ROOT / "main.py", ast.parse((ROOT / "main.py").read_text(encoding="utf-8"))
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def raised_messages():
    """(place, class, first argument) of every error for users."""
    for path, tree in trees():
        for node in ast.walk(tree):
            call = node.exc if isinstance(node, ast.Raise) else None
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ERRORS and call.args:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", call.func.id, call.args[0]


def names_something(message):
    """Whether a message holds a value (a file, a name, a number), a flag, a file name, or what to type."""
    if not isinstance(message, (ast.Constant, ast.JoinedStr)):
        return True  # put together elsewhere, of values
    if isinstance(message, ast.JoinedStr) and any(isinstance(part, ast.FormattedValue) for part in message.values):
        return True
    text = message.value if isinstance(message, ast.Constant) else "".join(part.value for part in message.values)
    return bool(re.search(r"--[a-z]|\w+\.(py|yaml|json|dat|npy)\b|\$\w+|pip install|main\.py|[A-Z]{2,}_[A-Z]", text))


# Each was looked at: a reason that is put behind the name of its file, an answer of the user's own, or an error of the program.
NAMED_ELSEWHERE = {
    "UserError: its landmarks lie in one place", "UserError: the eyes of its landmarks lie in one place",
    "UserError: the recognition network gives no usable vector for it",
    "UserError: it only marks a face in its frame; such pictures have no size to change.",
    "UserError: Stopped; the frames were left as they are.", "UserError: Nothing was deleted.",
    "UserError: All sample workers have ended; no batch can be made.",
}  # fmt: skip


def test_every_error_names_the_thing():
    nameless = {}
    for place, kind, message in raised_messages():
        if not names_something(message):
            text = message.value if isinstance(message, ast.Constant) else ast.unparse(message)
            nameless[place] = f"{kind}: {text}"
    told = {place: text for place, text in nameless.items() if text not in NAMED_ELSEWHERE}
    assert not told, "\n".join(f"{place} {text}" for place, text in told.items())


def test_there_are_many_of_them():
    """The walk above finds what it is meant to find."""
    assert len(list(raised_messages())) > 300


def spoken_texts():
    """Every text in the code, values as a sign of their own; and the scripts."""
    texts = []
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.append("".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values))
    for script in (ROOT / "scripts").iterdir():
        if script.suffix in (".sh", ".bat", ".py"):
            texts.append(script.read_text(encoding="utf-8"))
    return texts


def quoted_messages():
    """(line, text) of what the first columns of the page's tables quote."""
    for number, line in enumerate((ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("| ") and not line.startswith("| what"):
            for text in re.findall(r"`([^`]+)`", line.split(" | ")[0]):
                if not any(other in text for other in OF_OTHERS):
                    yield number, text


@pytest.fixture(scope="module")
def spoken():
    return [re.sub(r"\s+", " ", text) for text in spoken_texts()]


def is_said(fragment, spoken):
    """Whether some text of the code holds a fragment, or, where values are in it, its longest stretch of words."""
    if any(fragment in text for text in spoken):
        return True
    words = fragment.split()
    for length in range(len(words) - 1, 1, -1):
        for start in range(len(words) - length + 1):
            part = " ".join(words[start : start + length])
            if len(part) >= SHORTEST and any(part in text for text in spoken):
                return True
    return False


@pytest.mark.parametrize("number, text", list(quoted_messages()))
def test_the_page_of_troubles_quotes_what_is_said(number, text, spoken):
    fragments = [part.strip(" .:") for part in re.split(r"…|\bN\b|<[^>]+>", text)]
    long = [part for part in fragments if len(part) >= SHORTEST] or [max(fragments, key=len)]
    missing = [part for part in long if not is_said(part, spoken)]
    assert not missing, f"docs/troubleshooting.md line {number} quotes {missing}, which no code says"
