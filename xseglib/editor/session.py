"""One session of the editor without its window: open, save, step and trash faces."""

from collections.abc import Sequence
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal

from core.errors import UserError
from samplelib.faces.aligned_face import read_metadata, write_metadata
from xseglib.editor.loading import OpenFace, PictureStore
from xseglib.editor.texts import text
from xseglib.folders import require_writable
from xseglib.image_list import ACCELERATED_STEP, FaceInfo, ImageList, info_of_labels
from xseglib.labels import labels_differ

PRELOAD_REACH = 5


class Session(QObject):
    """The faces of a folder, one of them open.

    Signals
    -------
    message : str
        Something that the user should know.
    """

    message = pyqtSignal(str)

    def __init__(self, files: Sequence[Path]):
        super().__init__()
        self.images = ImageList(files)
        self.pictures = PictureStore()
        self.face: OpenFace | None = None

    def open_first(self) -> None:
        """Open the first face there is."""
        if self.images.first():
            self._open(1)

    def save(self, polygons: Sequence) -> None:
        """Store the labels of the open face, if they differ from those that it was opened with.

        Everything else in the file stays, also what other programs have changed in it meanwhile.

        Raises
        ------
        UserError
            When they cannot be written. The file is untouched then.
        """
        if self.face is None or not labels_differ(self.face.metadata.polygons, polygons):
            return
        path = self.face.path
        if not path.exists():
            self.message.emit(text("gone").format(path.name))
            self.images.note(path, FaceInfo(False))
            return
        require_writable(path)
        metadata = read_metadata(path)
        if metadata is None:
            raise UserError(f"{path}: is no aligned face any more.")
        if labels_differ(metadata.polygons, polygons):
            metadata = metadata.replace(polygons=tuple(polygons))
            write_metadata(path, metadata)
        self.images.note(path, info_of_labels(polygons))
        self.face = OpenFace(path, metadata, self.face.picture, self.face.mask, self.face.overlay, self.face.applied)

    def step(self, direction: int, modifiers: frozenset) -> bool:
        """Go on (1) or back (−1): with exactly Shift by five, with exactly Ctrl to the next labelled face.

        Returns whether another face was opened.
        """
        count = ACCELERATED_STEP if modifiers == {"shift"} else 1
        if not self.images.step(direction, count, labelled_only=modifiers == {"ctrl"}):
            return False
        self._open(direction)
        return True

    def trash(self) -> None:
        """Move the open face to the trash folder and open the next one, at the end the one before."""
        if self.face is not None:
            self.images.trash_current()
            self.pictures.forget(self.face.path)
            self._open(1)

    def neighbours(self, reach: int) -> dict[int, Path]:
        """Paths by place: 0 the open face, −1 the one before, 1 the next."""
        if self.face is None:
            return {}
        before, after = self.images.around(reach)
        places = {0: self.face.path}
        places.update({-1 - index: path for index, path in enumerate(before)})
        places.update({1 + index: path for index, path in enumerate(after)})
        return places

    def close(self) -> None:
        """End the background work."""
        self.pictures.close()

    def _open(self, direction):
        """Open the current file. One that cannot be opened is told, and left for the next in that direction."""
        self.face = None
        while self.images.current is not None:
            path = self.images.current
            try:
                self.face = self.pictures.open(path)
                break
            except UserError as error:
                self.message.emit(text("cannot open").format(error))
                self.images.note(path, FaceInfo(False, problem=str(error)))
                if not (self.images.step(direction) or self.images.step(-direction)):
                    self.images.index = None
        self.pictures.keep(self.neighbours(PRELOAD_REACH).values())
