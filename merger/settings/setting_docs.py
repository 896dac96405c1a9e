"""Writes the table of settings in ``docs/merging.md``: ``python -m merger.settings.setting_docs``."""

from pathlib import Path

from merger.settings.config import SETTINGS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "merging.md"
START, END = "<!-- settings: python -m merger.settings.setting_docs -->", "<!-- end of settings -->"


def table() -> str:
    """The table in Markdown, one line a setting."""
    lines = ["| setting | values | keys + / − | |", "|---|---|---|---|"]
    for name, known in SETTINGS.items():
        lines.append(f"| `{name}` | {_values(known)} | {_keys(known)} | {known.note} |")
    return "\n".join(lines)


def page() -> str:
    """The whole page with the current table."""
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    return f"{before}{START}\n{table()}\n{END}{rest.split(END)[1]}"


def _values(known):
    if known.limits is not None:
        return f"{known.limits[0]}…{known.limits[1]}".replace("-", "−")
    return "y, n" if known.choices is None else ", ".join(name.replace("*", "\\*") for name in known.choices)


def _keys(known):
    return " ".join(f"`` {sign} ``" if sign == "`" else f"`{sign}`" for sign in known.keys.signs) if known.keys else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
