"""Preview pages of XSeg."""

from typing import Any

import numpy as np

from models.preview.pages import Pages, grid, unit_range

GREEN = np.array((0.0, 1.0, 0.0), np.float32)


def pages(network: Any, batch: dict, options: dict, row: int) -> Pages:
    """Pages of a batch; arguments as :func:`models.preview.pages.swap_pages`."""
    del row
    return xseg_pages(network, batch, bool(options.get("pretrain")))


def xseg_pages(network: Any, batch: dict, pretraining: bool) -> Pages:
    """Pages of XSeg.

    Parameters
    ----------
    batch : dict
        ``image`` (N, 256, 256, 3) and ``mask`` (N, 256, 256, 1), optionally ``src`` and ``dst`` faces as ``image``.
    """
    image, label = unit_range(batch["image"]), unit_range(batch["mask"])
    if pretraining:
        drawn = network.preview_tensors({"image": batch["image"]})["prediction"]
        return [("XSeg training faces", grid([image, np.clip(drawn, 0.0, 1.0)], ("input", "drawn")))]
    prediction = network.predict(image)
    columns = [_shade(image, label), prediction, _shade(image, prediction)]
    pages = [("XSeg training faces", grid(columns, ("label", "learned mask", "learned")))]
    for side in ("src", "dst"):
        if batch.get(side) is not None and len(batch[side]):
            faces = unit_range(batch[side])
            masks = network.predict(faces)
            page = grid([faces, masks, _shade(faces, masks)], ("face", "learned mask", "learned"))
            pages.append((f"XSeg {side} faces", page))
    return pages


def _shade(image, mask):
    return image * mask + 0.5 * (image + GREEN) * (1.0 - mask)
