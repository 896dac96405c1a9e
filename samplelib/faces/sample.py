"""One face of a faceset: its name and size at once, its picture and its metadata when they are asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from core.files.imageio import decode_image, to_bgr8
from core.files.picture_limits import FACE_MEGAPIXELS
from core.pickles.safe_pickle import printable
from samplelib.faces.aligned_face import FaceMetadata


@dataclass
class Sample:
    """One face of a faceset.

    Parameters
    ----------
    name : str
        File name, without folder.
    shape : tuple of int
        (height, width, 3).
    person_name : str or None
        Folder of the person in a packed faceset of several persons.
    path : Path
        The picture, or the packed faceset that holds it.
    read_bytes : callable
        Returns the JPEG.
    load_metadata : callable
        Returns everything that the picture knows about itself; called once, when first needed.
    load_training_metadata : callable, optional
        Returns the part that training needs (no ``source_*`` fields, no matrix) without touching the picture.
    """

    name: str
    shape: tuple[int, int, int]
    path: Path
    read_bytes: Callable[[], bytes] = field(repr=False)
    load_metadata: Callable[[], Any] = field(repr=False)
    load_training_metadata: Callable[[], FaceMetadata] | None = field(default=None, repr=False)
    person_name: str | None = None
    _metadata: FaceMetadata | None = field(default=None, repr=False)
    _training_metadata: FaceMetadata | None = field(default=None, repr=False)

    @property
    def metadata(self) -> FaceMetadata:
        """Everything that the picture knows about itself."""
        if self._metadata is None:
            self._metadata = self.load_metadata()
        return self._metadata

    @property
    def training_metadata(self) -> FaceMetadata:
        """Face type, landmarks, labels and mask: for a packed faceset far quicker than :attr:`metadata`."""
        if self._metadata is not None or self.load_training_metadata is None:
            return self.metadata
        if self._training_metadata is None:
            self._training_metadata = self.load_training_metadata()
        return self._training_metadata

    def read_bgr(self) -> np.ndarray:
        """The picture, (H, W, 3) uint8 BGR."""
        return to_bgr8(decode_image(self.read_bytes(), f"{self.path} ({printable(self.name)})", FACE_MEGAPIXELS))
