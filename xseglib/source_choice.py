"""Chooses the mask source of a folder given by the user: its trained network, or the face mesh for the generic mask."""

import hashlib
from pathlib import Path

from core.console.commands import command
from core.engines import DEFAULT_PLACE, Place
from core.errors import UserError
from facelib.face_type import FaceType
from models.saved.model_files import read_model_data
from models.saved.restore import advice_on_damage
from xseglib.mask_sources import MeshMasks, NetworkMasks, ParserMasks

WEIGHTS_NAME = "XSeg_256.npy"
STATE_NAME = "XSeg_data.dat"
GENERIC_FOLDER_NAME = "model_generic_xseg"
MESH_KEY = "face mesh 1"


def has_network(model_dir: Path) -> bool:
    """Whether the folder holds the weights of an XSeg network."""
    return (Path(model_dir) / WEIGHTS_NAME).is_file()


def require_network(model_dir: Path) -> None:
    """Raise a UserError that names the missing folder or file."""
    model_dir = Path(model_dir)
    if not model_dir.is_dir():
        raise UserError(
            f"{model_dir}: no such folder. Give the folder of the trained XSeg model with --model-dir, "
            "or add --generic for whole-face masks without one."
        )
    if not has_network(model_dir):
        raise UserError(
            f"{model_dir / WEIGHTS_NAME}: no such file. Train an XSeg model first: {command('train --model XSeg --model-dir', model_dir)} …"
        )


def stored_face_type(model_dir: Path) -> FaceType | None:
    """Face type that a trained model was made for, or None when its files do not tell."""
    state = Path(model_dir) / STATE_NAME
    with advice_on_damage(Path(model_dir), "XSeg", "XSeg"):
        key = read_model_data(state).options.get("face_type") if state.is_file() else None
    return None if key is None else FaceType.from_prompt_key(key)


def network_source(
    model_dir: Path, face_type: FaceType | None, place: Place = DEFAULT_PLACE
) -> tuple[NetworkMasks, str]:
    """Source for a trained network, and the key that tells its version (see ``ApplyJournal``)."""
    from models.xseg.predictor import XSegPredictor

    weights = Path(model_dir) / WEIGHTS_NAME
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    return NetworkMasks(
        XSegPredictor(model_dir, place), face_type
    ), f"{digest} {face_type.text if face_type else 'same'}"


def mesh_source() -> tuple[MeshMasks, str]:
    """Source of embedded whole-face masks, and its key."""
    return MeshMasks(), MESH_KEY


def parser_source(name: str) -> tuple[ParserMasks, str]:
    """Source of the masks of a registered parser or occluder, and its key.

    Raises
    ------
    UserError
        When the network is not known, not here, or none.
    """
    from facelib.registry.kinds import PARSER
    from facelib.registry.roles import open_parser
    from facelib.registry.store import require_network as require_registered

    entry, _ = require_registered(name, PARSER)
    return ParserMasks(open_parser(name), name), f"{entry.kind} {entry.sha256}"
