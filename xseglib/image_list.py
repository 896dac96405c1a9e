"""The faces that the editor walks through: which files are faces, which have labels, where the user is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from core.errors import UserError
from core.files.paths import move_to_trash
from samplelib.faces.aligned_face import SegPolygon, read_metadata
from samplelib.faces.label_checks import only_excludes

ACCELERATED_STEP = 5


@dataclass(frozen=True)
class FaceInfo:
    """What the list knows of a file.

    Parameters
    ----------
    is_face : bool
        It is an aligned face that can be opened.
    is_labelled : bool
        It has at least one polygon.
    problem : str
        Why it cannot be opened; empty for a picture that simply is no aligned face.
    only_excludes : bool
        It has polygons, and none of them includes anything.
    """

    is_face: bool
    is_labelled: bool = False
    problem: str = ""
    only_excludes: bool = False


def read_info(path: Path) -> FaceInfo:
    """Look into the header of a file."""
    try:
        metadata = read_metadata(path)
    except UserError as error:
        return FaceInfo(False, problem=str(error))
    if metadata is None:
        return FaceInfo(False)
    return info_of_labels(metadata.polygons)


def info_of_labels(polygons: Sequence[SegPolygon]) -> FaceInfo:
    """What the list knows of a face with these labels."""
    return FaceInfo(True, bool(polygons), only_excludes=only_excludes(polygons))


class ImageList:
    """Files in order with a current one. What is not known yet about a file is read when it is needed.

    Parameters
    ----------
    files : sequence of Path
    read : callable
        Makes the :class:`FaceInfo` of a path.
    """

    def __init__(self, files: Sequence[Path], read: Callable[[Path], FaceInfo] = read_info):
        self.files = list(files)
        self._read = read
        self._infos: dict = {}
        self._labelled: set[Path] = set()
        self._not_faces: set[Path] = set()
        self._dropped: set[Path] = set()
        self.index: Any = None

    @property
    def current(self) -> Path | None:
        """The file that is open."""
        return None if self.index is None else self.files[self.index]

    @property
    def labelled_count(self) -> int:
        """Number of files known to have labels."""
        return len(self._labelled)

    @property
    def position(self) -> tuple[int, int]:
        """(i, N): place of the current face among the faces, and their number; files not looked at yet count."""
        place = 0 if self.index is None else self.index + 1
        if self._not_faces:
            place -= sum(path in self._not_faces for path in self.files[:place])
        return place, len(self.files) - len(self._not_faces)

    def is_known(self, path: Path) -> bool:
        """Whether the file was looked at."""
        return path in self._infos

    def info(self, path: Path) -> FaceInfo:
        """What is known of a file; looks into it if need be."""
        if path not in self._infos:
            self.note(path, self._read(path))
        return self._infos[path]

    def note(self, path: Path, info: FaceInfo) -> None:
        """Remember what was found out elsewhere, unless the file was dropped meanwhile."""
        if path in self._dropped:
            return
        self._infos[path] = info
        for members, belongs in ((self._labelled, info.is_labelled), (self._not_faces, not info.is_face)):
            (members.add if belongs else members.discard)(path)

    def first(self) -> bool:
        """Go to the first face; False when there is none."""
        return self._go(self._ahead(-1, 1, 1, False))

    def step(self, direction: int, count: int = 1, labelled_only: bool = False) -> bool:
        """Go ``count`` faces on (1) or back (−1), not beyond the last face in that direction.

        With ``labelled_only`` faces without labels are passed over; without one ahead the place stays.

        Returns
        -------
        bool
            Whether the place changed.
        """
        if self.index is None:
            return False
        return self._go(self._ahead(self.index, direction, count, labelled_only))

    def around(self, reach: int) -> tuple[list[Path], list[Path]]:
        """Up to ``reach`` faces before the current one, nearest first, and as many behind it."""
        if self.index is None:
            return [], []
        before, behind = ([self.files[i] for i in self._faces(self.index, way, reach)] for way in (-1, 1))
        return before, behind

    def drop_current(self) -> bool:
        """Take the current file out of the list; the next face, else the one before, becomes current."""
        following, before = self._ahead(self.index, 1, 1, False), self._ahead(self.index, -1, 1, False)
        path = self.files.pop(self.index)
        self._dropped.add(path)
        self._infos.pop(path, None)
        self._labelled.discard(path)
        self._not_faces.discard(path)
        self.index = following - 1 if following is not None else before
        return self.index is not None

    def trash_current(self) -> Path:
        """Move the current file to the sibling folder ``<folder>_trash``, under a free name; returns its new place."""
        path = cast(Path, self.current)
        try:
            place = move_to_trash([path], path.parent.with_name(path.parent.name + "_trash"))[0]
        except OSError as error:
            raise UserError(f"{path}: cannot be moved to the trash folder ({error.strerror or error}).") from None
        self.drop_current()
        return place

    def _go(self, index):
        if index is None or index == self.index:
            return False
        self.index = index
        return True

    def _ahead(self, start, direction, count, labelled_only):
        """Index of the count-th suitable face from ``start``, or the last one before the end; None without any."""
        found = self._faces(start, direction, count, labelled_only)
        return found[-1] if found else None

    def _faces(self, start, direction, count, labelled_only=False):
        found, index = [], start + direction
        while 0 <= index < len(self.files) and len(found) < count:
            info = self.info(self.files[index])
            if info.is_face and (info.is_labelled or not labelled_only):
                found.append(index)
            index += direction
        return found
