"""The extraction pipeline: frames in, aligned face pictures, debug pictures and a journal of finished frames out."""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, count
from pathlib import Path
from queue import SimpleQueue

import cv2
import numpy as np

from core.console import interact
from core.errors import FormatError, UserError
from core.files.imageio import read_bgr, write_image
from core.files.paths import remove_if_present
from core.files.trash import keep_copy
from core.parallel import cpu_count, ordered_map
from facelib.alignment import face_matrix, transform_points, warp_face
from facelib.drawing import crop_corners, draw_rect_landmarks
from facelib.face_finder import FaceFinder, FoundFace
from facelib.face_type import FaceType
from facelib.tracks import BLOCK, FaceTracker, thumbnail, thumbnails_agree
from samplelib.faces.aligned_face import FaceMetadata, read_metadata, save_face
from samplelib.faces.persons import KnownPerson

DEBUG_JPEG_QUALITY = 50
INTERPOLATIONS = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}

# Frames that are held while faces are followed through them, in bytes; beside them there are those that are loaded and written.
_MEMORY_OF_RUNS = 1 << 30

# Every file is flushed to the disk before it counts; so many threads wait for that at the same time.
_WRITERS = 8

# A box this many times smaller than the crop that its landmarks ask for is a wrong detection.
_LARGEST_CROP_TO_RECT = 4


@dataclass(frozen=True)
class ExtractSettings:
    """How faces are cut out and where they go.

    Parameters
    ----------
    output_folder : Path
        For ``<frame stem>_<index>.jpg``.
    debug_folder : Path or None
        For ``<frame stem>.jpg`` with drawings; None = no debug pictures.
    face_type : FaceType
    image_size : int
        Side of a face picture; not used by ``MARK_ONLY``.
    jpeg_quality : int
        1…100.
    interpolation : str
        Key of ``INTERPOLATIONS``; DeepFaceLab's faces are cut out with ``linear``.
    person : KnownPerson, optional
        Whose faces are kept; those of others go to ``others_folder``, with indexes behind theirs.
    others_folder : Path, optional
    most_kept : int
        Largest faces of the person that are kept of a frame; 0 keeps all.
    """

    output_folder: Path
    debug_folder: Path | None
    face_type: FaceType
    image_size: int
    jpeg_quality: int = 90
    interpolation: str = "linear"
    person: KnownPerson | None = None
    others_folder: Path | None = None
    most_kept: int = 0


@dataclass(frozen=True)
class SourceFrame:
    """A frame to work on: ``name`` with extension, and ``load()`` that returns its (H, W, 3) uint8 BGR picture.

    ``number`` is its place in the film. One that is not ``wanted`` is only looked at, for the sake of its neighbours.
    """

    name: str
    load: Callable[[], np.ndarray]
    number: int = 0
    wanted: bool = True

    @property
    def stem(self) -> str:
        return Path(self.name).stem


@dataclass(frozen=True)
class FrameResult:
    """What became of a frame: the names of the face files written, or ``error`` when it could not be read.

    ``size`` is (width, height) of the frame, even numbers, in whose pixels the faces' ``source_landmarks`` are. ``begins_shot``: it
    differs from the frame before as only frames of two shots do. ``filled`` says of files that were put in where the face was
    missed at first how that was done.
    """

    name: str
    files: tuple[str, ...] = ()
    error: str | None = None
    size: tuple[int, int] | None = field(default=None, compare=False)
    begins_shot: bool = field(default=False, compare=False)
    filled: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class _Loaded:
    frame: SourceFrame
    image: np.ndarray | None
    error: str | None = None


@dataclass(frozen=True)
class _Cut:
    """A face cut out of its frame."""

    rect: tuple
    landmarks: np.ndarray
    picture: np.ndarray
    metadata: FaceMetadata


def frames_of_files(paths: Iterable[Path]) -> Iterator[SourceFrame]:
    """Frames that are read from picture files when their turn comes."""
    for number, path in enumerate(paths):
        yield SourceFrame(path.name, partial(read_bgr, path), number)


