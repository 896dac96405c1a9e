"""Hashes of the files of a saved model, by which a result names the model that made it."""

import hashlib
from pathlib import Path

from core.errors import NothingToDo
from models.registry import KINDS


def hash_model(model_dir: Path, model_class: str | None = None, name: str | None = None) -> dict:
    """Hashes of the files of a saved model; the one trained last unless ``model_class`` and ``name`` choose.

    Returns
    -------
    dict
        ``name``, ``class``, ``files`` (file name → SHA-256) and ``sha256`` (hash of those lines).
    """
    model_dir = Path(model_dir)
    wanted = f"{name or '*'}_{model_class or '*'}_data.dat"
    found = sorted(model_dir.glob(wanted), key=lambda file: file.stat().st_mtime)
    nameless = tuple(f"{each.name}_data.dat" for each in KINDS if not each.is_named and each.name != model_class)
    found = [file for file in found if not file.name.endswith(nameless)]
    if not found:
        raise NothingToDo(f"{model_dir}: no saved model ({wanted}) in this folder.")
    prefix = found[-1].name.removesuffix("data.dat")
    name, _, model_class = prefix.rstrip("_").rpartition("_")
    files = sorted(
        file for file in model_dir.glob("*") if file.name.startswith(prefix) and file.suffix in (".npy", ".dat")
    )
    hashes = {file.name: _hash_file(file) for file in files}
    lines = "".join(f"{digest}  {file}\n" for file, digest in hashes.items())
    total = hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
    return {"name": name, "class": model_class, "files": hashes, "sha256": total}


def _hash_file(path):
    with open(path, "rb") as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
