"""Hooks of ``mkdocs.yml``: README and CONTRIBUTING are pages of the site, and links to other files of the repository are plain text."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")


def on_files(files, config):
    """Add the two pages that lie outside of ``docs/``."""
    for name, page in PAGES.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=re.sub(r"\((?:docs/)([^)]*)\)", r"(\1)", text)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Turn links that leave ``docs/`` to the pages that stand for them, or to text."""
    return LINK.sub(lambda match: _link(match[1], match[2], files), markdown)


def _link(text, target, files):
    path, hash_sign, anchor = target.partition("#")
    if "://" in target or not path:
        return f"[{text}]({target})"
    path = PAGES.get(path.removeprefix("../"), path)
    if files.get_file_from_path(path) is None:
        return text
    return f"[{text}]({path}{hash_sign}{anchor})"
