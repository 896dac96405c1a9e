"""Training in the cloud: no window whatever display there is, pictures in files, and what the console says."""

import sys
from types import SimpleNamespace

import cv2
import pytest

from core.console import interact
from core.files.imageio import read_bgr
from main import build_parser
from mainscripts.jobs.step_table import folders, load_steps
from mainscripts.train import request_of
from models.base import SavedModel
from models.option_values import ask_options
from models.options import Context
from models.preview import previewer
from models.preview.previewer import Previewer
from models.saved.model_files import ModelData, read_model_data
from models.training import training_session
from models.training.training_session import TrainingSession

TINY = ("resolution=64", "ae_dims=32", "e_dims=16", "d_dims=16", "d_mask_dims=16", "batch_size=2", "archi=df",
        "fuse_update=n", "write_preview_history=y", "choose_preview_history=y")  # fmt: skip
PAGES = ("SAEHD", "SAEHD masked", "SAEHD masks")


def session(*flags, folder="x"):
    """A session with the flags of a command line."""
    words = ["train", "--training-data-src-dir", folder, "--training-data-dst-dir", folder, "--model-dir", folder]
    return TrainingSession(request_of(build_parser().parse_args([*words, "--model", "SAEHD", *flags])))


@pytest.fixture
def windows_fail(monkeypatch):
    """A display is named, but whoever turns to it fails."""

    def fail(*arguments):
        raise AssertionError("a window was opened")

    monkeypatch.setenv("DISPLAY", ":98765")
    for name in ("namedWindow", "imshow", "waitKey", "waitKeyEx", "getWindowProperty"):
        monkeypatch.setattr(cv2, name, fail)


@pytest.fixture
def quick(monkeypatch):
    """Steps without tracing, every question at its default, and notebook pictures every 2 iterations."""
    import tensorflow as tf

    assert previewer.NOTEBOOK_STEP == 100
    monkeypatch.setattr(previewer, "NOTEBOOK_STEP", 2)
    monkeypatch.setitem(interact._state, "assume_yes", True)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("flag", ["--notebook", "--no-preview"])
def test_a_run_without_a_window_trains_and_writes_its_previews(
    facesets, tmp_path, flag, windows_fail, quick, capsys, monkeypatch
):
    shown = []
    show = Previewer.show
    monkeypatch.setattr(Previewer, "show", lambda self, batch: shown.append(self.saved.iteration) or show(self, batch))
    words = ["train", "--training-data-src-dir", facesets[0], "--training-data-dst-dir", facesets[1]]
    words += ["--model-dir", tmp_path, "--model", "SAEHD", "--force-model-name", "t", "--cpu-only", "--yes", flag]
    words += ["--keep-priority", "--target-iter", 5, *(word for option in TINY for word in ("--set", option))]
    assert TrainingSession(request_of(build_parser().parse_args(list(map(str, words))))).run() == 0
    assert read_model_data(tmp_path / "t_SAEHD_data.dat").iteration == 5

    told = capsys.readouterr().out
    assert "Starting. Target iteration: 5. Press Ctrl+C here to stop training and save model." in told
    assert "Model first run." in told and "[#000001][" in told and "Reached target iteration." in told
    assert "Enter" not in told and "You can use preview" not in told and "display" not in told

    notebook = flag == "--notebook"
    assert shown == ([1, 2, 4, 5] if notebook else [1, 5])
    wanted = {"t_SAEHD_preview.jpg"} | ({f"t_SAEHD_preview_{name}.jpg" for name in PAGES} if notebook else set())
    assert {path.name for path in tmp_path.glob("*.jpg")} == wanted
    for name in wanted:
        # Five columns and two rows of 64 pixels under the loss graph, and the faces are to be seen.
        picture = read_bgr(tmp_path / name)
        assert picture.shape[0] >= 100 + 128 and picture.shape[1] == 320
        assert picture[-128:, :64].std() > 15
    history = {path.name for path in (tmp_path / "t_SAEHD_history" / "SAEHD").iterdir()}
    # In a notebook only numbered pictures, at the notebook's step: a folder that is synchronised stays small.
    assert history == ({"0000000.jpg", "0000002.jpg", "0000004.jpg"} if notebook else {"0000000.jpg", "_last.jpg"})


def test_flags_and_colab_keep_the_window_shut(monkeypatch):
    monkeypatch.setattr("core.window.picture_window.window_problem", lambda: None)
    assert session()._opens_window() and not session().notebook
    assert not session("--no-preview")._opens_window() and not session("--no-preview").notebook
    assert not session("--notebook")._opens_window() and session("--notebook").notebook
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    assert not session()._opens_window() and session().notebook


def test_launchers_without_preview_ask_for_none():
    for key, step in load_steps().items():
        if key.startswith("train-"):
            flags = build_parser().parse_args(step.arguments(folders("/w")))
            assert flags.no_preview == key.endswith("no-preview"), key


def test_without_a_display_it_is_said_where_the_previews_are(monkeypatch, capsys):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cv2, "namedWindow", lambda *arguments: (_ for _ in ()).throw(cv2.error("no display")))
    assert not session()._opens_window()
    assert (
        "No preview window: there is no display (DISPLAY is not set). Previews are written to the model folder."
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(("flags", "seconds"), [((), 2), (("--notebook",), 5)])
def test_a_notebook_has_longer_to_press_enter(tmp_path, monkeypatch, flags, seconds):
    asked, prompts = [], []
    monkeypatch.setattr(interact, "ask_timed", lambda text, limit: asked.append((text, limit)) or True)
    monkeypatch.setattr(
        interact, "_ask", lambda prompt, default, *rest, **more: prompts.append(prompt) or ("history" in prompt and
                                                                                            default is False) or default
    )  # fmt: skip
    saved = SavedModel(tmp_path, "SAEHD", "t")
    saved.data = ModelData(
        7, ask_options("SAEHD", {}, {}, {"write_preview_history": True}, Context(), True, False, True)
    )
    saved.is_first_run = False
    session(*flags)._settle_options(saved, {}, [])
    assert asked == [(f"Press enter in {seconds} seconds to override model settings.", seconds)]
    wanted = "Randomly choose new image for preview history" if flags else "Choose image for the preview history"
    assert any(wanted in prompt for prompt in prompts)


def test_a_notebook_draws_its_history_sample_by_itself(windows_fail, monkeypatch):
    seeds, taken = iter([1_234_567, 8]), []
    monkeypatch.setattr(training_session, "new_seed", lambda: next(seeds))
    pages = SimpleNamespace(draw_sample=lambda number: {"number": number}, set_sample=taken.append)
    session("--notebook")._choose_sample(pages, window=True)
    session("--no-preview")._choose_sample(pages, window=False)
    assert taken == [{"number": 34_567}, {"number": 8}]
