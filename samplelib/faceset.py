"""A faceset as a list of samples, whether it is a folder of face pictures or a packed file."""

from pathlib import Path
from typing import Any

from core.console import interact
from core.console.counted import counted
from core.errors import NothingToDo
from core.files.paths import list_files
from samplelib.faces import aligned_face
from samplelib.faces.faceset import loose_samples
from samplelib.faces.sample import Sample
from samplelib.packs.names import PACK_NAME
from samplelib.packs.reading import open_pack


def load_faceset(folder: Any, allow_empty: bool = False, pack_name: str = PACK_NAME) -> list[Sample]:
    """Samples of a folder in natural order of their names: those of its packed faceset if there is one, else its JPEGs.

    Pictures without face data are left out, with a warning.

    Raises
    ------
    NothingToDo
        When there is no sample, unless ``allow_empty``.
    UserError
        When the folder is missing or the packed faceset damaged.
    """
    folder = Path(folder)
    pack = folder / pack_name
    if pack.is_file():
        samples = open_pack(pack)
        beside = len(list_files(folder, aligned_face.FACE_SUFFIXES))
        if beside:
            interact.warning(
                f"{pack} is used; {counted(beside, 'picture')} beside it {'is' if beside == 1 else 'are'} not. Pack again to add what is missing."
            )
    else:
        samples = list(loose_samples(folder))
    if not samples and not allow_empty:
        raise NothingToDo(f"{folder}: no face pictures found. Extract faces first, or give another folder.")
    return samples
