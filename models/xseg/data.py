"""What a training run feeds XSeg with: labelled faces of both sides, or grey faces in pretraining."""

from pathlib import Path
from typing import cast

import numpy as np

from core.console import interact
from core.errors import NothingToDo
from core.random_streams import generator
from facelib.face_type import FaceType
from models.training.training_data import DataSettings, without_marked_frames
from samplelib.faces.faceset_types import mention_mixed_types
from samplelib.faces.label_checks import excludes_text, only_excludes
from samplelib.faces.sample import Sample
from samplelib.faceset import load_faceset
from samplelib.training.crop_file import CropFile, CropFiles
from samplelib.training.face_store import CacheBudget, FaceStore, picture_layout
from samplelib.training.samplers import BatchLoader
from samplelib.training.shuffled_order import ShuffledOrder
from samplelib.training.xseg_samples import (
    RESOLUTION,
    has_polygons,
    labelled_sample,
    prepare_labelled,
    prepare_plain,
    pretraining_sample,
)

_FIRST_ORDER, _SECOND_ORDER, _PICTURE, _WARP, _OTHER, _REPLACEMENT = range(6)


class XSegData:
    """Batches of XSeg; the same methods as :class:`models.training.training_data.SwapData`.

    Parameters
    ----------
    options : dict
        Effective options.
    settings : DataSettings
    first_iteration : int
    """

    def __init__(self, options: dict, settings: DataSettings, first_iteration: int = 0):
        self.settings = settings
        self.face_type = FaceType.from_prompt_key(options["face_type"])
        self._budget = CacheBudget(settings.cache_bytes)
        self._crops = CropFiles(settings.sample_store)
        self._plain: dict[str, FaceStore] = {}
        self._preview_draws = 0
        self.loader: BatchLoader | None = None
        self.restart(options, first_iteration)

    def restart(self, options: dict, first_iteration: int) -> None:
        """Make batches for other options from now on."""
        self._close_loader()
        self.options, self.batch_size, self.pretraining = options, options["batch_size"], bool(options.get("pretrain"))
        if self.pretraining:
            folder = cast(Path, self.settings.pretraining_dir)
            samples, layout = _faces(folder), picture_layout(f"xseg_{self.face_type.text}", RESOLUTION)
            crops = self._crops.open(folder, layout, len(samples), self._budget.free)
            self._store = self._plain_store(samples, crops)
        else:
            self._load_labelled()
        self._orders = [
            ShuffledOrder(len(self._store), (self.settings.seed, number)) for number in (_FIRST_ORDER, _SECOND_ORDER)
        ]
        self.loader = BatchLoader(self._make, first_iteration, self.settings.workers)

    def next(self) -> dict[str, np.ndarray]:
        """``image`` (N, 256, 256, 3) and ``mask`` (N, 256, 256, 1), uint8; in pretraining ``mask`` is the grey face."""
        return cast(BatchLoader, self.loader).next()

    def batch_before(self, iteration: int) -> dict[str, np.ndarray] | None:
        """The batch that the iteration before the given one has taken, made again."""
        return self._make(iteration - 1) if iteration else None

    def preview_batch(self, number: int, count: int) -> dict[str, np.ndarray]:
        """Training samples, with ``src`` and ``dst`` faces, for a preview."""
        return {
            **_stack([self._sample(number * count + offset) for offset in range(count)]),
            **self.preview_faces(count),
        }

    def preview_faces(self, count: int) -> dict[str, np.ndarray]:
        """``src`` and ``dst``: unchanged faces (n, 256, 256, 3) uint8 for a preview; empty in pretraining."""
        if self.pretraining:
            return {}
        self._preview_draws += 1
        return {side: self._draw_plain(side, count) for side in ("src", "dst")}

    def holdout_batches(self, size: int) -> list:
        """XSeg holds no faces out."""
        return []

    def close(self) -> None:
        """End the threads and let other programs have the files."""
        self._close_loader()
        self._crops.close()

    def _close_loader(self):
        if self.loader is not None:
            self.loader.close()
            self.loader = None

    def _load_labelled(self):
        sides = {"src": self.settings.source_dir, "dst": self.settings.destination_dir}
        faces = {side: _faces(folder) for side, folder in sides.items()}
        self._plain = {side: self._plain_store(samples) for side, samples in faces.items()}
        samples = faces["src"] + faces["dst"]
        chosen = [sample for sample in samples if has_polygons(sample)]
        from_polygons = bool(chosen)
        if from_polygons:
            interact.info(f"Using {len(chosen)} segmented samples.")
            empty = [sample.name for sample in chosen if only_excludes(sample.training_metadata.polygons)]
            if empty:
                interact.warning(f"{excludes_text(empty)}.")
        else:
            chosen = [sample for sample in samples if sample.training_metadata.xseg_mask is not None]
            if not chosen:
                folders = " and ".join(map(str, sides.values()))
                raise NothingToDo(
                    f"{folders}: No segmented faces found. Label some faces with the mask editor (xseg editor), or apply masks first."
                )
            interact.info(f"Using {len(chosen)} xseg labeled samples.")
        self._store = FaceStore(
            chosen, lambda sample: prepare_labelled(sample, self.face_type, from_polygons), self._budget
        )

    def _plain_store(self, samples: list[Sample], crops: CropFile | None = None):
        return FaceStore(samples, lambda sample: prepare_plain(sample, self.face_type), self._budget, crops)

    def _draw_plain(self, side, count):
        store = self._plain[side]
        if not len(store):
            return np.zeros((0, RESOLUTION, RESOLUTION, 3), np.uint8)
        seed = (self.settings.seed, _OTHER, self._preview_draws, side == "dst")
        random = generator(*seed)
        return np.stack([store.get_any(int(random.integers(len(store))), seed)[1] for _ in range(count)])

    def _make(self, number):
        return _stack([self._sample(number * self.batch_size + offset) for offset in range(self.batch_size)])

    def _sample(self, place):
        seed = self.settings.seed
        random, warp_random = generator(seed, _PICTURE, place), generator(seed, _WARP, place)
        replacement = (seed, _REPLACEMENT, place)
        _, face = self._store.get_any(self._orders[0].index_at(place), replacement)
        if self.pretraining:
            return pretraining_sample(face, random, warp_random)
        pasted = None
        if random.uniform() < 0.5:
            _, pasted = self._store.get_any(self._orders[1].index_at(place), replacement)
        return labelled_sample(face, random, warp_random, pasted)


def _stack(samples):
    images, masks = zip(*samples)
    return {"image": np.stack(images), "mask": np.stack(masks)}


def _faces(folder):
    faces = without_marked_frames(load_faceset(folder, allow_empty=True), folder)
    types = (sample.training_metadata.face_type for sample in faces)
    mention_mixed_types(types, str(folder), "Each is brought to the model's own type.")
    return faces
