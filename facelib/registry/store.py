"""Files of the registered networks: found, fetched, added; never used unless they are the ones that were checked."""

import hashlib
import os
import shutil
import urllib.error
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from core.console import interact
from core.console.commands import command
from core.errors import FormatError, UsageError, UserError
from core.files.paths import replacing
from core.files.user_folder import user_config_folder
from facelib.registry.checked_network import MOST_BYTES, CheckedNetwork
from facelib.registry.entries import Entry, add_entry, all_entries, entry_of
from facelib.registry.kinds import KINDS
from facelib.weights import copy_from_network

_CHUNK = 1 << 20


def networks_folder() -> Path:
    """Where the files are kept."""
    return user_config_folder() / "networks"


def find_network(entry: Entry) -> Path | None:
    """The file of a network on this computer, or None.

    Raises
    ------
    FormatError
        When it is not the file that was checked when it came here.
    """
    path = networks_folder() / entry.file
    if not path.is_file():
        return None
    if entry.sha256 is not None and sha256_of(path) != entry.sha256:
        raise FormatError(
            path,
            f"is not the file of the network {entry.name} that was checked (its SHA-256 differs), so it is not used. Remove it and get it again",
        )
    return path


def require_network(name: str, role: str) -> tuple[Entry, Path]:
    """A network and its file.

    Raises
    ------
    UserError
        When it is unknown or not here; says how to get it.
    """
    entry = entry_of(name, role)
    path = find_network(entry)
    if path is None:
        raise UserError(f"{name}: this network is not on this computer. {how_to_get(entry)}")
    if entry.sha256 is None:
        raise UserError(f"{path}: nobody has said that this is the network {name}. {how_to_get(entry)}")
    return entry, path


def how_to_get(entry: Entry) -> str:
    """One sentence: the command, or the page and the command."""
    if entry.address is not None:
        unverified = " --accept-unverified" if entry.sha256 is None else ""
        return f"To fetch it: {command('networks fetch', entry.name)}{unverified}"
    if entry.source is not None:
        place = f"Export it from what {entry.source} publishes to {entry.file}, then"
    else:
        place = f"Get {entry.file} from {entry.home}, then" if entry.home else f"Get {entry.file} again, then"
    return f"{place}: {command('networks add FILE --name', entry.name)}"


def fetch_network(name: str, accept_unverified: bool = False) -> Path:
    """Download a network, check it and keep it.

    Raises
    ------
    UserError
        When it cannot be had, is another file, or could not be checked and that was not accepted.
    """
    entry = entry_of(name)
    here = find_network(entry)
    if here is not None and entry.sha256 is not None:
        interact.info(f"{name}: is there already, {here}")
        return here
    if entry.address is None:
        raise UserError(f"{name}: is not published as a file of its own. {how_to_get(entry)}")
    if entry.sha256 is None and not accept_unverified:
        raise UserError(
            f"{name}: nobody could check the file at {entry.address}. To take what is there today, and nothing else later: "
            f"{command('networks fetch', name, '--accept-unverified')}"
        )
    target = networks_folder() / entry.file
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            copy_from_network(entry.address, temporary, entry.file, MOST_BYTES)
            found = sha256_of(temporary)
            if entry.sha256 not in (None, found):
                raise UserError(
                    f"{entry.address}: what came back ({os.stat(temporary).st_size} bytes) is not {entry.file}. Try again later, or get it by "
                    f"hand and add it: {command('networks add FILE --name', name)}"
                )
            _require_fit(temporary, entry)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(
            f"{name}: cannot be fetched ({reason}). By hand: get {entry.address} on a computer with a network, then "
            f"{command('networks add FILE --name', name)}"
        ) from None
    if entry.sha256 is None:
        add_entry(replace(entry, sha256=found, size=target.stat().st_size))
    interact.info(f"{name}: fetched to {target}")
    return target


def add_network(path: Path, name: str, role: str | None, kind: str | None, licence: str | None = None) -> Entry:
    """Take a file into the registry, under a name of the list or a new one.

    Raises
    ------
    UsageError
        When role and kind of a new name are not given, or do not belong together.
    UserError
        When the file cannot be read, is no network of that kind, or not the one that the list knows under the name.
    """
    known = next((entry for entry in all_entries() if entry.name == name and not entry.added), None)
    if known is None and (role is None or kind is None):
        raise UsageError(f"{name}: is not on the list; say what it is: --role and --kind ({', '.join(KINDS)}).")
    role, kind = (role or known.role, kind or known.kind) if known is not None else (role, kind)
    if KINDS.get(str(kind)) != role:
        raise UsageError(
            f"--kind {kind}: is none of a {role}; those are {', '.join(k for k, r in KINDS.items() if r == role)}."
        )
    if not path.is_file():
        raise UserError(f"{path}: no such file.")
    digest = sha256_of(path)
    if known is not None and known.kind == kind and known.sha256 not in (None, digest):
        raise UserError(
            f"{path}: is not the {known.file} that its home publishes (SHA-256 {digest} instead of {known.sha256}). Get it again, or add it "
            "under another name."
        )
    file = known.file if known is not None else f"{name}.onnx"
    entry = Entry(
        name, str(role), str(kind), file, licence or (known.licence if known else "unknown"), path.stat().st_size, digest,
        known.address if known else None, known.home if known else None, known.source if known else None,
        known.input if known else "", known.output if known else "", True,
    )  # fmt: skip
    _require_fit(path, entry)
    target = networks_folder() / file
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.resolve() != target.resolve():
        with replacing(target) as temporary:
            shutil.copyfile(path, temporary)
    add_entry(entry)
    return entry


def sha256_of(path: Path) -> str:
    """Digest of a file, remembered while its size and time stay."""
    status = os.stat(path)
    return _sha256(str(path), status.st_size, status.st_mtime_ns)


@lru_cache
def _sha256(path, _size, _changed):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _require_fit(path, entry):
    """Try a network out and raise a UserError when it cannot be asked in the way of its kind."""
    from facelib.registry.roles import open_kind

    open_kind(entry.kind, CheckedNetwork(path))
