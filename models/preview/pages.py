"""Preview pictures of training: the pages of swap models, the loss graph, the head with the keys."""

import colorsys
from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np

HEAD_LINE_HEIGHT = 15
HEAD_KEYS = (
    "[s]:save [b]:backup [enter]:exit",
    "[p]:update [space]:next preview [l]:change history range",
)
LARGEST_HEIGHT = 800
MOST_ROWS = 4
GRAPH_HEIGHT = 100
CAPTION_HEIGHT = 14

_GRAPH_BACKGROUND, _GRAPH_LINES, _HEAD_BACKGROUND, _TEXT = 0.1, 0.8, 0.1, 0.8
_AVERAGE_SPAN = 100
_MARK, _MARK_HEIGHT = (0.0, 0.0, 1.0), 6
_FAR_BEYOND = 1000.0

Pages = list[tuple[str, np.ndarray]]


def row_count(batch_size: int, resolution: int) -> int:
    """How many samples a page shows."""
    return max(1, min(MOST_ROWS, batch_size, LARGEST_HEIGHT // resolution))


def swap_pages(class_name: str, network, batch: dict, head_face: bool = False) -> Pages:
    """Pages of SAEHD or Quick96.

    Parameters
    ----------
    class_name : str
        Begins the page names.
    network : models.trainable.TrainableModel
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


def loss_graph(history: Sequence[Sequence[float]], width: int, iteration: int = 0) -> np.ndarray:
    """Graph of the loss history.

    Parameters
    ----------
    history : sequence of sequences of float
        Losses of each iteration shown.
    width : int
    iteration : int
        Written into the graph unless 0.

    Returns
    -------
    numpy.ndarray
        (100, width, 3) float32. Column x is filled between the smallest and the largest loss of its iterations; the top is
        twice the mean of the later four fifths. Values that are not finite, or far beyond all others, count for neither;
        a red mark at the top tells where they are.
    """
    graph = np.full((GRAPH_HEIGHT, width, 3), _GRAPH_BACKGROUND, np.float32)
    losses = _loss_array(history)
    if losses.size:
        _draw_series(graph, losses)
    for line in range(6):
        graph[int(line * (GRAPH_HEIGHT - 1) / 5)] = _GRAPH_LINES
    if iteration:
        _write_text(graph, f"Iter: {iteration}", (4, GRAPH_HEIGHT - 8))
    if losses.size:
        means = [_mean(losses[-_AVERAGE_SPAN:, series]) for series in range(losses.shape[1])]
        texts = [f"{_short(last)} (mean {_short(mean)})" for last, mean in zip(losses[-1], means)]
        _write_text(graph, "   ".join(texts), (4, 12), 0.35)
        _mark_gaps(graph, losses)
    return graph


def with_loss_graph(picture: np.ndarray, history: Sequence[Sequence[float]], iteration: int = 0) -> np.ndarray:
    """A page below its loss graph, uint8 BGR."""
    graph = loss_graph(history, picture.shape[1], iteration)
    return to_uint8(np.concatenate([graph, picture], axis=0))


def window_picture(
    pages: Pages, index: int, history: Sequence[Sequence[float]], iteration: int, with_keys: bool = True
) -> np.ndarray:
    """What the preview window shows: head with the keys, loss graph, one page; uint8 BGR.

    Pages are brought to the common largest size by a border, and only ever made smaller, to a height of at most 800.
    """
    shrunk = [_shrunk(picture) for _, picture in pages]
    height, width = max(picture.shape[0] for picture in shrunk), max(picture.shape[1] for picture in shrunk)
    page = np.zeros((height, width, 3), np.float32)
    page[: shrunk[index].shape[0], : shrunk[index].shape[1]] = shrunk[index]
    lines = (*HEAD_KEYS, f'Preview: "{pages[index][0]}" [{index + 1}/{len(pages)}]') if with_keys else ()
    head = np.full((HEAD_LINE_HEIGHT * len(lines), width, 3), _HEAD_BACKGROUND, np.float32)
    for number, line in enumerate(lines):
        _write_text(head, line, (4, number * HEAD_LINE_HEIGHT + 11), 0.38)
    return to_uint8(np.concatenate([head, loss_graph(history, width, iteration), page], axis=0))


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """float 0…1 to uint8."""
    return np.clip(picture * 255.0, 0, 255).astype(np.uint8)


def _short(value):
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.3g}"


def _draw_series(graph, losses):
    length, count = losses.shape
    shown = _drawable(losses)
    top = 2.0 * _mean(np.where(shown, losses, np.nan)[length // 5 :])
    top = top if top > 0 else 1.0  # not so either when there is nothing to draw
    starts, ends = _columns(length, graph.shape[1])
    for series in range(count):
        # Computed as RGB, drawn as BGR: two losses are blue (source) and yellow (destination).
        color = np.float32(colorsys.hsv_to_rgb(series / count, 1.0, 1.0))
        for column, (start, end) in enumerate(zip(starts, ends)):
            values = losses[start:end, series][shown[start:end, series]]
            if values.size:
                low, high = (_graph_row(value, top) for value in (values.min(), max(0.0, values.max())))
                graph[GRAPH_HEIGHT - 1 - high : GRAPH_HEIGHT - low, column] = color


def _mark_gaps(graph, losses):
    """Red at the top of the columns in which a loss could not be drawn."""
    shown = _drawable(losses).all(axis=1)
    for column, (start, end) in enumerate(zip(*_columns(len(losses), graph.shape[1]))):
        if not shown[start:end].all():
            graph[1 : 1 + _MARK_HEIGHT, column] = _MARK


def _columns(length, width):
    """First iteration of each column, and the one after its last."""
    starts = (np.arange(width) * length) // width
    return starts, np.maximum(((np.arange(width) + 1) * length) // width, starts + 1)


def _drawable(losses):
    """Which losses are finite and not so far beyond the others that nothing else would be to be seen."""
    finite = np.isfinite(losses)
    if not finite.any():
        return finite
    sizes = np.where(finite, np.abs(losses), 0.0)
    typical = np.median(sizes[sizes > 0]) if (sizes > 0).any() else 1.0
    return finite & (sizes <= typical * _FAR_BEYOND)


def _mean(values):
    """Mean of what is finite; NaN when nothing is."""
    finite = values[np.isfinite(values)]
    return finite.mean() if finite.size else np.nan


def _graph_row(value, top):
    return int(np.clip(int(value / top * (GRAPH_HEIGHT - 1)), 0, GRAPH_HEIGHT - 1))


def _loss_array(history):
    """(iterations, series) float64; rows of another length than most are dropped."""
    if not len(history):
        return np.zeros((0, 0))
    count = Counter(len(row) for row in history).most_common(1)[0][0]
    return np.array([row for row in history if len(row) == count], np.float64)


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
        _write_text(head, caption, (number * size + 3, CAPTION_HEIGHT - 4), 0.33)
    return np.clip(np.concatenate([head, *rows], axis=0), 0.0, 1.0).astype(np.float32)


def unit_range(array: np.ndarray) -> np.ndarray:
    """uint8, or float that may leave 0…1, as float32 0…1."""
    return array.astype(np.float32) / np.float32(255.0) if array.dtype == np.uint8 else np.clip(array, 0.0, 1.0)


def _write_text(picture, text, position, scale=0.4):
    """Lighten a float picture by a text; OpenCV 5 draws text on 8-bit pictures only."""
    ink = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(ink, text, position, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    weight = ink[..., None].astype(np.float32) / 255.0
    picture += (_TEXT - picture) * weight
