"""Labels that only exclude make an empty mask; whoever draws them or trains on them is told."""

import numpy as np
import pytest
from labelled_faces import CUT, TRIANGLE, make_faceset, run_here, write_face
from offscreen_editor import editor

from core.files.paths import list_images
from samplelib.faces.aligned_face import SegPolygon, read_metadata
from samplelib.faces.label_checks import excludes_text, only_excludes

LINE = SegPolygon(True, np.array([[1, 1], [5, 5]], np.float32))


@pytest.mark.parametrize(
    "polygons, right",
    [
        ((), False),
        ((CUT,), True),
        ((TRIANGLE, CUT), False),
        ((TRIANGLE,), False),
        ((CUT, CUT), True),
        ((LINE, CUT), True),
    ],
)
def test_which_labels_only_exclude(polygons, right):
    assert only_excludes(polygons) is right


def test_many_names_are_cut_short():
    assert excludes_text(["a.jpg"]).startswith("1 face has labels that only exclude (a.jpg)")
    assert "20 faces have labels" in excludes_text(["x"] * 20) and excludes_text(["x"] * 20).count("x,") == 9


@pytest.fixture
def faces(tmp_path):
    folder = make_faceset(tmp_path / "aligned", count=4)
    mask = np.zeros((256, 256, 1), np.float32)
    mask[60:200, 80:180] = 1
    write_face(folder / "00001.jpg", 1, polygons=[CUT])
    write_face(folder / "00003.jpg", 3, polygons=[CUT], mask=mask)
    return folder


def test_training_names_them_and_takes_them_as_deepfacelab_does(faces, capsys):
    from models.training.training_data import DataSettings
    from models.xseg.data import XSegData

    options = {"face_type": "wf", "batch_size": 2, "pretrain": False}
    settings = DataSettings(faces, faces, None, seed=1, workers=1)
    data = XSegData(options, settings)
    data.close()
    told = capsys.readouterr()
    assert "8 segmented samples" in told.out
    assert "4 faces have labels that only exclude (00001.jpg, 00003.jpg, 00001.jpg, 00003.jpg)" in told.err
    assert "shows no face" in told.err


def test_the_editor_tells_on_leaving_such_a_face_and_at_its_end(faces, capsys):
    with editor(faces) as opened:
        opened.press("D")
        assert opened.name == "00001.jpg"
        opened.press("D")
        assert "00001.jpg: its labels only exclude" in opened.window.message.text()
        opened.press("D")
    told = capsys.readouterr()
    assert "2 faces have labels that only exclude (00001.jpg, 00003.jpg)" in told.err


def test_suggest_complete_adds_the_outline_of_the_applied_mask(faces, capsys):
    before = {path.name: path.read_bytes() for path in list_images(faces)}
    assert run_here("xseg", "suggest", "--input-dir", faces, "--complete", "--from-applied") == 0
    assert "Faces that got a label: 1" in capsys.readouterr().out
    completed = read_metadata(faces / "00003.jpg").polygons
    assert [polygon.include for polygon in completed] == [True, False] and completed[1] == CUT
    mask = read_metadata(faces / "00003.jpg").polygon_mask(128, 128)
    assert 0.15 < mask.mean() < 0.35 and mask[45, 50] == 0
    changed = [name for name, data in before.items() if (faces / name).read_bytes() != data]
    assert changed == ["00003.jpg"]


def test_exporting_masks_names_the_black_ones(faces, capsys):
    assert run_here("util", "--input-dir", faces, "--export-faceset-mask") == 0
    assert "1 mask is black, as the labels only exclude (00001.jpg)" in capsys.readouterr().err
