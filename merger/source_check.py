"""Whether the frames of a merge are those that the aligned faces were cut out of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from facelib.alignment import umeyama

_MOST_FACES = 12
_SIDE = 64  # Faces are compared at this size: fine detail is what compression and enhancers change.
_DETAIL_SIGMA, _LIGHT_SIGMA = 0.8, 6.0  # Between them lies what is compared; slower changes are light and colour.
_BORDER = 4
_FLAT, _TEXTURED = 0.5, 2.0  # Standard deviation, in grey levels of 255, of a picture without and with features.
_ALIKE = 0.6  # Least correlation of a face with its place in its own frame; enhanced and graded faces have 0.8.
_BETTER_BY = (
    0.5  # Another frame fits when what it differs by is less than this part of the difference of the own frame.
)
_NOTICEABLE = 0.01
_STEADY_WITHIN = 0.4  # Pixels of the compared picture by which a fitting face may seem to be moved …
_RESIZING_MOVES = 1.5  # … and pixels of the face picture: enlarging three times takes corners for centres of pixels.
_COMMON_HEIGHTS = (240, 270, 288, 360, 432, 480, 540, 576, 640, 720, 768, 800, 900, 960, 1024, 1080, 1200, 1280, 1440,
                   1600, 1620, 1920, 2048, 2160, 2880, 3240, 4320)  # fmt: skip
_SEARCHED_SHARES = 3  # A third of the faces may be retouched before the frames are called wrong.


@dataclass(frozen=True)
class FaceToCheck:
    """An aligned face and the frame that it names.

    Attributes
    ----------
    name : str
        File name of the face.
    frame : int
        Index of its frame.
    picture : numpy.ndarray
        (64, 64) uint8, grey.
    matrix : numpy.ndarray
        (2, 3) float64, from the frame to ``picture``.
    tolerance : float
        Pixels of ``picture`` by which resizing the face may have moved it.
    """

    name: str
    frame: int
    picture: np.ndarray
    matrix: np.ndarray
    tolerance: float = 0.6


@dataclass(frozen=True)
class Finding:
    """What comparing one face showed.

    Attributes
    ----------
    name : str
        File name of the face.
    frame : int
        Index of the frame that it names.
    likeness : float
        Correlation of the face with its place in that frame, -1…1.
    better : int or None
        Index of another frame that fits far better.
    is_displaced : bool
        The face is in the frame, but clearly beside its place.
    now : tuple of int
        (width, height) of the frame.
    then : tuple of int or None
        Size of the frame when the face was cut out, where it is recorded or can be told from the face.
    is_recorded : bool
        ``then`` was recorded by the extraction.
    """

    name: str
    frame: int
    likeness: float
    better: int | None = None
    is_displaced: bool = False
    now: tuple[int, int] = (0, 0)
    then: tuple[int, int] | None = None
    is_recorded: bool = False

    @property
    def fits(self) -> bool:
        is_scaled = self.is_recorded and self.then != self.now
        return self.likeness >= _ALIKE and self.better is None and not self.is_displaced and not is_scaled


@dataclass
class _Views:
    """A face, the pictures at its place in several frames by index, and what its own frame shows besides."""

    face: FaceToCheck
    pictures: dict[int, np.ndarray] = field(default_factory=dict)
    now: tuple[int, int] = (0, 0)
    then: tuple[int, int] | None = None
    is_recorded: bool = False
    is_displaced: bool = False


def choose(count: int, most: int = _MOST_FACES) -> list[int]:
    """At most ``most`` indices spread evenly over ``count`` items, the first and the last among them."""
    return sorted({round(place) for place in np.linspace(0, count - 1, min(count, most))}) if count else []


def face_to_check(
    name: str, frame: int, picture: np.ndarray, landmarks: np.ndarray, source_landmarks: np.ndarray
) -> FaceToCheck | None:
    """Prepare a face for :func:`compare`; None for one whose landmarks give no place in the frame.

    Parameters
    ----------
    name : str
    frame : int
    picture : numpy.ndarray
        (H, W, 3) uint8 BGR. It may have been resized, graded or enhanced since it was cut out.
    landmarks, source_landmarks : numpy.ndarray
        (68, 2) in pixels of the picture and of the frame. The similarity between them holds also after a change of
        size or face type.
    """
    box = _box(landmarks, picture.shape)
    if box is None:
        return None
    scale = _SIDE / (box[2] - box[0])
    to_small = np.array([[scale, 0, -box[0] * scale], [0, scale, -box[1] * scale]])
    to_picture = umeyama(source_landmarks, landmarks)
    matrix = (np.vstack([to_small, [0, 0, 1]]) @ to_picture)[:2]
    if not np.isfinite(matrix).all() or not 1e-4 < abs(np.linalg.det(matrix[:, :2])) < 1e8:
        return None
    return FaceToCheck(name, frame, _cut(picture, to_small), matrix, _STEADY_WITHIN + _RESIZING_MOVES * scale)


def frames_to_read(faces: Sequence[FaceToCheck], count: int, neighbours: bool = True) -> list[int]:
    """Indices of the frames that :func:`compare` looks at: those of the faces, and their neighbours."""
    steps = (-2, -1, 0, 1, 2) if neighbours else (0,)
    return sorted({face.frame + step for face in faces for step in steps if 0 <= face.frame + step < count})


def compare(
    faces: Sequence[FaceToCheck],
    frames: Iterable[tuple[int, np.ndarray]],
    recorded: Mapping[int, tuple[int, int]] | None = None,
) -> list[Finding]:
    """Compare each face with its place in its own frame, and with the same place in the other frames.

    Parameters
    ----------
    faces : sequence of FaceToCheck
    frames : iterable of (int, numpy.ndarray)
        Indices and pictures (H, W, 3) uint8 of the frames of :func:`frames_to_read`; read once, none is kept.
    recorded : mapping of int to (int, int), optional
        Sizes (width, height) that frames had when faces were cut out of them, where that is known.

    Returns
    -------
    list of Finding
        Of the faces that tell something; a face without features does not.
    """
    views = [_Views(face) for face in faces]
    for index, image in frames:
        for view in views:
            view.pictures[index] = _cut(image, view.face.matrix)
            if view.face.frame == index:
                _look_at_own(view, image, (recorded or {}).get(index))
    return [finding for finding in map(_finding, views) if finding is not None]


def wrong(findings: Sequence[Finding]) -> list[Finding]:
    """Findings that speak against the frames when there are enough of them, otherwise none.

    Single faces may have been retouched by hand, or show something that moved in front of the face.
    """
    against = [finding for finding in findings if not finding.fits]
    return against if len(against) * _SEARCHED_SHARES > len(findings) else []


def _look_at_own(view, image, recorded):
    height, width = image.shape[:2]
    face, own = view.face, view.pictures[view.face.frame]
    view.now, view.is_recorded = (width - width % 2, height - height % 2), recorded is not None
    shift, moved = _at_its_best(face, image, own)
    if shift > face.tolerance:
        view.is_displaced = True
    else:
        view.pictures[face.frame] = own = moved
    if recorded is not None:
        view.then = tuple(recorded)
    elif view.is_displaced or _likeness(face.picture, own) < _ALIKE:
        view.then = _earlier_size(face, image)


def _finding(view):
    face = view.face
    if face.frame not in view.pictures:
        return None
    own = view.pictures[face.frame]
    texture = _texture(face.picture)
    is_scaled = view.is_recorded and view.then != view.now
    if not is_scaled and (texture < _FLAT or (texture < _TEXTURED and _texture(own) < _TEXTURED)):
        return None
    likeness = _likeness(face.picture, own)
    better = _better_frame(view, likeness)
    return Finding(face.name, face.frame, likeness, better, view.is_displaced, view.now, view.then, view.is_recorded)


def _better_frame(view, likeness):
    """Index of a frame that differs from the face by far less than its own does."""
    if 1 - likeness < _NOTICEABLE:
        return None
    others = {i: _likeness(view.face.picture, p) for i, p in view.pictures.items() if i != view.face.frame}
    best = max(others, key=others.get, default=None)
    return best if best is not None and _is_far_better(others[best], likeness) else None


def _at_its_best(face, image, own):
    """How far the face has to be moved in its frame to fit far better, in pixels, and the picture there."""
    likeness = _likeness(face.picture, own)
    first, second = _features(face.picture), _features(own)
    x, y = _displacement(first, second)
    shift = float(np.hypot(x, y))
    if 1 - likeness < _NOTICEABLE or not shift < _SIDE:
        return 0.0, own
    moved = _cut(image, np.column_stack([face.matrix[:, :2], face.matrix[:, 2] - (x, y)]))
    return (shift, moved) if _is_far_better(_likeness(face.picture, moved), likeness) else (0.0, own)


def _displacement(first, second):
    """(x, y) by which ``second`` is moved against ``first``: exact for little, roughly for much."""
    matrix = np.eye(2, 3, dtype=np.float32)
    limits = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-4)
    try:
        _, matrix = cv2.findTransformECC(first, second, matrix, cv2.MOTION_TRANSLATION, limits, None, 1)
        return matrix[:, 2]
    except cv2.error:  # It does not converge for pictures that are far apart.
        return cv2.phaseCorrelate(first, second, cv2.createHanningWindow(first.shape[::-1], cv2.CV_32F))[0]


def _is_far_better(other, own):
    return other >= _ALIKE and 1 - other < _BETTER_BY * (1 - own)


def _earlier_size(face, image):
    """Size of the frame from which ``image`` may have been scaled, found among the common heights."""
    height, width = image.shape[:2]
    best, size = max(_ALIKE, _likeness(face.picture, _cut(image, face.matrix))), None
    for earlier in _COMMON_HEIGHTS:
        for then in {(round(width * earlier / height), earlier), (earlier, round(height * earlier / width))}:
            if then == (width, height):
                continue
            linear = face.matrix[:, :2] @ np.diag([then[0] / width, then[1] / height])
            likeness = _likeness(face.picture, _cut(image, np.column_stack([linear, face.matrix[:, 2]])))
            if likeness > best:
                best, size = likeness, then
    return size


def _box(landmarks, shape):
    """Square (left, top, right, bottom) about the landmarks of a face picture, a little larger than they are."""
    points = np.asarray(landmarks, np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    half = 0.55 * max(high - low)
    if not np.isfinite(half) or half < 4:
        return None
    center = (low + high) / 2
    box = (*(center - half), *(center + half))
    inside = box[2] > 0 and box[3] > 0 and box[0] < shape[1] and box[1] < shape[0]
    return box if inside else None


def _cut(image, matrix):
    """Place of a face as (64, 64) uint8 grey, sampled finely enough that large faces are averaged down."""
    fine = max(1, min(16, round(1 / max(1e-3, np.sqrt(abs(np.linalg.det(matrix[:, :2])))))))
    large = cv2.warpAffine(image, matrix * fine, (_SIDE * fine, _SIDE * fine), flags=cv2.INTER_LINEAR)
    small = cv2.resize(large, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY) if small.ndim == 3 else small


def _features(picture):
    """The picture without light, colour and finest detail; without its border, where nothing may lie behind the crop."""
    picture = picture.astype(np.float32)
    band = cv2.GaussianBlur(picture, (0, 0), _DETAIL_SIGMA) - cv2.GaussianBlur(picture, (0, 0), _LIGHT_SIGMA)
    return band[_BORDER:-_BORDER, _BORDER:-_BORDER]


def _texture(picture):
    return float(_features(picture).std())


def _likeness(first, second):
    """Correlation of the features of two pictures, -1…1; 0 where one has none."""
    first, second = _features(first), _features(second)
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / norm if norm > 1e-3 else 0.0
