"""What a faceset consists of: poses, sharpness, light, sizes, and faces that may be wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from core.console import interact
from core.errors import NothingToDo, UserError
from core.files.imageio import encode_image
from core.imagelib.sharpness import sharpness
from core.parallel import ordered_map
from facelib.landmarks import hull_mask, pose
from facelib.recognition.embedding import TextureEmbedding, aligned_crop
from samplelib.faces.sample import Sample
from samplelib.faceset import load_faceset

THUMBNAIL_SIDE = 96

_WORK_SIDE = 256
_LARGEST_ROLL = 45.0
_OUTLIER_SPREADS = 6.0
_FEW_FACES = 8


@dataclass(frozen=True)
class FaceFacts:
    """Measurements of one face.

    Parameters
    ----------
    name : str
        File name.
    frame : str or None
        Name of the frame it comes from.
    side : int
        Width of the picture in pixels.
    source_side : float
        Side of the face's square in its frame, pixels; NaN if unknown.
    yaw, pitch, roll : float
        Degrees; yaw > 0 looks to the image's left, pitch > 0 up (NaN without a pose); roll is the slope of the eyes.
    sharpness, brightness, hue, saturation : float
        Inside the hull of the landmarks, at 256 pixels: sharpness, brightness and saturation 0…1, hue in degrees.
    face_type : str
    has_mask, has_labels : bool
        Applied mask, hand-drawn polygons.
    vector : numpy.ndarray
        Who it is, by texture: float16, of length 1 but for rounding.
    problems : tuple of str
        Reasons to look at it.
    """

    name: str
    frame: str | None
    side: int
    source_side: float
    yaw: float
    pitch: float
    roll: float
    sharpness: float
    brightness: float
    hue: float
    saturation: float
    face_type: str
    has_mask: bool
    has_labels: bool
    vector: np.ndarray = field(repr=False)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """A faceset that was looked at: its folder, the facts of its faces, and small JPEG pictures of them by name."""

    folder: Path
    faces: list[FaceFacts]
    samples: dict[str, Sample] = field(repr=False)
    suspects: list[tuple[FaceFacts, str]] = field(default_factory=list)

    def column(self, name: str) -> np.ndarray:
        """One measurement of all faces, (n,) float64."""
        return np.array([getattr(face, name) for face in self.faces], np.float64)

    def without_suspects(self) -> "Survey":
        """The same without the faces that may be wrong."""
        wrong = {face.name for face, _ in self.suspects}
        return replace(self, faces=[face for face in self.faces if face.name not in wrong], suspects=[])

    def thumbnail(self, face: FaceFacts) -> bytes:
        """JPEG of a face, 96 pixels wide."""
        image = cv2.resize(
            self.samples[face.name].read_bgr(), (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA
        )
        return encode_image(image, ".jpg", 80)


def survey_faceset(folder: Path) -> Survey:
    """Look at every face of a folder or packed faceset.

    Raises
    ------
    NothingToDo
        When there is no face.
    """
    samples, faces = load_faceset(folder), []
    with interact.progress(len(samples), f"Looking at {folder.name}") as bar:
        for outcome in ordered_map(_measure, samples, ahead=16):
            bar.update()
            if outcome.error is None:
                faces.append(outcome.value)
            elif isinstance(outcome.error, UserError):
                interact.warning(f"{outcome.error}. It is left out of the report.")
            else:
                raise outcome.error
    if not faces:
        raise NothingToDo(f"{folder}: none of its pictures could be read.")
    return Survey(folder, faces, {sample.name: sample for sample in samples}, find_suspects(faces))


def find_suspects(faces: Sequence[FaceFacts]) -> list[tuple[FaceFacts, str]]:
    """Faces that may be wrong, with the reason: what :class:`FaceFacts` noted, and faces unlike the rest.

    The likeness of a face is its cosine with the mean of all; a face is unlike the rest when it lies more than six
    times the usual spread (median absolute deviation) below the median, and so low that it is another person's.
    """
    suspects = [(face, "; ".join(face.problems)) for face in faces if face.problems]
    if len(faces) >= _FEW_FACES:
        mean = np.zeros(len(faces[0].vector), np.float64)
        for face in faces:
            mean += face.vector
        mean /= np.linalg.norm(mean)
        likeness = np.array([face.vector @ mean for face in faces])
        median = np.median(likeness)
        spread = max(1e-3, float(np.median(np.abs(likeness - median))))
        limit = min(median - _OUTLIER_SPREADS * spread, TextureEmbedding.threshold)
        for index in np.argsort(likeness):
            if likeness[index] < limit and not faces[index].problems:
                suspects.append((faces[index], "unlike the other faces"))
    return suspects


def _measure(sample):
    image, metadata = sample.read_bgr(), sample.metadata
    height, width = image.shape[:2]
    landmarks = metadata.landmarks
    pitch, yaw, _ = np.degrees(pose(landmarks, width))
    roll = _eye_line(landmarks)
    side = min(_WORK_SIDE, width)
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA) if width > side else image
    mask = hull_mask(small.shape, landmarks * (side / width)).astype(np.uint8)
    brightness, hue, saturation = _light(small, mask)
    rect = metadata.source_rect
    try:
        vector = TextureEmbedding().embed([aligned_crop(image, landmarks)])[0].astype(np.float16)
    except UserError:
        vector = np.zeros(len(TextureEmbedding().embed([np.zeros((112, 112, 3), np.uint8)])[0]), np.float16)
    return FaceFacts(
        name=sample.name,
        frame=metadata.source_filename,
        side=width,
        source_side=float("nan") if rect is None else float(np.sqrt(abs(np.prod(rect[2:] - rect[:2])))),
        yaw=float(yaw),
        pitch=float(pitch),
        roll=float(roll),
        sharpness=sharpness(small * mask),
        brightness=brightness,
        hue=hue,
        saturation=saturation,
        face_type=metadata.face_type,
        has_mask=metadata.xseg_mask is not None,
        has_labels=bool(metadata.polygons),
        vector=vector,
        problems=tuple(_problems(landmarks, (height, width), yaw, roll, metadata.face_type)),
    )


def _eye_line(landmarks):
    """Slope of the line through the eyes, degrees."""
    x, y = landmarks[42:48].mean(axis=0) - landmarks[36:42].mean(axis=0)
    return float(np.degrees(np.arctan2(y, x)))


def _light(image, mask):
    """Mean brightness, hue in degrees (a direction, so averaged as one) and saturation inside the mask."""
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)[mask[:, :, 0] > 0].astype(np.float64)
    if not len(hsv):
        return 0.0, 0.0, 0.0
    angle, weight = hsv[:, 0] * np.pi / 90, hsv[:, 1]
    hue = np.degrees(np.arctan2((np.sin(angle) * weight).sum(), (np.cos(angle) * weight).sum())) % 360
    return float(hsv[:, 2].mean() / 255), float(hue), float(weight.mean() / 255)


def _problems(landmarks, shape, yaw, roll, face_type):
    if not np.isfinite(yaw):
        yield "no head pose fits the landmarks"
    if abs(roll) > _LARGEST_ROLL and face_type != "mark_only":
        yield f"rolled by {roll:.0f}°, although it was aligned"
    inner = landmarks[17:]
    outside = ((inner < 0) | (inner >= [shape[1], shape[0]])).any(axis=1).mean()
    if outside > 0.2:
        yield f"{outside:.0%} of the landmarks lie outside the picture"
    if shape[0] != shape[1] and face_type != "mark_only":
        yield "not square"
