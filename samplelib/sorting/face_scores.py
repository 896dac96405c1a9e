"""Numbers by which single face pictures are sorted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from core.console import interact
from core.errors import UserError
from core.files.imageio import read_bgr
from core.imagelib.histograms import grey_histogram
from core.imagelib.sharpness import laplacian_variance, sharpness
from core.parallel import ordered_map
from facelib.landmarks import hull_mask, pose
from samplelib.faces.aligned_face import FaceMetadata, read_header, read_metadata

_MOST_NAMED = 10


class NotAFace(UserError):
    """The picture holds no face data."""

    def __init__(self, path: Path):
        super().__init__(f"{Path(path).name} is not a dfl image file")


@dataclass(frozen=True)
class Measured:
    """Scores of many pictures.

    Parameters
    ----------
    paths, values : list
        Of the pictures that could be measured, in the given order.
    without_face : list of Path
        Pictures without face data, where the score needs it.
    failed : list of Path
        Pictures that could not be read or scored.
    """

    paths: list
    values: list
    without_face: list
    failed: list


def measure(function: Callable[[Any], Any], paths: Sequence, description: str = "Loading") -> Measured:
    """Apply ``function`` to all paths on all cores with a progress bar; pictures that fail are named and kept apart."""
    result, problems = Measured([], [], [], []), []
    with interact.progress(len(paths), description) as bar:
        for outcome in ordered_map(function, paths, ahead=16):
            bar.update()
            if outcome.error is None:
                result.paths.append(outcome.item)
                result.values.append(outcome.value)
                continue
            if not isinstance(outcome.error, UserError):
                raise outcome.error
            problems.append(str(outcome.error))
            is_other = isinstance(outcome.error, NotAFace)
            (result.without_face if is_other else result.failed).append(outcome.item)
    for problem in problems[:_MOST_NAMED]:
        interact.warning(problem)
    if len(problems) > _MOST_NAMED:
        interact.warning(f"… and {len(problems) - _MOST_NAMED} more such files")
    return result


def read_face(path: Path) -> FaceMetadata:
    """Metadata of a face picture.

    Raises
    ------
    NotAFace
        When it holds none.
    """
    metadata = read_metadata(path)
    if metadata is None:
        raise NotAFace(path)
    return metadata


def face_in_hull(path: Path) -> np.ndarray:
    """The picture with black outside the hull of its landmarks, (H, W, 3) uint8 BGR."""
    metadata = read_face(path)
    return masked(read_bgr(path), metadata)


def masked(image: np.ndarray, metadata: FaceMetadata) -> np.ndarray:
    """A face picture with black outside the hull of its landmarks."""
    return image * hull_mask(image.shape, metadata.landmarks).astype(np.uint8)


def face_sharpness(path: Path) -> float:
    """Sharpness of the face inside its hull, 0 … 1."""
    return sharpness(face_in_hull(path))


def face_motion_sharpness(path: Path) -> float:
    """Variance of the Laplacian of the face inside its hull."""
    return laplacian_variance(face_in_hull(path))


def face_pose(path: Path) -> tuple[float, float]:
    """Pitch and yaw in radians.

    Raises
    ------
    UserError
        When no pose fits the landmarks.
    """
    shape, metadata = read_header(path)
    if metadata is None:
        raise NotAFace(path)
    pitch, yaw, _ = pose(metadata.landmarks, shape[1])
    if not np.isfinite([pitch, yaw]).all():
        raise UserError(f"{path.name}: no pose of a head fits its landmarks")
    return pitch, yaw


def source_rect_area(path: Path) -> float:
    """Area in pixels of the face's rectangle in its frame."""
    metadata = read_face(path)
    if metadata.source_rect is None:
        raise UserError(f"{path.name}: does not say where in its frame it was found")
    left, top, right, bottom = (float(value) for value in metadata.source_rect)
    return abs((right - left) * (bottom - top))


def source_name(path: Path) -> str:
    """Name of the frame that the face was found in."""
    metadata = read_face(path)
    if not metadata.source_filename:
        raise UserError(f"{path.name}: does not say which frame it comes from")
    return metadata.source_filename


def brightness(path: Path) -> float:
    """Mean of V of 8-bit HSV over the whole picture."""
    return float(cv2.cvtColor(read_bgr(path), cv2.COLOR_BGR2HSV)[:, :, 2].mean())


def hue(path: Path) -> float:
    """Mean of H, 0 … 179, of 8-bit HSV over the whole picture."""
    return float(cv2.cvtColor(read_bgr(path), cv2.COLOR_BGR2HSV)[:, :, 0].mean())


def black_values(path: Path) -> int:
    """Number of values (three a pixel) that are 0."""
    image = read_bgr(path)
    return image.size - int(np.count_nonzero(image))


def hull_histogram(path: Path) -> np.ndarray:
    """(256,) counts of grey levels, of a face picture with black outside the hull."""
    metadata, image = read_metadata(path), read_bgr(path)
    return grey_histogram(image if metadata is None else masked(image, metadata))
