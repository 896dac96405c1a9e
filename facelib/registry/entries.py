"""Which networks are known: those of the program's list, and those that the user has added."""

import re
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from core.errors import UsageError
from core.files.paths import atomic_write
from core.files.user_folder import user_config_folder
from core.records.file_value import FileValue
from core.records.yaml_file import read_yaml
from facelib.registry.kinds import KINDS

_LIST = Path(__file__).with_name("networks.yaml")
_USER_LIST = "networks.yaml"
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")
_FILE = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("name", "role", "kind", "file", "sha256", "licence", "address", "home", "source", "input", "output")


@dataclass(frozen=True)
class Entry:
    """A network.

    Parameters
    ----------
    name, role, kind, file : str
        ``kind`` is a key of :data:`facelib.registry.kinds.KINDS`; ``file`` the publisher's file name.
    licence : str
        Under which terms its home offers it.
    size : int, optional
        Bytes.
    sha256 : str, optional
        Of the file; without it nobody could check what is fetched.
    address, home, source : str, optional
        Of the file itself, of the page that leads to it, or of the home of a network that is published for another framework, from
        which it is exported.
    input, output : str
        For people.
    added : bool
        By the user.
    """

    name: str
    role: str
    kind: str
    file: str
    licence: str = "unknown"
    size: int | None = None
    sha256: str | None = None
    address: str | None = None
    home: str | None = None
    source: str | None = None
    input: str = ""
    output: str = ""
    added: bool = False


def all_entries() -> list[Entry]:
    """All known networks; one that the user has added takes the place of the program's of that name."""
    added = {entry.name: entry for entry in _read(user_list(), True)} if user_list().is_file() else {}
    return [added.pop(entry.name, entry) for entry in _program_list()] + list(added.values())


def entry_of(name: str, role: str | None = None) -> Entry:
    """The network of a name.

    Raises
    ------
    UsageError
        When there is none, or it plays another role; names those that do.
    """
    entries = all_entries()
    for entry in entries:
        if entry.name == name and role in (None, entry.role):
            return entry
    known = [entry.name for entry in entries if role in (None, entry.role)]
    what = "network" if role is None else f"{role} network"
    raise UsageError(f"{name}: no such {what}. Known: {', '.join(known) or 'none'} (main.py networks list).")


def add_entry(entry: Entry) -> None:
    """Put an entry on the user's list, in place of an older one of its name.

    Raises
    ------
    UsageError
        When the name cannot be one.
    """
    if not _NAME.fullmatch(entry.name):
        raise UsageError(
            f"{entry.name!r}: a name is made of up to 40 small letters, digits, '-', '_' and '.', and begins with none of the signs."
        )
    others = [other for other in _read(user_list(), True) if other.name != entry.name] if user_list().is_file() else []
    stored = [
        {key: value for key, value in asdict(each).items() if value not in (None, "", False)}
        for each in (*others, entry)
    ]
    for each in stored:
        each.pop("added", None)
    user_list().parent.mkdir(parents=True, exist_ok=True)
    atomic_write(user_list(), yaml.safe_dump({"networks": stored}, sort_keys=False, allow_unicode=True).encode())


def user_list() -> Path:
    """The user's own list."""
    return user_config_folder() / _USER_LIST


@lru_cache
def _program_list():
    return tuple(_read(_LIST, False))


def _read(path: Path, added: bool) -> list[Entry]:
    file = read_yaml(path, "list of networks")
    fields = file.mapping(("networks",))
    if "networks" not in fields:
        raise file.unexpected("a list of networks, 'networks:'")
    return [_entry(row, added) for row in fields["networks"].sequence()]


def _entry(row: FileValue, added: bool) -> Entry:
    fields = row.mapping((*_TEXTS, "size"))
    missing = [key for key in ("name", "role", "kind", "file") if key not in fields]
    if missing:
        raise row.error(f"lacks {', '.join(missing)}")
    texts = {key: fields[key].text() for key in fields if key != "size"}
    size = fields["size"].plain() if "size" in fields else None
    if size is not None and not (isinstance(size, int) and size >= 0):
        raise fields["size"].unexpected("a number of bytes")
    if KINDS.get(texts["kind"]) != texts["role"]:
        raise fields["kind"].unexpected(
            f"a kind of {texts['role']} ({', '.join(k for k, r in KINDS.items() if r == texts['role'])})"
        )
    if "sha256" in texts and not _SHA256.fullmatch(texts["sha256"]):
        raise fields["sha256"].unexpected("64 digits 0-9 and a-f")
    if not _NAME.fullmatch(texts["name"]):
        raise fields["name"].unexpected("a name of small letters, digits, '-', '_' and '.'")
    if not texts.get("address", "https://").startswith(("https://", "http://")):
        raise fields["address"].unexpected("an address that begins with https://")
    if not _FILE.fullmatch(texts["file"]) or ".." in texts["file"]:
        raise fields["file"].unexpected("the name of a file")
    return Entry(**texts, size=size, added=added)
