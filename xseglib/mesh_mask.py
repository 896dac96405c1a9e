"""Whole-face masks without a trained mask network: the silhouette of the dense face mesh on an aligned face."""

import cv2
import numpy as np

from core.imagelib.polygons import rasterize
from facelib.aligners.face_mesh import CROP_MARGIN, FaceCrop, FaceMesh
from samplelib.faces.aligned_face import FaceMetadata

# Mesh vertices around the face, from the middle of the forehead over one temple, along the jaw and back.
RIM_VERTICES = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
TOP_VERTEX = 10
# Their mean lies between the brows; the forehead is stretched away from there.
_BROW_VERTICES = (168, 8, 9)
LEAST_PRESENCE = 0.5

_CANVAS = 512
_CANVAS_FACE = 320.0
_GAP_RADIUS = 26
_SMOOTH_RADIUS = 12
_SIMPLIFY = 2.5


class MeshOutline:
    """Finds the outline of the face on aligned faces. Several threads may call it at the same time.

    Parameters
    ----------
    forehead_stretch : float
        The mesh ends below the hair line; its top is moved up by this part of its height above the brows.
    """

    def __init__(self, forehead_stretch: float = 0.5):
        self.forehead_stretch = forehead_stretch
        self._mesh = FaceMesh()

    def __call__(self, image: np.ndarray, metadata: FaceMetadata) -> np.ndarray | None:
        """Outline (k, 2) float64, or None where the mesh network sees no face.

        Parameters
        ----------
        image : numpy.ndarray
            (H, W, 3) uint8 BGR, the aligned face.
        metadata : FaceMetadata
            Its landmarks tell where to look.
        """
        low, high = metadata.landmarks.min(axis=0), metadata.landmarks.max(axis=0)
        side = CROP_MARGIN * max(float((high - low).max()), 1.0)
        x, y = (low + high) / 2
        mesh = self._mesh.refine(image, FaceCrop(float(x), float(y), side), 3)
        if mesh.presence < LEAST_PRESENCE:
            return None
        return silhouette(stretch_forehead(mesh.points[:, :2], self.forehead_stretch))


def stretch_forehead(points: np.ndarray, amount: float) -> np.ndarray:
    """Mesh points (468, 2) with those above the brows moved up: the top by ``amount`` of its height, lower ones less."""
    brow = points[list(_BROW_VERTICES)].mean(axis=0)
    up = points[TOP_VERTEX] - brow
    height = np.clip((points - brow) @ up / max(float(up @ up), 1e-9), 0, None)
    return points + amount * (height**2)[:, None] * up


def silhouette(points: np.ndarray) -> np.ndarray:
    """Outline (k, 2) float64 of the area that mesh points (468, 2) cover.

    Notes
    -----
    From the front that is the rim of the mesh. On a turned face the rim folds inwards and the nose sticks out, so the
    area is drawn: the filled rim, and all points with the gaps between neighbours closed (a morphological closing).
    """
    low, high = points.min(axis=0), points.max(axis=0)
    scale = _CANVAS_FACE / max(float((high - low).max()), 1e-9)
    shift = _CANVAS / 2 - scale * (low + high) / 2
    drawn = np.rint(points * scale + shift).astype(np.int32)
    area: np.ndarray = np.zeros((_CANVAS, _CANVAS), np.uint8)
    area[drawn[:, 1], drawn[:, 0]] = 1
    area = cv2.morphologyEx(area, cv2.MORPH_CLOSE, _disk(_GAP_RADIUS))
    cv2.fillPoly(area, [drawn[list(RIM_VERTICES)]], 1)
    area = cv2.morphologyEx(area, cv2.MORPH_OPEN, _disk(_SMOOTH_RADIUS))
    outline = outlines_of_mask(area, _SIMPLIFY)[0]
    return (outline - shift) / scale


def outlines_of_mask(mask: np.ndarray, simplify: float = 1.0, least_area: float = 0.0) -> list[np.ndarray]:
    """Outer outlines of the areas of a mask, largest first.

    Parameters
    ----------
    mask : numpy.ndarray
        (H, W) or (H, W, 1); above 0.5 is inside.
    simplify : float
        Greatest distance, in pixels, of the outlines from the exact ones.
    least_area : float
        Areas of fewer square pixels are left out.

    Returns
    -------
    list of numpy.ndarray
        (k, 2) float64 each, at least three points.
    """
    inside = (np.asarray(mask).reshape(mask.shape[:2]) > 0.5).astype(np.uint8)
    contours = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    found = []
    for contour in sorted(contours, key=lambda points: -cv2.contourArea(points)):
        points = cv2.approxPolyDP(contour, simplify, True).reshape(-1, 2)
        if len(points) >= 3 and cv2.contourArea(points) >= least_area:
            found.append(points.astype(np.float64))
    return found


def mask_of_outline(outline: np.ndarray, width: int, height: int, mask_size: int = 256) -> np.ndarray:
    """Mask (mask_size, mask_size, 1) float32 of 0 and 1 from an outline in pixels of a picture of that size."""
    scale = np.array([mask_size / width, mask_size / height])
    return rasterize([(True, np.asarray(outline) * scale)], mask_size, mask_size)


def _disk(radius):
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
