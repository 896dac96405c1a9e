"""The loss graph of a training: losses, held-out scores and axes, in colours that the colour-blind tell apart."""

import math
from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np

GRAPH_HEIGHT = 150
RANGE_COLORS = ((233, 180, 86), (66, 228, 240))
"""Of the losses, BGR: sky blue and yellow of Okabe and Ito (Color Universal Design, 2008)."""
HELD_OUT_COLORS = ((0, 94, 213), (167, 121, 204))
"""Of the held-out scores: vermilion and reddish purple of the same palette."""

_NAMES = {1: ("loss",), 2: ("source", "destination")}
_LEFT_AXIS, _RIGHT_AXIS, _LEGEND, _BOTTOM_AXIS = 38, 38, 28, 16
_GROUND, _PLOT_GROUND, _GRID, _TEXT = 0.1, 0.0, 0.22, 0.8
_FONT, _SIZE, _LEGEND_LINE = cv2.FONT_HERSHEY_SIMPLEX, 0.35, 13
_TICK_WIDTH, _TICKS = 70, 4
_AVERAGE_SPAN = 100
_MARK, _MARK_HEIGHT = (0.0, 0.0, 1.0), 6
_FAR_BEYOND = 1000.0


def plot_area(width: int, has_held_out: bool = False) -> tuple[slice, slice]:
    """Rows and columns of a graph in which the losses are drawn; around them are the legend and the axes."""
    left = min(_LEFT_AXIS, width - 1)
    right = max(width - (_RIGHT_AXIS if has_held_out else 4), left + 1)
    return slice(_LEGEND, GRAPH_HEIGHT - _BOTTOM_AXIS), slice(left, right)


def loss_graph(
    history: Sequence[Sequence[float]], width: int, iteration: int = 0, held_out: Sequence[Sequence[float]] = ()
) -> np.ndarray:
    """Graph of the loss history.

    Parameters
    ----------
    history : sequence of sequences of float
        Losses of each iteration shown.
    width : int
    iteration : int
        The last one of the history; the axis counts from 1 to its length if 0.
    held_out : sequence of sequences of float
        Iteration, score of the source, score of the destination, and whatever follows; drawn as lines with dots on a
        scale of their own at the right.

    Returns
    -------
    numpy.ndarray
        (150, width, 3) float32. Column x of :func:`plot_area` is filled between the smallest and the largest loss of its
        iterations; the top is twice the mean of the later four fifths. Values that are not finite, or far beyond all
        others, count for neither; a red mark at the top tells where they are.
    """
    graph = np.full((GRAPH_HEIGHT, width, 3), _GROUND, np.float32)
    losses = _loss_array(history)
    first = max(1, iteration - len(history) + 1) if iteration else 1
    last = max(first, first + len(history) - 1)
    scores = np.array([row[:3] for row in held_out if first <= row[0] <= last], np.float64)
    rows, columns = plot_area(width, len(scores) > 0)
    plot = graph[rows, columns]
    plot[:] = _PLOT_GROUND
    if losses.size:
        _draw_losses(graph, plot, losses, (rows.start, columns.start))
        _draw_iterations(graph, (first, last), (rows, columns))
        if len(scores):
            _draw_scores(graph, scores, (first, last), (rows, columns))
        _mark_gaps(plot, losses)
        _write_legend(graph, losses, scores, iteration)
    return graph