def with_neighbours(frames: Iterable[SourceFrame], done: Collection[int], count: int) -> Iterator[SourceFrame]:
    """The frames that are not done, and those that following faces to them needs, which are not ``wanted``.

    So a run that goes on finds what an uninterrupted one finds: whole blocks are looked at, up to the first frame of the next.

    Parameters
    ----------
    frames : iterable of SourceFrame
        All of a film, numbered from 0; read one at a time.
    done : collection of int
        Numbers of the frames that are done.
    count : int
        How many frames there are; of a video about how many.
    """

    def is_needed(block):
        numbers = range(block * BLOCK, max(block * BLOCK + 1, min((block + 1) * BLOCK, count)))
        return any(number not in done for number in numbers)

    for frame in frames:
        block, place = divmod(frame.number, BLOCK)
        if is_needed(block) or frame.number not in done or (place == 0 and block and is_needed(block - 1)):
            yield replace(frame, wanted=frame.number not in done)


def with_frames_before(frames: Iterable[SourceFrame], done: Collection[int]) -> Iterator[SourceFrame]:
    """The frames that are not done, and before each run of them one that is, not ``wanted``, by which a cut is told.

    Parameters
    ----------
    frames : iterable of SourceFrame
        All of a film, numbered from 0; read one at a time.
    done : collection of int
        Numbers of the frames that are done.
    """
    before = None
    for frame in frames:
        if frame.number in done:
            before = frame
            continue
        if before is not None and before.number == frame.number - 1:
            yield replace(before, wanted=False)
        yield frame


def even_sized(image: np.ndarray) -> np.ndarray:
    """The picture without its last column or row where width or height is odd."""
    height, width = image.shape[:2]
    return np.ascontiguousarray(image[: max(1, height - height % 2), : max(1, width - width % 2)])


def extract_frames(
    frames: Iterable[SourceFrame],
    finders: list[FaceFinder],
    settings: ExtractSettings,
    batch_size: int = 1,
    workers: int | None = None,
    follow: bool = False,
) -> Iterator[FrameResult]:
    """Find, cut out and save the faces of all frames; yields in input order, each when its files are on disk.

    Loading, finding and writing overlap. The queues between them are bounded: memory does not grow with the number
    of frames.

    Parameters
    ----------
    frames : iterable of SourceFrame
        Read lazily.
    finders : list of FaceFinder
        As many batches are in work at the same time: one finder a GPU, or one a core.
    settings : ExtractSettings
    batch_size : int
        Frames handed to a finder together.
    workers : int, optional
        Threads for loading, and as many for writing; by default one a core, and more for writing, which waits for the disk.
    follow : bool
        Search every twelfth frame wholly, and follow the faces in between (:mod:`facelib.tracks`); for the embedded finder.
        What is found depends on the frames and their numbers alone, not on threads.

    Raises
    ------
    UserError
        When a file cannot be written (full disk).
    """
    writers = workers or max(cpu_count(), _WRITERS)
    workers = workers or cpu_count()
    free_finders: SimpleQueue[FaceFinder] = SimpleQueue()
    for finder in finders:
        free_finders.put(finder)

    def find(batch):
        finder = free_finders.get()
        try:
            return _find_in_batch(finder, batch, follow)
        finally:
            free_finders.put(finder)

    def search_anchor(outcome):
        loaded = _value(outcome)
        if loaded.frame.number % BLOCK or loaded.image is None:
            return loaded, [] if loaded.image is None else None
        [(_, faces)] = find([loaded])
        return loaded, faces

    def follow_run(run):
        finder = free_finders.get()
        try:
            return _follow_run(FaceTracker(finder), run)
        finally:
            free_finders.put(finder)

    def write(found):
        loaded, faces, begins_shot = found
        if loaded.image is None:
            return FrameResult(loaded.frame.name, error=loaded.error)
        return replace(write_frame(loaded.frame, loaded.image, faces, settings), begins_shot=begins_shot)

    with ExitStack() as stack:
        loaded = stack.enter_context(closing(ordered_map(_load, frames, workers)))
        if follow:
            searched = stack.enter_context(closing(ordered_map(search_anchor, loaded, len(finders), ahead=1)))
            searched, at_once = _runs_at_once(searched, len(finders))
            runs = stack.enter_context(closing(_runs(searched)))
            found = stack.enter_context(closing(ordered_map(follow_run, runs, at_once, ahead=0)))
        else:
            batches = stack.enter_context(closing(_batches(loaded, batch_size)))
            found = stack.enter_context(closing(ordered_map(find, batches, len(finders), ahead=1)))
        pairs = (item for item in _with_cuts(found) if item[0].frame.wanted)
        for outcome in stack.enter_context(closing(ordered_map(write, pairs, writers, 0))):
            yield _value(outcome)


