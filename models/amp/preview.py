"""Preview pages of AMP."""

from typing import Any

import numpy as np

from models.preview.pages import Pages, grid, unit_range

MORPH_VALUES = (0.25, 0.5, 0.65, 0.75, 1.0)


def pages(network: Any, batch: dict, options: dict, row: int) -> Pages:
    """Pages for one sample of the batch; arguments as :func:`models.preview.pages.swap_pages`."""
    del options
    return amp_pages(network, batch, row)


def amp_pages(network: Any, batch: dict, row: int) -> Pages:
    """Pages of AMP for one sample of the batch; arguments as :func:`swap_pages`."""
    one = {name: value[row : row + 1] for name, value in batch.items()}
    outputs = {name: np.clip(value, 0.0, 1.0) for name, value in network.preview_tensors(one).items()}
    source, destination = unit_range(one["target_src"]), unit_range(one["target_dst"])
    dd = outputs["P_dd"]
    morphs = [network.predict(destination, morph=value) for value in MORPH_VALUES]
    faces = [np.clip(face, 0.0, 1.0) for face, _, _ in morphs]
    cut = [face * np.clip(mask, 0.0, 1.0) * outputs["Q_dd"] for face, (_, mask, _) in zip(faces, morphs)]

    def two_rows(pictures, captions):
        rows = [grid(pictures[:3], captions[:3]), grid(pictures[3:], captions[3:])]
        return np.concatenate(rows, axis=0)

    texts = ["dst > dst"] + [f"morph {value:g}" for value in MORPH_VALUES]
    first = [source, destination, dd * outputs["Q_dd"], outputs["P_ss"], dd, faces[-1]]
    first_texts = ["src", "dst", "dst > dst masked", "src > src", "dst > dst", "morph 1"]
    return [
        ("AMP morph 1.0", two_rows(first, first_texts)),
        ("AMP morph list", two_rows([dd, *faces], texts)),
        ("AMP morph list masked", two_rows([dd, *cut], texts)),
    ]
