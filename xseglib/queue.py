"""Orders faces by how much the trained mask and the face mesh disagree, so that a user labels those first."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.console import interact
from core.console.commands import command
from core.errors import FormatError, NothingToDo
from core.files.imageio import read_bgr
from core.files.paths import atomic_write
from core.files.picture_limits import FACE_MEGAPIXELS
from core.parallel import ordered_map
from core.records.json_file import LARGE_FILE, json_bytes, read_json
from xseglib.folders import Statistics, face_files, read_faces, report_failure, require_faces
from xseglib.mask_sources import MASK_SIZE, Face, MaskSource, MeshMasks, resize_mask

_BATCH = 8


@dataclass(frozen=True)
class QueueEntry:
    """A face and the part (0…1) of the two masks' common area on which they disagree."""

    path: Path
    disagreement: float


def queue_path(folder: Path) -> Path:
    """Where the queue of a folder is kept: beside it."""
    folder = Path(folder)
    return folder.with_name(folder.name + "_xseg_queue.json")


def make_queue(
    folder: Path, network: MaskSource | None = None, mesh: MaskSource | None = None
) -> tuple[list[QueueEntry], Statistics]:
    """Compare masks on all faces without labels.

    Parameters
    ----------
    folder : Path
    network : MaskSource, optional
        Makes the masks to judge; the applied masks in the files by default.
    mesh : MaskSource, optional

    Returns
    -------
    list of QueueEntry
        Greatest disagreement first.
    Statistics
    """
    statistics, mesh = Statistics(), mesh or MeshMasks()
    faces = list(read_faces(face_files(folder), statistics))
    require_faces(len(faces), folder)
    waiting = [item for item in faces if not item[1].polygons and (network is not None or item[1].xseg_mask)]
    if not waiting:
        raise NothingToDo(
            f"{folder}: there is nothing to compare. Faces without labels need an applied mask (xseg apply), "
            "or give the model with --model-dir."
        )
    entries = []
    with interact.progress(len(waiting), "Processing") as bar:
        for start in range(0, len(waiting), _BATCH):
            batch = waiting[start : start + _BATCH]
            entries += _compare(_load(batch, statistics, network), network, mesh)
            bar.update(len(batch))
    return sorted(entries, key=lambda entry: -entry.disagreement), statistics


def disagreement(first: np.ndarray, second: np.ndarray) -> float:
    """1 − intersection over union of two masks (H, W, 1); 0 when both are empty."""
    first, second = first >= 0.5, second >= 0.5
    union = np.count_nonzero(first | second)
    return 1 - np.count_nonzero(first & second) / union if union else 0.0


def write_queue(folder: Path, entries: list[QueueEntry]) -> Path:
    """Keep a queue beside its folder; returns the file."""
    faces = [{"name": entry.path.name, "disagreement": round(entry.disagreement, 4)} for entry in entries]
    path = queue_path(folder)
    atomic_write(path, json_bytes({"faces": faces}, indent=1))
    return path


def read_queue(folder: Path, path: Path | None = None) -> list[Path]:
    """Files of a queue that still exist in the folder, in its order.

    Raises
    ------
    FormatError
        When the queue is missing or damaged.
    NothingToDo
        When none of its files is there any more.
    """
    path = path or queue_path(folder)
    try:
        names = [item["name"] for item in read_json(path, {"faces": [{"name": str}]}, LARGE_FILE)["faces"]]
    except FileNotFoundError:
        raise FormatError(path, f"no such queue. Make it with: {command('xseg queue --input-dir', folder)}") from None
    except FormatError:
        raise FormatError(
            path, f"is not a queue of faces. Make it anew with: {command('xseg queue --input-dir', folder)}"
        ) from None
    files = [
        Path(folder) / name
        for name in names
        if Path(name).name == name and "\0" not in name and (Path(folder) / name).is_file()
    ]
    if not files:
        raise NothingToDo(
            f"{path}: none of its faces is in {folder} any more. Make the queue anew with: {command('xseg queue --input-dir', folder)}"
        )
    return files


def _load(batch, statistics, network):
    """Faces of a batch with their applied masks (None where a network makes them); those that fail are reported."""

    def load(item):
        face = Face(item[0], read_bgr(item[0], FACE_MEGAPIXELS), item[1])
        applied = None if network is not None else resize_mask(face.metadata.decode_xseg_mask(), MASK_SIZE)
        return face, applied

    loaded = []
    for outcome in ordered_map(load, batch):
        if outcome.error is not None:
            report_failure(outcome.item[0], outcome.error, statistics)
        else:
            loaded.append(outcome.value)
    return loaded


def _compare(loaded, network, mesh):
    if not loaded:
        return []
    faces = [face for face, _ in loaded]
    judged = network.masks(faces) if network is not None else [applied for _, applied in loaded]
    return [
        QueueEntry(face.path, disagreement(first, second))
        for face, first, second in zip(faces, judged, mesh.masks(faces))
    ]
