"""The 468-point face mesh network and its crops: position, turn and size are refined until the face sits upright."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facelib.tflite_models import TfliteModel

MODEL_FILE = "face_landmark.tflite"
INPUT_SIZE = 192
MESH_POINT_COUNT = 468

# Outer corners of the eyes; "right" is the subject's.
RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263

# The crop is this many times the longer side of the mesh, as in the network's training.
CROP_MARGIN = 1.5

# A crop may take every this many pixels of a picture without aliasing, and enlarge a shrunk picture by this much.
_LARGEST_STEP, _LARGEST_ENLARGEMENT = 1.5, 1.1
# Room around a crop in the shrunk copy, in parts of the crop's side.
_ROOM = 0.3
# Crops nearer to each other than this are the same: parts of the side, and radians.
_SAME_PLACE, _SAME_ANGLE = 0.02, 0.03


MIRROR_VERTICES = np.load(Path(__file__).with_name("mesh_mirror.npy"), allow_pickle=False).astype(int)
"""(468,): the vertex on the other side of each; those of the midline are their own. Found by ``benchmarks/landmarks.py --mirror``."""


@dataclass(frozen=True)
class FaceCrop:
    """A square in a picture: where to look for the mesh.

    Parameters
    ----------
    center_x, center_y : float
        In picture pixels.
    side : float
        In picture pixels.
    angle : float
        Clockwise turn of the face in the picture, radians.
    """

    center_x: float
    center_y: float
    side: float
    angle: float = 0.0

    @property
    def to_picture(self) -> np.ndarray:
        """(2, 3) float64 matrix from network input pixels to picture pixels."""
        scale = self.side / INPUT_SIZE
        cosine, sine = scale * np.cos(self.angle), scale * np.sin(self.angle)
        middle = (INPUT_SIZE - 1) / 2
        linear = np.array([[cosine, -sine], [sine, cosine]])
        return np.column_stack([linear, [self.center_x, self.center_y] - linear @ [middle, middle]])

    def is_close_to(self, other: "FaceCrop") -> bool:
        """Whether the network would see the same in both."""
        moved = max(abs(self.center_x - other.center_x), abs(self.center_y - other.center_y))
        moved = max(moved, abs(self.side - other.side))
        return moved <= _SAME_PLACE * other.side and abs(self.angle - other.angle) <= _SAME_ANGLE


@dataclass(frozen=True)
class Mesh:
    """What the network saw in a crop.

    Parameters
    ----------
    points : numpy.ndarray
        (468, 3) float64: x, y in picture pixels, z in the same unit, growing away from the camera. x and y of the
        3-D shape turned as the face stands in the picture.
    presence : float
        Probability 0…1 that the crop shows a face.
    """

    points: np.ndarray
    presence: float

    @property
    def angle(self) -> float:
        """Clockwise turn of the face in the picture, from the line through the eyes, radians."""
        x, y = (self.points[LEFT_EYE_CORNER] - self.points[RIGHT_EYE_CORNER])[:2]
        return float(np.arctan2(y, x))

    @property
    def box(self) -> np.ndarray:
        """(left, top, right, bottom) float64 around all points: forehead to chin, cheek to cheek."""
        return np.concatenate([self.points[:, :2].min(axis=0), self.points[:, :2].max(axis=0)])

    def crop(self) -> FaceCrop:
        """The crop that the network wants for this face."""
        angle = self.angle
        cosine, sine = np.cos(angle), np.sin(angle)
        upright = self.points[:, :2] @ np.array([[cosine, -sine], [sine, cosine]])
        low, high = upright.min(axis=0), upright.max(axis=0)
        x, y = (low + high) / 2
        return FaceCrop(cosine * x - sine * y, sine * x + cosine * y, CROP_MARGIN * float((high - low).max()), angle)


class FaceView:
    """Cuts the crops of one face out of its picture; those that shrink it share one smaller copy of the surroundings.

    Parameters
    ----------
    image : numpy.ndarray
        (H, W, 3) uint8 BGR.
    """

    def __init__(self, image: np.ndarray):
        self.image = image
        self._part: _ShrunkPart | None = None

    def cut(self, to_picture: np.ndarray) -> np.ndarray:
        """(192, 192, 3) float32 RGB in 0…1; the border is repeated beyond the picture's edge."""
        if float(np.hypot(*to_picture[:, 0])) <= _LARGEST_STEP:
            return _sample(self.image, to_picture)
        if self._part is None or not self._part.serves(to_picture):
            self._part = _ShrunkPart.around(self.image, to_picture)
        return _sample(self._part.pixels, self._part.matrix_in(to_picture))


