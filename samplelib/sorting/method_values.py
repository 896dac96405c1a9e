"""What every sorting method takes beside the pictures, and what it gives."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class SortOptions:
    """What some methods can be told.

    Parameters
    ----------
    target_count : int
        Number of faces for the best faces.
    exact_count : bool
        Keep exactly that many instead of about.
    similar : bool
        For ``absdiff``: the most similar picture follows, or the most different one.
    trash_multiple : bool
        For ``oneface``: move the faces of frames with several faces to trash, as DeepFaceLab does, instead of
        ordering by the number of faces in the frame.
    identity : Path, optional
        For ``identity``: a picture of the one person to keep.
    threshold : float, optional
        For ``identity`` the least likeness, for ``duplicates`` the most differing bits of 256, for
        ``landmarks-error`` the largest error that stays.
    embedding_model : Path, optional
        For ``identity``: ONNX file of a face recognition network.
    recognition : str, optional
        For ``identity``: name of a registered recognition network.
    """

    target_count: int = 2000
    exact_count: bool = False
    similar: bool = True
    trash_multiple: bool = False
    identity: Path | None = None
    threshold: float | None = None
    embedding_model: Path | None = None
    recognition: str | None = None


@dataclass
class Sorted:
    """Pictures to keep in their new order, and pictures to throw out. Files in neither stay as they are."""

    order: list[Path] = field(default_factory=list)
    trash: list[Path] = field(default_factory=list)
