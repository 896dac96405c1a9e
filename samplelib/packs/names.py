"""How a packed faceset and the index beside it are called; imports nothing, so that every step can ask."""

from pathlib import Path

PACK_NAME = "faceset.pak"
INDEX_SUFFIX = ".idx"


def index_path(pack: Path) -> Path:
    """Where the index of a pack lies, for example ``faceset.pak.idx``."""
    return pack.with_name(pack.name + INDEX_SUFFIX)


def is_index(path: str) -> bool:
    """Whether a file is the index of a pack: a copy of what the pack says, made and made again without being asked."""
    return path.endswith(Path(PACK_NAME).suffix + INDEX_SUFFIX)
