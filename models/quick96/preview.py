"""Preview pages of Quick96."""

from typing import Any

from models.preview.pages import Pages, swap_pages


def pages(network: Any, batch: dict, options: dict, row: int) -> Pages:
    """Pages of a batch; all of its rows are shown, whatever ``row`` is."""
    del row
    return swap_pages("Quick96", network, batch, options["face_type"] == "head")
