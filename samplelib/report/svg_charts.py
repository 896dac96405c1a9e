"""Small charts as SVG text, for pages that need nothing from elsewhere."""

from collections.abc import Sequence

import numpy as np

COLORS = {"src": "#2f6fde", "dst": "#e07b28"}

_CELL = 22
_LEFT, _TOP, _RIGHT, _BOTTOM = 44, 10, 10, 40


def heat_map(
    counts: np.ndarray, column_edges: Sequence[float], row_edges: Sequence[float], largest: int, color: str, label: str
) -> str:
    """Counts (rows, columns), drawn with row 0 at the bottom; darker is more, on a logarithmic scale up to ``largest``."""
    rows, columns = counts.shape
    width, height = _LEFT + columns * _CELL + _RIGHT, _TOP + rows * _CELL + _BOTTOM
    parts = [_open(width, height, label)]
    for row in range(rows):
        for column in range(columns):
            count = int(counts[row, column])
            x, y = _LEFT + column * _CELL, _TOP + (rows - 1 - row) * _CELL
            share = np.log1p(count) / np.log1p(max(1, largest))
            fill = f'fill="{color}" fill-opacity="{0.12 + 0.88 * share:.3f}"' if count else 'fill="#f1f1f1"'
            parts.append(f'<rect x="{x}" y="{y}" width="{_CELL - 1}" height="{_CELL - 1}" {fill}>')
            span = (
                f"yaw {column_edges[column]:g}…{column_edges[column + 1]:g}°, "
                f"pitch {row_edges[row]:g}…{row_edges[row + 1]:g}°: {count}"
            )
            parts.append(f"<title>{span}</title></rect>")
    for column in range(0, columns + 1, 3):
        parts.append(_text(_LEFT + column * _CELL, height - 24, f"{column_edges[column]:g}°", "middle"))
    for row in range(0, rows + 1, 2):
        parts.append(_text(_LEFT - 6, _TOP + (rows - row) * _CELL + 4, f"{row_edges[row]:g}°", "end"))
    parts.append(_text(_LEFT + columns * _CELL / 2, height - 6, "yaw: − right, + left in the picture", "middle"))
    return "".join([*parts, "</svg>"])


def histogram(series: dict[str, np.ndarray], low: float, high: float, bins: int, label: str, unit: str = "") -> str:
    """Shares of the values of one or two sides in bins, as lines over one another."""
    width, height = 420, 170
    inner_width, inner_height = width - _LEFT - _RIGHT, height - _TOP - _BOTTOM
    shares = {}
    for side, values in series.items():
        values = values[np.isfinite(values)]
        counts, _ = np.histogram(np.clip(values, low, high), bins, (low, high))
        shares[side] = counts / max(1, counts.sum())
    top = max([0.01, *(share.max() for share in shares.values())])
    parts = [_open(width, height, label)]
    parts.append(f'<rect x="{_LEFT}" y="{_TOP}" width="{inner_width}" height="{inner_height}" fill="#f8f8f8"/>')
    for side, share in shares.items():
        points: list[tuple[float, float]] = [(_LEFT, _TOP + inner_height)]
        for number, value in enumerate(share):
            y = _TOP + inner_height * (1 - value / top)
            points += [(_LEFT + inner_width * number / bins, y), (_LEFT + inner_width * (number + 1) / bins, y)]
        points.append((_LEFT + inner_width, _TOP + inner_height))
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        color = COLORS[side]
        parts.append(f'<polygon points="{path}" fill="{color}" fill-opacity="0.25" stroke="{color}"/>')
    for share in (0, 0.5, 1):
        value = low + (high - low) * share
        parts.append(_text(_LEFT + inner_width * share, height - 24, f"{value:g}{unit}", "middle"))
    parts.append(_text(_LEFT - 6, _TOP + 10, f"{top:.0%}", "end"))
    parts.append(_text(_LEFT + inner_width / 2, height - 6, label, "middle"))
    return "".join([*parts, "</svg>"])


def _open(width, height, label):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
    )


def _text(x, y, text, anchor):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="11" fill="#444">{text}</text>'
