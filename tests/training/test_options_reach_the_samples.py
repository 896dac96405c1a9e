"""The options of a saved model are those that its batches are made with."""

import cv2
import numpy as np
import pytest
from conftest import make_faceset, write_face

from facelib.face_type import FaceType
from models.base import SavedModel
from models.option_values import ask_options
from models.options import Context
from models.saved.model_files import ModelData
from models.training.training_data import DataSettings
from models.training.training_session import make_data
from samplelib.faceset import load_faceset
from samplelib.training.augment import prepare_face
from samplelib.training.xseg_samples import prepare_plain

PLAIN = {"resolution": 64, "batch_size": 4, "face_type": "wf", "random_warp": False, "random_dst_flip": False}


@pytest.fixture
def batches(facesets, tmp_path):
    """Function that makes some batches of a model with these options, joined; all with the same seed."""

    def make(count=6, class_name="SAEHD", folders=facesets, pretraining=None, **options):
        saved = SavedModel(tmp_path, class_name, "t")
        given = {
            key: value for key, value in (PLAIN | options).items() if class_name != "Quick96" or key == "batch_size"
        }
        saved.data = ModelData(0, ask_options(class_name, {}, {}, given, Context(), True, False, silent=True))
        data = make_data(saved, DataSettings(*folders, pretraining, seed=5, workers=1))
        try:
            made = [data.next() for _ in range(count)]
        finally:
            data.close()
        assert {len(array) for batch in made for array in batch.values()} == {given["batch_size"]}
        return {name: np.concatenate([batch[name] for batch in made]) for name in made[0]}

    return make


def hue_of(pictures):
    """Mean difference of red and blue of faces (N, R, R, 3)."""
    return float((pictures[..., 2].astype(int) - pictures[..., 0]).mean())


@pytest.mark.parametrize("size", [1, 3, 5])
def test_the_batch_size_is_that_of_the_option(batches, size):
    assert batches(1, batch_size=size)["warped_src"].shape == (size, 64, 64, 3)
    assert batches(1, "Quick96", batch_size=size)["warped_src"].shape == (size, 96, 96, 3)


@pytest.mark.parametrize("resolution", [64, 96])
@pytest.mark.parametrize("face_type", ["f", "wf"])
def test_faces_are_of_the_type_and_the_resolution(batches, facesets, face_type, resolution):
    """Each target is one of the faces, cut to the type; moved a little, so the nearest one is looked for."""
    found = batches(1, face_type=face_type, resolution=resolution)["target_src"].astype(float)
    assert found.shape[1:] == (resolution, resolution, 3)

    def nearest(kind):
        faces = [
            prepare_face(sample.read_bgr(), sample.metadata, FaceType.from_prompt_key(kind), resolution).picture
            for sample in load_faceset(facesets[0])
        ]
        return np.mean([min(np.abs(picture - face).mean() for face in faces) for picture in found])

    other = {"f": "wf", "wf": "f"}[face_type]
    assert nearest(face_type) < 0.8 * nearest(other)


def test_warp_changes_the_input_alone(batches):
    without, with_warp = batches(), batches(random_warp=True)
    for side in ("src", "dst"):
        np.testing.assert_array_equal(without[f"warped_{side}"], without[f"target_{side}"])
        np.testing.assert_array_equal(with_warp[f"target_{side}"], without[f"target_{side}"])
        assert all((with_warp[f"warped_{side}"] != with_warp[f"target_{side}"]).any(axis=(1, 2, 3)))


@pytest.mark.parametrize("side", ["src", "dst"])
def test_flips_mirror_some_of_the_faces_of_their_side(batches, side):
    other = {"src": "dst", "dst": "src"}[side]
    plain, flipped = batches(), batches(**{f"random_{side}_flip": True})
    for name in (f"target_{other}", f"warped_{other}", f"target_{other}m"):
        np.testing.assert_array_equal(flipped[name], plain[name])
    mirrored = []
    for name in (f"target_{side}", f"target_{side}m"):
        same = (flipped[name] == plain[name]).all(axis=(1, 2, 3))
        turned = (flipped[name] == plain[name][:, :, ::-1]).all(axis=(1, 2, 3))
        assert (same | turned).all() and 4 < turned.sum() < 16, "24 faces, of which 2 of 5 are mirrored"
        mirrored.append(turned & ~same)
    np.testing.assert_array_equal(*mirrored)


def test_random_colours_are_for_the_source_input_alone(batches):
    plain, changed = batches(), batches(random_hsv_power=0.3)
    for name in ("target_dst", "warped_dst"):
        np.testing.assert_array_equal(changed[name], plain[name])
    assert np.abs(changed["target_src"].astype(int) - plain["target_src"]).max() <= 1, "rounding"
    assert np.abs(changed["warped_src"].astype(int) - plain["warped_src"]).mean() > 3


