"""What is known of a video: its C2PA manifest, XMP and metadata, and an exit code for it."""

from dataclasses import dataclass, field
from pathlib import Path

from core.errors import FormatError
from core.provenance.manifest import ASSERTION, OFFLINE, find_sidecar, is_without_manifest, media_type
from core.provenance.marks import SOURCE_TYPE, read_comment, read_xmp

VALID, NOTHING_KNOWN, CHANGED, ONLY_METADATA = 0, 3, 4, 5
_UNTRUSTED = "signingCredential.untrusted"


@dataclass(frozen=True)
class Marks:
    """What :func:`read_marks` found.

    Attributes
    ----------
    state : str or None
        ``"trusted"``, ``"valid"`` (intact, but nobody vouches for the signer), ``"invalid"``, or None without a manifest.
    problems : tuple of str
        Why the manifest does not hold.
    sidecar : Path or None
        Where the manifest lies when it is not in the video.
    manifest : dict
        The active manifest as the C2PA library gives it.
    parent_has_manifest : bool
        The manifest of the video that this one was made of is inside.
    comment, xmp : str or None
        Statement in the container's comment, and the XMP packet.
    """

    state: str | None = None
    problems: tuple[str, ...] = ()
    sidecar: Path | None = None
    manifest: dict = field(default_factory=dict)
    parent_has_manifest: bool = False
    comment: str | None = None
    xmp: str | None = None

    @property
    def says_model_made(self) -> bool:
        """Whether any of the marks states that a trained model made or changed the pictures."""
        texts = (str(self.manifest.get("assertions", "")), self.comment or "", self.xmp or "")
        return any(SOURCE_TYPE in text for text in texts)

    @property
    def exit_code(self) -> int:
        """0 intact manifest, 4 manifest that does not fit the file, 5 only metadata says it, 3 nothing known."""
        if self.state is not None:
            return CHANGED if self.state == "invalid" else VALID
        return ONLY_METADATA if self.says_model_made else NOTHING_KNOWN


def read_marks(video: Path) -> Marks:
    """Read everything that states the origin of a video. Raises FormatError for a file that cannot be read."""
    video = Path(video)
    try:
        comment, xmp = read_comment(video), read_xmp(video)
    except OSError as error:
        raise FormatError(video, f"cannot be read ({error.strerror or error})") from None
    return Marks(**_read_manifest(video), comment=comment, xmp=xmp)


def describe(marks: Marks) -> list[str]:
    """Lines for the user about ``marks``."""
    lines = []
    if marks.state is None:
        lines.append("C2PA manifest: none (never signed, or lost when another program rewrote the file)")
    else:
        lines += _describe_manifest(marks)
    lines.append(f"Comment: {marks.comment or 'none'}")
    lines.append(f"XMP: {_describe_xmp(marks.xmp)}")
    said = "states that a machine-learning model made part of the pictures"
    lines.append(f"The file {said}." if marks.says_model_made else f"Nothing in the file {said}.")
    return lines


def _describe_manifest(marks):
    meanings = {
        "trusted": "valid, and the signer is trusted",
        "valid": "valid; the file is as it was signed, but nobody vouches for the signer",
        "invalid": "NOT valid: " + "; ".join(marks.problems),
    }
    where = f" (in {marks.sidecar.name})" if marks.sidecar else ""
    signature = marks.manifest.get("signature_info", {})
    yield f"C2PA manifest: {meanings[marks.state]}{where}"
    yield f"Signed by: {signature.get('common_name', 'unknown')} ({signature.get('issuer', 'unknown issuer')})"
    for generator in marks.manifest.get("claim_generator_info", ()):
        yield f"Made with: {generator.get('name')} {generator.get('version', '')}".rstrip()
    for ingredient in marks.manifest.get("ingredients", ()):
        own = "its own manifest is inside" if marks.parent_has_manifest else "it had no manifest"
        yield f"Made from: {ingredient.get('title')} ({own})"
    for assertion in marks.manifest.get("assertions", ()):
        if assertion.get("label", "").startswith(ASSERTION):
            yield from _describe_facts(assertion.get("data", {}))


def _describe_facts(facts):
    model = facts.get("model")
    if isinstance(model, dict):
        yield f"Model: {model.get('name')} ({model.get('class')}), sha256 {model.get('sha256')}"
    else:
        yield f"Model: {model}"
    for consent in facts.get("consent", ()):
        yield f"Consent record of {consent.get('faceset')}: sha256 {consent.get('sha256')}"
    if not facts.get("consent"):
        yield "Consent record: none"


def _describe_xmp(packet):
    if packet is None:
        return "none"
    return f"digital source type {SOURCE_TYPE}" if SOURCE_TYPE in packet else "there, without a digital source type"


def _read_manifest(video):
    """Fields of :class:`Marks` that come from the manifest in the video, or in the sidecar file."""
    from c2pa import C2paError, Context, Reader

    context = Context.from_dict(OFFLINE)
    try:
        with open(video, "rb") as stream, Reader(media_type(video.suffix), stream, context=context) as reader:
            return _fields(reader)
    except C2paError as error:
        problem = {} if is_without_manifest(error) else _broken(error)
    sidecar = find_sidecar(video)
    if sidecar is not None:
        return {**_read_sidecar(video, sidecar, context), "sidecar": sidecar}
    return problem


def _read_sidecar(video, sidecar, context):
    from c2pa import C2paError, Reader

    try:
        kind, manifest = media_type(video.suffix), sidecar.read_bytes()
        with open(video, "rb") as stream, Reader(kind, stream, manifest, context=context) as reader:
            return _fields(reader)
    except C2paError as error:
        return _broken(error)


def _broken(error):
    return {"state": "invalid", "problems": (" ".join(str(error).split()),)}


def _fields(reader):
    manifest = reader.get_active_manifest() or {}
    results = (reader.get_validation_results() or {}).get("activeManifest", {})
    problems = tuple(
        entry.get("explanation") or entry.get("code")
        for entry in results.get("failure", ())
        if entry.get("code") != _UNTRUSTED
    )
    ingredients = manifest.get("ingredients", ())
    return {
        "state": (reader.get_validation_state() or "invalid").lower(),
        "problems": problems,
        "manifest": manifest,
        "parent_has_manifest": any(ingredient.get("active_manifest") for ingredient in ingredients),
    }
