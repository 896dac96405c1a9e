"""Where the 68 landmarks lie on the 468-point face mesh."""

from pathlib import Path

import cv2
import numpy as np

from facelib.landmark_tables import MIRROR_PERMUTATION
from facelib.landmarks import MEAN_FACE_68

# Landmarks of the subject's right half and of the midline: (landmark, mesh vertex, second vertex, weight of the
# second). Vertices were chosen by meaning; the weights were fitted so that the average of frontal meshes, brought onto
# the mean face, agrees with it, and the jaw with the spacing of the 3-D model's jaw.
_PLACES = (
    *((0, 127, 234, 0.29), (1, 234, 93, 0.59), (2, 93, 132, 0.83), (3, 132, 58, 0.92), (4, 172, 136, 0.13)),
    *((5, 136, 150, 0.52), (6, 149, 176, 0.05), (7, 176, 148, 0.66), (8, 152, 152, 0.0)),
    *((17, 70, 46, 0.3), (18, 63, 53, 0.3), (19, 105, 65, 0.4), (20, 66, 65, 0.45), (21, 107, 55, 0.6)),
    *((27, 168, 6, 0.2), (28, 197, 6, 0.1), (29, 5, 195, 0.4), (30, 4, 1, 0.6)),
    *((31, 98, 97, 0.32), (32, 97, 2, 0.05), (33, 2, 164, 0.25)),
    *((36, 33, 33, 0.0), (37, 160, 159, 0.2), (38, 158, 158, 0.0)),
    *((39, 133, 155, 0.2), (40, 153, 145, 0.25), (41, 144, 144, 0.0)),
    *((48, 61, 61, 0.0), (49, 40, 39, 0.6), (50, 37, 37, 0.0), (51, 0, 0, 0.0)),
    *((57, 17, 17, 0.0), (58, 84, 84, 0.0), (59, 91, 181, 0.4)),
    *((60, 78, 78, 0.0), (61, 81, 82, 0.4), (62, 13, 13, 0.0), (66, 14, 14, 0.0), (67, 178, 87, 0.4)),
)

# The same vertices on the subject's left.
_LEFT_VERTEX = {
    **{127: 356, 234: 454, 93: 323, 132: 361, 58: 288, 172: 397, 136: 365, 150: 379, 149: 378, 176: 400, 148: 377},
    **{70: 300, 46: 276, 63: 293, 53: 283, 105: 334, 66: 296, 65: 295, 107: 336, 55: 285, 98: 327, 97: 326},
    **{33: 263, 160: 387, 159: 386, 158: 385, 133: 362, 155: 382, 153: 380, 145: 374, 144: 373},
    **{61: 291, 40: 270, 39: 269, 37: 267, 91: 321, 181: 405, 84: 314},
    **{78: 308, 81: 311, 82: 312, 178: 402, 87: 317},
}


def _tables():
    first, second, weight = np.zeros(68, int), np.zeros(68, int), np.zeros((68, 1))
    for landmark, vertex, other, part in _PLACES:
        mirrored = MIRROR_PERMUTATION[landmark]
        first[landmark], second[landmark], weight[landmark] = vertex, other, part
        if mirrored != landmark:
            first[mirrored], second[mirrored] = _LEFT_VERTEX.get(vertex, vertex), _LEFT_VERTEX.get(other, other)
            weight[mirrored] = part
    return first, second, weight


_FIRST, _SECOND, _WEIGHT = _tables()

# The mesh ends a little inside the outline of the lower face: by this part of the height from nose bridge to chin.
_JAW_OUTWARD = 0.012 * np.clip(np.minimum(np.arange(17) - 2, 14 - np.arange(17)) / 3, 0, 1)

# How far jaw points go from their place on the mesh to even spacing, and how much lower the chin and higher the jaw's ends
# are drawn than the mesh has them (parts of the same height): the best of a few values on twenty faces.
_EVENNESS = 0.7
_JAW_DOWN = 0.02 * np.clip(1 - 2 * np.abs(np.arange(17) - 8) / 8, -1, 1)