def _draw_losses(graph, plot, losses, corner):
    """Grid, labels of the losses' axis, and a filled column per series."""
    length, count = losses.shape
    shown = _drawable(losses)
    top = 2.0 * _mean(np.where(shown, losses, np.nan)[length // 5 :])
    top = top if top > 0 else 1.0  # not so either when there is nothing to draw
    for value in _ticks(0.0, top, _TICKS):
        row = _row(value, top, plot)
        plot[row] = _GRID
        _write(graph, f"{value:.3g}", (corner[1] - 4, corner[0] + row + 4), right=True)
    starts, ends = _columns(length, plot.shape[1])
    for series in range(count):
        color = _unit(RANGE_COLORS[series % len(RANGE_COLORS)])
        for column, (start, end) in enumerate(zip(starts, ends)):
            values = losses[start:end, series][shown[start:end, series]]
            if values.size:
                plot[_row(values.max(), top, plot) : _row(values.min(), top, plot) + 1, column] = color


def _draw_iterations(graph, span, place):
    """Marks and numbers below the plot."""
    rows, columns = place
    width = columns.stop - columns.start
    for value in _ticks(*span, max(1, width // _TICK_WIDTH)):
        if value != int(value):
            continue
        column = columns.start + round((value - span[0]) / max(1, span[1] - span[0]) * (width - 1))
        graph[rows.stop : rows.stop + 3, column] = _TEXT
        text = str(int(value))
        left = column - _text_width(text) // 2
        _write(graph, text, (min(max(left, 0), graph.shape[1] - _text_width(text)), GRAPH_HEIGHT - 3))


def _draw_scores(graph, scores, span, place):
    """Lines with a dot at each held-out score, and their axis at the right."""
    rows, columns = place
    plot = graph[rows, columns]
    values = scores[:, 1:3]
    finite = values[np.isfinite(values)]
    top = float(finite.max()) * 1.2 if finite.size and finite.max() > 0 else 1.0
    for value in _ticks(0.0, top, _TICKS):
        row = rows.start + _row(value, top, plot)
        graph[row, columns.stop : columns.stop + 3] = _TEXT
        _write(graph, f"{value:.3g}", (columns.stop + 5, row + 4))
    places = np.round((scores[:, 0] - span[0]) / max(1, span[1] - span[0]) * (plot.shape[1] - 1)).astype(int)
    drawn = np.ascontiguousarray(plot)
    for series, color in enumerate(HELD_OUT_COLORS):
        good = np.isfinite(values[:, series])
        points = [(int(x), _row(value, top, plot)) for x, value in zip(places[good], values[good, series])]
        for point, following in zip(points, points[1:]):
            cv2.line(drawn, point, following, _unit(color), 1)
        for point in points:
            cv2.circle(drawn, point, 2, _unit(color), -1)
    plot[:] = drawn


def _write_legend(graph, losses, scores, iteration):
    """Names, last values and means of what is drawn, each in its colour, in two lines at the top."""
    means = [_mean(losses[-_AVERAGE_SPAN:, series]) for series in range(losses.shape[1])]
    names = _NAMES.get(losses.shape[1]) or [f"loss {number + 1}" for number in range(losses.shape[1])]
    entries = [
        (f"{name} {_short(last)}", f" (mean {_short(mean)})", RANGE_COLORS[number % len(RANGE_COLORS)])
        for number, (name, last, mean) in enumerate(zip(names, losses[-1], means))
    ]
    if len(scores):
        entries += [
            (f"held-out {name} {_short(value)}", "", color)
            for name, value, color in zip(_NAMES[2], scores[-1, 1:3], HELD_OUT_COLORS)
        ]
    if iteration:
        entries.append((f"iteration {iteration}", "", None))
    for with_means in (True, False):
        texts = [(text + mean if with_means else text, color) for text, mean, color in entries]
        places = _flow([_text_width(text) + 18 for text, _ in texts], graph.shape[1])
        if places[-1][1] < 2:
            break
    for (text, color), (left, line) in zip(texts, places):
        if line > 1:
            break
        bottom = 11 + line * _LEGEND_LINE
        if color is not None:
            graph[bottom - 7 : bottom, left + 4 : left + 11] = _unit(color)
        _write(graph, text, (left + (14 if color is not None else 4), bottom))


def _flow(widths, room):
    """Left edge and line of boxes that follow each other, as words do in a text."""
    places, left, line = [], 0, 0
    for width in widths:
        if left and left + width > room:
            left, line = 0, line + 1
        places.append((left, line))
        left += width
    return places


def _mark_gaps(plot, losses):
    """Red at the top of the columns in which a loss could not be drawn."""
    shown = _drawable(losses).all(axis=1)
    for column, (start, end) in enumerate(zip(*_columns(len(losses), plot.shape[1]))):
        if not shown[start:end].all():
            plot[:_MARK_HEIGHT, column] = _MARK


def _ticks(low, high, count):
    """Round numbers (1, 2 or 5 times a power of ten apart) from low to high, about ``count`` of them."""
    span = high - low
    if not span > 0 or not math.isfinite(span):
        return [low]
    raw = span / max(1, count)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= raw), 10 * power)
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


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


def _row(value, top, plot):
    """Row of the plot, counted from its top, where a value lies."""
    last = plot.shape[0] - 1
    return last - int(np.clip(value / top * last, 0, last))


def _loss_array(history):
    """(iterations, series) float64; rows of another length than most are dropped."""
    if not len(history):
        return np.zeros((0, 0))
    count = Counter(len(row) for row in history).most_common(1)[0][0]
    return np.array([row for row in history if len(row) == count], np.float64)


def _short(value):
    return f"{value:.4f}" if abs(value) < 1e5 else f"{value:.3g}"


def _unit(color):
    return tuple(part / 255 for part in color)


def _text_width(text):
    return cv2.getTextSize(text, _FONT, _SIZE, 1)[0][0]


def _write(picture, text, position, right=False):
    left, bottom = position
    write_text(picture, text, (left - _text_width(text) if right else left, bottom), _SIZE)


def write_text(picture: np.ndarray, text: str, position: tuple[int, int], scale: float = 0.4) -> None:
    """Lighten a float picture by a text; OpenCV 5 draws text on 8-bit pictures only."""
    ink = np.zeros(picture.shape[:2], np.uint8)
    cv2.putText(ink, text, position, _FONT, scale, 255, 1, cv2.LINE_AA)
    weight = ink[..., None].astype(np.float32) / 255.0
    picture += (_TEXT - picture) * weight
