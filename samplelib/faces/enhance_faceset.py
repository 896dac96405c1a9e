"""Adds detail to every face picture of a folder with the enhancer network."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.console import interact
from core.errors import NothingToDo, UserError
from core.files.imageio import read_bgr
from core.files.paths import list_images
from core.files.picture_limits import FACE_MEGAPIXELS
from core.parallel import ordered_map
from samplelib.faces import aligned_face
from samplelib.faces.faceset import report_without_face_data

OUTPUT_ENDING = "_enhanced"
_QUALITY = 100
_READ_AHEAD = 2


def enhance_faceset(folder: Any, output: Any, enhance: Callable[[np.ndarray], np.ndarray]) -> tuple[list[Path], int]:
    """Write every face picture of ``folder`` to ``output`` with more detail; size and metadata stay the same.

    Parameters
    ----------
    folder, output
        Folders.
    enhance : callable
        Takes and returns (H, W, 3) float32 BGR 0…1, for example ``FaceEnhancer().enhance``.

    Returns
    -------
    written : list of Path
        New files.
    failed : int
        Pictures that could not be read; each was named in a warning.
    """
    folder, output = Path(folder), Path(output)
    paths = list_images(folder)
    if not paths:
        raise NothingToDo(f"{folder}: no images found in this folder.")
    written, without, failed = [], [], 0
    with interact.progress(len(paths), "Processing") as bar:
        for outcome in ordered_map(_read, paths, workers=_READ_AHEAD):
            if outcome.error is not None:
                if not isinstance(outcome.error, UserError):
                    raise outcome.error
                interact.warning(f"{outcome.error}. It is skipped.")
                failed += 1
            elif outcome.value is None:
                without.append(outcome.item)
            else:
                image, metadata = outcome.value
                result = enhance(image.astype(np.float32) / 255.0)
                target = output / outcome.item.name
                aligned_face.save_face(target, to_pixels(result), metadata, _QUALITY)
                written.append(target)
            bar.update()
    report_without_face_data(without)
    if not written and not failed:
        raise NothingToDo(f"{folder}: no face pictures found. Extract faces first, or give another folder.")
    return written, failed


def to_pixels(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 from float 0…1: times 255, clipped, truncated."""
    return np.clip(image * 255.0, 0, 255).astype(np.uint8)


def _read(path):
    _, metadata = aligned_face.read_header(path)
    return None if metadata is None else (read_bgr(path, FACE_MEGAPIXELS), metadata)
