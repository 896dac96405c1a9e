"""Every promise of docs/reliability.md names a test that is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`((?:\w+/test_\w+\.py|…)(?:::\w+)?)`")


def named_tests():
    """File and test name of each reference; … stands for the file that was named last."""
    file = None
    for reference in NAMED.findall((ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")):
        path, _, test = reference.partition("::")
        file = file if path == "…" else path
        yield file, test


def test_the_tests_of_every_promise_are_there():
    references = list(named_tests())
    assert len(references) > 30
    for file, test in references:
        path = ROOT / "tests" / file
        assert path.is_file(), file
        assert not test or re.search(rf"^(async )?def {test}\(", path.read_text(encoding="utf-8"), re.M), (
            f"{file}::{test}"
        )
