"""YAML texts that are made to hurt a reader, and hypothesis strategies for small random ones."""

import yaml
from hypothesis import strategies

LETTERS = "abcdefghij"


def bomb(levels: int = 10, width: int = 9) -> str:
    """A list of lists that stands for ``width ** levels`` texts."""
    parts = [f"&a [{','.join(['x'] * width)}]"]
    for before, letter in zip(LETTERS, LETTERS[1:levels], strict=False):
        parts.append(f"&{letter} [{','.join(['*' + before] * width)}]")
    return f"[{','.join(parts)}]"


def merge_bomb(levels: int = 30) -> str:
    """Mappings that take over two copies of the one before: 2 ** levels values."""
    lines = ["a0: &a0 {k: 1, l: 2}"]
    lines += [f"a{level}: &a{level} {{x: *a{level - 1}, y: *a{level - 1}}}" for level in range(1, levels)]
    return "\n".join(lines)


SPECIAL = strategies.sampled_from(
    ["", "~", "null", "y", "no", ".inf", "-.inf", ".nan", "1.0e+999", "9" * 30, "9" * 5000, "0x" + "f" * 30, "0b_", "._",
     "1:30", "2020-13-45", "2020-01-01", "=", "<<", "{S}", "{", "}", "{S:>9999999999}", "{0}", "{W.x}", "{{S}}", "%s",
     "%(a)s", "--help", "-1", "run", "sort", "é" * 40, "a\0b", "\ud800", "x" * 9000, "*", "../*/../*", "~nobody/x"]
)  # fmt: skip
SCALARS = strategies.one_of(
    SPECIAL, strategies.text(max_size=8), strategies.integers(), strategies.floats(), strategies.booleans(),
    strategies.none(), strategies.dates(),
)  # fmt: skip


def trees(keys: list[str]):
    """Small random values whose mappings mostly have the given keys."""
    names = strategies.one_of(strategies.sampled_from(keys), SCALARS)
    return strategies.recursive(
        SCALARS,
        lambda inner: strategies.one_of(
            strategies.lists(inner, max_size=4), strategies.dictionaries(names, inner, max_size=4)
        ),
        max_leaves=12,
    )


def as_yaml(tree) -> bytes:
    """A tree as a file; what YAML cannot write is escaped or left as Python shows it."""
    try:
        text = yaml.safe_dump(tree, allow_unicode=True)
    except (yaml.YAMLError, ValueError, TypeError):
        text = repr(tree)
    return text.encode("utf-8", "backslashreplace")
