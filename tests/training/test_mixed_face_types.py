"""A faceset of several face types is never called by one of them."""

from pathlib import Path

import numpy as np
import pytest

from facelib.face_type import FaceType
from samplelib.faces.aligned_face import FaceMetadata, save_face
from samplelib.faces.faceset_types import mention_mixed_types, types_text

LANDMARKS = np.random.default_rng(0).uniform(10, 50, (68, 2))


def faceset(folder, *types):
    folder.mkdir(parents=True, exist_ok=True)
    for number, face_type in enumerate(types):
        metadata = FaceMetadata(face_type, LANDMARKS, f"{number}.png", None, LANDMARKS, np.eye(3)[:2])
        save_face(folder / f"{number:05d}.jpg", np.full((64, 64, 3), 40 + number, np.uint8), metadata)
    return folder


def test_the_words():
    assert types_text([]) == "" and types_text(["head"] * 3) == "head"
    assert types_text(["head", "whole_face", "whole_face"]) == "2 whole_face, 1 head"


def test_one_type_is_nothing_to_mention(capsys):
    mention_mixed_types(["head"] * 2, "f", "x.")
    assert not capsys.readouterr().err


MIXED = ("whole_face", "head", "whole_face", "half_face", "mark_only")


def test_training_tells_the_types_and_what_is_left_out(tmp_path, capsys):
    from models.training.training_data import load_training_faceset

    folder = faceset(tmp_path / "f", *MIXED)
    assert len(load_training_faceset(folder)) == 4
    told = capsys.readouterr().err
    assert f"{folder}: faces of several types: 2 whole_face, 1 half_face, 1 head" in told
    assert "1 picture is left out, being of type mark_only" in told


def test_the_warning_about_smaller_types_names_them_all(tmp_path, capsys):
    from samplelib.faceset import load_faceset
    from samplelib.training.face_store import warn_about_smaller_types

    warn_about_smaller_types(load_faceset(faceset(tmp_path / "f", *MIXED[:4])), FaceType.HEAD, "f")
    assert (
        "3 of 4 faces are of a smaller type (2 whole_face, 1 half_face) than the model's head"
        in capsys.readouterr().err
    )


def test_the_report_counts_them(tmp_path):
    from samplelib.report.faceset_report import _overview
    from samplelib.report.faceset_survey import survey_faceset

    html = _overview({"src": survey_faceset(faceset(tmp_path / "f", "whole_face", "head", "head"))})
    assert "<td>2 head, 1 whole_face</td>" in html


def test_marking_again_says_which_type_it_takes(tmp_path, capsys):
    from samplelib.extraction.output_folder import face_type_of_first

    assert face_type_of_first(faceset(tmp_path / "f", "whole_face", "head", "head")) == "whole_face"
    told = capsys.readouterr().err
    assert "2 head, 1 whole_face" in told and "The new ones become whole_face" in told


@pytest.mark.parametrize("types, mentioned", [(("head", "full_face"), True), (("head", "head"), False)])
def test_xseg_masks_that_take_every_face_as_it_is(types, mentioned, tmp_path):
    from xseglib.mask_sources import Face, NetworkMasks

    class Predictor:
        def predict(self, images):
            return np.zeros((len(images), 256, 256, 1), np.float32)

    source = NetworkMasks(Predictor(), None)
    metadata = [FaceMetadata(name, LANDMARKS, "1.png", None, LANDMARKS, np.eye(3)[:2]) for name in types]
    source.masks([Face(Path("x"), np.zeros((64, 64, 3), np.uint8), item) for item in metadata])
    assert (len(source.seen) > 1) is mentioned and source.seen.total() == 2
