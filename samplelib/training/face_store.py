"""The faces of a faceset, cropped for a model, kept in memory as far as a budget allows."""

import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from core.console import interact
from core.errors import UserError
from core.random_streams import generator
from facelib import landmarks
from facelib.drawing import draw_landmarks
from facelib.face_type import FaceType
from samplelib.faces.faceset_types import types_text
from samplelib.faces.sample import Sample
from samplelib.training.augment import PreparedFace, prepare_face
from samplelib.training.crop_file import CropFile, CropLayout

MEBIBYTE = 2**20
_SHARE_OF_FREE_MEMORY = 0.25
_MEMORY_IF_UNKNOWN = 1024 * MEBIBYTE


class CacheBudget:
    """Bytes that all caches of a run may use together.

    Faces are drawn evenly, so what is in stays in: with twice as many faces as fit, half of them come from memory.
    """

    def __init__(self, limit: int | None = None):
        self.limit = default_cache_bytes() if limit is None else limit
        self.used = 0
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """Bytes that are not reserved yet."""
        return self.limit - self.used

    def take(self, size: int) -> bool:
        """Reserve ``size`` bytes; False when they do not fit."""
        with self._lock:
            if self.used + size > self.limit:
                return False
            self.used += size
            return True


def default_cache_bytes() -> int:
    """A quarter of the memory that is free now."""
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            for line in stream:
                if line.startswith("MemAvailable:"):
                    return int(int(line.split()[1]) * 1024 * _SHARE_OF_FREE_MEMORY)
    except (OSError, ValueError, IndexError):
        pass
    return _MEMORY_IF_UNKNOWN


class FaceStore:
    """Cropped faces of one faceset by index.

    Parameters
    ----------
    samples : list of Sample
    prepare : callable
        Takes a :class:`~samplelib.faces.sample.Sample`, returns something with ``nbytes``; may raise
        :class:`~core.errors.UserError` for a broken file.
    budget : CacheBudget
    crops : CropFile, optional
        Keeps on disk what was prepared.
    """

    def __init__(
        self,
        samples: list[Sample],
        prepare: Callable[[Sample], Any],
        budget: CacheBudget,
        crops: CropFile | None = None,
    ):
        self.samples, self._crops = samples, crops
        self._prepare = prepare
        self._budget = budget
        self._cache: dict[int, Any] = {}
        self._broken: set[int] = set()
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.samples)

    @property
    def broken_names(self) -> list[str]:
        """Files that could not be used so far."""
        return [self.samples[index].name for index in sorted(self._broken)]

    def get(self, index: int) -> Any | None:
        """The face, or None when its file is broken (which is reported once)."""
        face = self._cache.get(index)
        if face is not None or index in self._broken:
            return face
        try:
            face = self._from_disk_or_picture(self.samples[index])
        except (UserError, ValueError, OSError, cv2.error) as error:
            self._report(index, error)
            return None
        if self._budget.take(face.nbytes):
            self._cache[index] = face
        return face

    def get_any(self, index: int, seed: tuple[int, ...]) -> tuple[int, Any]:
        """As :meth:`get`, but another face, chosen by ``seed``, in place of a broken one, and the index of the face.

        Raises
        ------
        UserError
            When no face of the set can be used.
        """
        face = self.get(index)
        if face is not None:
            return index, face
        random = generator(*seed)
        while face is None:
            if len(self._broken) >= len(self.samples):
                raise UserError(f"{self.samples[0].path}: none of the {len(self.samples)} faces can be used.")
            index = int(random.integers(len(self.samples)))
            face = self.get(index)
        return index, face

    def _from_disk_or_picture(self, sample):
        if self._crops is None:
            return self._prepare(sample)
        face = self._crops.get(sample)
        if face is None:
            face = self._prepare(sample)
            self._crops.put(sample, face)
        return face

    def _report(self, index, error):
        with self._lock:
            if index not in self._broken:
                self._broken.add(index)
                sample = self.samples[index]
                text = str(error).rstrip(".")
                count = f" ({len(self._broken)} so far)" if len(self._broken) > 1 else ""
                interact.warning(
                    f"{text if sample.name in text else f'{sample.name}: {text}'}. The face is left out{count}."
                )


def swap_face_store(
    samples: list[Sample],
    face_type: FaceType,
    resolution: int,
    budget: CacheBudget,
    with_eyes_mouth: bool = True,
    with_landmarks: bool = False,
    crops: CropFile | None = None,
) -> FaceStore:
    """Faces and masks as a swap model sees them; see :func:`samplelib.training.augment.prepare_face`.

    ``with_landmarks`` draws the landmarks onto the pictures, for a look at the samples. ``crops`` is a file of
    :func:`swap_layout`.
    """

    def prepare(sample: Sample) -> PreparedFace:
        picture, metadata = sample.read_bgr(), sample.training_metadata
        if with_landmarks:
            draw_landmarks(picture, metadata.landmarks)
        return prepare_face(picture, metadata, face_type, resolution, with_eyes_mouth)

    return FaceStore(samples, prepare, budget, crops)


def swap_layout(face_type: FaceType, resolution: int, with_eyes_mouth: bool = True) -> CropLayout:
    """How the faces of :func:`swap_face_store` lie in a file of crops."""
    parts = 1 + with_eyes_mouth
    shapes = ((resolution, resolution, 3), *[(resolution, resolution)] * parts)
    return CropLayout(
        f"{face_type.text}_{resolution}{'_eyes' if with_eyes_mouth else ''}",
        shapes,
        lambda face: (face.picture, face.mask, face.eyes_mouth)[: 1 + parts],
        lambda picture, mask, eyes_mouth=None: PreparedFace(picture, mask, eyes_mouth),
    )


def picture_layout(name: str, resolution: int) -> CropLayout:
    """How faces that are one BGR picture each lie in a file of crops."""
    return CropLayout(
        f"{name}_{resolution}", ((resolution, resolution, 3),), lambda picture: (picture,), lambda picture: picture
    )


def plain_picture_store(
    samples: list[Sample], resolution: int, budget: CacheBudget, crops: CropFile | None = None
) -> FaceStore:
    """Whole pictures resized linearly to (resolution, resolution, 3) uint8, whatever their face type."""

    def prepare(sample: Sample) -> np.ndarray:
        return cv2.resize(sample.read_bgr(), (resolution, resolution), interpolation=cv2.INTER_LINEAR)

    return FaceStore(samples, prepare, budget, crops)


def yaws_of(samples: list[Sample]) -> np.ndarray:
    """Yaw of each face in radians, (count,) float64."""
    return np.array(
        [landmarks.pose(sample.training_metadata.landmarks, sample.shape[1])[1] for sample in samples], np.float64
    )


def warn_about_smaller_types(samples: list[Sample], face_type: FaceType, folder_name: str) -> None:
    """Say once when faces show less than the model wants to see: their border will be stretched."""
    smaller = [sample for sample in samples if FaceType.from_text(sample.training_metadata.face_type) < face_type]
    if smaller:
        own = types_text(sample.training_metadata.face_type for sample in smaller)
        interact.warning(
            f"{folder_name}: {len(smaller)} of {len(samples)} faces are of a smaller type ({own}) than the model's "
            f"{face_type.text}; their borders are stretched. Extract them again with a larger face type."
        )
