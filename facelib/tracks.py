"""Follows faces through frames of a film, so that the whole frame need not be searched each time."""

import cv2
import numpy as np

from facelib.aligners.face_mesh import CROP_MARGIN, FaceCrop, FaceView, Mesh
from facelib.detectors.boxes import intersection_over_union
from facelib.face_finder import FaceFinder, FoundFace

# The frames between two that are searched wholly are followed from both.
BLOCK = 12

_LEAST_PRESENCE = 0.9
# Next to a followed face no other one is looked for; overlap as intersection over union.
_SAME_FACE = 0.3
# From one frame to the next a face moves by at most this part of its crop, and grows or shrinks by this factor.
_MOST_MOVED, _MOST_GROWN = 0.35, 1.35
# A candidate of the pass over the whole frame counts from this score on.
_LEAST_SCORE = 0.6
# Frames whose small grey pictures differ by more than this mean belong to different shots.
_THUMBNAIL, _CUT_DIFFERENCE = (32, 18), 18.0
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)


class FaceTracker:
    """Finds the faces of a run of frames whose first frame, and mostly the one behind the last, has been searched.

    Parameters
    ----------
    finder : FaceFinder
        With the embedded detector and aligner.
    """

    def __init__(self, finder: FaceFinder):
        self.finder = finder

    def find(
        self, images: list[np.ndarray | None], first: list[FoundFace], behind: list[FoundFace] | None
    ) -> list[list[FoundFace]]:
        """Faces of each frame.

        A face is followed from frame to frame by the mesh network. A frame is searched wholly where a face gets lost, where
        another face shows up in a pass over the whole frame, and at a cut. Faces that only the frame behind the last one
        has are followed backwards.

        Parameters
        ----------
        images : list of numpy.ndarray or None
            (H, W, 3) uint8 BGR, in order; None for a frame that cannot be read. With ``behind`` the last one is the frame
            behind the run.
        first : list of FoundFace
            Faces of the first frame.
        behind : list of FoundFace, optional
            Faces of the last image, which is then not among the results; without them the last frame is searched.

        Returns
        -------
        list of list of FoundFace
            Largest face first; of the frames from the first on.
        """
        faces: list[list[FoundFace]] = [first]
        count = len(images) - (behind is not None)
        joined = [False] + [same_shot(before, after) for before, after in zip(images, images[1:])]
        for index in range(1, count):
            is_end = behind is None and index == count - 1
            faces.append(self._forwards(images[index], faces[-1] if joined[index] and not is_end else None))
        if behind is not None:
            self._backwards(images, [*faces, behind], joined)
        return [sorted(found, key=lambda face: _area(face.rect), reverse=True) for found in faces]

    def _forwards(self, image, before):
        """Faces of a frame, from those of the frame before; None for "search it"."""
        if image is None:
            return []
        if before is not None:
            followed = [self._follow(image, face) for face in before]
            found = [face for face in followed if face is not None]
            if len(found) == len(before) and _all_apart(found) and not self._has_other_face(image, found):
                return found
        return self.finder.find([image])[0]

    def _backwards(self, images, faces, joined):
        """Add to each frame the faces that were first seen in the frame behind it; ``faces`` is changed in place."""
        for index in range(len(faces) - 2, 0, -1):
            if not joined[index + 1]:
                continue
            for face in faces[index + 1]:
                if any(intersection_over_union(face.rect, other.rect) > _SAME_FACE / 2 for other in faces[index]):
                    continue
                followed = self._follow(images[index], face)
                if followed is not None and _all_apart([*faces[index], followed]) and self._may_add(faces[index]):
                    faces[index].append(followed)

    def _may_add(self, found):
        return self.finder.max_faces == 0 or len(found) < self.finder.max_faces

    def _follow(self, image, face) -> FoundFace | None:
        """The face in the next frame, or None when the mesh does not see it near its place."""
        crop = crop_of(face)
        view = FaceView(image)
        mesh = self.finder.detector.mesh.refine(view, crop, 2)
        if mesh.presence < _LEAST_PRESENCE or not is_near(mesh, crop):
            return None
        left, top, right, bottom = (int(value) for value in np.rint(mesh.box))
        rect = (left, top, right, bottom)
        if _area(rect) < self.finder.detector.smallest_face**2:
            return None
        return FoundFace(rect, self.finder.aligner.landmarks_of(view, mesh))

    def _has_other_face(self, image, followed):
        """Whether a face shows up that a search would take beside the followed ones, or, when all are there, in place of one."""
        others, seen = [], []
        for candidate in self.finder.detector.candidates_in_whole(image, _LEAST_SCORE):
            is_followed = any(intersection_over_union(candidate.box, face.rect) >= _SAME_FACE for face in followed)
            (seen if is_followed else others).append(_area(candidate.box))
        if self._may_add(followed):
            return bool(others)
        return max(others, default=0) > min(seen, default=min(_area(face.rect) for face in followed))


def crop_of(face: FoundFace) -> FaceCrop:
    """Where the mesh network is to look for a face that lies as this one does."""
    left, top, right, bottom = face.rect
    angle = 0.0
    if face.landmarks is not None:
        x, y = face.landmarks[_LEFT_EYE].mean(axis=0) - face.landmarks[_RIGHT_EYE].mean(axis=0)
        angle = float(np.arctan2(y, x))
    return FaceCrop((left + right) / 2, (top + bottom) / 2, CROP_MARGIN * max(right - left, bottom - top, 1), angle)


def is_near(mesh: Mesh, crop: FaceCrop) -> bool:
    """Whether a mesh found in a crop lies about where the crop was made for."""
    found = mesh.crop()
    moved = max(abs(found.center_x - crop.center_x), abs(found.center_y - crop.center_y))
    return moved <= _MOST_MOVED * crop.side and 1 / _MOST_GROWN <= found.side / crop.side <= _MOST_GROWN


def same_shot(before: np.ndarray | None, after: np.ndarray | None) -> bool:
    """Whether two frames that follow each other belong together; not when one of them cannot be read or has another size."""
    if before is None or after is None or before.shape != after.shape:
        return False
    return thumbnails_agree(thumbnail(before), thumbnail(after))


def thumbnails_agree(before: np.ndarray, after: np.ndarray) -> bool:
    """:func:`same_shot` of two frames of which only :func:`thumbnail` is kept."""
    return float(np.abs(before - after).mean()) <= _CUT_DIFFERENCE


def thumbnail(image: np.ndarray) -> np.ndarray:
    """A frame, (H, W, 3) uint8, as a small grey picture (18, 32) float32, by which cuts are told."""
    small = cv2.resize(image[::4, ::4], _THUMBNAIL, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)


def _all_apart(faces):
    return all(
        intersection_over_union(face.rect, other.rect) < _SAME_FACE
        for index, face in enumerate(faces)
        for other in faces[:index]
    )


def _area(box):
    left, top, right, bottom = box
    return (right - left) * (bottom - top)
