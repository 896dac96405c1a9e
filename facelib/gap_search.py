"""Looks again for a face that was missed in a frame, where the frames around it say that it should be."""

from collections.abc import Sequence

import cv2
import numpy as np

from facelib.aligners.face_mesh import FaceCrop, FaceView
from facelib.detectors.boxes import intersection_over_union
from facelib.face_finder import FaceFinder, FoundFace
from facelib.tracks import crop_of, is_near

# The mesh may be less sure than in a search of the whole frame, which does not know where a face is.
_LEAST_PRESENCE, _SURE_PRESENCE = 0.5, 0.9
# On a blurred face it is hardly sure at all, though right: then crops of different size must agree, and with the expected place. Where
# there is no face, each crop gets a face of its own size. Distances are means over all points, in sides of the face.
_LEAST_TRACE, _MOST_BETWEEN_CROPS, _MOST_FROM_EXPECTED = 0.02, 0.05, 0.12
# Size and turn (radians) of the crops in which the mesh looks, beside the expected ones.
_CROPS = ((1.0, 0.0), (0.8, 0.0), (1.25, 0.0), (1.0, 0.5), (1.0, -0.5))
# Side of the part of the frame that a finder searches, in sides of the face, and in pixels of the enlarged picture.
_AROUND, _ENLARGED = 3.0, 512
# Overlap, as intersection over union: with the expected place at least, with another face of the frame at most.
_LEAST_IN_PLACE, _MOST_ON_OTHER = 0.25, 0.3


class GapSearch:
    """Searches one face in single frames.

    Parameters
    ----------
    finder : FaceFinder
        Of the run. With the embedded networks, the mesh looks first in crops at the expected place, and need not be as sure as else;
        then, with any networks, the surroundings are searched enlarged and turned.
    """

    def __init__(self, finder: FaceFinder):
        self.finder = finder

    def find(self, image: np.ndarray, expected: FoundFace, others: Sequence[FoundFace] = ()) -> FoundFace | None:
        """The face, or None when it is not seen.

        Parameters
        ----------
        image : numpy.ndarray
            (H, W, 3) uint8 BGR, the frame.
        expected : FoundFace
            Box and landmarks, as they should be.
        others : sequence of FoundFace
            Faces of the frame that are known; none of them is given back.
        """
        searches = (self._by_mesh, self._enlarged) if self.finder.can_follow else (self._enlarged,)
        for search in searches:
            found = search(image, expected)
            if found is not None and not any(_overlap(found, other) > _MOST_ON_OTHER for other in others):
                return found
        return None

    def _by_mesh(self, image, expected):
        crop, view, near = crop_of(expected), FaceView(image), []
        for factor, turn in _CROPS:
            tried = FaceCrop(crop.center_x, crop.center_y, crop.side * factor, crop.angle + turn)
            mesh = self.finder.detector.mesh.refine(view, tried, 2)
            if is_near(mesh, crop):
                near.append(mesh)
                if mesh.presence >= _SURE_PRESENCE:
                    break
        best = max(near, key=lambda mesh: mesh.presence, default=None)
        if best is None or not (best.presence >= _LEAST_PRESENCE or self._agree(view, near, expected)):
            return None
        left, top, right, bottom = (int(value) for value in np.rint(best.box))
        return FoundFace((left, top, right, bottom), self.finder.aligner.landmarks_of(view, best))

    def _agree(self, view, meshes, expected):
        """Whether the mesh is right though unsure."""
        traces = [mesh for mesh in meshes if mesh.presence >= _LEAST_TRACE]
        found = [self.finder.aligner.landmarks_of(view, mesh, accurate=False) for mesh in traces]
        side = float(np.ptp(expected.landmarks, axis=0).max())

        def apart(one, other):
            return float(np.linalg.norm(one - other, axis=1).mean()) / side

        in_place = [points for points in found if apart(points, expected.landmarks) <= _MOST_FROM_EXPECTED]
        return any(
            apart(one, other) <= _MOST_BETWEEN_CROPS for index, one in enumerate(in_place) for other in in_place[:index]
        )

    def _enlarged(self, image, expected):
        left, top, right, bottom = expected.rect
        side = _AROUND * max(right - left, bottom - top, 1)
        corner = np.array([(left + right) / 2, (top + bottom) / 2]) - side / 2
        scale = _ENLARGED / side
        matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
        part = cv2.warpAffine(image, matrix, (_ENLARGED, _ENLARGED), flags=cv2.INTER_LINEAR)
        found = []
        for face in self.finder.find([part])[0]:
            if face.landmarks is not None:
                box = np.array(face.rect, np.float64).reshape(2, 2) / scale + corner
                found.append(FoundFace(_whole_numbers(box), face.landmarks / scale + corner))
        best = max(found, key=lambda face: _overlap(face, expected), default=None)
        return best if best is not None and _overlap(best, expected) >= _LEAST_IN_PLACE else None


def _whole_numbers(box):
    left, top, right, bottom = (int(value) for value in np.rint(box).ravel())
    return left, top, right, bottom


def _overlap(one, other):
    return intersection_over_union(_landmark_box(one), _landmark_box(other))


def _landmark_box(face):
    """Around the landmarks, which all networks place alike; their boxes differ."""
    return np.concatenate([face.landmarks.min(axis=0), face.landmarks.max(axis=0)])
