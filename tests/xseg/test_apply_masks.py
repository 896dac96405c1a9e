"""Applying masks: batches, face types, interrupted runs, bad files, the generic mask."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from labelled_faces import (
    CUT,
    TRIANGLE,
    StubPredictor,
    face_landmarks,
    make_faceset,
    oval_label,
    run_main,
    start_main,
    write_face,
)

from core.engines import Place
from core.errors import NothingToDo, UserError
from core.imagelib.polygons import rasterize
from core.networks.weight_files import write_weights
from facelib.alignment import face_matrix
from facelib.face_type import FaceType
from models.saved.model_files import ModelData, model_data_to_bytes
from samplelib.faces.aligned_face import read_metadata
from xseglib import apply as apply_module
from xseglib import source_choice
from xseglib.apply import ApplyJournal, apply_masks
from xseglib.mask_sources import Face, MeshMasks, NetworkMasks, conversion_matrix

GOLDEN = Path(__file__).parents[1] / "golden"


def iou(first, second):
    return np.minimum(first, second).sum() / np.maximum(first, second).sum()


@pytest.fixture
def faces(tmp_path):
    return make_faceset(tmp_path / "aligned", count=7)


def test_masks_are_binary_match_the_picture_and_leave_labels(faces):
    predictor = StubPredictor()
    statistics = apply_masks(faces, NetworkMasks(predictor, FaceType.WHOLE_FACE), "stub", batch_size=3)
    assert statistics.done == 7 and predictor.batches == [3, 3, 1]
    for number, path in enumerate(sorted(faces.glob("*.jpg"))):
        metadata = read_metadata(path)
        assert metadata.polygons == ((TRIANGLE, CUT) if number % 2 == 0 else ())
        mask = metadata.decode_xseg_mask()
        assert mask.shape == (256, 256, 1) and set(np.unique(mask)) == {0.0, 1.0}
        label = oval_label(128, number)
        assert iou(mask, rasterize([(True, label.points * 2)], 256, 256)) > 0.95
    assert not (faces / ApplyJournal.FILE_NAME).exists()


def test_applying_twice_gives_the_same_bytes(faces):
    source = NetworkMasks(StubPredictor(), None)
    apply_masks(faces, source, "stub")
    first = {path: path.read_bytes() for path in faces.iterdir()}
    apply_masks(faces, source, "stub")
    assert {path: path.read_bytes() for path in faces.iterdir()} == first


class InterruptedPredictor(StubPredictor):
    def predict(self, images):
        if len(self.batches) == 2:
            raise KeyboardInterrupt
        return super().predict(images)


def test_an_interrupted_run_goes_on(faces, capsys):
    with pytest.raises(KeyboardInterrupt):
        apply_masks(faces, NetworkMasks(InterruptedPredictor(), None), "stub", batch_size=2)
    predictor = StubPredictor()
    statistics = apply_masks(faces, NetworkMasks(predictor, None), "stub", batch_size=2)
    assert sum(predictor.batches) == 3 and statistics.done == 7
    assert "Going on with an interrupted run: 4 of 7 files are done." in capsys.readouterr().out
    assert all(read_metadata(path).xseg_mask for path in faces.glob("*.jpg"))


def test_a_run_with_another_network_a_changed_file_or_restart_begins_again(faces):
    def interrupted():
        with pytest.raises(KeyboardInterrupt):
            apply_masks(faces, NetworkMasks(InterruptedPredictor(), None), "stub", batch_size=2)

    def faces_predicted(key, **arguments):
        predictor = StubPredictor()
        apply_masks(faces, NetworkMasks(predictor, None), key, **arguments)
        return sum(predictor.batches)

    interrupted()
    assert faces_predicted("other network") == 7
    interrupted()
    assert faces_predicted("stub", restart=True) == 7
    interrupted()
    write_face(faces / "00001.jpg", 55)
    assert faces_predicted("stub") == 4
    interrupted()
    (faces / ApplyJournal.FILE_NAME).write_bytes(b"\xff{damaged")
    assert faces_predicted("stub") == 7


def test_broken_locked_and_foreign_files_are_named_and_the_rest_is_done(faces, capsys, monkeypatch):
    (faces / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0nothing")
    cv2.imwrite(str(faces / "foreign.png"), np.zeros((8, 8, 3), np.uint8))
    os.chmod(faces / "00002.jpg", 0o444)
    before = (faces / "00004.jpg").read_bytes()
    real = apply_module.write_metadata

    def locked(path, metadata):
        if path.name == "00004.jpg":
            raise UserError(f"{path}: cannot be written (locked by another program).")
        real(path, metadata)

    monkeypatch.setattr(apply_module, "write_metadata", locked)
    statistics = apply_masks(faces, NetworkMasks(StubPredictor(), None), "stub")
    assert statistics.done == 5 and statistics.not_faces == 1
    assert sorted(path.name for path in statistics.failed) == ["00002.jpg", "00004.jpg", "broken.jpg"]
    assert (faces / "00004.jpg").read_bytes() == before
    messages = capsys.readouterr().err
    assert "00002.jpg: is read-only" in messages and "locked by another" in messages and "broken.jpg" in messages
    assert "foreign.png is not a DFLIMG" in messages
    with pytest.raises(UserError, match="3 of the files"):
        statistics.raise_if_failed()
    assert not list(faces.glob(".*tmp*"))


def test_a_folder_without_any_face(tmp_path):
    cv2.imwrite(str(tmp_path / "foreign.jpg"), np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(NothingToDo, match="none of its pictures is an aligned face"):
        apply_masks(tmp_path, NetworkMasks(StubPredictor(), None), "stub")
    assert [path.name for path in tmp_path.iterdir()] == ["foreign.jpg"]


class RecordingPredictor(StubPredictor):
    def predict(self, images):
        self.images = images
        return super().predict(images)


def test_faces_of_another_type_are_cut_to_the_type_of_the_model(tmp_path):
    path = write_face(tmp_path / "head.jpg", 3, size=200, face_type="whole_face")
    metadata = read_metadata(path)
    image = cv2.imread(str(path))
    predictor = RecordingPredictor()
    mask = NetworkMasks(predictor, FaceType.FULL).masks([Face(path, image, metadata)])[0]

    frame = np.zeros((400, 400, 3), np.float32)
    to_own = face_matrix(metadata.source_landmarks, 200, FaceType.WHOLE_FACE)
    cv2.warpAffine(image.astype(np.float32) / 255, to_own, (400, 400), frame, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    direct = cv2.warpAffine(frame, face_matrix(metadata.source_landmarks, 256, FaceType.FULL), (256, 256))
    assert np.abs(direct - predictor.images[0])[40:216, 40:216].mean() < 0.02

    seen = rasterize([(True, oval_label(200, 3).points * 256 / 200)], 256, 256)
    area = cv2.warpAffine(
        np.ones((200, 200), np.float32),
        conversion_matrix(metadata, 200, FaceType.FULL),
        (200, 200),
        flags=cv2.WARP_INVERSE_MAP,
    )
    seen *= (cv2.resize(area, (256, 256)) > 0.5)[:, :, None]
    assert iou(mask, seen) > 0.95


def test_conversion_matrix_maps_the_crops_onto_each_other(tmp_path):
    metadata = read_metadata(write_face(tmp_path / "a.jpg", size=256))
    matrix = conversion_matrix(metadata, 256, FaceType.HEAD)
    own = face_matrix(metadata.source_landmarks, 256, FaceType.WHOLE_FACE)
    head = face_matrix(metadata.source_landmarks, 256, FaceType.HEAD)
    full = np.vstack([matrix, [0, 0, 1]]) @ np.vstack([own, [0, 0, 1]])
    np.testing.assert_allclose(full[:2], head, atol=1e-3)
    fallback = conversion_matrix(metadata.replace(source_landmarks=None), 256, FaceType.HEAD)
    np.testing.assert_allclose(fallback, face_matrix(face_landmarks(256), 256, FaceType.HEAD), atol=1e-6)


def test_mark_only_faces_cannot_be_converted(tmp_path, capsys):
    write_face(tmp_path / "a.jpg", face_type="mark_only")
    write_face(tmp_path / "b.jpg", face_type="full_face")
    statistics = apply_masks(tmp_path, NetworkMasks(StubPredictor(), FaceType.WHOLE_FACE), "stub")
    assert statistics.done == 1 and "mark_only cannot be converted to whole_face" in capsys.readouterr().err
    assert apply_masks(tmp_path, NetworkMasks(StubPredictor(), None), "stub").done == 2


class NoFace:
    def __call__(self, image, metadata):
        return None


def test_where_the_mesh_sees_no_face_the_default_mask_is_stored_and_counted(tmp_path):
    path = write_face(tmp_path / "a.jpg", size=128)
    source = MeshMasks(NoFace())
    assert apply_masks(tmp_path, source, "mesh").done == 1 and source.unsure == [path]
    mask = read_metadata(path).decode_xseg_mask()
    corners = (face_landmarks(128) * 2).astype(np.int32)
    assert iou(mask[:, :, 0], cv2.fillConvexPoly(np.zeros((256, 256)), cv2.convexHull(corners), 1)) > 0.8


def test_command_line_errors(tmp_path):
    faces = make_faceset(tmp_path / "aligned", count=2)
    missing = run_main("xseg", "apply", "--input-dir", faces, "--model-dir", tmp_path / "model")
    assert missing.returncode == 1 and "model: no such folder" in missing.stderr
    (tmp_path / "model").mkdir()
    empty = run_main("xseg", "apply", "--input-dir", faces, "--model-dir", tmp_path / "model")
    assert empty.returncode == 1 and "XSeg_256.npy: no such file" in empty.stderr
    wrong = run_main("xseg", "apply", "--input-dir", faces, "--model-dir", tmp_path / "model", "--batch-size", "0")
    assert wrong.returncode == 2


def write_constant_network(folder, face_type):
    """A model folder whose network says "inside" everywhere: all weights 0 but the last bias."""
    shapes = json.loads((GOLDEN / "networks" / "shapes.json").read_text())["xseg256"]["nets"]["XSeg"]
    weights = {key: np.full(shape, 1e-6 if key.endswith("eps:0") else 0, np.float32) for key, shape in shapes}
    weights["out_conv/bias:0"] += 2
    folder.mkdir()
    write_weights(folder / "XSeg_256.npy", weights)
    if face_type:
        (folder / "XSeg_data.dat").write_bytes(model_data_to_bytes(ModelData(1, {"face_type": face_type}, [[0.5]])))


def test_a_network_through_the_command_line_for_both_sides_at_once(tmp_path):
    write_constant_network(tmp_path / "model", "f")
    paths, programs = {}, {}
    for side in ("src", "dst"):
        folder = tmp_path / f"data_{side}" / "aligned"
        folder.mkdir(parents=True)
        paths[side] = write_face(folder / "a.jpg", 3, size=200, polygons=[TRIANGLE])
        programs[side] = start_main(
            "xseg", "apply", "--input-dir", folder, "--model-dir", tmp_path / "model", "--cpu-only"
        )
    for side, program in programs.items():
        output, errors = program.communicate(timeout=300)
        assert program.returncode == 0, errors
        assert "Applying trained XSeg model to aligned/ folder." in output
        assert "Files processed: 1\nDone." in output and "XSeg model face type" not in output
        assert "Faces of type whole_face, converted to full_face and their masks back: 1" in output
        metadata = read_metadata(paths[side])
        matrix = conversion_matrix(metadata, 200, FaceType.FULL)
        inside = cv2.warpAffine(np.ones((200, 200)), matrix, (200, 200), flags=cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST)
        mask = metadata.decode_xseg_mask()[:, :, 0]
        assert iou(mask, cv2.resize(inside, (256, 256))) > 0.98 and 0.3 < mask.mean() < 0.9
        assert metadata.polygons == (TRIANGLE,)


CARDS = [SimpleNamespace(name=f"card {index}") for index in range(2)]


@pytest.mark.parametrize("index", [0, 1])
def test_each_run_hides_the_other_card(tmp_path, monkeypatch, index):
    import tensorflow as tf

    from core.nn import devices
    from xseglib import mask_request
    from xseglib.mask_request import MaskRequest

    visible = []
    listed = [devices.Gpu(number, f"card {number}", 8.0, (8, 0)) for number in range(2)]
    monkeypatch.setattr(devices, "list_gpus", lambda: listed)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: CARDS)
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda cards, kind: visible.append((cards, kind)))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda card, on: visible.append((card, on)))
    monkeypatch.setattr(source_choice, "require_network", lambda folder: None)
    monkeypatch.setattr(source_choice, "network_source", lambda folder, face_type, place: (folder, face_type, place))
    flags = {"model_dir": tmp_path, "face_type": "wf", "cpu_only": False, "force_gpu_idxs": [index],
             "engine": "tensorflow", "provider": None}  # fmt: skip
    found = mask_request.network_source(MaskRequest(**flags))
    assert found == (tmp_path, FaceType.WHOLE_FACE, Place(device="GPU:0"))
    assert visible == [([CARDS[index]], "GPU"), (CARDS[index], True)]


class BrokenPredictor(StubPredictor):
    def predict(self, images):
        return np.full((len(images), 256, 256, 1), np.nan, np.float32)


def test_a_network_that_gives_no_numbers_changes_nothing(faces):
    before = {path: path.read_bytes() for path in faces.iterdir()}
    with pytest.raises(UserError, match="damaged"):
        apply_masks(faces, NetworkMasks(BrokenPredictor(), None), "broken")
    assert all(path.read_bytes() == data for path, data in before.items())


def test_the_face_type_of_an_unknown_network_is_asked(tmp_path, monkeypatch):
    from core.console import interact
    from xseglib import mask_request
    from xseglib.mask_request import MaskRequest

    monkeypatch.setattr(
        interact, "ask_text", lambda label, default, **rest: asked.append((label, default, rest)) or "wf"
    )
    asked = []
    assert mask_request._asked_face_type(MaskRequest(tmp_path, face_type=None)) is FaceType.WHOLE_FACE
    ((label, default, rest),) = asked
    assert (label, default) == ("XSeg model face type", "same")
    assert rest["choices"] == ["h", "mf", "f", "wf", "head", "same"] and rest["help_text"]
    assert mask_request._asked_face_type(MaskRequest(tmp_path, face_type="same")) is None
    assert mask_request._asked_face_type(MaskRequest(tmp_path, face_type="head")) is FaceType.HEAD
    assert source_choice.stored_face_type(tmp_path) is None
    (tmp_path / "XSeg_data.dat").write_bytes(model_data_to_bytes(ModelData(1, {"face_type": "mf"}, [[0.5]])))
    assert source_choice.stored_face_type(tmp_path) is FaceType.MIDFULL


def test_one_device_is_asked_for_unless_a_flag_decides(tmp_path, monkeypatch):
    from core import device_choice
    from xseglib import mask_request
    from xseglib.mask_request import MaskRequest

    asked = []
    monkeypatch.setattr(
        device_choice, "choose_devices", lambda *arguments, **rest: asked.append((arguments, rest)) or []
    )
    monkeypatch.setattr(source_choice, "require_network", lambda folder: None)
    monkeypatch.setattr(source_choice, "network_source", lambda folder, face_type, place: (folder, face_type))
    flags = {"model_dir": tmp_path, "face_type": "wf", "cpu_only": False, "force_gpu_idxs": None,
             "engine": "tensorflow", "provider": None}  # fmt: skip
    assert mask_request.network_source(MaskRequest(**flags)) == (tmp_path, FaceType.WHOLE_FACE)
    mask_request.network_source(MaskRequest(**{**flags, "force_gpu_idxs": [1]}))
    mask_request.network_source(MaskRequest(**{**flags, "cpu_only": True}))
    assert [arguments for arguments, _ in asked] == [(False, None), (False, [1]), (True, None)]
    assert all(rest == {"several": False} for _, rest in asked)
