"""Links and pictures of the documentation are there, and the pages that copy a table of the program have all of it."""

import json
import re
from pathlib import Path

import pytest

import main
from merger.interactive.state import KEY_TABLE
from merger.settings.config import SETTING_NAMES
from samplelib.sorting.method_names import METHODS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOORS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page):
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, *DOORS], ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        linked = page if not path else page.parent / path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_page_and_picture_is_linked():
    linked = set()
    for page in [*PAGES, *DOORS]:
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            linked.add((page.parent / target.partition("#")[0]).resolve())
    there = {*PAGES, *(ROOT / "docs" / "images").iterdir(), ROOT / "docs" / "events.schema.json"}
    assert not {path.name for path in there if path.resolve() not in linked}


def test_keys_of_the_merger_are_those_of_its_help_screen():
    text = (ROOT / "docs" / "keys.md").read_text(encoding="utf-8")
    for group, rows in KEY_TABLE:
        assert f"**{group}**" in text
        for keys, effect in rows:
            shown = "`` ` ``" if keys == "`" else f"`{keys}`"
            assert f"| {shown} | {effect} |" in text


def test_flags_of_every_step_are_explained():
    """What all steps share stands in the page on unattended runs."""
    text = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    step = main.build_parser().parse_args(["doctor"])
    for flag in ("yes", "answers", "log_file", "json_events", "debug_errors", "keep_priority"):
        assert hasattr(step, flag) and f"`--{flag.replace('_', '-')}" in text, flag


def test_every_event_of_the_schema_is_named():
    schema = json.loads((ROOT / "docs" / "events.schema.json").read_text(encoding="utf-8"))
    text = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    for kind in schema["oneOf"]:
        assert f"`{kind['properties']['event']['const']}`" in text


def test_every_sorting_method_has_its_row_with_the_number_of_the_menu():
    text = (ROOT / "docs" / "sorting.md").read_text(encoding="utf-8")
    for number, method in enumerate(METHODS):
        names = ", ".join(f"`{key}`" for key in (method.key, *method.aliases))
        assert f"| {number} | {names} |" in text, method.key


def test_every_merge_setting_is_a_flag_and_has_its_row():
    text = (ROOT / "docs" / "merging.md").read_text(encoding="utf-8")
    step = main.build_parser().parse_args(["merge", "--model-dir", "model", "--model", "SAEHD"])
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    for name in SETTING_NAMES:
        assert hasattr(step, f"setting_{name}"), name
        assert any(f"`{name}`" in row.split(" | ")[0] for row in rows), name


def test_the_table_of_merge_settings_is_current():
    from merger.settings import setting_docs

    assert setting_docs.page() == setting_docs.PAGE.read_text(encoding="utf-8")


FILE_IN_TEXT = re.compile(
    r"(?<![\w/.-])((?:core|facelib|samplelib|models|merger|xseglib|mainscripts|tests|scripts|docs|benchmarks)/[\w/.-]+\.(?:py|md|yaml|json|sh|bat))\b"
)


@pytest.mark.parametrize("page", [*PAGES, *DOORS], ids=lambda page: page.stem)
def test_files_that_a_page_names_are_there(page):
    """Paths from the root of the repository; the page of promises names tests from ``tests/``."""
    named = FILE_IN_TEXT.findall(page.read_text(encoding="utf-8"))
    missing = [name for name in named if not (ROOT / name).is_file() and not (ROOT / "tests" / name).is_file()]
    assert not missing


def test_the_page_on_dependencies_has_each_required_package():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    required = {re.match(r"[\w-]+", line)[0] for line in lines if line.strip() and not line.startswith("#")}
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.partition("## What each dependency is for")[2].partition("\n## ")[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`([\w-]+)`", row.split(" | ")[0])}
    assert named == required
