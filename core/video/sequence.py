"""Which pictures a video needs, and which of them a folder lacks."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import FormatError, UserError
from core.files.paths import IMAGE_EXTENSIONS, atomic_write, list_files, list_images
from core.records.json_file import LARGE_FILE, json_bytes, read_json

LIST_NAME = "merge_frames.json"
MASK_ENDING = "_mask"

_NUMBERED = re.compile(r"(.*?)(\d+)", re.DOTALL)
_MOST_RANGES = 12


@dataclass(frozen=True)
class PictureSequence:
    """The pictures of a folder and what is known of those that should be there.

    Attributes
    ----------
    images : list of Path
        In order.
    wanted : list of str or None
        Names without extension of all frames, in order; None where nothing tells.
    missing : list of str
        Those of ``wanted`` without a picture.
    unknown : int
        How many pictures are missing besides, whose names nothing tells.
    """

    images: list[Path]
    wanted: list[str] | None
    missing: list[str]
    unknown: int = 0

    @property
    def is_complete(self) -> bool:
        return not self.missing and not self.unknown

    @property
    def surplus(self) -> list[Path]:
        """Pictures of frames that are none of ``wanted``, such as those that an earlier, longer merge left."""
        wanted = None if self.wanted is None else set(self.wanted)
        return [image for image in self.images if wanted is not None and image.stem not in wanted]

    @property
    def doubled(self) -> list[str]:
        """Names, without extension, that more than one picture has."""
        counts = Counter(image.stem for image in self.images)
        return [stem for stem, count in counts.items() if count > 1]

    def held(self) -> list[Path]:
        """A picture for every frame: a missing one repeats the one before, at the beginning the one after."""
        by_stem = {image.stem: image for image in self.images}
        order = self.wanted or [image.stem for image in self.images]
        last, result = next(by_stem[stem] for stem in order if stem in by_stem), []
        for stem in order:
            last = by_stem.get(stem, last)
            result.append(last)
        return result


def record_frames(folder: Path, stems: Sequence[str]) -> None:
    """Note beside merged pictures which frames the merge has, so that a lack shows however the merge ended."""
    _write_note(folder, {"frames": list(stems)})


def record_choice(folder: Path, choice: str | None) -> None:
    """Note what was decided about missing pictures (``hold``, ``ignore`` or None), for the masks that belong to them."""
    note = _read_note(folder)
    if note.get("missing") == choice:
        return
    try:
        _write_note(folder, note | {"missing": choice})
    except UserError:
        pass  # A folder that cannot be written to only loses the comfort.


def choice_for_masks(folder: Path) -> str | None:
    """What was decided for the pictures that the masks of ``folder`` belong to; see :func:`record_choice`."""
    pictures = _pictures_of_masks(folder)
    return _read_note(pictures).get("missing") if pictures is not None else None


def look_at(folder: Path, frame_count: int | None = None) -> PictureSequence:
    """Compare the pictures of a folder with the frames that they were made of.

    Which frames there are is told by, in this order: the frames in the folder above (``data_dst`` of
    ``data_dst/merged``), the list that the merge left, the number of frames of the reference video, and
    the numbers in the names, which should go up evenly. Of the first two that counts which has as many as the reference.

    Parameters
    ----------
    folder : Path
    frame_count : int, optional
        Frames of the reference video.

    Raises
    ------
    NothingToDo
        When the folder has no pictures.
    """
    images = list_images(folder, required=True)
    stems = {image.stem for image in images}
    told = [_frames_above(Path(folder), stems), _listed_frames(Path(folder), stems)]
    told = sorted(filter(None, told), key=lambda names: len(names) != frame_count)
    if told and len(stems) == frame_count and stems.issubset(told[0]):
        return PictureSequence(images, [stem for stem in told[0] if stem in stems], [])
    if told:
        wanted = told[0]
        return PictureSequence(images, wanted, [stem for stem in wanted if stem not in stems])
    if frame_count is not None and len(stems) >= frame_count:
        return PictureSequence(images, None, [])
    wanted = _numbered_frames(images, frame_count)
    if wanted is None:
        return PictureSequence(images, None, [], 0 if frame_count is None else frame_count - len(stems))
    return PictureSequence(images, wanted, [stem for stem in wanted if stem not in stems])


def ranges_text(stems: Sequence[str], order: Sequence[str]) -> str:
    """Names as a list in which neighbours of ``order`` are drawn together: ``00003, 00007–00012``."""
    place = {stem: index for index, stem in enumerate(order)}
    runs: list = []
    for stem in stems:
        if runs and place[stem] == place[runs[-1][-1]] + 1:
            runs[-1].append(stem)
        else:
            runs.append([stem])
    texts = [run[0] if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]
    return ", ".join(texts[:_MOST_RANGES]) + (
        f" and {len(texts) - _MOST_RANGES} more places" if texts[_MOST_RANGES:] else ""
    )


def _frames_above(folder, stems):
    """Names of the pictures in the folder above, when at least half of these pictures bear such names."""
    if not folder.parent.is_dir():
        return None
    above = list(dict.fromkeys(image.stem for image in list_files(folder.parent, IMAGE_EXTENSIONS)))
    return above if 2 * len(stems.intersection(above)) >= len(stems) else None


def _listed_frames(folder, stems):
    for place in (folder, _pictures_of_masks(folder)):
        listed = _read_note(place).get("frames") if place is not None else None
        if isinstance(listed, list) and 2 * len(stems.intersection(map(str, listed))) >= len(stems):
            return [str(stem) for stem in listed]
    return None


def _numbered_frames(images, frame_count):
    """Names that go up evenly from the first to the last, or over all frames of the reference; None without numbers.

    Without a reference, names of which less than half are there are not the numbers of a film.
    """
    parts = [_NUMBERED.fullmatch(image.stem) for image in images]
    if not all(parts) or len({match[1] for match in parts}) > 1:
        return None
    known = {int(match[2]): image.stem for match, image in zip(parts, images)}
    first, last, step = min(known), max(known), math.gcd(*(number - min(known) for number in known)) or 1
    if frame_count is not None:
        if last - first < frame_count:
            step = 1
        first, last = _span(first, last, step, frame_count)
    wanted = range(first, last + 1, step)
    limit = frame_count if frame_count is not None else 2 * len(known)
    if len(wanted) > limit:
        return None
    prefix, width = parts[0][1], min(len(match[2]) for match in parts)
    return [known.get(number) or f"{prefix}{number:0{width}d}" for number in wanted]


def _span(first, last, step, frame_count):
    """First and last number of as many frames as the reference has, which begin at 1 or 0 if that fits."""
    length = step * (frame_count - 1)
    for begin in (1, 0):
        if begin <= first and last <= begin + length and (first - begin) % step == 0:
            return begin, begin + length
    return first, max(last, first + length)


def _pictures_of_masks(folder):
    name = folder.name.removesuffix(MASK_ENDING)
    return folder.with_name(name) if name and name != folder.name else None


def _read_note(folder) -> dict:
    try:
        return read_json(Path(folder) / LIST_NAME, {str: object}, LARGE_FILE)
    except (OSError, FormatError):
        return {}


def _write_note(folder, note):
    atomic_write(Path(folder) / LIST_NAME, json_bytes(note))
