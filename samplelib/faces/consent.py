"""The optional ``consent.json`` beside a faceset: who agreed to what, and on what basis."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from core.console import interact
from core.errors import FormatError
from core.records.bounded_read import read_bounded
from core.records.json_file import SMALL_FILE, parse_json

FILE_NAME = "consent.json"
_FIELDS = ("subject", "basis", "scope", "date")


@dataclass(frozen=True)
class Consent:
    """What a ``consent.json`` says.

    Attributes
    ----------
    path : Path
        The file.
    subject : str
        Whose face it is.
    basis : str
        Why it may be used: a signed agreement, the subject itself, a licence …
    scope : str
        What it may be used for.
    date : str
        When that was agreed.
    sha256 : str
        Hash of the file, which goes into the provenance of results.
    """

    path: Path
    subject: str
    basis: str
    scope: str
    date: str
    sha256: str


def read_consent(folder: Path) -> Consent | None:
    """Read ``consent.json`` of a faceset folder, or of the folder above it; None when there is none.

    Raises
    ------
    FormatError
        When the file is there but is not an object with the texts subject, basis, scope and date.
    """
    folder = Path(folder)
    for path in (folder / FILE_NAME, folder.parent / FILE_NAME):
        if path.is_file():
            return _read(path)
    return None


def report_consent(folder: Path) -> Consent | None:
    """Print in one line what is on record for the faceset in ``folder``, and return it."""
    folder = Path(folder)
    name = folder.parent.name if folder.name.startswith("aligned") else folder.name
    try:
        consent = read_consent(folder)
    except FormatError as error:
        interact.warning(error)
        return None
    if consent is None:
        interact.info(f"{name}: no {FILE_NAME}, so it is not on record whether this person agreed.")
    else:
        interact.info(
            f"{name}: consent of {consent.subject} ({consent.basis}; {consent.scope}; {consent.date}), {consent.path}"
        )
    return consent


def _read(path):
    data = read_bounded(path, SMALL_FILE)
    try:
        values = parse_json(data.decode("utf-8-sig"))
    except ValueError as error:
        raise FormatError(path, f"is no valid JSON ({error})") from None
    missing = [field for field in _FIELDS if not isinstance(values, dict) or not str(values.get(field) or "").strip()]
    if missing:
        raise FormatError(path, f"lacks {', '.join(missing)}. It needs the texts {', '.join(_FIELDS)}")
    texts = {field: " ".join(str(values[field]).split()) for field in _FIELDS}
    return Consent(path, **texts, sha256=hashlib.sha256(data).hexdigest())
