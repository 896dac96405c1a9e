"""The 468-point face mesh network and its crops: position, turn and size are refined until the face sits upright."""

from dataclasses import dataclass

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


class FaceMesh:
    """Runs the face mesh network on crops of a picture."""

    def __init__(self):
        self._network = TfliteModel(MODEL_FILE)

    def __call__(self, image: np.ndarray, crop: FaceCrop) -> Mesh:
        """Mesh of the face in ``crop`` of a (H, W, 3) uint8 BGR ``image``."""
        to_picture = crop.to_picture
        points, score = self._network(cut_crop(image, to_picture)[None])
        points = points.reshape(MESH_POINT_COUNT, 3).astype(np.float64)
        flat = points[:, :2] @ to_picture[:, :2].T + to_picture[:, 2]
        depth = points[:, 2:] * crop.side / INPUT_SIZE
        return Mesh(np.concatenate([flat, depth], axis=1), float(1 / (1 + np.exp(-np.clip(score.item(), -80, 80)))))

    def refine(self, image: np.ndarray, crop: FaceCrop, steps: int) -> Mesh:
        """Run up to ``steps`` times, each on the crop that the mesh before it asked for; stop when none sees a face."""
        mesh = self(image, crop)
        for _ in range(steps - 1):
            if mesh.presence < 0.1:
                break
            mesh = self(image, mesh.crop())
        return mesh


def cut_crop(image: np.ndarray, to_picture: np.ndarray) -> np.ndarray:
    """(192, 192, 3) float32 RGB in 0…1, cut out of a BGR picture; the border is repeated beyond its edge.

    A crop that shrinks the picture a lot is taken from a smaller copy of its surroundings, so that nothing aliases.
    """
    scale = float(np.hypot(*to_picture[:, 0]))
    matrix = to_picture
    if scale > 1.5:
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (INPUT_SIZE - 1) @ to_picture[:, :2].T + to_picture[:, 2]
        height, width = image.shape[:2]
        left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2, 0, [width - 1, height - 1])
        right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 3, [left + 1, top + 1], [width, height])
        part = image[top:bottom, left:right]
        small = cv2.resize(
            part,
            (max(1, round(part.shape[1] / scale)), max(1, round(part.shape[0] / scale))),
            interpolation=cv2.INTER_AREA,
        )
        shrink = np.array([small.shape[1] / part.shape[1], small.shape[0] / part.shape[0]])
        matrix = np.column_stack(
            [to_picture[:, :2] * shrink[:, None], (to_picture[:, 2] - [left, top] + 0.5) * shrink - 0.5]
        )
        image = small
    pixels = cv2.warpAffine(
        image,
        matrix,
        (INPUT_SIZE, INPUT_SIZE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return pixels[..., ::-1].astype(np.float32) / 255
