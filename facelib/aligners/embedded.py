"""Landmark finder that needs no weight files: the face mesh on several crops, averaged, with refined eyes, read off as 68 points."""

import numpy as np

from core.parallel import cpu_count, ordered_map
from facelib.aligners.eye_refiner import EyeRefiner
from facelib.aligners.face_mesh import CROP_MARGIN, FaceCrop, FaceMesh, FaceView, Mesh
from facelib.aligners.mesh_to_68 import landmarks_from_mesh

# Crops whose results are averaged: shift (parts of the side), size factor and turn (radians) of each, and whether it is mirrored.
_VARIANTS = (
    (0.0, 0.0, 1.0, 0.0, False),
    (0.02, 0.01, 0.97, 0.05, True),
    (-0.02, -0.01, 0.97, -0.05, False),
    (0.01, -0.02, 1.05, -0.03, True),
    (-0.01, 0.02, 1.05, 0.03, False),
)
_UNSURE = 0.9


class EmbeddedAligner:
    """Finds the 68 landmarks of faces whose boxes are known.

    Parameters
    ----------
    least_presence : float
        The mesh network must be this sure (0…1) that it sees a face; with 0 there are always landmarks.
    visible_outline : bool
        Put the jaw on the visible outline (as 2DFAN does) instead of where it is in space (as 3DFAN does).
    workers : int, optional
        Pictures in parallel; all cores by default.
    """

    def __init__(self, least_presence: float = 0.2, visible_outline: bool = True, workers: int | None = None):
        self.least_presence, self.visible_outline = least_presence, visible_outline
        self._workers = workers or cpu_count()
        self._mesh, self._refine_eyes = FaceMesh(), EyeRefiner()

    def align(self, images: list[np.ndarray], boxes: list[list[tuple]]) -> list[list[np.ndarray | None]]:
        """Landmarks, (68, 2) float64 in picture pixels or None, for each box of each (H, W, 3) uint8 BGR picture."""
        if len(images) == 1:
            return [[self.align_one(images[0], box) for box in boxes[0]]]

        def work(pair):
            return [self.align_one(pair[0], box) for box in pair[1]]

        results = []
        for outcome in ordered_map(work, list(zip(images, boxes)), self._workers):
            if outcome.error is not None:
                raise outcome.error
            results.append(outcome.value)
        return results

    def align_one(self, image: np.ndarray, box: tuple, accurate: bool = True) -> np.ndarray | None:
        """Landmarks of one face; see :meth:`align`. With ``accurate`` the average of several crops."""
        left, top, right, bottom = box
        crop = FaceCrop((left + right) / 2, (top + bottom) / 2, CROP_MARGIN * max(right - left, bottom - top, 1))
        view = FaceView(image)
        mesh = self._mesh.refine(view, crop, 3)
        if mesh.presence < _UNSURE:
            turned = [FaceCrop(crop.center_x, crop.center_y, crop.side, angle) for angle in (-0.8, 0.8)]
            mesh = max([mesh] + [self._mesh.refine(view, other, 3) for other in turned], key=lambda item: item.presence)
        if mesh.presence < self.least_presence:
            return None
        return self.landmarks_of(view, mesh, accurate)

    def landmarks_of(self, view: FaceView, mesh: Mesh, accurate: bool = True) -> np.ndarray:
        """(68, 2) landmarks of a face whose mesh is known."""
        points = self._refine_eyes(view.image, self._average(view, mesh)) if accurate else mesh.points
        return landmarks_from_mesh(points, self.visible_outline)

    def _average(self, view: FaceView, mesh: Mesh) -> np.ndarray:
        """(468, 3) mean of the meshes of slightly different crops around the one that ``mesh`` asks for."""
        crop = mesh.crop()
        points = []
        for shift_x, shift_y, factor, turn, mirrored in _VARIANTS:
            variant = FaceCrop(
                crop.center_x + shift_x * crop.side,
                crop.center_y + shift_y * crop.side,
                crop.side * factor,
                crop.angle + turn,
            )
            points.append(self._mesh(view, variant, mirrored).points)
        return np.mean(points, axis=0)