@pytest.mark.parametrize("mode", ["rct", "lct", "mkl", "idt", "sot"])
def test_colour_transfer_takes_the_source_to_the_colours_of_the_destination(batches, mode):
    plain, moved = batches(3), batches(3, ct_mode=mode)
    np.testing.assert_array_equal(moved["target_dst"], plain["target_dst"])
    before, goal = hue_of(plain["target_src"]), hue_of(plain["target_dst"])
    for name in ("target_src", "warped_src"):
        assert abs(hue_of(moved[name]) - goal) < 0.5 * abs(before - goal)


def test_uniform_yaw_draws_the_one_turned_face_much_more_often(batches, facesets, tmp_path):
    folder = make_faceset(tmp_path / "turned", 15, hue=15)
    write_face(folder / "99999_0.jpg", 15, 140, yaw=0.9)
    counts = []
    for uniform in (False, True):
        targets = batches(8, folders=(folder, facesets[1]), uniform_yaw=uniform)["target_src"]
        # It alone is not of the skin colour of the others.
        counts.append(sum(hue_of(target[20:44, 20:44]) < 40 for target in targets))
    assert counts[0] <= 4 and counts[1] >= 8, counts


def test_while_pretraining_both_sides_are_flipped_faces_of_the_pretraining_set(batches, tmp_path):
    pretraining = make_faceset(tmp_path / "many", 6, hue=60)
    options = {"random_warp": True, "random_hsv_power": 0.3, "ct_mode": "rct", "random_src_flip": False}
    found = batches(pretraining=pretraining, pretrain=True, **options)
    plain = batches(folders=(pretraining, pretraining))
    for side in ("src", "dst"):
        target = found[f"target_{side}"]
        np.testing.assert_array_equal(found[f"warped_{side}"], target, "neither warp nor random colours")
        assert abs(hue_of(target) - hue_of(plain["target_src"])) < 3
        assert np.abs(target.astype(int) - target[:, :, ::-1]).mean() > 1
    unflipped = batches(folders=(pretraining, pretraining), uniform_yaw=True)
    for side in ("src", "dst"):
        same = (found[f"target_{side}"] == unflipped[f"target_{side}"]).all(axis=(1, 2, 3))
        turned = (found[f"target_{side}"] == unflipped[f"target_{side}"][:, :, ::-1]).all(axis=(1, 2, 3))
        assert (same | turned).all() and 4 < turned.sum() < 16, side


# --- XSeg


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Two labelled faces of one colour on the source's side, one of another on the destination's, and plain ones."""
    root = tmp_path_factory.mktemp("labelled")
    sides = []
    for side, count, hue in (("src", 2, 15), ("dst", 1, 110)):
        folder = make_faceset(root / side, count, hue=hue, labelled=True)
        write_face(folder / "99999_0.jpg", 99, hue)
        sides.append(folder)
    return sides


def xseg_data(folder, folders, pretraining=None, **given):
    """Batches of an XSeg model with these options."""
    saved = SavedModel(folder, "XSeg", None)
    saved.data = ModelData(0, ask_options("XSeg", {}, {}, given, Context(), True, False, silent=True))
    return make_data(saved, DataSettings(*folders, pretraining, seed=5, workers=1))


@pytest.mark.parametrize(("face_type", "size"), [("f", 2), ("wf", 5), ("head", 3)])
def test_masks_are_trained_on_faces_of_the_type_in_batches_of_the_size(labelled, tmp_path, face_type, size):
    data = xseg_data(tmp_path, labelled, face_type=face_type, batch_size=size)
    try:
        batch, shown = data.next(), data.preview_faces(4)
    finally:
        data.close()
    assert batch["image"].shape == (size, 256, 256, 3) and batch["mask"].shape == (size, 256, 256, 1)
    for side, folder in zip(("src", "dst"), labelled):
        faces = [prepare_plain(sample, FaceType.from_prompt_key(face_type)) for sample in load_faceset(folder)]
        for picture in shown[side]:
            assert any(np.array_equal(picture, face) for face in faces), side


def test_labels_of_both_sides_are_drawn(labelled, tmp_path):
    data = xseg_data(tmp_path, labelled, batch_size=16)
    try:
        images = np.concatenate([data.next()["image"] for _ in range(2)])
    finally:
        data.close()
    # A third of the labelled faces is the destination's blue one.
    blue = sum(hue_of(image[96:160, 96:160]) < 0 for image in images)
    assert 4 <= blue <= 16


def test_while_pretraining_masks_are_grey_faces_of_the_pretraining_set(labelled, tmp_path):
    pretraining = make_faceset(tmp_path / "many", 3, hue=60)
    data = xseg_data(tmp_path, labelled, pretraining, pretrain=True, batch_size=3)
    try:
        batch = data.next()
    finally:
        data.close()
    grey = np.stack([cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in batch["image"]])
    assert np.abs(grey.astype(int) - batch["mask"][..., 0]).max() <= 1
    # Green skin: of that set alone.
    middle = batch["image"][:, 96:160, 96:160].astype(int)
    assert (middle[..., 1] - middle[..., [0, 2]].max(axis=-1)).mean() > 20
