"""Weight files of the face networks: where they are looked for, how they are checked and fetched."""

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path

from core.console import interact
from core.console.commands import command
from core.errors import UsageError, UserError
from core.files.paths import replacing
from core.files.user_folder import user_cache_folder

WEIGHTS_FOLDER = Path(__file__).parent / "weights"
FOLDER_VARIABLE = "DFL_WEIGHTS"

# All files are published in the repository of DeepFaceLab at this state.
_ADDRESS = "https://github.com/iperov/DeepFaceLab/raw/46fc2397c582b9fc375a023418257924112e292b/facelib/{}"
_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class WeightFile:
    """A file that this program can use but does not carry.

    Parameters
    ----------
    name : str
        File name.
    git_blob_sha1 : str
        SHA-1 of the bytes ``blob <size>\\0`` followed by the content, which is how git names it.
    use : str
        What it is for.
    licence : str
        Under which terms its home offers it.
    """

    name: str
    git_blob_sha1: str
    use: str
    licence: str = "GPL-3.0"

    @property
    def address(self) -> str:
        """Where it is published."""
        return _ADDRESS.format(self.name)


REGISTRY = (
    WeightFile("S3FD.npy", "66c054f251f50f132eba2aba06d032cc444343cd", "face detector"),
    WeightFile("2DFAN.npy", "ba55f153cd5e526299a38998fb2f69f530cc29fb", "landmarks, face types up to whole face"),
    WeightFile("3DFAN.npy", "b96bcd20d888a505ab85ca3f0e8b2952d74be30b", "landmarks, face type head"),
    WeightFile("FaceEnhancer.npy", "1890f42aa9d082cbf51356ee04d0529dd70773a1", "enhance, super resolution of merge"),
)


def find_weights(name: str) -> Path | None:
    """A weight file on this computer.

    Looked for in ``facelib/weights/``, in the folders that ``$DFL_WEIGHTS`` names, and among the fetched files. A file
    whose content is not the published one is used with a warning where the user put it, and is passed over among the
    fetched ones.

    Parameters
    ----------
    name : str
        ``"S3FD"``, ``"2DFAN"``, ``"3DFAN"`` or ``"FaceEnhancer"``, with or without ``.npy``.
    """
    entry = _entry(name)
    for folder in (WEIGHTS_FOLDER, *_user_folders()):
        path = folder / entry.name
        if path.is_file():
            if not is_published(path):
                interact.warning(f"{path}: is not the file that DeepFaceLab publishes; using it all the same.")
            return path
    path = cache_folder() / entry.name
    if path.is_file():
        if is_published(path):
            return path
        interact.warning(f"{path}: is damaged and not used. Fetch it again: {command('util --fetch-weights')}")
    return None


def missing_weights_message(name: str) -> str:
    """What to tell a user whose weight file is not there: what it is, and how to get it."""
    entry = _entry(name)
    return (
        f"{entry.name} ({entry.use}) is not on this computer. "
        f"Put the file of any DeepFaceLab into {WEIGHTS_FOLDER} or a folder named by ${FOLDER_VARIABLE}, "
        f"or fetch it: {command('util --fetch-weights')}"
    )


def require_weights(name: str) -> Path:
    """As :func:`find_weights`, but a missing file is a :class:`~core.errors.UserError`."""
    path = find_weights(name)
    if path is None:
        raise UserError(missing_weights_message(name))
    return path


def fetch_weights(names: Sequence[str] | None = None) -> list[Path]:
    """Download weight files that are not there yet, all of them by default, and check them.

    Raises
    ------
    UserError
        When a file cannot be had; says what to do without a network.
    """
    paths = []
    for entry in REGISTRY if names is None else [_entry(name) for name in names]:
        path = find_weights(entry.name)
        if path is None:
            path = _download(entry)
            interact.info(f"{entry.name}: fetched to {path}")
        else:
            interact.info(f"{entry.name}: is there already, {path}")
        paths.append(path)
    return paths


def is_published(path: Path) -> bool:
    """Whether a file has the content that belongs to its name."""
    status = os.stat(path)
    return _git_blob_sha1(str(path), status.st_size, status.st_mtime_ns) == _entry(Path(path).name).git_blob_sha1


def cache_folder() -> Path:
    """Where fetched files are kept."""
    return user_cache_folder() / "weights"


def _entry(name):
    for entry in REGISTRY:
        if name in (entry.name, entry.name.removesuffix(".npy")):
            return entry
    raise UsageError(f"{name}: no such weight file; known are {', '.join(entry.name for entry in REGISTRY)}.")


def _user_folders():
    return [Path(part).expanduser() for part in os.environ.get(FOLDER_VARIABLE, "").split(os.pathsep) if part]


@lru_cache
def _git_blob_sha1(path, size, _changed):
    digest = hashlib.sha1(b"blob %d\0" % size)
    with open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _download(entry):
    target = cache_folder() / entry.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            copy_from_network(entry.address, temporary, entry.name)
            size = os.stat(temporary).st_size
            if _git_blob_sha1(str(temporary), size, os.stat(temporary).st_mtime_ns) != entry.git_blob_sha1:
                raise UserError(
                    f"{entry.address}: what came back ({size} bytes) is not {entry.name}. Try again later. {_by_hand(entry)}"
                )
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"{entry.name}: cannot be fetched ({reason}). {_by_hand(entry)}") from None
    return target


def copy_from_network(address: str, target: Path, caption: str, most_bytes: int | None = None) -> None:
    """Write what is at an address to a file, with a progress bar.

    Raises
    ------
    UserError
        When it is longer than ``most_bytes``.
    OSError
        When it cannot be had.
    """
    try:
        _copy(address, target, caption, most_bytes)
    except HTTPException as error:
        raise urllib.error.URLError(f"the answer cannot be read: {type(error).__name__}") from None


def _copy(address, target, caption, most_bytes):
    with urllib.request.urlopen(address, timeout=_TIMEOUT_SECONDS) as response, open(target, "wb") as stream:
        total = int(response.headers.get("Content-Length") or 0) >> 20
        done = 0
        with interact.progress(total, f"{caption} (MiB)") as bar:
            while chunk := response.read(_CHUNK):
                stream.write(chunk)
                done += len(chunk)
                if most_bytes is not None and done > most_bytes:
                    raise UserError(f"{address}: is larger than any network that is used here.")
                bar.update((done >> 20) - bar.count)


def _by_hand(entry):
    return (
        f"By hand: get {entry.address} on a computer with a network and put the file into {WEIGHTS_FOLDER} "
        f"or a folder named by ${FOLDER_VARIABLE}."
    )
