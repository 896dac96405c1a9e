"""The output folder of an extraction: where to go on, and which of its files an extraction wrote."""

from pathlib import Path

from core.errors import FormatError, UserError
from core.files.paths import list_files, list_images, remove_if_present
from core.files.trash import set_aside, trash_folder_of
from core.records.name_record import forget_record
from samplelib.extraction.journal import forget_state
from samplelib.faces.aligned_face import FaceMetadata, read_metadata
from samplelib.faces.faceset_types import mention_mixed_types

# An output folder with more pictures than this can be continued even if nothing was noted about the run that made it;
# as many of the last pictures are then made again.
CONTINUE_MARGIN = 128


def debug_folder_of(output_folder: Path) -> Path:
    """The folder for debug pictures beside an output folder."""
    return output_folder.with_name(f"{output_folder.name}_debug")


def unique_stems(paths: list[Path]) -> tuple[list[Path], list[Path]]:
    """Split into files whose stem is new, and files whose stem an earlier one has already."""
    kept: list = []
    doubles: list = []
    seen: set = set()
    for path in paths:
        (doubles if path.stem in seen else kept).append(path)
        seen.add(path.stem)
    return kept, doubles


def frame_to_go_on_with(output_folder: Path, frames: list[Path]) -> int:
    """Index of the frame from which on frames are to be done again, going by the faces in the output folder alone.

    Faces name the frame that they come from, so that frame names may contain anything.

    Raises
    ------
    UserError
        When that frame is not among ``frames``.
    """
    faces = list_images(output_folder)
    face = faces[-min(CONTINUE_MARGIN, len(faces))]
    metadata = _metadata(face)
    source = metadata.source_filename if metadata is not None else None
    stem = Path(source).stem if source else face.stem.rpartition("_")[0]
    for index, frame in enumerate(frames):
        if frame.stem == stem:
            return index
    raise UserError(
        f"Error in fetching the last index. Extraction cannot be continued: {face} comes from frame {stem!r}, "
        "which is not in the input folder. Give --restart to start again."
    )


def face_type_of_first(output_folder: Path) -> str | None:
    """Face type of the first picture of a folder that is a face picture; that there are others is said."""
    found = [metadata.face_type for metadata in map(_metadata, list_images(output_folder)) if metadata is not None]
    if not found:
        return None
    mention_mixed_types(
        found, str(output_folder), f"The new ones become {found[0]}, as the first; --face-type changes it."
    )
    return found[0]


def faces_written(output_folder: Path) -> list[Path]:
    """Pictures of the folder that carry face metadata, so that an extraction (or a tool after it) wrote them."""
    return [path for path in list_images(output_folder) if _metadata(path) is not None]


def debug_pictures(debug_folder: Path) -> list[Path]:
    """JPEG files of the debug folder."""
    return list_files(debug_folder, (".jpg",)) if debug_folder.is_dir() else []


def count_labelled(files: list[Path]) -> int:
    """How many of the pictures are faces with labels drawn by hand."""
    found = (_metadata(file) for file in files)
    return sum(metadata is not None and bool(metadata.polygons) for metadata in found)


def clean(output_folder: Path, files: list[Path], to_trash: bool = False) -> Path | None:
    """Remove the files of an earlier extraction, or move them to trash folders, and forget what was noted about it.

    Returns
    -------
    Path or None
        The trash folder of ``output_folder`` when something was moved.
    """
    forget_state(output_folder)
    forget_record(output_folder)
    if to_trash:
        set_aside(files)
        return trash_folder_of(output_folder) if files else None
    for file in files:
        remove_if_present(file)
    return None


def _metadata(path: Path) -> FaceMetadata | None:
    try:
        return read_metadata(path)
    except FormatError:
        return None
