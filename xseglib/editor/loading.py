"""Background threads of the editor: what the files are, and pictures near the current one."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtGui import QImage

from core.errors import FormatError, UserError
from core.files.imageio import read_bgr
from core.files.picture_limits import FACE_MEGAPIXELS
from core.parallel import cpu_count, ordered_map
from samplelib.faces.aligned_face import FaceMetadata, read_metadata
from xseglib.image_list import read_info

_REPORT_SECONDS = 0.05


class Scanner(QObject):
    """Looks into all files, in order, and reports what they are.

    Signals
    -------
    found : list of (Path, FaceInfo)
    finished
    """

    found = pyqtSignal(list)
    finished = pyqtSignal()

    def __init__(self, files: list[Path], read: Callable = read_info):
        super().__init__()
        self._files, self._read, self._stop = files, read, threading.Event()
        self._thread = threading.Thread(target=self._run, name="editor_scan", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End early and wait for it."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self):
        news, reported = [], 0.0
        for outcome in ordered_map(self._read, self._files, min(cpu_count(), 8)):
            if self._stop.is_set():
                return
            if outcome.error is None:
                news.append((outcome.item, outcome.value))
            if time.monotonic() - reported > _REPORT_SECONDS:
                self.found.emit(news)
                news, reported = [], time.monotonic()
        self.found.emit(news)
        self.finished.emit()


@dataclass(frozen=True)
class OpenFace:
    """The face that is edited.

    Parameters
    ----------
    path : Path
    metadata : FaceMetadata
        As read when it was opened.
    picture : QImage
    mask : QImage or None
        Applied mask as grey picture of the same size.
    overlay : QImage or None
        Picture at half brightness outside the applied mask.
    applied : numpy.ndarray or None
        Applied mask at the size of the picture, (H, W) float32.
    """

    path: Path
    metadata: FaceMetadata
    picture: QImage
    mask: QImage | None
    overlay: QImage | None
    applied: np.ndarray | None


class PictureStore(QObject):
    """Decoded pictures of the files near the current one; the others are forgotten.

    Signals
    -------
    loaded : Path
        A picture that was asked for by :meth:`keep` is there.
    """

    loaded = pyqtSignal(object)

    def __init__(self, workers: int = 2):
        super().__init__()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="editor_pictures")
        self._pictures: dict[Path, Future] = {}

    def keep(self, paths: Iterable[Path]) -> None:
        """Load these in the background unless they are there, and drop all others."""
        wanted = dict.fromkeys(paths)
        for path in [path for path in self._pictures if path not in wanted]:
            self._pictures.pop(path).cancel()
        for path in wanted:
            if path not in self._pictures:
                self._pictures[path] = self._pool.submit(read_bgr, path, FACE_MEGAPIXELS)
                self._pictures[path].add_done_callback(partial(self._tell, path=path))

    def ready(self, path: Path) -> np.ndarray | None:
        """Picture (H, W, 3) uint8 BGR if it is there already."""
        future = self._pictures.get(path)
        if future is None or not future.done() or future.cancelled() or future.exception() is not None:
            return None
        return future.result()

    def open(self, path: Path) -> OpenFace:
        """Read a face now. Its metadata is read again even when the picture was there.

        Raises
        ------
        UserError
            When it is no aligned face or cannot be read.
        """
        metadata = read_metadata(path)
        if metadata is None:
            raise UserError(f"{path}: is no aligned face any more.")
        if path not in self._pictures:
            self._pictures[path] = self._pool.submit(read_bgr, path, FACE_MEGAPIXELS)
        try:
            picture = self._pictures[path].result()
        except BaseException:
            self._pictures.pop(path, None)
            raise
        try:
            return make_open_face(path, metadata, picture)
        except FormatError as error:  # of its mask, which does not know where it comes from
            raise FormatError(path, error.problem) from None

    def forget(self, path: Path) -> None:
        """Drop a picture."""
        self._pictures.pop(path, None)

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _tell(self, future, path):
        if not future.cancelled() and future.exception() is None:
            try:
                self.loaded.emit(path)
            except RuntimeError:  # the window is gone
                return


def make_open_face(path: Path, metadata: FaceMetadata, picture: np.ndarray) -> OpenFace:
    """Pictures that the canvas shows, from a face (H, W, 3) uint8 BGR and its metadata."""
    mask = metadata.decode_xseg_mask()
    if mask is None:
        return OpenFace(path, metadata, to_qimage(picture), None, None, None)
    height, width = picture.shape[:2]
    applied = mask[:, :, 0]
    if applied.shape != (height, width):
        applied = cv2.resize(applied, (width, height), interpolation=cv2.INTER_CUBIC)
    values = picture.astype(np.float32) / 255
    inside = applied[:, :, None]
    overlay = 0.5 * values * (1 - inside) + values * inside
    return OpenFace(
        path,
        metadata,
        to_qimage(picture),
        to_qimage(_to_bytes(applied)),
        to_qimage(_to_bytes(overlay)),
        np.clip(applied, 0, 1),
    )


def to_qimage(picture: np.ndarray) -> QImage:
    """Qt picture, with its own memory, of a (H, W) grey or (H, W, 3) BGR uint8 array."""
    picture = np.ascontiguousarray(picture)
    height, width = picture.shape[:2]
    kind = QImage.Format_Grayscale8 if picture.ndim == 2 else QImage.Format_BGR888
    return QImage(cast(Any, picture.data), width, height, picture.strides[0], kind).copy()


def _to_bytes(values):
    return np.clip(values * 255, 0, 255).astype(np.uint8)
