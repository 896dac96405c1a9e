"""Eyes and brows of a face mesh, put right by a network that looks at each eye alone."""

import cv2
import numpy as np

from facelib.tflite_models import TfliteModel

MODEL_FILE = "iris_landmark.tflite"
INPUT_SIZE = 64

# Sides of an eye's crops in widths of the eye. The mean of two trembles less.
_CROPS = (2.2, 2.6)
# The network's first 16 points are the rim of the eye; of the others, 14 lie on the brow. Distances are in widths of the eye.
_RIM, _BROW = slice(0, 16), np.r_[48:54, 63:71]
# Where rim and mesh are further apart than the second, as on a closed or hidden eye, the mesh stays; nearer than the first, it does not.
_AGREES, _DIFFERS = 0.20, 0.35
_SHARE_OF_BROW = 0.5
_LARGEST_STEP = 1.5  # picture pixels a pixel of the crop; coarser crops are made of a smaller copy

# The mesh vertices of the 71 points, of the subject's right eye and left eye: rim from the outer corner below and above, three rings
# around it, two lines of the brow, the cheek. From the description of the network (MediaPipe Iris, Ablavatski et al., 2020).
_RIGHT = np.array(
    [
        *(33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173),
        *(130, 25, 110, 24, 23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190),
        *(226, 31, 228, 229, 230, 231, 232, 233, 244, 113, 225, 224, 223, 222, 221, 189),
        *(35, 124, 46, 53, 52, 65),
        *(143, 111, 117, 118, 119, 120, 121, 128, 245),
        *(156, 70, 63, 105, 66, 107, 55, 193),
    ]
)
_LEFT = np.array(
    [
        *(263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398),
        *(359, 255, 339, 254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414),
        *(446, 261, 448, 449, 450, 451, 452, 453, 464, 342, 445, 444, 443, 442, 441, 413),
        *(265, 353, 276, 283, 282, 295),
        *(372, 340, 346, 347, 348, 349, 350, 357, 465),
        *(383, 300, 293, 334, 296, 336, 285, 417),
    ]
)
_INNER_CORNER = 8


class EyeRefiner:
    """Runs the network on both eyes of a face; any number of threads may call."""

    def __init__(self):
        self._network = TfliteModel(MODEL_FILE)

    def __call__(self, image: np.ndarray, points: np.ndarray) -> np.ndarray:
        """The mesh with other points on rims and brows.

        Parameters
        ----------
        image : numpy.ndarray
            (H, W, 3) uint8 BGR.
        points : numpy.ndarray
            (468, 3) mesh in pixels of the picture; the depth stays as it is.

        Returns
        -------
        numpy.ndarray
            (468, 3).
        """
        refined = points.copy()
        eyes = ((_RIGHT, False), (_LEFT, True))
        places = [_to_picture(points, *eye, size) for eye in eyes for size in _CROPS]
        outputs = self._network(np.stack([_cut(image, place) for place in places]))
        found = next(output for output in outputs if output[0].size == 3 * len(_RIGHT)).reshape(len(places), -1, 3)
        in_picture = [
            crop[:, :2] @ place[:, :2].T + place[:, 2] for crop, place in zip(found.astype(np.float64), places)
        ]
        for number, (vertices, _) in enumerate(eyes):
            seen = np.mean(in_picture[number * len(_CROPS) : (number + 1) * len(_CROPS)], axis=0)
            rim, brow = vertices[_RIM], vertices[_BROW]
            width = max(float(np.linalg.norm(points[rim[0], :2] - points[rim[_INNER_CORNER], :2])), 1e-6)
            apart = float(np.linalg.norm(seen[_RIM] - points[rim, :2], axis=1).mean()) / width
            weight = float(np.clip((_DIFFERS - apart) / (_DIFFERS - _AGREES), 0, 1))
            refined[rim, :2] += weight * (seen[_RIM] - points[rim, :2])
            refined[brow, :2] += weight * _SHARE_OF_BROW * (seen[_BROW] - points[brow, :2])
        return refined


def _to_picture(points, vertices, mirrored, size):
    """(2, 3) matrix from pixels of an eye's crop to the picture. The network wants a right eye; a left one is ``mirrored``."""
    outer, inner = points[vertices[0], :2], points[vertices[_INNER_CORNER], :2]
    x, y = outer - inner if mirrored else inner - outer
    scale = size * max(float(np.hypot(x, y)), 1.0) / INPUT_SIZE
    angle, middle = np.arctan2(y, x), (INPUT_SIZE - 1) / 2
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    if mirrored:
        matrix[:, 0] *= -1
    return np.column_stack([matrix, (outer + inner) / 2 - matrix @ (middle, middle)])


def _cut(image, to_picture):
    """(64, 64, 3) float32 RGB in 0…1; the border is repeated beyond the picture's edge."""
    scale = float(np.hypot(*to_picture[:, 0]))
    if scale > _LARGEST_STEP:
        image, to_picture = _smaller(image, to_picture, scale)
    pixels = cv2.warpAffine(
        image,
        to_picture,
        (INPUT_SIZE, INPUT_SIZE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.multiply(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.float32(1 / 255))


def _smaller(image, to_picture, scale):
    """The part of a picture around a crop, shrunk to the crop's scale, and the matrix to it."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (INPUT_SIZE - 1) @ to_picture[:, :2].T + to_picture[:, 2]
    size = np.array(image.shape[1::-1])
    low = np.clip(np.floor(corners.min(axis=0) - scale).astype(int), 0, size - 1)
    high = np.clip(np.ceil(corners.max(axis=0) + scale).astype(int) + 1, low + 1, size)
    part = image[low[1] : high[1], low[0] : high[0]]
    small = np.maximum(1, np.rint((high - low) / scale)).astype(int)
    shrunk = cv2.resize(part, tuple(int(side) for side in small), interpolation=cv2.INTER_AREA)
    ratio = small / (high - low)
    matrix = to_picture[:, :2] * ratio[:, None]
    return shrunk, np.column_stack([matrix, (to_picture[:, 2] - low + 0.5) * ratio - 0.5])
