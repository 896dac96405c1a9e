"""Face detector that needs no weight files: BlazeFace candidates, each confirmed and boxed by the face mesh."""

import numpy as np

from core.parallel import cpu_count, ordered_map
from facelib.aligners.face_mesh import CROP_MARGIN, FaceCrop, FaceMesh, FaceView
from facelib.detectors.blazeface import BlazeFace, Candidate
from facelib.detectors.boxes import intersection_over_union

SMALLEST_FACE = 40

# A face turned further than this is left for the pass over the turned picture.
_MOST_TURNED = np.radians(60)
_LEAST_SCORE = 0.5
_LEAST_PRESENCE = 0.9
# Below this score a candidate might be a face seen upside down.
_DOUBTFUL_SCORE = 0.75
_MOST_OVERLAP = 0.4


class EmbeddedDetector:
    """Finds faces that are turned by less than 60 degrees.

    Parameters
    ----------
    smallest_face : int
        Faces whose box has less area than a square of this side (pixels) are left out.
    workers : int, optional
        Pictures looked at in parallel; all cores by default.
    """

    def __init__(self, smallest_face: int = SMALLEST_FACE, workers: int | None = None):
        self.smallest_face = smallest_face
        self._workers = workers or cpu_count()
        self._find_candidates = BlazeFace(smallest_face, _LEAST_SCORE)
        self.mesh = FaceMesh()

    def detect(self, images: list[np.ndarray]) -> list[list[tuple[int, int, int, int]]]:
        """Boxes (left, top, right, bottom) of the faces of each (H, W, 3) uint8 BGR picture, largest first.

        A box spans the face from the hair line to the chin and may reach beyond the picture.
        """
        if len(images) == 1:
            return [self._detect_one(images[0])]
        boxes = []
        for outcome in ordered_map(self._detect_one, images, self._workers):
            if outcome.error is not None:
                raise outcome.error
            boxes.append(outcome.value)
        return boxes

    def candidates_in_whole(self, image: np.ndarray, threshold: float) -> list[Candidate]:
        """Places in a picture that look like a face of some size, seen in one pass over the whole of it."""
        return [item for item in self._find_candidates.in_whole(image) if item.score >= threshold]

    def _detect_one(self, image):
        boxes = []
        for candidate in self._find_candidates(image):
            mesh = self._confirm(image, candidate)
            if mesh is None:
                continue
            box = np.rint(mesh.box).astype(int)
            too_small = _area(box) < self.smallest_face**2
            if not too_small and all(intersection_over_union(box, other) < _MOST_OVERLAP for other in boxes):
                boxes.append(box)
        boxes.sort(key=lambda box: -_area(box))
        return [tuple(int(value) for value in box) for box in boxes]

    def _confirm(self, image, candidate):
        """Mesh of a candidate, or None when it is no face or not upright."""
        left, top, right, bottom = candidate.box
        x, y = candidate.keypoints[1] - candidate.keypoints[0]
        side = CROP_MARGIN * max(right - left, bottom - top)
        angle = float(np.arctan2(y, x))
        crop = FaceCrop((left + right) / 2, (top + bottom) / 2, side, angle)
        view = FaceView(image)
        mesh = self.mesh.refine(view, crop, 2)
        if mesh.presence < _LEAST_PRESENCE or abs(mesh.angle) > _MOST_TURNED:
            return None
        if candidate.score < _DOUBTFUL_SCORE:
            flipped = FaceCrop(crop.center_x, crop.center_y, side, angle + np.pi)
            if self.mesh.refine(view, flipped, 2).presence > mesh.presence:
                return None
        return mesh


def _area(box):
    return (box[2] - box[0]) * (box[3] - box[1])
