"""Keys of the preview window and the pages that it shows, without a display."""

from types import SimpleNamespace

import numpy as np
import pytest

from core.files.imageio import read_bgr
from core.window.keys import Key
from models.amp.preview import amp_pages
from models.base import SavedModel
from models.preview import pages as preview
from models.preview.preview_window import HISTORY_RANGES, PreviewWindow
from models.preview.previewer import Previewer, PreviewState
from models.saved.model_files import ModelData
from models.training.trainer import BACKUP, PREVIEW, SAVE, STOP
from models.xseg.preview import xseg_pages

TOP = 3 * preview.HEAD_LINE_HEIGHT + preview.GRAPH_HEIGHT


class FakeTrainer:
    def __init__(self, pages, history):
        self.previewer = type("P", (), {"state": PreviewState(pages, history, len(history), 0.0)})()
        self.sent = []

    def send(self, command):
        self.sent.append(command)

    def stop(self):
        self.send(STOP)


@pytest.fixture
def window():
    pages = [("one", np.zeros((90, 300, 3), np.float32)), ("two", np.ones((60, 200, 3), np.float32))]
    return PreviewWindow(FakeTrainer(pages, [[value] for value in np.linspace(1, 0.1, 12000)]))


@pytest.mark.parametrize(
    ("keys", "commands"),
    [
        ("s", [SAVE]),
        ("S", [SAVE]),
        ("b", [BACKUP]),
        ("p", [PREVIEW]),
        ("\r", [STOP]),
        ("\r\r", [STOP]),
        ("xq1", []),
        (" l", []),
    ],
)
def test_keys_send_commands(window, keys, commands):
    for key in keys:
        window.handle(Key(key.lower(), key.isupper()))
    assert window.trainer.sent == commands


@pytest.mark.parametrize("name", ["right", "home", "\x1b", "\t"])
def test_keys_without_a_meaning_do_nothing(window, name):
    window.handle(Key(name))
    assert window.trainer.sent == [] and window.page == window.history_range == 0


def test_space_turns_pages_that_share_one_size(window):
    first = window.picture()
    window.handle(Key(" "))
    second = window.picture()
    assert first.shape == second.shape == (TOP + 90, 300, 3)
    assert first[-1, -1].sum() == 0 and second[TOP + 59, 199].tolist() == [255] * 3 and second[TOP + 60, 0].sum() == 0
    window.handle(Key(" "))
    np.testing.assert_array_equal(window.picture(), first)


def test_l_goes_through_the_ranges(window):
    seen = []
    for _ in range(len(HISTORY_RANGES) + 1):
        seen.append(HISTORY_RANGES[window.history_range])
        window.handle(Key("l"))
    assert seen == [0, 5000, 10000, 50000, 100000, 0]
    window.history_range = 0
    whole = window.picture()
    window.handle(Key("l"))
    assert (window.picture() != whole).any()


def test_nothing_is_shown_before_the_first_preview(window):
    window.trainer.previewer.state = None
    assert window.picture() is None


def test_tall_pages_are_shrunk_and_small_ones_left_alone():
    pages = [("a", np.zeros((1600, 1000, 3), np.float32)), ("b", np.zeros((100, 200, 3), np.float32))]
    assert preview.window_picture(pages, 0, [], 1).shape == (TOP + 800, 500, 3)


def test_a_choice_of_samples_has_its_own_keys_and_no_graph_of_nothing():
    pages = [("a", np.zeros((100, 400, 3), np.float32))]
    assert preview.window_picture(pages, 0, [], 0, ()).shape == (100, 400, 3)
    with_keys = preview.window_picture(pages, 0, [], 0, ["[p]:next"])
    assert with_keys.shape == (100 + 2 * preview.HEAD_LINE_HEIGHT, 400, 3) and with_keys.max() > 150


class FakeSwap:
    def __init__(self, resolution):
        self.resolution = resolution

    def preview_tensors(self, batch):
        count, size = len(batch["target_src"]), self.resolution
        values = {"P_ss": 0.1, "Q_ss": 1.0, "P_dd": 0.2, "Q_dd": 0.5, "P_sd": 0.3, "Q_sd": 0.25}
        return {n: np.full((count, size, size, 3 if n[0] == "P" else 1), v, np.float32) for n, v in values.items()}

    def predict(self, faces, morph=1.0):
        shape = faces.shape[:3]
        return np.full((*shape, 3), morph, np.float32), np.full((*shape, 1), 0.5, np.float32), np.ones((*shape, 1))


def swap_batch(size, count=2):
    batch = {}
    for side, value in (("src", 200), ("dst", 100)):
        batch[f"target_{side}"] = np.full((count, size, size, 3), value, np.uint8)
        batch[f"target_{side}m"] = np.full((count, size, size, 1), 127, np.uint8)
    return batch


