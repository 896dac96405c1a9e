"""Running the networks on prepared faces: the model in batches, two-pass, super resolution and XSeg."""

import contextlib
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import cv2
import numpy as np

from core.errors import UsageError
from merger import masks
from merger.compose import XSEG_SIZE, Prediction, PreparedFace, needs_prediction
from merger.settings.config import MergeConfig


class Networks(Protocol):
    """What a merge needs of the networks. All pictures are BGR float32, nominal range 0…1."""

    resolution: int

    def predict(self, faces: np.ndarray, morph: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(N, R, R, 3) → faces (N, R, R, 3), source masks and destination masks (N, R, R) or (N, R, R, 1)."""

    def xseg(self, images: np.ndarray) -> np.ndarray:
        """(N, 256, 256, 3) → (N, 256, 256) or (N, 256, 256, 1)."""

    def enhance(self, faces: np.ndarray) -> Sequence[np.ndarray]:
        """(N, R, R, 3) → N pictures (4R, 4R, 3)."""

    def restore(self, faces: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        """N pictures (S, S, 3) with their landmarks (68, 2) → N pictures of the same size."""


@dataclass
class LazyNetworks:
    """Networks that are built at their first use.

    Attributes
    ----------
    model
        Object with ``resolution`` and ``predict(faces, morph=…)``, for example of ``models.base.open_for_inference``.
    make_xseg, make_enhancer, make_restorer : callable
        Return objects with ``predict(images)``, ``enhance_merger(face)`` and ``restore(face, landmarks)``.
    device : str or None
        TensorFlow's name of the device on which they are built and called; None leaves the choice to TensorFlow.
    full_range : bool
        Give the enhancer −1…1 instead of 0…1.
    """

    model: Any
    make_xseg: Callable[[], object]
    make_enhancer: Callable[[], object]
    device: str | None = None
    full_range: bool = False
    make_restorer: Callable[[], object] | None = None
    _xseg: object = None
    _enhancer: object = None
    _restorer: object = None

    @property
    def resolution(self) -> int:
        return self.model.resolution

    def predict(self, faces: np.ndarray, morph: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        with on_device(self.device):
            return self.model.predict(faces, morph=morph)

    def xseg(self, images: np.ndarray) -> np.ndarray:
        with on_device(self.device):
            return self.load_xseg().predict(images)

    def enhance(self, faces: np.ndarray) -> Sequence[np.ndarray]:
        with on_device(self.device):
            return [self.load_enhancer().enhance_merger(face, full_range=self.full_range) for face in faces]

    def restore(self, faces: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        return [self.load_restorer().restore(*pair) for pair in zip(faces, landmarks, strict=True)]

    def load_xseg(self) -> Any:
        """The XSeg predictor, built now if it is not yet."""
        if self._xseg is None:
            with on_device(self.device):
                self._xseg = self.make_xseg()
        return self._xseg

    def load_enhancer(self) -> Any:
        """The face enhancer, built now if it is not yet."""
        if self._enhancer is None:
            with on_device(self.device):
                self._enhancer = self.make_enhancer()
        return self._enhancer

    def load_restorer(self) -> Any:
        """The face restorer, opened now if it is not yet."""
        if self._restorer is None:
            if self.make_restorer is None:
                raise UsageError(
                    "restore_power needs the name of a restorer: --restore-network NAME (main.py networks list)."
                )
            self._restorer = self.make_restorer()
        return self._restorer


def on_device(name: str | None) -> AbstractContextManager:
    """Context manager: networks are built and called on the device of that name; None leaves it to TensorFlow."""
    if name is None:
        return contextlib.nullcontext()
    import tensorflow as tf

    return tf.device(name)


class SpreadNetworks:
    """The same networks on several devices: every batch is cut into equal parts, which run at the same time.

    Parameters
    ----------
    members : sequence of LazyNetworks
        One per device, with equal weights.
    """

    def __init__(self, members: Sequence[LazyNetworks]):
        self.members = list(members)
        self.resolution = self.members[0].resolution
        self._pool = ThreadPoolExecutor(len(self.members), thread_name_prefix="device")

    def predict(self, faces: np.ndarray, morph: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        parts = self._spread(faces, lambda member, part: member.predict(part, morph))
        swapped, mask_prd, mask_dst = (np.concatenate(results) for results in zip(*parts, strict=True))
        return swapped, mask_prd, mask_dst

    def xseg(self, images: np.ndarray) -> np.ndarray:
        return np.concatenate(self._spread(images, lambda member, part: member.xseg(part)))

    def enhance(self, faces: np.ndarray) -> Sequence[np.ndarray]:
        return [picture for part in self._spread(faces, lambda member, part: member.enhance(part)) for picture in part]

    def restore(self, faces: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        # ONNX Runtime spreads the work of a restorer by itself, wherever the model runs.
        return self.members[0].restore(faces, landmarks)

    def load_xseg(self) -> Any:
        """The XSeg predictors, built now if they are not yet; returns the first one."""
        return [member.load_xseg() for member in self.members][0]

    def load_enhancer(self) -> Any:
        """The face enhancers, built now if they are not yet; returns the first one."""
        return [member.load_enhancer() for member in self.members][0]

    def load_restorer(self) -> Any:
        """The face restorer, opened now if it is not yet."""
        return self.members[0].load_restorer()

    def _spread(self, batch, call):
        """Results of the parts, in order; fails after all parts have ended if one of them failed."""
        count = min(len(self.members), len(batch))
        parts = np.array_split(np.asarray(batch), count)
        futures = [self._pool.submit(call, *pair) for pair in zip(self.members[:count], parts, strict=True)]
        wait(futures)
        return [future.result() for future in futures]


class SharedNetworks:
    """Networks for several threads: faces that wait at the same time go through in one batch, and results are kept.

    So a changed setting of the interactive merger only redoes the composition.

    Parameters
    ----------
    networks : Networks
    capacity : int
        Most results that are kept.
    """

    def __init__(self, networks: Networks, capacity: int = 64):
        self._networks, self._capacity = networks, capacity
        self._known: OrderedDict = OrderedDict()
        self._wanted: dict = {}
        self._guard, self._device = threading.Lock(), threading.Lock()
        self.resolution = networks.resolution

    def predict(self, faces: np.ndarray, morph: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        swapped, mask_prd, mask_dst = (
            np.stack(parts) for parts in zip(*self._ask("predict", faces, morph), strict=True)
        )
        return swapped, mask_prd, mask_dst

    def xseg(self, images: np.ndarray) -> np.ndarray:
        return np.stack(self._ask("xseg", images, None))

    def enhance(self, faces: np.ndarray) -> Sequence[np.ndarray]:
        return self._ask("enhance", faces, None)

    def restore(self, faces: Sequence[np.ndarray], landmarks: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
        results = []
        for face, points in zip(faces, landmarks, strict=True):
            digest = hashlib.blake2b(np.ascontiguousarray(face).data, digest_size=16)
            digest.update(np.ascontiguousarray(points, np.float64).data)
            key = ("restore", None, digest.digest())
            found: dict = {}
            with self._guard:
                self._recall(key, found)
            if key not in found:
                with self._device:
                    found[key] = self._networks.restore([face], [points])[0]
                self._keep(found)
            results.append(found[key])
        return results

    def _ask(self, kind, pictures, morph):
        keys = [
            (kind, morph, hashlib.blake2b(np.ascontiguousarray(item).data, digest_size=16).digest())
            for item in pictures
        ]
        found = {}
        with self._guard:
            for key, picture in zip(keys, pictures, strict=True):
                if not self._recall(key, found):
                    self._wanted[key] = picture
        if len(found) < len(set(keys)):
            with self._device:
                own = dict(zip(keys, pictures, strict=True))
                with self._guard:
                    asked = {key: own[key] for key in keys if not self._recall(key, found)}
                    asked.update((key, item) for key, item in self._wanted.items() if key[:2] == (kind, morph))
                    for key in asked:
                        self._wanted.pop(key, None)
                if asked:
                    results = self._run_together(kind, asked, {key: own[key] for key in asked if key in own}, morph)
                    self._keep(results)
                    found.update((key, results[key]) for key in keys if key in results)
        return [found[key] for key in keys]

    def _recall(self, key, found):
        if key in self._known:
            self._known.move_to_end(key)
            found[key] = self._known[key]
        return key in found

    def _run_together(self, kind, asked, own, morph):
        """Results of all that was asked; if that fails, only of what this thread asked, so that others can go on."""
        try:
            return dict(zip(asked, self._run(kind, np.stack(list(asked.values())), morph), strict=True))
        except Exception:
            if len(own) == len(asked):
                raise
            return dict(zip(own, self._run(kind, np.stack(list(own.values())), morph), strict=True)) if own else {}

    def _run(self, kind, batch, morph):
        if kind == "predict":
            return list(zip(*self._networks.predict(batch, morph), strict=True))
        if kind == "xseg":
            return list(self._networks.xseg(batch))
        return list(self._networks.enhance(batch))

    def _keep(self, results):
        with self._guard:
            self._known.update(results)
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)


def predict_faces(
    faces: list[PreparedFace], configs: list[MergeConfig], networks: Networks, batch_size: int = 8
) -> list[Prediction]:
    """Everything the networks have to say about some faces.

    Parameters
    ----------
    faces : list of PreparedFace
        Any number, also of several frames.
    configs : list of MergeConfig
        The settings of each face.
    networks : Networks
    batch_size : int
        Most faces in one call of a network.
    """
    predictions = [Prediction() for _ in faces]
    asked = [index for index, config in enumerate(configs) if needs_prediction(config)]
    for morph in sorted({_morph(configs[index]) for index in asked}):
        group = [index for index in asked if _morph(configs[index]) == morph]
        _run_model(group, [faces[index].network_input for index in group], predictions, networks, morph, batch_size)
    again = [index for index in asked if configs[index].two_pass_mode]
    if again:
        second = list(predictions)
        _run_model(again, [predictions[index].face for index in again], second, networks, 1.0, batch_size)
        for index in again:
            kept = predictions[index] if configs[index].two_pass_mode == 1 else second[index]
            predictions[index] = replace(kept, face=second[index].face)
    enlarged = [index for index in asked if configs[index].super_resolution_power]
    for start in range(0, len(enlarged), batch_size):
        _enlarge(enlarged[start : start + batch_size], faces, configs, predictions, networks)
    for index in asked:
        if configs[index].restore_power:
            predictions[index] = _restored(faces[index], configs[index], predictions[index], networks)
    _run_xseg(faces, configs, predictions, networks, batch_size)
    return predictions


def _morph(config):
    return config.morph_power / 100.0 if config.is_morphable else 1.0


def _run_model(indices, inputs, predictions, networks, morph, batch_size):
    """Put face and learned masks of ``inputs`` into ``predictions`` at ``indices``."""
    for start in range(0, len(indices), batch_size):
        batch = np.stack(inputs[start : start + batch_size])
        face, learned_prd, learned_dst = (np.asarray(result, np.float32) for result in networks.predict(batch, morph))
        for row, index in enumerate(indices[start : start + batch_size]):
            predictions[index] = Prediction(
                np.clip(face[row], 0.0, 1.0), _as_mask(learned_prd[row]), _as_mask(learned_dst[row])
            )


def _as_mask(values):
    return np.clip(values.reshape(values.shape[:2]), 0.0, 1.0)


def _enlarge(indices, faces, configs, predictions, networks):
    """Mix in the super resolution and bring everything to the size of the face."""
    pictures = networks.enhance(np.stack([predictions[index].face for index in indices]))
    for index, enhanced in zip(indices, pictures, strict=True):
        prediction, size = predictions[index], (faces[index].size,) * 2
        share = np.float32(configs[index].super_resolution_power / 100.0)
        mixed = cv2.resize(prediction.face, size) * (1 - share) + np.asarray(enhanced, np.float32) * share
        predictions[index] = Prediction(
            np.clip(mixed, 0.0, 1.0),
            cv2.resize(prediction.learned_prd, size, interpolation=cv2.INTER_CUBIC),
            cv2.resize(prediction.learned_dst, size, interpolation=cv2.INTER_CUBIC),
        )


def _restored(face, config, prediction, networks):
    """The prediction with a share of what the restorer makes of its face."""
    [picture] = networks.restore([prediction.face], [face.landmarks])
    share = np.float32(config.restore_power / 100.0)
    return replace(prediction, face=prediction.face * (1 - share) + np.asarray(picture, np.float32) * share)


def _run_xseg(faces, configs, predictions, networks, batch_size):
    jobs = []
    for index, (face, config) in enumerate(zip(faces, configs, strict=True)):
        parts = masks.needed_parts(config.mask_mode)
        if "xseg_prd" in parts:
            jobs.append((index, "xseg_prd", _xseg_sized(predictions[index].face)))
        if "xseg_dst" in parts:
            jobs.append((index, "xseg_dst", face.xseg_input))
    for start in range(0, len(jobs), batch_size):
        batch = jobs[start : start + batch_size]
        results = np.asarray(networks.xseg(np.stack([job[2] for job in batch])), np.float32)
        for (index, name, _), mask in zip(batch, results, strict=True):
            mask = mask.reshape(XSEG_SIZE, XSEG_SIZE)
            size = faces[index].size
            if size != XSEG_SIZE:
                mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_CUBIC)
            predictions[index] = replace(predictions[index], **{name: mask})


def _xseg_sized(face):
    if face.shape[0] == XSEG_SIZE:
        return face
    return cv2.resize(face, (XSEG_SIZE, XSEG_SIZE), interpolation=cv2.INTER_CUBIC)
