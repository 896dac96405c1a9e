"""Which masks were asked for, and the source that makes them; face type and device are asked where they are not known."""

from dataclasses import dataclass
from pathlib import Path

from core.console import interact
from core.engines import AUTO
from facelib.face_type import FaceType
from xseglib import source_choice
from xseglib.mask_sources import MaskSource

FACE_TYPE_KEYS = ("h", "mf", "f", "wf", "head")


@dataclass(frozen=True)
class MaskRequest:
    """The masks of one run.

    Parameters
    ----------
    model_dir : Path
        Folder of the XSeg model.
    generic : bool or str
        Whole-face masks of the face mesh will do, where the folder holds no network; or masks of the registered parser or occluder of
        this name are wanted, whatever the folder holds.
    face_type : str, optional
        Key of the face type of a model whose files do not tell, or ``same``; asked for if left out.
    engine, provider, cpu_only, force_gpu_idxs
        What :func:`core.device_choice.choose_places` takes.
    """

    model_dir: Path
    generic: bool | str = False
    face_type: str | None = None
    engine: str = AUTO
    provider: str | None = None
    cpu_only: bool = False
    force_gpu_idxs: list[int] | None = None


def mask_source(request: MaskRequest) -> tuple[MaskSource, str]:
    """Source of masks and the key that tells its version."""
    from core.device_choice import check_indexes

    if isinstance(request.generic, str):
        check_indexes(request.cpu_only, request.force_gpu_idxs)
        return source_choice.parser_source(request.generic)
    generic = request.generic or request.model_dir.name == source_choice.GENERIC_FOLDER_NAME
    if generic and not source_choice.has_network(request.model_dir):
        check_indexes(request.cpu_only, request.force_gpu_idxs)
        interact.info(
            f"No generic XSeg network in {request.model_dir} (files {source_choice.WEIGHTS_NAME}, {source_choice.STATE_NAME}). "
            "Using the embedded face mesh instead: a whole-face mask from forehead to jaw that does not cut out hands, "
            "hair or glasses."
        )
        return source_choice.mesh_source()
    return network_source(request)


def network_source(request: MaskRequest) -> tuple[MaskSource, str]:
    """Source of a trained network and the key that tells its version."""
    from core.device_choice import choose_places

    source_choice.require_network(request.model_dir)
    face_type = source_choice.stored_face_type(request.model_dir) or _asked_face_type(request)
    [place], _ = choose_places(
        request.engine, request.provider, request.cpu_only, request.force_gpu_idxs, several=False
    )
    return source_choice.network_source(request.model_dir, face_type, place)


def _asked_face_type(request):
    """Face type of a model whose files do not tell; None for "as the faces"."""
    key = request.face_type or interact.ask_text(
        "XSeg model face type",
        "same",
        choices=[*FACE_TYPE_KEYS, "same"],
        help_text="Face type of the faces that the XSeg model was trained on. Faces of another type are converted. "
        "same: take every face as it is.",
    )
    return None if key == "same" else FaceType.from_prompt_key(key)
