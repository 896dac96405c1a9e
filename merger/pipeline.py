"""Merging many frames: read, predict, compose and write overlap, in order, with a bounded number of frames in memory."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import DiskError
from core.files.imageio import read_bgr
from core.parallel import ordered_map
from merger import compose, smoothing
from merger.compose import Prediction, PreparedFace
from merger.frames import Frame
from merger.predictor import Networks, predict_faces
from merger.settings.config import MergeConfig
from merger.smoothing import ColoredFace


@dataclass(frozen=True)
class Job:
    """A frame to merge: ``image`` (H, W, 3) uint8 if it is in memory already, else it is read from ``frame.path``.

    A ``context`` job only lends its colours to its neighbours; nothing is written for it.
    """

    frame: Frame
    config: MergeConfig
    image: np.ndarray | None = None
    context: bool = False


@dataclass(frozen=True)
class Merged:
    """What became of a job.

    Attributes
    ----------
    job : Job
    written
        What the ``write`` function returned.
    error : Exception or None
        Why the frame could not be merged; it was then copied, unless ``lost``.
    lost : bool
        Nothing was written, because the frame cannot be read or its results not be written.
    """

    job: Job
    written: Any = None
    error: Exception | None = None
    lost: bool = False


@dataclass(frozen=True)
class _Work:
    """A job on its way through the stages."""

    job: Job
    image: np.ndarray | None = None
    faces: tuple[PreparedFace, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    error: Exception | None = None


def merge_frames(
    jobs: Iterable[Job],
    networks: Networks,
    write: Callable[[Job, np.ndarray, np.ndarray], object],
    workers: int = 1,
    batch_size: int = 8,
    steady_colors: bool = False,
) -> Iterator[Merged]:
    """Merge frames and write them, in order.

    Parameters
    ----------
    jobs : iterable of Job
        Read lazily.
    networks : Networks
        Called from the caller's thread only.
    write : callable
        Gets job, merged frame (H, W, 3) uint8 and mask (H, W) uint8; called from several threads.
    workers : int
        Threads for reading and cutting, and as many for composing and writing.
    batch_size : int
        Most faces in one call of a network.
    steady_colors : bool
        Filter the colours that colour transfer aims at along each face track; see :mod:`merger.smoothing`.

    Yields
    ------
    Merged
        For every job, in order. A frame that fails is tried once more, then copied.
    """

    def prepare(job):
        return _prepare_once(job, networks.resolution)

    prepared = ordered_map(prepare, jobs, workers, ahead=batch_size)
    predicted = _predict_batches(prepared, networks, batch_size)
    if steady_colors:
        predicted = _steady(predicted)

    def finish(work):
        return _finish(work, networks, write)

    for outcome in ordered_map(finish, predicted, workers, ahead=batch_size):
        yield outcome.value if outcome.error is None else Merged(outcome.item.job, error=outcome.error, lost=True)


def merge_image(
    job: Job,
    networks: Networks,
    neighbours: Callable[[list[ColoredFace]], list[np.ndarray]] | None = None,
    batch_size: int = 8,
) -> tuple[np.ndarray, np.ndarray]:
    """Merge one frame in the calling thread.

    Parameters
    ----------
    job : Job
    networks : Networks
    neighbours : callable, optional
        Gets the coloured faces of this frame, returns the statistics that colour transfer shall aim at instead.
    batch_size : int

    Returns
    -------
    tuple of numpy.ndarray
        Frame (H, W, 3) and mask (H, W), uint8.
    """
    work = _predicted(job, networks, batch_size)
    if work.error is not None:
        raise work.error
    if neighbours is not None:
        (work, statistics), colored = _with_colors(work)
        work = _steadied(work, statistics, neighbours(colored))
    return _compose(work, networks.resolution)


def frame_colors(job: Job, networks: Networks, batch_size: int = 8) -> list[ColoredFace]:
    """Faces of one frame with the statistics of their colours; none for a frame that fails."""
    try:
        return _with_colors(_predicted(job, networks, batch_size))[1]
    except Exception:
        return []


def _predicted(job, networks, batch_size):
    work = _prepare_once(job, networks.resolution)
    predictions = predict_faces(list(work.faces), [job.config] * len(work.faces), networks, batch_size)
    return replace(work, predictions=tuple(predictions))


def _steadied(work, statistics, filtered):
    faces = tuple(smoothing.steadied(*parts) for parts in zip(work.faces, statistics, filtered, strict=True))
    return replace(work, faces=faces)


def copy_frame(image: np.ndarray, config: MergeConfig, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Result of a frame without faces: the frame with an empty mask, or a black square in mode raw-predict."""
    if config.mode == "raw-predict":
        size = resolution * (compose.MASK_ENLARGEMENT if config.super_resolution_power else 1)
        return np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8)
    return image, np.zeros(image.shape[:2], np.uint8)


