"""Preview pictures of training: the pages of swap models below the head with the keys."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from models.preview.loss_graph import GRAPH_HEIGHT, loss_graph, write_text

HEAD_LINE_HEIGHT = 15
HEAD_KEYS = (
    "[s]:save [b]:backup [enter]:exit",
    "[p]:update [space]:next preview [l]:change history range",
)
LARGEST_HEIGHT = 800
MOST_ROWS = 4
CAPTION_HEIGHT = 14

SMALLEST_WIDTH = 300

_HEAD_BACKGROUND, _HEAD_SIZE = 0.1, 0.38

Pages = list[tuple[str, np.ndarray]]


def row_count(batch_size: int, resolution: int) -> int:
    """How many samples a page shows."""
    return max(1, min(MOST_ROWS, batch_size, LARGEST_HEIGHT // resolution))


def swap_pages(class_name: str, network: Any, batch: dict, head_face: bool = False) -> Pages:
    """Pages of SAEHD or Quick96.

    Parameters
    ----------
    class_name : str
        Begins the page names.
    network : models.trainable_model.TrainableModel
    batch : dict
        ``target_src``, ``target_dst``, ``target_srcm``, ``target_dstm``, already cut to the rows to show.
    head_face : bool
        The model's face type is head: the swap is cut out by its own mask alone.

    Returns
    -------
    list of (str, numpy.ndarray)
        Page name and picture, float32 BGR 0…1.
    """
    outputs = {name: np.clip(value, 0.0, 1.0) for name, value in network.preview_tensors(batch).items()}
    source, destination = unit_range(batch["target_src"]), unit_range(batch["target_dst"])
    source_masked, destination_masked = (
        source * unit_range(batch["target_srcm"]),
        destination * unit_range(batch["target_dstm"]),
    )
    swap_mask = outputs["Q_sd"] if head_face else outputs["Q_dd"] * outputs["Q_sd"]
    ss, dd, sd = outputs["P_ss"], outputs["P_dd"], outputs["P_sd"]
    dd_cut, sd_cut = dd * outputs["Q_dd"], sd * swap_mask
    if network.resolution <= 256:
        captions = ("src", "src > src", "dst", "dst > dst", "dst > src")
        return [
            (class_name, grid([source, ss, destination, dd, sd], captions)),
            (f"{class_name} masked", grid([source_masked, ss, destination_masked, dd_cut, sd_cut], captions)),
            (
                f"{class_name} masks",
                grid(_mask_columns(batch, outputs), ("src", "src > src", "dst", "dst > dst", "dst > src")),
            ),
        ]
    pairs = (
        ("src-src", (source, ss), ("src", "src > src")),
        ("dst-dst", (destination, dd), ("dst", "dst > dst")),
        ("pred", (destination, sd), ("dst", "dst > src")),
        ("masked src-src", (source_masked, ss), ("src", "src > src")),
        ("masked dst-dst", (destination_masked, dd_cut), ("dst", "dst > dst")),
        ("masked pred", (destination_masked, sd_cut), ("dst", "dst > src")),
    )
    return [(f"{class_name} {name}", grid(list(columns), captions)) for name, columns, captions in pairs]


def with_loss_graph(
    picture: np.ndarray,
    history: Sequence[Sequence[float]],
    iteration: int = 0,
    held_out: Sequence[Sequence[float]] = (),
) -> np.ndarray:
    """A page below its loss graph, uint8 BGR; see :func:`models.preview.loss_graph.loss_graph`."""
    graph = loss_graph(history, picture.shape[1], iteration, held_out)
    return to_uint8(np.concatenate([graph, picture], axis=0))


def window_picture(
    pages: Pages,
    index: int,
    history: Sequence[Sequence[float]],
    iteration: int,
    keys: Sequence[str] = HEAD_KEYS,
    held_out: Sequence[Sequence[float]] = (),
) -> np.ndarray:
    """What the preview window shows: head with the keys, loss graph (from iteration 1 on), one page; uint8 BGR.

    Pages are brought to the common largest size by a border, at least as wide as the head needs, and only ever made
    smaller, to a height of at most 800.
    """
    shrunk = [_shrunk(picture) for _, picture in pages]
    height = max(picture.shape[0] for picture in shrunk)
    width = max(SMALLEST_WIDTH, *(picture.shape[1] for picture in shrunk))
    page = np.zeros((height, width, 3), np.float32)
    page[: shrunk[index].shape[0], : shrunk[index].shape[1]] = shrunk[index]
    lines = (*keys, f'Preview: "{pages[index][0]}" [{index + 1}/{len(pages)}]') if keys else ()
    head = np.full((HEAD_LINE_HEIGHT * len(lines), width, 3), _HEAD_BACKGROUND, np.float32)
    for number, line in enumerate(lines):
        needed = cv2.getTextSize(line, cv2.FONT_HERSHEY_SIMPLEX, _HEAD_SIZE, 1)[0][0]
        write_text(head, line, (4, number * HEAD_LINE_HEIGHT + 11), _HEAD_SIZE * min(1.0, (width - 8) / needed))
    graph = [loss_graph(history, width, iteration, held_out)] if iteration else []
    return to_uint8(np.concatenate([head, *graph, page], axis=0))


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """float 0…1 to uint8."""
    return np.clip(picture * 255.0, 0, 255).astype(np.uint8)


def _shrunk(picture):
    height, width = picture.shape[:2]
    if height <= LARGEST_HEIGHT:
        return picture
    size = (max(1, width * LARGEST_HEIGHT // height), LARGEST_HEIGHT)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _mask_columns(batch, outputs):
    return [
        unit_range(batch["target_srcm"]),
        outputs["Q_ss"],
        unit_range(batch["target_dstm"]),
        outputs["Q_dd"],
        outputs["Q_sd"],
    ]


def grid(columns: list[np.ndarray], captions: Sequence[str]) -> np.ndarray:
    """Columns of (N, R, R, C) side by side, N rows, with a caption above each."""
    columns = [np.repeat(column, 3, axis=3) if column.shape[3] == 1 else column for column in columns]
    size = columns[0].shape[1]
    rows = [np.concatenate([column[row] for column in columns], axis=1) for row in range(len(columns[0]))]
    head = np.full((CAPTION_HEIGHT, rows[0].shape[1], 3), _HEAD_BACKGROUND, np.float32)
    for number, caption in enumerate(captions):
        write_text(head, caption, (number * size + 3, CAPTION_HEIGHT - 4), 0.33)
    return np.clip(np.concatenate([head, *rows], axis=0), 0.0, 1.0).astype(np.float32)


def unit_range(array: np.ndarray) -> np.ndarray:
    """uint8, or float that may leave 0…1, as float32 0…1."""
    return array.astype(np.float32) / np.float32(255.0) if array.dtype == np.uint8 else np.clip(array, 0.0, 1.0)


__all__ = [
    "CAPTION_HEIGHT", "GRAPH_HEIGHT", "HEAD_KEYS", "HEAD_LINE_HEIGHT", "Pages", "grid", "loss_graph", "row_count",
    "swap_pages", "to_uint8", "unit_range", "window_picture", "with_loss_graph",
]  # fmt: skip
