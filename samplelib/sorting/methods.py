"""The fifteen sorting methods of DeepFaceLab, and the one door to all methods."""

import os
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.console import interact
from core.console.commands import command
from core.console.counted import counted
from core.errors import FormatError, UserError
from core.files.imageio import read_bgr
from core.files.paths import natural_key
from core.imagelib.histograms import channel_histograms, dissimilarities, grey_histogram, similarity_chain
from core.imagelib.sharpness import sharpness
from core.parallel import cpu_count
from samplelib.faces.aligned_face import read_metadata
from samplelib.faces.rename import numbered_plan, rename_files
from samplelib.sorting import extra_methods, face_scores
from samplelib.sorting.best_faces import YAW_BINS, best_faces
from samplelib.sorting.face_scores import measure
from samplelib.sorting.method_names import find_method
from samplelib.sorting.method_values import Sorted, SortOptions

_HISTOGRAM_CHUNK = 20_000
_MOST_CHUNKS = 12
_PIXELS_IN_MEMORY = 3 << 30  # bytes; more go to a temporary file


def by_score(
    paths: Sequence[Path],
    score: Callable[[Path], Any],
    description: str,
    descending: bool = True,
    zero_is_trash: bool = False,
) -> Sorted:
    """Sort by a number; equal ones keep their order. What is no face (where the score needs one) goes to trash, what
    cannot be scored goes last."""
    measured = measure(score, paths, description)
    keep, trash = list(zip(measured.values, measured.paths)), list(measured.without_face)
    if zero_is_trash:
        trash += [path for value, path in keep if value == 0]
        keep = [(value, path) for value, path in keep if value != 0]
    keep.sort(key=lambda pair: pair[0], reverse=descending)
    return Sorted([path for _, path in keep] + measured.failed, trash)


