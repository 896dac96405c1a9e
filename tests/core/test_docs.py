"""Links and pictures of the documentation are there, and the pages that copy a table of the program have all of it."""

import json
import re
from pathlib import Path

import pytest

import main
from merger.interactive.state import KEY_TABLE

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page):
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
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
    for page in [*PAGES, ROOT / "README.md"]:
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
