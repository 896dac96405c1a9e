"""C2PA manifests of results: what a video was made of, with what, signed."""

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files.paths import atomic_write, free_name, remove_if_present, replacing
from core.provenance.certificate import Certificate
from core.provenance.marks import SOURCE_TYPE, add_xmp, container_metadata
from core.version import NAME, VERSION
from core.video.writing.encoders import check_writable_folder

ASSERTION = f"io.github.{NAME}.face-swap"
_EMBEDDED = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime"}
_OTHERS = {".avi": "video/avi", ".mkv": "video/x-matroska", ".webm": "video/webm"}
OFFLINE = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},
}
_PARENT = "reference"


@dataclass(frozen=True)
class Story:
    """What a manifest tells of a video.

    Attributes
    ----------
    parent : Path or None
        The video that was changed. Its own manifest, if it has one, is kept inside the new one.
    swapped : bool
        A model replaced faces; otherwise the parent was only cut.
    model : dict or None
        Name, class and hashes of the model, which the manifest states as they are.
    consents : tuple of dict
        ``faceset`` and ``sha256`` of each consent record.
    """

    parent: Path | None
    swapped: bool = True
    model: dict | None = None
    consents: tuple[dict, ...] = ()


@contextmanager
def marked(output: Path, certificate: Certificate, story: Story) -> Any:
    """Yield a temporary path for a video; afterwards it is signed and takes the place of ``output``.

    mp4 and mov hold the manifest themselves; for others it goes into a ``.c2pa`` file of the same name.
    A video that cannot be signed is kept as ``NAME_unmarked``, and the error says so.
    """
    check_library()
    output = Path(output)
    check_writable_folder(output)
    with replacing(output) as temporary:
        yield temporary
        try:
            if story.swapped:
                add_xmp(temporary)
            manifest = sign(temporary, certificate, story, output.name)
        except (UserError, OSError) as error:
            kept = free_name(output.with_name(f"{output.stem}_unmarked{output.suffix}"))
            shutil.move(temporary, kept)
            raise UserError(f"{error} The video was kept without a manifest as {kept}.") from None
    if output.suffix.lower() not in _EMBEDDED:
        atomic_write(sidecar_of(output), manifest)


def has_manifest(video: Path) -> bool:
    """Whether a video holds a C2PA manifest, intact or not, or has one beside it."""
    check_library()
    return _has_embedded_manifest(video) or find_sidecar(video) is not None


def _has_embedded_manifest(video):
    from c2pa import C2paError, Context, Reader

    try:
        with open(video, "rb") as stream, Reader(media_type(video.suffix), stream, context=Context.from_dict(OFFLINE)):
            return True
    except C2paError as error:
        return not is_without_manifest(error)


def is_without_manifest(error: Exception) -> bool:
    """Whether an error of the C2PA library only says that a file holds no manifest."""
    return "ManifestNotFound" in str(error) or "NotSupported" in str(error)


def find_sidecar(video: Path) -> Path | None:
    """The manifest file beside a video: ``NAME.avi.c2pa`` or ``NAME.c2pa``; None when there is none."""
    video = Path(video)
    for sidecar in (video.with_name(video.name + ".c2pa"), video.with_suffix(".c2pa")):
        if sidecar.is_file():
            return sidecar
    return None


def remove_sidecar(video: Path) -> None:
    """Remove the manifest beside a video that has just been replaced by one without a manifest."""
    if Path(video).suffix.lower() not in _EMBEDDED:
        remove_if_present(sidecar_of(video))


def check_library() -> None:
    """Raise UserError when the C2PA library is not installed."""
    try:
        import c2pa  # noqa: F401
    except (ImportError, OSError, RuntimeError) as error:
        raise UserError(
            f"Results are signed with c2pa-python, which does not load here ({error}). Install it "
            "(pip install c2pa-python), or give --no-provenance to make the video without a manifest."
        ) from None


def metadata_of(output: Path) -> dict[str, str]:
    """Container tags that state how a result was made."""
    return container_metadata(Path(output).suffix.lower())