def by_blur(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Sharpest first; pictures without any sharp edge go to trash."""
    return by_score(paths, face_scores.face_sharpness, "Measuring sharpness", zero_is_trash=True)


def by_motion_blur(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Least motion blur first."""
    return by_score(paths, face_scores.face_motion_sharpness, "Measuring motion blur", zero_is_trash=True)


def by_yaw(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """From faces turned to the image's left to those turned right."""
    return by_score(paths, lambda path: face_scores.face_pose(path)[1], "Measuring yaw")


def by_pitch(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """From faces looking up to those looking down."""
    return by_score(paths, lambda path: face_scores.face_pose(path)[0], "Measuring pitch")


def by_source_rect(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Largest in their frame first."""
    return by_score(paths, face_scores.source_rect_area, "Reading face sizes")


def by_brightness(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Brightest first."""
    return by_score(paths, face_scores.brightness, "Measuring brightness")


def by_hue(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Highest mean hue first."""
    return by_score(paths, face_scores.hue, "Measuring hue")


def by_black(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Least black first."""
    return by_score(paths, face_scores.black_values, "Counting black pixels", descending=False)


def by_original_name(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """By the name of the frame; faces of one frame keep their order."""
    return by_score(paths, lambda path: natural_key(face_scores.source_name(path)), "Reading names", descending=False)


def by_histogram(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Each picture followed by the one whose colours are most like its own."""
    measured = measure(lambda path: channel_histograms(read_bgr(path)), paths, "Measuring colours")
    result = Sorted()
    with interact.progress(len(measured.paths), "Sorting") as bar:
        for start, end in histogram_chunks(len(measured.paths)):
            chain = similarity_chain(np.stack(measured.values[start:end]), bar.update)
            result.order += [measured.paths[start + number] for number in chain]
            bar.update()
    result.order += measured.failed
    return result


def histogram_chunks(count: int) -> list[tuple[int, int]]:
    """Ranges of pictures that are chained on their own: 20 000, or a twelfth of very many."""
    size = _HISTOGRAM_CHUNK
    if count // size > _MOST_CHUNKS:
        size = int(count / (_MOST_CHUNKS - 0.1))
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def by_histogram_dissimilarity(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """The picture least like all others first."""
    measured = measure(face_scores.hull_histogram, paths, "Measuring greys")
    result = Sorted()
    if measured.paths:
        with interact.progress(len(measured.paths), "Sorting") as bar:
            scores = dissimilarities(np.stack(measured.values), bar.update)
        result.order = [measured.paths[number] for number in np.argsort(-scores, kind="stable")]
    result.order += measured.failed
    return result


def by_faces_in_frame(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Frames with one face first, then with two, …; or only the frames with one face."""
    names = measure(_frame_and_index, paths, "Reading names")
    known = [(path, *value) for path, value in zip(names.paths, names.values) if value]
    unknown = [path for path, value in zip(names.paths, names.values) if not value] + names.failed
    if not known:
        raise UserError(
            f"{paths[0].parent}: Nothing found. Possible recover original filenames first "
            "(util --recover-original-aligned-filename): no name says which face of its frame a picture shows."
        )
    if options.trash_multiple:
        several = {frame for _, frame, index in known if index != 0}
        several |= {frame for frame, count in Counter(frame for _, frame, _ in known).items() if count > 1}
        keep = [path for path, frame, _ in known if frame not in several]
        interact.info(f"Found {counted(len(known) - len(keep), 'image')}.")
        return Sorted(keep + unknown, [path for path, frame, _ in known if frame in several])
    counts = Counter(frame for _, frame, _ in known)
    known.sort(key=lambda entry: (counts[entry[1]], natural_key(entry[1])))
    return Sorted([path for path, _, _ in known] + unknown)


def _frame_and_index(path):
    """The frame of a face, as the file says or by a name like ``00012_1``, and its number there; None if unknown."""
    metadata = read_metadata(path)
    parts = path.stem.split("_")
    is_numbered = len(parts) == 2 and all(part.isascii() and part.isdigit() for part in parts)
    index = int(parts[1]) if is_numbered else 0
    if metadata is not None and metadata.source_filename:
        return Path(metadata.source_filename).stem, index
    return (parts[0], index) if is_numbered else None


def by_absolute_difference(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """Each picture followed by the one whose pixels differ least (most) from its own."""
    from core.imagelib.pixel_chain import pixel_chain

    shapes = measure(_shape, paths, "Reading sizes")
    if not shapes.paths:
        return Sorted(shapes.failed)
    first = shapes.values[0]
    for path, shape in zip(shapes.paths, shapes.values):
        if shape != first:
            raise UserError(
                f"{path}: is {shape[1]}×{shape[0]} pixels, but {shapes.paths[0].name} is {first[1]}×{first[0]}. "
                f"This method needs pictures of one size; run: {command('facesettool resize --input-dir', path.parent)}"
            )
    with PixelStore(len(shapes.paths), first) as store:
        measured = measure(store.reader(shapes.paths), range(len(shapes.paths)), "Loading")
        if measured.failed:
            raise FormatError(shapes.paths[measured.failed[0]], "changed while it was read")
        with interact.progress(2 * len(shapes.paths), "Sorting") as bar:
            chain = pixel_chain(store.pixels, first, options.similar, bar.update, cpu_count())
    return Sorted([shapes.paths[number] for number in chain] + shapes.failed)


def _shape(path):
    return read_bgr(path).shape


class PixelStore:
    """Room for all pictures of one size: memory, or a temporary file that nobody else can see when they are many."""

    def __init__(self, count: int, shape: tuple):
        self._shape = (count, int(np.prod(shape)))
        self._file = None

    def __enter__(self):
        if np.prod(self._shape) <= _PIXELS_IN_MEMORY:
            self.pixels = np.empty(self._shape, np.uint8)
        else:
            size = int(np.prod(self._shape))
            self._file = tempfile.TemporaryFile()
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(self._file.fileno(), 0, size)
                self.pixels = np.memmap(self._file, np.uint8, "w+", shape=self._shape)
            except OSError as error:
                raise UserError(
                    f"{tempfile.gettempdir()}: no room for {size >> 20} MiB of pictures ({error.strerror}). "
                    "Set TMPDIR to a folder on a larger disk."
                ) from None
        return self

    def __exit__(self, *unused):
        self.pixels = None
        if self._file is not None:
            self._file.close()

    def reader(self, paths: Sequence[Path]) -> Callable[[int], None]:
        """A function that reads picture number i into its row."""

        def read(number):
            self.pixels[number] = read_bgr(paths[number]).ravel()

        return read


def by_best_faces(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """A number of faces over all head poses, the sharpest ones."""

    def load(path):
        pitch, yaw = face_scores.face_pose(path)
        metadata, image = read_metadata(path), read_bgr(path)
        return sharpness(face_scores.masked(image, metadata)), grey_histogram(image), yaw, pitch

    return _best(paths, options, load)


def by_best_faces_fast(paths: Sequence[Path], options: SortOptions) -> Sorted:
    """A number of faces over all head poses, those largest in their frames."""

    def load(path):
        pitch, yaw = face_scores.face_pose(path)
        return face_scores.source_rect_area(path), grey_histogram(read_bgr(path)), yaw, pitch

    return _best(paths, options, load)


def _best(paths, options, load):
    measured = measure(load, paths)
    trash = measured.without_face + measured.failed
    if not measured.paths:
        return Sorted([], trash)
    with interact.progress(YAW_BINS, "Fetching the best") as bar:
        order, rest = best_faces(*zip(*measured.values), options.target_count, options.exact_count, bar.update)
    available = min(options.target_count, len(measured.paths))
    if len(order) < available:
        interact.info(
            f"Kept {counted(len(order), 'face')}: many poses have too few. --exact-count fills up to {available}."
        )
    return Sorted([measured.paths[number] for number in order], [measured.paths[number] for number in rest] + trash)


FUNCTIONS = {
    "blur": by_blur,
    "motion-blur": by_motion_blur,
    "face-yaw": by_yaw,
    "face-pitch": by_pitch,
    "face-source-rect-size": by_source_rect,
    "hist": by_histogram,
    "hist-dissim": by_histogram_dissimilarity,
    "brightness": by_brightness,
    "hue": by_hue,
    "black": by_black,
    "origname": by_original_name,
    "oneface": by_faces_in_frame,
    "absdiff": by_absolute_difference,
    "final": by_best_faces,
    "final-fast": by_best_faces_fast,
    **extra_methods.FUNCTIONS,
}


def sort_pictures(paths: Sequence[Path], key: str, options: SortOptions) -> Sorted:
    """Order pictures by the method of that key (see :mod:`samplelib.sorting.method_names`); renames nothing."""
    return FUNCTIONS[find_method(key).key](paths, options)


def apply_sorting(folder: Path, result: Sorted) -> None:
    """Move what is thrown out to ``<folder>_trash``, and number the rest in its new order."""
    plan = numbered_plan(folder, result.order, result.trash)
    if plan.trash:
        interact.info(f"Trashing {counted(len(plan.trash), 'item')} to {plan.trash_folder}")
    with interact.progress(len(plan), "Renaming") as bar:
        rename_files(plan, bar.update)