class FaceMesh:
    """Runs the face mesh network on crops of a picture."""

    def __init__(self):
        self._network = TfliteModel(MODEL_FILE)

    def __call__(self, image: np.ndarray | FaceView, crop: FaceCrop, mirrored: bool = False) -> Mesh:
        """Mesh of the face in ``crop`` of a (H, W, 3) uint8 BGR ``image``, or of its view where several crops are cut.

        ``mirrored`` shows the network the mirror image, which gives a second opinion on the same crop.
        """
        view = image if isinstance(image, FaceView) else FaceView(image)
        to_picture = crop.to_picture
        picture = view.cut(to_picture)
        points, score = self._network((np.ascontiguousarray(picture[:, ::-1]) if mirrored else picture)[None])
        points = points.reshape(MESH_POINT_COUNT, 3).astype(np.float64)
        if mirrored:
            points = points[MIRROR_VERTICES]
            points[:, 0] = INPUT_SIZE - 1 - points[:, 0]
        flat = points[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
        depth = points[:, 2:] * crop.side / INPUT_SIZE
        return Mesh(np.concatenate([flat, depth], axis=1), float(1 / (1 + np.exp(-np.clip(score.item(), -80, 80)))))

    def refine(self, image: np.ndarray | FaceView, crop: FaceCrop, steps: int) -> Mesh:
        """Run up to ``steps`` times, each on the crop that the mesh before it asked for.

        Stops when none sees a face, or when the crop asked for is the one just seen.
        """
        view = image if isinstance(image, FaceView) else FaceView(image)
        mesh = self(view, crop)
        for _ in range(steps - 1):
            wanted = mesh.crop()
            if mesh.presence < 0.1 or wanted.is_close_to(crop):
                break
            mesh, crop = self(view, wanted), wanted
        return mesh


@dataclass(frozen=True)
class _ShrunkPart:
    """A part of a picture, shrunk: ``pixels`` at (x, y) show the picture at ((x, y) + 0.5) / shrink − 0.5 + corner.

    ``limits`` (left, top, right, bottom) is how far the part reaches, infinitely far where the picture itself ends.
    """

    pixels: np.ndarray
    corner: np.ndarray
    shrink: np.ndarray
    limits: np.ndarray

    @classmethod
    def around(cls, image, to_picture):
        """Part around a crop, with room for the crops that follow."""
        scale = float(np.hypot(*to_picture[:, 0]))
        low, high = _extent(to_picture)
        room = _ROOM * scale * INPUT_SIZE
        height, width = image.shape[:2]
        size = np.array([width, height])
        low = np.clip(np.floor(low - room).astype(int), 0, size - 1)
        high = np.clip(np.ceil(high + room).astype(int) + 1, low + 1, size)
        part = image[low[1] : high[1], low[0] : high[0]]
        small = np.maximum(1, np.rint((high - low) / scale)).astype(int)
        pixels = cv2.resize(part, tuple(int(side) for side in small), interpolation=cv2.INTER_AREA)
        limits = np.concatenate([np.where(low > 0, low + 2.0, -np.inf), np.where(high < size, high - 3.0, np.inf)])
        return cls(pixels, low, small / (high - low), limits)

    def serves(self, to_picture):
        """Whether a crop lies inside and wants about this scale."""
        low, high = _extent(to_picture)
        inside = (low >= self.limits[:2]).all() and (high <= self.limits[2:]).all()
        scale = float(np.hypot(*to_picture[:, 0])) * float(self.shrink.mean())
        return bool(inside) and 1 / _LARGEST_ENLARGEMENT <= scale <= _LARGEST_STEP

    def matrix_in(self, to_picture):
        """``to_picture`` as a matrix to the pixels of the part."""
        linear = to_picture[:, :2] * self.shrink[:, None]
        return np.column_stack([linear, (to_picture[:, 2] - self.corner + 0.5) * self.shrink - 0.5])


def _extent(to_picture):
    """Least and greatest (x, y) of a crop in its picture."""
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (INPUT_SIZE - 1) @ to_picture[:, :2].T + to_picture[:, 2]
    return corners.min(axis=0), corners.max(axis=0)


def _sample(image, matrix):
    pixels = cv2.warpAffine(
        image,
        matrix,
        (INPUT_SIZE, INPUT_SIZE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.multiply(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.float32(1 / 255))
