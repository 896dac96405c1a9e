"""What a training run feeds a model with: facesets, held-out faces, batches by number."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from core.console import interact
from core.console.counted import counted
from core.errors import NothingToDo, UsageError
from facelib.face_type import FaceType
from samplelib.faces.faceset_types import mention_mixed_types
from samplelib.faces.sample import Sample
from samplelib.faceset import load_faceset
from samplelib.training.augment import Augmentation
from samplelib.training.crop_file import CropFiles
from samplelib.training.face_store import (
    CacheBudget,
    FaceStore,
    picture_layout,
    plain_picture_store,
    swap_face_store,
    swap_layout,
    warn_about_smaller_types,
    yaws_of,
)
from samplelib.training.samplers import BatchLoader, SwapSampleStream, swap_augmentations, swap_batch_maker

_SIDES = ("src", "dst")
_PREVIEW_STREAM = 1000


@dataclass(frozen=True)
class DataSettings:
    """Where samples come from and how they are made.

    Parameters
    ----------
    source_dir, destination_dir : Path
    pretraining_dir : Path or None
    seed : int
    workers : int or None
        Threads; None chooses.
    cache_bytes : int or None
        Memory for decoded faces; None chooses.
    holdout : int
        Faces of each side kept out of training.
    draw_landmarks : bool
        Draw the landmarks onto the faces (debug view).
    sample_store : Path or str, optional
        Where cut out faces are kept on disk; see :class:`samplelib.training.crop_file.CropFiles`.
    """

    source_dir: Path
    destination_dir: Path
    pretraining_dir: Path | None = None
    seed: int = 0
    workers: int | None = None
    cache_bytes: int | None = None
    holdout: int = 0
    draw_landmarks: bool = False
    sample_store: Path | str | None = None


class SwapData:
    """Batches of a swap model.

    Parameters
    ----------
    options : dict
        Effective options.
    settings : DataSettings
    first_iteration : int
        Batches start where a run that was not interrupted would be.
    """

    largest_scale = 0.15
    with_eyes_mouth = True

    def __init__(self, options: dict, settings: DataSettings, first_iteration: int = 0):
        self.settings = settings
        self._budget = CacheBudget(settings.cache_bytes)
        self._crops = CropFiles(None if settings.draw_landmarks else settings.sample_store)
        self._facesets: dict[Path, tuple[list[Sample], list[Sample]]] = {}
        self._stores: dict[tuple, FaceStore] = {}
        self._yaws: dict[Path, np.ndarray] = {}
        self.loader: BatchLoader | None = None
        self.restart(options, first_iteration)

    def restart(self, options: dict, first_iteration: int) -> None:
        """Make batches for other options from now on; faces in memory are kept."""
        self._close_loader()
        self.options, self.batch_size = options, options["batch_size"]
        streams = [self._stream(side, augmentation) for side, augmentation in enumerate(self._augmentations())]
        self._make = swap_batch_maker(streams[0], streams[1], self.batch_size)
        self.loader = BatchLoader(self._make, self.batch_number(first_iteration), self.settings.workers)

    def batch_number(self, iteration: int) -> int:
        """Which batch an iteration takes."""
        return iteration

    def next(self) -> dict[str, np.ndarray]:
        """The next batch."""
        return cast(BatchLoader, self.loader).next()

    def batch_before(self, iteration: int) -> dict[str, np.ndarray] | None:
        """The batch that the iteration before the given one has taken, made again."""
        number = self.batch_number(iteration) - 1
        return self._make(number) if number >= 0 else None

    def preview_batch(self, number: int, count: int) -> dict[str, np.ndarray]:
        """``count`` samples of each side that do not depend on the batches of training."""
        streams = [
            self._stream(side, augmentation, _PREVIEW_STREAM) for side, augmentation in enumerate(self._augmentations())
        ]
        return swap_batch_maker(streams[0], streams[1], count)(number)

    def preview_faces(self, count: int) -> dict[str, np.ndarray]:
        """Faces that a preview shows besides those of the batch; a swap model has none."""
        return {}

    def holdout_batches(self, size: int) -> list[dict[str, np.ndarray]]:
        """The held-out faces as they are: ``target_src``, ``target_srcm`` … in batches of at most ``size``."""
        sides = {}
        for side, folder in zip(_SIDES, self._folders()):
            held = self._samples(folder)[1]
            faces = [face for index in range(len(held)) if (face := self._held_store(folder).get(index)) is not None]
            sides[side] = faces
        count = min(len(faces) for faces in sides.values())
        batches = []
        for start in range(0, count, size):
            batch = {}
            for side, faces in sides.items():
                chosen = faces[start : min(start + size, count)]
                batch[f"target_{side}"] = np.stack([face.picture for face in chosen])
                batch[f"target_{side}m"] = np.stack([face.mask[..., None] for face in chosen])
            batches.append(batch)
        return batches

    def close(self) -> None:
        """End the threads and let other programs have the files."""
        self._close_loader()
        self._crops.close()

    def _close_loader(self):
        if self.loader is not None:
            self.loader.close()
            self.loader = None

    def _augmentations(self) -> tuple[Augmentation, Augmentation]:
        return swap_augmentations(self.options, self.largest_scale)

    def _stream(self, side, augmentation, stream=0):
        folder = self._folders()[side]
        samples = self._samples(folder)[0]
        face_type, resolution = FaceType.from_prompt_key(self.options["face_type"]), self.options["resolution"]
        key = (folder, face_type, resolution)
        if key not in self._stores:
            warn_about_smaller_types(samples, face_type, str(folder))
            layout = swap_layout(face_type, resolution, self.with_eyes_mouth)
            self._stores[key] = swap_face_store(
                samples,
                face_type,
                resolution,
                self._budget,
                self.with_eyes_mouth,
                self.settings.draw_landmarks,
                self._crops.open(folder, layout, len(samples), self._budget.free),
            )
        yaws = self._yaws_of(folder, samples) if self.options.get("uniform_yaw") else None
        partners = None
        if augmentation.ct_mode != "none":
            other = self._folders()[1]
            partner_key = (other, "plain", resolution)
            if partner_key not in self._stores:
                samples, layout = self._samples(other)[0], picture_layout("plain", resolution)
                crops = self._crops.open(other, layout, len(samples), self._budget.free)
                self._stores[partner_key] = plain_picture_store(samples, resolution, self._budget, crops)
            partners = self._stores[partner_key]
        return SwapSampleStream(self._stores[key], augmentation, (self.settings.seed, side + stream), yaws, partners)

    def _held_store(self, folder):
        face_type, resolution = FaceType.from_prompt_key(self.options["face_type"]), self.options["resolution"]
        key = (folder, face_type, resolution, "held")
        if key not in self._stores:
            self._stores[key] = swap_face_store(
                self._samples(folder)[1], face_type, resolution, self._budget, self.with_eyes_mouth
            )
        return self._stores[key]

    def _folders(self):
        if self.options.get("pretrain"):
            return (self.settings.pretraining_dir, self.settings.pretraining_dir)
        return (self.settings.source_dir, self.settings.destination_dir)

    def _samples(self, folder):
        """Training and held-out faces of a folder, read once."""
        if folder not in self._facesets:
            self._facesets[folder] = split_holdout(load_training_faceset(folder), self.settings.holdout, folder)
        return self._facesets[folder]

    def _yaws_of(self, folder, samples):
        if folder not in self._yaws:
            self._yaws[folder] = yaws_of(samples)
        return self._yaws[folder]


def load_training_faceset(folder: Path) -> list[Sample]:
    """Faces of a folder that training can use: those with ``mark_only`` alignment are left out.

    Raises
    ------
    NothingToDo
        When there is none.
    """
    interact.info(f"Loading faces from {folder}")
    samples = without_marked_frames(load_faceset(folder, allow_empty=True), folder)
    if not samples:
        raise NothingToDo(f"No training data provided: {folder} holds no extracted faces. Extract faces into it first.")
    interact.info(f"{counted(len(samples), 'face')}.")
    types = (sample.training_metadata.face_type for sample in samples)
    mention_mixed_types(types, str(folder), "Each is brought to the model's own type.")
    return samples


def without_marked_frames(samples: list[Sample], folder: Path) -> list[Sample]:
    """The samples that are cut out faces; how many are whole frames (``mark_only``) is said."""
    faces = [sample for sample in samples if sample.training_metadata.face_type != "mark_only"]
    if len(faces) < len(samples):
        interact.warning(
            f"{folder}: {counted(len(samples) - len(faces), 'picture', 'are')} left out, being of type mark_only."
        )
    return faces


def split_holdout(samples: list[Sample], count: int, folder: Path) -> tuple[list[Sample], list[Sample]]:
    """Training and held-out faces: every k-th face in the order of names is held out."""
    if not count:
        return samples, []
    if count >= len(samples):
        raise UsageError(f"--holdout {count}: {folder} has only {counted(len(samples), 'face')}.")
    held = {int((number + 0.5) * len(samples) / count) for number in range(count)}
    return [s for i, s in enumerate(samples) if i not in held], [samples[i] for i in sorted(held)]
