"""Finds the faces of frames: boxes in the picture or in a turned copy of it, then landmarks."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from facelib.alignment import face_matrix, transform_points, warp_face
from facelib.face_type import FaceType

# The order in which a frame is turned (degrees clockwise) until a face is seen.
TURNS = (0, 90, 270, 180)
SMALLEST_FRAME = 128

_ROTATE_CODES = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
_SECOND_PASS_SIZE = 256


@dataclass(frozen=True)
class FoundFace:
    """A face in a frame.

    Parameters
    ----------
    rect : tuple of int
        (left, top, right, bottom) in frame pixels; may reach beyond the frame.
    landmarks : numpy.ndarray or None
        (68, 2) float64 in frame pixels; None when the aligner saw no face in the box.
    """

    rect: tuple[int, int, int, int]
    landmarks: np.ndarray | None


class FaceFinder:
    """A detector and an aligner at work on whole frames.

    Parameters
    ----------
    detector : object
        ``detect(images)`` → list of boxes for each picture.
    aligner : object
        ``align(images, boxes)`` → list of landmarks for each picture; for a second pass also ``align_accurately``.
    max_faces : int
        Only the largest this many of a frame; 0 = all.
    second_pass : bool
        Detect and align again in the aligned full-face picture. For aligners that do not refine by themselves.
    pixel_exact : bool
        Turn landmarks back exactly; otherwise one pixel off, as DeepFaceLab does.
    """

    def __init__(
        self, detector: Any, aligner: Any, max_faces: int = 0, second_pass: bool = False, pixel_exact: bool = True
    ):
        self.detector, self.aligner = detector, aligner
        self.max_faces, self.second_pass, self.pixel_exact = max_faces, second_pass, pixel_exact

    @property
    def can_follow(self) -> bool:
        """Whether faces can be followed from frame to frame (:mod:`facelib.tracks`)."""
        return hasattr(self.detector, "candidates_in_whole") and hasattr(self.aligner, "landmarks_of")

    def find(self, images: list[np.ndarray]) -> list[list[FoundFace]]:
        """Faces of each (H, W, 3) uint8 BGR frame, largest first."""
        turned, turns = list(images), [0] * len(images)
        boxes: list[list[tuple]] = [[] for _ in images]
        waiting = [index for index, image in enumerate(images) if min(image.shape[:2]) >= SMALLEST_FRAME]
        for turn in TURNS:
            if not waiting:
                break
            pictures = [turn_image(images[index], turn) for index in waiting]
            for index, picture, found in zip(waiting, pictures, self.detector.detect(pictures)):
                if found:
                    turned[index], turns[index], boxes[index] = picture, turn, self._limited(found)
            waiting = [index for index in waiting if not boxes[index]]
        landmarks = self._align(turned, boxes)
        return [
            [self._in_frame(rect, points, turn, image) for rect, points in zip(rects, found)]
            for image, turn, rects, found in zip(images, turns, boxes, landmarks)
        ]

    def align_rect(self, image: np.ndarray, rect: tuple, accurate: bool = True) -> np.ndarray | None:
        """Landmarks (68, 2) of one face whose box is known, for example drawn by hand; quicker if not ``accurate``."""
        if self.second_pass:
            landmarks = [list(self.aligner.align([image], [[rect]])[0])]
            return (self._refined([image], landmarks) if accurate else landmarks)[0][0]
        return self.aligner.align_one(image, rect, accurate)

    def _limited(self, boxes):
        return boxes[: self.max_faces] if self.max_faces > 0 else boxes

    def _align(self, images, boxes):
        landmarks = [[None] * len(rects) for rects in boxes]
        filled = [index for index, rects in enumerate(boxes) if rects]
        if not filled:
            return landmarks
        results = self.aligner.align([images[index] for index in filled], [boxes[index] for index in filled])
        for index, result in zip(filled, results):
            landmarks[index] = list(result)
        return self._refined(images, landmarks) if self.second_pass else landmarks

    def _refined(self, images, landmarks):
        """Landmarks found again in the aligned picture of each face, where exactly one face is seen in it."""
        places = [(i, j) for i, found in enumerate(landmarks) for j, points in enumerate(found) if points is not None]
        matrices = [face_matrix(landmarks[i][j], _SECOND_PASS_SIZE, FaceType.FULL) for i, j in places]
        sound = [bool(np.isfinite(matrix).all()) for matrix in matrices]
        places = [place for place, good in zip(places, sound) if good]
        matrices = [matrix for matrix, good in zip(matrices, sound) if good]
        faces = [warp_face(images[i], matrix, _SECOND_PASS_SIZE) for (i, _), matrix in zip(places, matrices)]
        boxes = self.detector.detect(faces) if faces else []
        single = [index for index, found in enumerate(boxes) if len(found) == 1]
        if not single:
            return landmarks
        align = getattr(self.aligner, "align_accurately", self.aligner.align)
        results = align([faces[index] for index in single], [boxes[index] for index in single])
        for index, (points,) in zip(single, results):
            if points is not None:
                i, j = places[index]
                landmarks[i][j] = transform_points(points, matrices[index], invert=True)
        return landmarks

    def _in_frame(self, rect, points, turn, image):
        shape = image.shape[:2]
        if points is not None:
            points = unturn_points(points, turn, shape, exact=self.pixel_exact)
        return FoundFace(unturn_rect(rect, turn, shape), points)


def turn_image(image: np.ndarray, turn: int) -> np.ndarray:
    """The picture turned clockwise by 0, 90, 180 or 270 degrees."""
    return image if turn == 0 else cv2.rotate(image, _ROTATE_CODES[turn])


def unturn_points(points: np.ndarray, turn: int, shape: tuple, exact: bool = True) -> np.ndarray:
    """Points of a turned picture in the unturned one.

    Parameters
    ----------
    points : numpy.ndarray
        (…, 2) in pixels of the picture turned clockwise by ``turn`` degrees.
    turn : int
    shape : tuple
        (height, width, …) of the unturned picture.
    exact : bool
        Without it the result is one pixel further right or down, as in DeepFaceLab.
    """
    points = np.asarray(points, np.float64)
    height, width = (side - 1 if exact else side for side in shape[:2])
    x, y = points[..., 0], points[..., 1]
    if turn == 90:
        x, y = y, height - x
    elif turn == 180:
        x, y = width - x, height - y
    elif turn == 270:
        x, y = width - y, x
    return np.stack([x, y], axis=-1)


def unturn_rect(rect: tuple, turn: int, shape: tuple) -> tuple[int, int, int, int]:
    """Box of a turned picture in the unturned one, as (left, top, right, bottom) in rising order."""
    height, width = shape[:2]
    left, top, right, bottom = (int(value) for value in rect)
    if turn == 90:
        return (top, height - right, bottom, height - left)
    if turn == 180:
        return (width - right, height - bottom, width - left, height - top)
    if turn == 270:
        return (width - bottom, left, width - top, right)
    return (left, top, right, bottom)
