"""Masks on their way into training: applied between two runs, removed again, and labels that are missing."""

import numpy as np
import pytest
from labelled_faces import StubPredictor, run_here, write_face

from core.console import interact
from models.registry import effective_options
from models.training.training_data import DataSettings, SwapData
from samplelib.faces.aligned_face import read_metadata
from xseglib.apply import apply_masks
from xseglib.mask_sources import NetworkMasks
from xseglib.removal import remove_applied_masks


@pytest.fixture
def sides(tmp_path):
    folders = tmp_path / "src", tmp_path / "dst"
    for folder in folders:
        folder.mkdir()
        for number in range(2):
            write_face(folder / f"{number}.jpg", number)
    return folders


def first_batch(sides):
    """What a training run that starts now gets first."""
    options = {"resolution": 64, "batch_size": 2, "face_type": "wf", "random_warp": False}
    data = SwapData(effective_options("SAEHD", options), DataSettings(*sides, seed=1, workers=1))
    try:
        return data.next()
    finally:
        data.close()


def test_each_start_takes_the_masks_as_they_are_now(sides):
    default = first_batch(sides)
    for folder in sides:
        apply_masks(folder, NetworkMasks(StubPredictor(), None), "stub")
    applied = first_batch(sides)
    for folder in sides:
        assert remove_applied_masks(folder).done == 2
        assert all(read_metadata(path).xseg_mask is None for path in folder.glob("*.jpg"))
    removed = first_batch(sides)
    for name, values in default.items():
        np.testing.assert_array_equal(removed[name], values)
    for side in ("src", "dst"):
        np.testing.assert_array_equal(applied[f"target_{side}"], default[f"target_{side}"])
        change = applied[f"target_{side}m"].astype(int) - default[f"target_{side}m"]
        assert np.abs(change).mean() > 5


def test_without_any_label_or_mask_training_says_what_to_do(sides, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(interact._state, "assume_yes", True)
    code = run_here(
        "train", "--model", "XSeg", "--model-dir", tmp_path / "model", "--training-data-src-dir", sides[0],
        "--training-data-dst-dir", sides[1], "--yes", "--no-preview", "--cpu-only", "--keep-priority",
    )  # fmt: skip
    output = capsys.readouterr()
    assert code == 3
    message = "No segmented faces found. Label some faces with the mask editor (xseg editor), or apply masks first."
    assert message in output.out + output.err and "Traceback" not in output.err
    assert not list((tmp_path / "model").glob("XSeg_256*"))