# Vertices that may form the outline: the rim of the mesh below the eyes and three rings of cheek inside it.
_OUTLINE = np.array(
    [
        *(127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152),
        *(356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
        *(34, 227, 137, 177, 215, 138, 135, 169, 170, 140, 171),
        *(264, 447, 366, 401, 435, 367, 364, 394, 395, 369, 396),
        *(143, 116, 123, 147, 213, 192, 214, 210, 211, 32, 208),
        *(372, 345, 352, 376, 433, 416, 434, 430, 431, 262, 428),
        *(111, 117, 50, 187, 207, 340, 346, 280, 411, 427),
    ]
)


# Where "outwards" is for each jaw point of an upright face, seen from the middle of the face: unit vectors.
_JAW_DIRECTIONS = MEAN_FACE_68[:17].astype(np.float64) - [0.490127, 0.6]
_JAW_DIRECTIONS /= np.linalg.norm(_JAW_DIRECTIONS, axis=1, keepdims=True)


# How far the landmarks of annotators lie from those places, by pose and expression: (features, 68, 2) in parts of the height, along and
# across the line through the eyes. Fitted and measured by benchmarks/landmarks.py; see docs/faces.md.
_CORRECTIONS = np.load(Path(__file__).with_name("mesh_corrections.npy"), allow_pickle=False).astype(np.float64)
_MOST_YAW, _MOST_PITCH = np.sin(np.radians(40)), np.sin(np.radians(30))
_MOST_OPEN_MOUTH, _MOST_OPEN_EYES = 0.35, 0.25


def pose_features(points: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(6,) of what corrections depend on: one, yaw, pitch, square of yaw, how far mouth and eyes are open.

    Parameters
    ----------
    points : numpy.ndarray
        (468, 3), the mesh.
    landmarks : numpy.ndarray
        (68, 2), read off from it.
    """
    across, down = points[454] - points[234], points[152] - points[10]
    yaw = np.clip(across[2] / max(float(np.linalg.norm(across)), 1e-6), -_MOST_YAW, _MOST_YAW)
    pitch = np.clip(down[2] / max(float(np.linalg.norm(down)), 1e-6), -_MOST_PITCH, _MOST_PITCH)
    height = _height(landmarks)
    mouth = min(float(np.linalg.norm(landmarks[62] - landmarks[66])) / height, _MOST_OPEN_MOUTH)
    eyes = sum(float(np.linalg.norm(landmarks[upper] - landmarks[lower])) for upper, lower in ((37, 41), (43, 47)))
    return np.array([1.0, 2 * yaw, 2 * pitch, 4 * yaw**2, 5 * mouth, 5 * min(eyes / height, _MOST_OPEN_EYES)])


def face_axes(landmarks: np.ndarray) -> np.ndarray:
    """(2, 2): the directions along and across the line through the eyes, each as long as the face from nose bridge to chin."""
    along = landmarks[42:48].mean(axis=0) - landmarks[36:42].mean(axis=0)
    along = along / max(float(np.linalg.norm(along)), 1e-6) * _height(landmarks)
    return np.stack([along, (-along[1], along[0])])


def corrected(points: np.ndarray, landmarks: np.ndarray, corrections: np.ndarray | None = None) -> np.ndarray:
    """(68, 2) landmarks where annotators would put them. Arguments as of :func:`pose_features`; the program's table, if none is given."""
    table = _CORRECTIONS if corrections is None else corrections
    offsets = np.tensordot(pose_features(points, landmarks), table, 1)
    return landmarks + offsets @ face_axes(landmarks)


def _height(landmarks):
    return max(float(np.linalg.norm(landmarks[8] - landmarks[27])), 1e-6)


def landmarks_from_mesh(points: np.ndarray, visible_outline: bool = True, as_annotated: bool = True) -> np.ndarray:
    """(68, 2) float64 landmarks of a (468, 3) mesh, in the mesh's own pixels.

    Parameters
    ----------
    points : numpy.ndarray
        The mesh; without depth, (468, 2), landmarks cannot be put ``as_annotated``.
    as_annotated : bool
        Correct the places by what is known of annotators; see :func:`corrected`. The jaw only if it is ``visible_outline``.
    visible_outline : bool
        Move jaw points that the turned head hides outwards to the visible outline, and space them evenly from chin to
        ear on either side, as annotators of 2-D landmarks put them (Sagonas et al., 2013). Without it they stay where
        the jaw is in space, from which the turn of the head can be told.
    """
    mesh, points = np.asarray(points, np.float64), np.asarray(points, np.float64)[:, :2]
    landmarks = points[_FIRST] * (1 - _WEIGHT) + points[_SECOND] * _WEIGHT
    jaw_in_space = landmarks[:17].copy()
    _move_jaw_to_outline(landmarks, points)
    if as_annotated and mesh.shape[1] == 3:
        landmarks = corrected(mesh, landmarks)
    if not visible_outline:
        landmarks[:17] = jaw_in_space
    return landmarks


def _move_jaw_to_outline(landmarks, points):
    """Change the jaw of ``landmarks`` in place; ``points`` is the mesh without depth."""
    down = landmarks[8] - landmarks[27]
    height = max(float(np.linalg.norm(down)), 1e-6)
    right = np.array([down[1], -down[0]])
    directions = _JAW_DIRECTIONS @ np.stack([right, down]) / height
    outline = cv2.convexHull(points[_OUTLINE].astype(np.float32))[:, 0].astype(np.float64)
    outwards = _distance_to_outline(landmarks[:17], directions, outline) + _JAW_OUTWARD * height
    landmarks[:17] += directions * outwards[:, None]
    for half in (slice(0, 9), slice(8, 17)):
        landmarks[half] += _EVENNESS * (_evenly_spaced(landmarks[half]) - landmarks[half])
    landmarks[:17] += _JAW_DOWN[:, None] * down


def _evenly_spaced(curve):
    """As many points on the same (N, 2) polyline, all at the same distance along it; the ends stay."""
    passed = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    wanted = np.linspace(0, passed[-1], len(curve))
    return np.stack([np.interp(wanted, passed, curve[:, axis]) for axis in (0, 1)], axis=1)


def _distance_to_outline(origins, directions, polygon) -> np.ndarray:
    """How far (N, 2) points can go in (N, 2) directions until they leave a convex polygon; 0 if they are outside."""
    edges = np.roll(polygon, -1, axis=0) - polygon
    across = _cross(directions[:, None], edges[None])
    parallel = np.abs(across) < 1e-9
    across = np.where(parallel, 1, across)
    to_edge = polygon[None] - origins[:, None]
    distance = _cross(to_edge, edges[None]) / across
    along = _cross(to_edge, directions[:, None]) / across
    hits = ~parallel & (along >= 0) & (along <= 1)
    return np.asarray(np.where(hits, distance, 0.0).max(axis=1, initial=0.0))


def _cross(first, second):
    return first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