def write_frame(
    frame: SourceFrame,
    image: np.ndarray,
    faces: list[FoundFace],
    settings: ExtractSettings,
    by_hand: bool = False,
) -> FrameResult:
    """Cut out the faces of one frame and write them, then its debug picture."""
    cuts = cut_faces(frame.name, image, faces, settings, by_hand)
    if settings.person is not None and settings.others_folder is not None and not by_hand:
        cuts, others = _parted(image, cuts, settings)
        for index, cut in enumerate(others, len(cuts)):
            _keep_labels(settings.others_folder / f"{frame.stem}_{index}.jpg")
            save_face(
                settings.others_folder / f"{frame.stem}_{index}.jpg", cut.picture, cut.metadata, settings.jpeg_quality
            )
    files = []
    for index, cut in enumerate(cuts):
        name = f"{frame.stem}_{index}.jpg"
        _keep_labels(settings.output_folder / name)
        save_face(settings.output_folder / name, cut.picture, cut.metadata, settings.jpeg_quality)
        files.append(name)
    if settings.debug_folder is not None:
        write_image(settings.debug_folder / f"{frame.stem}.jpg", draw_debug(image, cuts, settings), DEBUG_JPEG_QUALITY)
    return FrameResult(frame.name, tuple(files), size=(image.shape[1], image.shape[0]))


def _parted(image, cuts, settings):
    """The faces of the person, the largest first, and those of others."""
    likeness = [settings.person.likeness_of(image, cut.landmarks) for cut in cuts]
    shown = [cut for cut, value in zip(cuts, likeness) if value >= settings.person.likeness]
    kept = shown[: settings.most_kept] if settings.most_kept else shown
    return kept, [cut for cut in cuts if not any(cut is other for other in kept)]


def _keep_labels(path):
    """Keep a face picture that is going to be written anew in the trash folder when somebody drew labels in it."""
    if not path.exists():
        return
    try:
        metadata = read_metadata(path)
    except FormatError:
        return
    if metadata is not None and metadata.polygons:
        interact.info(f"{path.name} carries labels and is written anew; the old one is kept as {keep_copy(path)}.")


def add_face(
    frame: SourceFrame,
    image: np.ndarray,
    face: FoundFace,
    known: Iterable[FoundFace],
    settings: ExtractSettings,
    note: Callable[[str], None],
) -> str | None:
    """Write one more face of a frame that has been extracted, under the next free name, and its debug picture anew.

    ``known`` are its other faces. ``note`` is told the name before the file is written, so that no file is there that
    nobody knows of; a run that goes on takes the same name again.

    Returns
    -------
    str or None
        Name of the file; None when the face cannot be cut out.
    """
    cuts = cut_faces(frame.name, image, [face], settings)
    if not cuts:
        return None
    name = next(
        name for index in count() if not (settings.output_folder / (name := f"{frame.stem}_{index}.jpg")).exists()
    )
    note(name)
    save_face(settings.output_folder / name, cuts[0].picture, cuts[0].metadata, settings.jpeg_quality)
    if settings.debug_folder is not None:
        shown = cut_faces(frame.name, image, [*known, face], settings)
        write_image(settings.debug_folder / f"{frame.stem}.jpg", draw_debug(image, shown, settings), DEBUG_JPEG_QUALITY)
    return name


def write_marked_frame(
    frame: SourceFrame,
    image: np.ndarray,
    face: FoundFace | None,
    settings: ExtractSettings,
    earlier: tuple[str, ...] = (),
) -> FrameResult:
    """Write the face that a person marked in a frame; ``earlier`` files of the same run that it has no more are removed."""
    result = write_frame(frame, image, [] if face is None else [face], settings, by_hand=True)
    for name in earlier:
        if name not in result.files:
            remove_if_present(settings.output_folder / name)
    return result


