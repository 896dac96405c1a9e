"""Where the 68 landmarks lie on the 468-point face mesh."""

import numpy as np

# Mesh vertices, landmark by landmark, on the right half of the face (the picture's left) and the midline.
_VERTICES = (
    *(127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(168, 197, 5, 4, 98, 97, 2, 326, 327),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91),
    *(78, 81, 13, 311, 308, 402, 14, 178),
)


def landmarks_from_mesh(points: np.ndarray) -> np.ndarray:
    """(68, 2) float64 landmarks of a (468, 2 or 3) mesh, in the mesh's own pixels."""
    return np.asarray(points, np.float64)[list(_VERTICES), :2]
