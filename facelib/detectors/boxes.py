"""Boxes of faces from the score and offset maps of a detector network."""

import numpy as np

_CANDIDATE_SCORE = 0.05
_FACE_SCORE = 0.5
_MOST_OVERLAP = 0.3
_FIRST_STRIDE = 4
_PRIOR_STRIDES = 4
_CENTER_VARIANCE, _SIZE_VARIANCE = np.float32(0.1), np.float32(0.2)
_BOTTOM_GROWTH = 0.1


def decode_maps(scores: list[np.ndarray], offsets: list[np.ndarray]) -> np.ndarray:
    """Candidates of all levels: (n, 5) float64 of left, top, right, bottom, score.

    Parameters
    ----------
    scores : list of numpy.ndarray
        (h, w) probability of a face in each cell, level by level; the strides are 4, 8, 16, …
    offsets : list of numpy.ndarray
        (h, w, 4): shift of the centre and logarithm of the size, relative to a prior box of 4 strides in the cell.
    """
    parts = []
    for level, (score, offset) in enumerate(zip(scores, offsets)):
        stride = _FIRST_STRIDE << level
        rows, columns = np.nonzero(score > _CANDIDATE_SCORE)
        prior_size = float(stride * _PRIOR_STRIDES)
        prior_center = np.stack([columns, rows], axis=1) * stride + stride / 2
        chosen = offset[rows, columns].astype(np.float32)
        center = prior_center + (chosen[:, :2] * _CENTER_VARIANCE) * prior_size
        size = prior_size * np.exp(chosen[:, 2:] * _SIZE_VARIANCE).astype(np.float64)
        corner = center - size / 2
        parts.append(np.concatenate([corner, corner + size, score[rows, columns, None].astype(np.float64)], axis=1))
    return np.concatenate(parts) if parts else np.zeros((0, 5))


def non_maximum_suppression(boxes: np.ndarray, most_overlap: float = _MOST_OVERLAP) -> np.ndarray:
    """Indices of the boxes to keep, best first (of equal ones the last): each drops those that overlap it more.

    Parameters
    ----------
    boxes : numpy.ndarray
        (n, 5): left, top, right, bottom, score. Corners belong to the box, so a side has right − left + 1 pixels.
    most_overlap : float
        Intersection over union.
    """
    left, top, right, bottom, score = boxes.T
    area = (right - left + 1) * (bottom - top + 1)
    order, keep = np.argsort(score, kind="stable")[::-1], []
    while order.size:
        best, rest = order[0], order[1:]
        keep.append(best)
        width = np.minimum(right[best], right[rest]) - np.maximum(left[best], left[rest]) + 1
        height = np.minimum(bottom[best], bottom[rest]) - np.maximum(top[best], top[rest]) + 1
        common = np.maximum(0, width) * np.maximum(0, height)
        order = rest[common / (area[best] + area[rest] - common) <= most_overlap]
    return np.array(keep, np.int64)


def select_faces(candidates: np.ndarray) -> np.ndarray:
    """(n, 4) int64 boxes that are faces for sure, best first, from (m, 5) candidates."""
    kept = candidates[non_maximum_suppression(candidates)] if len(candidates) else candidates
    return np.trunc(kept[kept[:, 4] >= _FACE_SCORE, :4]).astype(np.int64)


def boxes_in_frame(boxes: np.ndarray, scale: float, smallest_face: int = 40) -> list[tuple[int, int, int, int]]:
    """Boxes of the network's picture as boxes of the frame: scaled, without small ones, with the whole chin.

    Returns
    -------
    list of tuple of int
        (left, top, right, bottom), largest first; may reach beyond the frame.
    """
    faces = []
    for left, top, right, bottom in np.asarray(boxes, np.float64) * scale:
        if min(right - left, bottom - top) < smallest_face:
            continue
        bottom += (bottom - top) * _BOTTOM_GROWTH
        faces.append((int(left), int(top), int(right), int(bottom)))
    return sorted(faces, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))


def intersection_over_union(first: tuple, second: tuple) -> float:
    """How much two boxes (left, top, right, bottom) are the same: 0 apart, 1 equal."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    common = max(0, width) * max(0, height)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return float(common / max(sum(areas) - common, 1e-9))