def cut_faces(
    name: str, image: np.ndarray, faces: list[FoundFace], settings: ExtractSettings, by_hand: bool = False
) -> list[_Cut]:
    """Face pictures and metadata of the faces that have landmarks.

    A face found automatically is left out when its crop is far larger than its box (types up to full face).
    """
    cuts = []
    for face in faces:
        if face.landmarks is None or not np.isfinite(face.landmarks).all():
            continue
        matrix, picture, landmarks = None, image, face.landmarks
        if settings.face_type != FaceType.MARK_ONLY:
            matrix = face_matrix(face.landmarks, settings.image_size, settings.face_type)
            if not np.isfinite(matrix).all() or (not by_hand and _too_large(matrix, face.rect, settings)):
                continue
            picture = warp_face(image, matrix, settings.image_size, INTERPOLATIONS[settings.interpolation])
            landmarks = transform_points(face.landmarks, matrix)
        metadata = FaceMetadata(
            face_type=settings.face_type.text,
            landmarks=landmarks,
            source_filename=name,
            source_rect=np.array(face.rect, np.int64),
            source_landmarks=face.landmarks,
            image_to_face_mat=matrix,
        )
        cuts.append(_Cut(face.rect, face.landmarks, picture, metadata))
    return cuts


def draw_debug(image: np.ndarray, cuts: list[_Cut], settings: ExtractSettings) -> np.ndarray:
    """Copy of the frame with landmarks, box and crop of every face that was saved."""
    drawing = image.copy()
    if settings.face_type == FaceType.MARK_ONLY:
        return drawing
    for cut in cuts:
        draw_rect_landmarks(drawing, cut.rect, cut.landmarks, settings.face_type, settings.image_size, True)
    return drawing


def _load(frame):
    try:
        return _Loaded(frame, even_sized(frame.load()))
    except UserError as error:
        return _Loaded(frame, None, str(error))


def _with_cuts(found):
    """(loaded, faces, whether a shot begins) of every frame, in order."""
    before = None
    for outcome in found:
        for loaded, faces in _value(outcome):
            now = None if loaded.image is None else (loaded.frame.number, loaded.image.shape, thumbnail(loaded.image))
            neighbours = None not in (before, now) and now[0] == before[0] + 1
            yield loaded, faces, neighbours and not (now[1] == before[1] and thumbnails_agree(before[2], now[2]))
            before = now


def _batches(loaded, size):
    """Lists of ``size`` frames in order; unreadable ones travel along so that the order is kept."""
    batch = []
    for outcome in loaded:
        batch.append(_value(outcome))
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _find_in_batch(finder, batch, also_unwanted):
    """(loaded, faces) of each frame; those that are not wanted are searched only where faces are followed from them."""
    searched = [loaded.image is not None and (also_unwanted or loaded.frame.wanted) for loaded in batch]
    pictures = [loaded.image for loaded, is_searched in zip(batch, searched) if is_searched]
    found = iter(finder.find(pictures) if pictures else [])
    return [(loaded, next(found) if is_searched else []) for loaded, is_searched in zip(batch, searched)]


def _runs_at_once(searched, most):
    """``searched`` again, and how many runs of such frames may be in memory at the same time: one at least, ``most`` at most."""
    first = next(searched, None)
    if first is None:
        return searched, 1
    image = _value(first)[0].image
    size = 1 if image is None else image.nbytes * (BLOCK + 1)
    return chain((first,), searched), max(1, min(most, _MEMORY_OF_RUNS // size))


def _runs(searched):
    """Lists of (loaded, faces) from a frame that was searched up to the next one of them, which begins the next list as well."""
    run = []
    for outcome in searched:
        loaded, faces = _value(outcome)
        if run and loaded.frame.number != run[-1][0].frame.number + 1:
            yield run, None
            run = []
        elif run and loaded.frame.number % BLOCK == 0:
            yield run, None if loaded.image is None else (loaded, faces)
            run = []
        run.append((loaded, faces))
    if run:
        yield run, None


def _follow_run(tracker, run):
    """(loaded, faces) of each frame of a run; ``behind`` is the frame that was searched after it, if there is one."""
    frames, behind = run
    images = [loaded.image for loaded, _ in frames] + ([] if behind is None else [behind[0].image])
    first = frames[0][1]
    if first is None:  # A run that does not begin at a frame that was searched.
        first = tracker.finder.find([images[0]])[0]
    faces = tracker.find(images, first, None if behind is None else behind[1])
    return [(loaded, found) for (loaded, _), found in zip(frames, faces, strict=True)]


def _value(outcome):
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def _too_large(matrix, rect, settings):
    if settings.face_type > FaceType.FULL_NO_ALIGN:
        return False
    corners = crop_corners(matrix, settings.image_size).astype(np.float32)
    left, top, right, bottom = rect
    return cv2.contourArea(corners) > _LARGEST_CROP_TO_RECT * abs((right - left) * (bottom - top))
