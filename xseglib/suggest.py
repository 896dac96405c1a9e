"""Proposes labels: the outline of the face mesh, or of the applied mask, as an ordinary include polygon."""

from pathlib import Path
from typing import cast

import cv2
import numpy as np

from core.console import interact
from core.files.imageio import read_bgr
from core.files.picture_limits import FACE_MEGAPIXELS
from core.parallel import ordered_map
from samplelib.faces.aligned_face import FaceMetadata, SegPolygon, write_metadata
from samplelib.faces.label_checks import only_excludes
from xseglib.folders import Statistics, face_files, read_faces, report_failure, require_faces, require_writable
from xseglib.mesh_mask import MeshOutline, outlines_of_mask

_LEAST_AREA_SHARE = 0.001
_SIMPLIFY_SHARE = 0.004


def suggest_labels(
    folder: Path, count: int = 0, from_applied: bool = False, complete: bool = False
) -> tuple[Statistics, int, int]:
    """Store a proposed label in faces that have none; labels of the user are never touched.

    Parameters
    ----------
    folder : Path
    count : int
        Faces to propose for, spread evenly over those without labels; 0 for all of them.
    from_applied : bool
        Trace the applied masks instead of the mesh; faces without one are passed over.
    complete : bool
        Work on the faces whose labels only exclude instead: the outline is added to their labels.

    Returns
    -------
    Statistics
        ``done`` counts the faces that got a label.
    int
        Faces that have labels already.
    int
        Faces for which nothing could be proposed.
    """
    statistics = Statistics()
    faces = list(read_faces(face_files(folder), statistics))
    require_faces(len(faces), folder)
    wanted = [item for item in faces if (only_excludes(item[1].polygons) if complete else not item[1].polygons)]
    candidates = [item for item in wanted if item[1].xseg_mask or not from_applied]
    chosen = spread_evenly(candidates, count)
    propose = applied_polygons if from_applied else MeshPolygons()

    def work(item):
        path, metadata = item
        require_writable(path)
        polygons = propose(path, metadata)
        if polygons:
            write_metadata(path, metadata.replace(polygons=(*polygons, *metadata.polygons)))
        return bool(polygons)

    empty = 0
    with interact.progress(len(chosen), "Processing") as bar:
        for outcome in ordered_map(work, chosen):
            if outcome.error is not None:
                report_failure(outcome.item[0], outcome.error, statistics)
            elif outcome.value:
                statistics.done += 1
            else:
                empty += 1
            bar.update()
    return statistics, sum(bool(metadata.polygons) for _, metadata in faces) - complete * len(wanted), empty


def spread_evenly(items: list, count: int) -> list:
    """``count`` of the items at even distances, in order; all of them for 0 or a greater number."""
    if not 0 < count < len(items):
        return items
    return [items[int(index)] for index in np.floor((np.arange(count) + 0.5) * len(items) / count)]


class MeshPolygons:
    """Makes one polygon from the face mesh; none where the mesh sees no face."""

    def __init__(self):
        self._outline = MeshOutline()

    def __call__(self, path: Path, metadata: FaceMetadata) -> tuple[SegPolygon, ...]:
        """Polygons for a face, in pixels of its picture."""
        outline = self._outline(read_bgr(path, FACE_MEGAPIXELS), metadata)
        return () if outline is None else (SegPolygon(True, outline.astype(np.float32)),)


def applied_polygons(path: Path, metadata: FaceMetadata) -> tuple[SegPolygon, ...]:
    """Polygons around the areas of the applied mask, in pixels of the picture."""
    height, width = read_bgr(path, FACE_MEGAPIXELS).shape[:2]
    mask = cv2.resize(
        cast(np.ndarray, metadata.decode_xseg_mask())[:, :, 0], (width, height), interpolation=cv2.INTER_LINEAR
    )
    outlines = outlines_of_mask(mask, _SIMPLIFY_SHARE * width, _LEAST_AREA_SHARE * width * height)
    return tuple(SegPolygon(True, outline.astype(np.float32)) for outline in outlines)