def sidecar_of(video: Path) -> Path:
    """Where the manifest of a video goes that cannot hold it itself: ``NAME.c2pa``, as C2PA tools expect.

    When another such video has the same stem, ``NAME.avi.c2pa``, so that neither loses its manifest.
    """
    video = Path(video)
    rivals = [suffix for suffix in _OTHERS if suffix != video.suffix.lower()]
    if any(video.with_suffix(suffix).is_file() for suffix in rivals):
        return video.with_name(video.name + ".c2pa")
    return video.with_suffix(".c2pa")


def sign(video: Path, certificate: Certificate, story: Story, title: str) -> bytes:
    """Sign ``video`` in place (mp4, mov) or apart from it (others), and return the manifest."""
    from c2pa import Builder, C2paError, Context, Signer
    from c2pa.c2pa import C2paSignerInfo

    suffix = Path(video).suffix.lower()
    kind = media_type(suffix)
    try:
        signer = Signer.from_info(C2paSignerInfo(certificate.algorithm, certificate.chain, certificate.key, None))
        builder = Builder(claim(story, _readable(title), kind), Context.from_dict(OFFLINE))
        if story.parent is not None:
            _add_parent(builder, story.parent)
        if suffix in _EMBEDDED:
            with replacing(video) as signed, open(video, "rb") as source, open(signed, "w+b") as target:
                return builder.sign(signer, kind, source, target)
        builder.set_no_embed()
        with open(video, "rb") as source, open(os.devnull, "w+b") as nowhere:
            return builder.sign(signer, kind, source, nowhere)
    except C2paError as error:
        raise UserError(f"{title}: could not be signed ({_short(error)}). Check the certificate.") from None


def media_type(suffix: str) -> str:
    """Internet media type of a video file."""
    return {**_EMBEDDED, **_OTHERS}.get(suffix.lower(), "application/octet-stream")


def claim(story: Story, title: str, kind: str) -> dict:
    """The manifest definition for the C2PA library."""
    agent = {"name": NAME, "version": VERSION}
    actions = []
    if story.parent is not None:
        actions.append({"action": "c2pa.opened", "parameters": {"ingredientIds": [_PARENT]}})
    changed = {"action": "c2pa.edited", "softwareAgent": agent}
    if story.swapped:
        changed["digitalSourceType"] = SOURCE_TYPE
        changed["description"] = "Faces were replaced by the output of a trained model."
        if story.parent is None:
            changed["action"] = "c2pa.created"
    else:
        changed["action"] = "c2pa.trimmed"
        changed["description"] = "A part was cut out and coded anew."
    actions.append(changed)
    assertions = [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]
    if story.swapped:
        facts = {"software": agent, "model": story.model or "not on record", "consent": list(story.consents)}
        assertions.append({"label": ASSERTION, "data": facts})
    return {"claim_generator_info": [agent], "title": title, "format": kind, "assertions": assertions}


def _add_parent(builder, parent):
    """Add the video that was changed, together with the manifest that it holds or that lies beside it."""
    ingredient = {"title": _readable(parent.name), "relationship": "parentOf", "label": _PARENT, "instance_id": _PARENT}
    sidecar = None if _has_embedded_manifest(parent) else find_sidecar(parent)
    with open(parent, "rb") as stream:
        if sidecar is not None:
            ingredient |= _from_sidecar(builder, sidecar, parent, stream)
            stream.seek(0)
        builder.add_ingredient(ingredient, media_type(parent.suffix), stream)


def _from_sidecar(builder, sidecar, parent, stream):
    """Fields of an ingredient whose manifest is a file of its own."""
    import io

    from c2pa import Context, Reader

    manifest = sidecar.read_bytes()
    with Reader(media_type(parent.suffix), stream, manifest, context=Context.from_dict(OFFLINE)) as reader:
        results, label = reader.get_validation_results(), json.loads(reader.json())["active_manifest"]
    builder.add_resource(sidecar.name, io.BytesIO(manifest))
    reference = {"format": "application/c2pa", "identifier": sidecar.name}
    return {"manifest_data": reference, "active_manifest": label, "validation_results": results}


def _readable(name):
    """A file's name as text that JSON can hold, also where the name is not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def _short(error):
    return " ".join(str(error).split())[:300]