def cell(page, row, column, size):
    return float(page[preview.CAPTION_HEIGHT + row * size + size // 2, column * size + size // 2, 0])


def test_saehd_pages_up_to_256():
    pages = dict(preview.swap_pages("SAEHD", FakeSwap(64), swap_batch(64)))
    assert list(pages) == ["SAEHD", "SAEHD masked", "SAEHD masks"]
    assert pages["SAEHD"].shape == (preview.CAPTION_HEIGHT + 128, 320, 3)
    plain = [cell(pages["SAEHD"], 1, column, 64) for column in range(5)]
    assert plain == pytest.approx([200 / 255, 0.1, 100 / 255, 0.2, 0.3])
    masked = [cell(pages["SAEHD masked"], 0, column, 64) for column in range(5)]
    half = 127 / 255
    assert masked == pytest.approx([200 / 255 * half, 0.1, 100 / 255 * half, 0.2 * 0.5, 0.3 * 0.5 * 0.25])
    head = dict(preview.swap_pages("SAEHD", FakeSwap(64), swap_batch(64), head_face=True))
    assert cell(head["SAEHD masked"], 0, 4, 64) == pytest.approx(0.3 * 0.25)


def test_saehd_pages_above_256():
    pages = preview.swap_pages("SAEHD", FakeSwap(272), swap_batch(272, 1))
    assert [name for name, _ in pages] == [
        "SAEHD src-src", "SAEHD dst-dst", "SAEHD pred", "SAEHD masked src-src", "SAEHD masked dst-dst", "SAEHD masked pred",
    ]  # fmt: skip
    assert all(page.shape == (preview.CAPTION_HEIGHT + 272, 544, 3) for _, page in pages)


def test_amp_pages():
    pages = dict(amp_pages(FakeSwap(64), swap_batch(64), 1))
    assert list(pages) == ["AMP morph 1.0", "AMP morph list", "AMP morph list masked"]
    second_row = preview.CAPTION_HEIGHT + 64
    listed = pages["AMP morph list"]
    values = [cell(listed, 0, column, 64) for column in range(3)]
    values += [cell(listed[second_row:], 0, column, 64) for column in range(3)]
    assert values == pytest.approx([0.2, 0.25, 0.5, 0.65, 0.75, 1.0])
    assert cell(pages["AMP morph list masked"], 0, 1, 64) == pytest.approx(0.25 * 0.5 * 0.5)
    assert cell(pages["AMP morph 1.0"], 0, 2, 64) == pytest.approx(0.2 * 0.5)


def test_xseg_pages():
    class FakeXSeg:
        def predict(self, images):
            return np.full((*images.shape[:3], 1), 0.5, np.float32)

    image = np.full((2, 256, 256, 3), 102, np.uint8)
    batch = {"image": image, "mask": image[..., :1] * 0, "src": image, "dst": image[:0]}
    pages = dict(xseg_pages(FakeXSeg(), batch, False))
    assert list(pages) == ["XSeg training faces", "XSeg src faces"]
    page = pages["XSeg training faces"]
    green = page[preview.CAPTION_HEIGHT + 10, 10]
    np.testing.assert_allclose(green, (0.2, 0.7, 0.2), atol=1e-5)
    assert cell(page, 0, 1, 256) == 0.5


@pytest.mark.parametrize("pretrain", [False, True])
def test_the_preview_of_a_mask_model_has_its_faces_and_the_loss_graph(tmp_path, pretrain):
    """From the trained model to the file: training faces with their masks, and faces of both sides."""

    class FakeXSeg:
        resolution = 256

        def predict(self, images):
            return np.full((*images.shape[:3], 1), 0.5, np.float32)

        def preview_tensors(self, batch):
            return {"prediction": np.full((*batch["image"].shape[:3], 1), 0.9, np.float32)}

    saved = SavedModel(tmp_path, "XSeg", None)
    saved.network = FakeXSeg()
    options = {"face_type": "wf", "batch_size": 2, "pretrain": pretrain}
    saved.data = ModelData(3, options, [[0.9], [0.5], [0.2]])
    image = np.full((2, 256, 256, 3), 102, np.uint8)
    faces = {} if pretrain else {"src": image, "dst": image}
    shown = Previewer(saved, SimpleNamespace(preview_faces=lambda count: faces))
    shown.show({"image": image, "mask": image[..., :1] * 0})
    names = [name for name, _ in shown.state.pages]
    assert names == ["XSeg training faces"] + ([] if pretrain else ["XSeg src faces", "XSeg dst faces"])
    picture = read_bgr(tmp_path / "XSeg_preview.jpg")
    graph, page = picture[45:TOP], picture[TOP:]
    # Label, mask and both together; in pretraining the face and the grey picture that the network draws of it.
    assert page.shape[1] == 256 * (2 if pretrain else 3)
    assert page.shape[0] >= 512 and page.std() > 10 and len(np.unique(graph.reshape(-1, 3), axis=0)) > 2


@pytest.mark.parametrize(
    ("batch", "resolution", "rows"),
    [(8, 128, 4), (2, 128, 2), (8, 256, 3), (8, 640, 1), (8, 224, 3), (4, 96, 4), (16, 256, 3)],
)
def test_row_counts(batch, resolution, rows):
    assert preview.row_count(batch, resolution) == rows
