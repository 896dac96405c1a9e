"""The record that merging leaves beside its frames: which model made them, and who agreed to that."""

from collections.abc import Iterable
from pathlib import Path

from core.console import interact
from core.errors import FormatError
from core.files.paths import atomic_write
from core.records.json_file import json_bytes, read_json
from models.saved.model_hash import hash_model
from samplelib.faces.consent import read_consent

RECORD_NAME = "provenance.json"
_TEXT = (str, None)
_RECORD_FORM = {
    "model": {"sha256": str, "name?": _TEXT, "class?": _TEXT, "files?": {str: str}},
    "consent": [{"sha256": str, "faceset?": _TEXT}],
}


def record_merge(output_dir: Path, model_dir: Path, model_class: str, name: str, facesets: Iterable[Path] = ()) -> None:
    """Leave ``provenance.json`` beside merged frames, so that the video made of them can name the model.

    Parameters
    ----------
    output_dir : Path
        Folder of the merged frames.
    model_dir, model_class, name
        The model that was used.
    facesets : iterable of Path
        Faceset folders whose ``consent.json`` counts.
    """
    record = {"model": hash_model(model_dir, model_class, name), "consent": consents_of(facesets)}
    atomic_write(Path(output_dir) / RECORD_NAME, json_bytes(record, indent=1))


def read_record(folder: Path) -> dict | None:
    """The record that :func:`record_merge` left in ``folder``, or None."""
    path = Path(folder) / RECORD_NAME
    try:
        return read_json(path, _RECORD_FORM)
    except FileNotFoundError:
        return None
    except FormatError:
        raise FormatError(path, "is damaged; delete it, or merge again") from None


def consents_of(folders: Iterable[Path]) -> list[dict]:
    """Faceset name and hash of every readable ``consent.json`` that belongs to one of the faceset folders."""
    found = {}
    for folder in map(Path, folders):
        try:
            consent = read_consent(folder)
        except FormatError as error:
            interact.warning(error)
            continue
        if consent is not None:
            name = folder.parent.name if folder.name.startswith("aligned") else folder.name
            found[consent.path] = {"faceset": name, "sha256": consent.sha256}
    return list(found.values())