def _predict_batches(prepared, networks, batch_size):
    """Take the results of reading, and yield work with predictions; faces of several frames share a batch."""
    waiting, count = [], 0
    for outcome in prepared:
        work = _Work(outcome.item, error=outcome.error) if outcome.error is not None else outcome.value
        waiting.append(work)
        count += len(work.faces)
        if count >= batch_size or len(waiting) >= 2 * batch_size:
            yield from _predict_together(waiting, networks, batch_size)
            waiting, count = [], 0
    yield from _predict_together(waiting, networks, batch_size)


def _steady(works):
    """Filter the target colours of faces over neighbouring frames."""
    for (work, statistics), filtered in smoothing.smooth_colors(map(_with_colors, works)):
        yield _steadied(work, statistics, filtered)


def _with_colors(work):
    """((work, statistics), coloured faces) of a frame; a frame that failed has none."""
    if work.error is not None or work.image is None:
        return (replace(work, faces=()), []), []
    pairs = list(zip(work.faces, work.predictions, strict=True))
    statistics = [smoothing.color_statistics(face, prediction, work.job.config) for face, prediction in pairs]
    landmarks = work.job.frame.faces
    return (work, statistics), [smoothing.ColoredFace(*parts) for parts in zip(landmarks, statistics, strict=True)]


def _predict_together(works, networks, batch_size):
    """Predict for all works in common batches; if that fails, for each alone, so that only the bad one is lost."""
    faces = [(face, work.job.config) for work in works for face in work.faces]
    if not faces:
        return works
    try:
        predictions = iter(predict_faces(*map(list, zip(*faces, strict=True)), networks, batch_size))
        return [_Work(w.job, w.image, w.faces, tuple(next(predictions) for _ in w.faces), w.error) for w in works]
    except Exception:
        return [_predict_alone(work, networks, batch_size) for work in works]


def _predict_alone(work, networks, batch_size):
    try:
        configs = [work.job.config] * len(work.faces)
        predictions = predict_faces(list(work.faces), configs, networks, batch_size)
        return _Work(work.job, work.image, work.faces, tuple(predictions), work.error)
    except Exception as error:
        return _Work(work.job, work.image, error=error)


def _prepare_once(job, resolution):
    image = read_bgr(job.frame.path) if job.image is None else job.image
    try:
        faces = tuple(compose.prepare_face(image, points, job.config, resolution) for points in job.frame.faces)
    except Exception as error:
        return _Work(job, image, error=error)
    return _Work(job, image, faces)


def _compose(work, resolution):
    if not work.faces:
        return copy_frame(work.image, work.job.config, resolution)
    faces = list(zip(work.faces, work.predictions, strict=True))
    return compose.compose_frame(work.image, faces, work.job.config, work.job.frame.motion)


def _finish(work, networks, write):
    """Compose and write; a frame that fails twice is copied."""
    if work.job.context:
        return Merged(work.job)
    if work.image is None:
        return Merged(work.job, error=work.error, lost=True)
    error = work.error
    if error is None:
        for _ in range(2):
            try:
                return Merged(work.job, write(work.job, *_compose(work, networks.resolution)))
            except DiskError:
                raise
            except Exception as failure:
                error = failure
    try:
        written = write(work.job, *copy_frame(work.image, work.job.config, networks.resolution))
    except DiskError:
        raise
    except Exception as failure:
        return Merged(work.job, error=failure, lost=True)
    return Merged(work.job, written, error)
