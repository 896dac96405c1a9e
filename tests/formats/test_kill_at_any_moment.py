"""Whenever the process dies, every original can still be read."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from fault_injection import Killed, at_every_moment, killed_after

from core.console import interact
from core.networks.weight_files import read_weights, weights_to_bytes, write_weights
from facelib.face_type import FaceType
from models.saved import transaction
from models.saved.model_files import ModelData, model_data_to_bytes, read_model_data
from samplelib.faces import aligned_face
from samplelib.faces.metadata import restore_faceset_metadata, save_faceset_metadata
from samplelib.faces.original_names import recover_original_names
from samplelib.faces.originals_exchange import offer_merge, prepare_output_folder
from samplelib.faces.resize_faceset import resize_faceset
from samplelib.packs import packed_faceset, reading

KIT = Path(__file__).parents[1] / "golden" / "formats"
FACES = {name: (KIT / "aligned" / name).read_bytes() for name in ("00001_0.jpg", "00002_0.jpg", "00003_0.jpg")}


@pytest.fixture(autouse=True)
def nobody_to_ask():
    interact.configure(assume_yes=True)
    yield
    interact.configure(assume_yes=False)


def put_faces(folder):
    for name, data in FACES.items():
        (folder / name).write_bytes(data)


def loose_contents(folder):
    return [path.read_bytes() for path in folder.rglob("*.jpg") if not path.name.endswith(".tmp.jpg")]


def pack_contents(folder):
    path = folder / "faceset.pak"
    return [entry.read_bytes() for entry in reading.read_pack(path)] if path.exists() else []


def test_the_fault_injection_itself(tmp_path):
    with killed_after(2) as disk, pytest.raises(Killed), open(tmp_path / "x", "wb") as stream:
        stream.write(b"first")
        stream.write(b"second")
    assert disk.dead and (tmp_path / "x").read_bytes() == b"firstsec"


def test_writing_metadata(tmp_path):
    old = aligned_face.read_metadata(KIT / "aligned" / "00001_0.jpg")
    new = old.replace(face_type="head")

    def check(folder, finished):
        found = aligned_face.read_metadata(folder / "00001_0.jpg")
        assert found == new if finished else found in (old, new)

    def work(folder):
        aligned_face.write_metadata(folder / "00001_0.jpg", new)

    assert at_every_moment(put_faces, work, check, tmp_path) >= 4


def test_saving_a_face_over_an_old_one(tmp_path):
    old = aligned_face.read_metadata(KIT / "aligned" / "00001_0.jpg")

    def check(folder, finished):
        shape, metadata = aligned_face.read_header(folder / "00001_0.jpg")
        assert metadata == old and shape == ((32, 32, 3) if finished else shape)

    def work(folder):
        aligned_face.save_face(folder / "00001_0.jpg", np.zeros((32, 32, 3), np.uint8), old)

    at_every_moment(put_faces, work, check, tmp_path)


def test_packing_and_deleting_the_originals(tmp_path):
    def check(folder, finished):
        found = loose_contents(folder) + pack_contents(folder)
        assert set(found) >= set(FACES.values())
        if finished:
            assert loose_contents(folder) == [] and len(pack_contents(folder)) == len(FACES)

    def work(folder):
        packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))

    assert at_every_moment(put_faces, work, check, tmp_path) > 10


def test_packing_persons(tmp_path):
    def prepare(folder):
        for person in ("a", "b"):
            (folder / person).mkdir()
            put_faces(folder / person)
        (folder / "a" / "notes.txt").write_text("keep")

    def check(folder, finished):
        found = loose_contents(folder) + pack_contents(folder)
        assert all(found.count(data) >= 2 for data in FACES.values())
        assert (folder / "a" / "notes.txt").exists()
        assert not (finished and (folder / "b").exists())

    def work(folder):
        packed_faceset.delete_originals(packed_faceset.pack_faceset(folder, persons=True))

    at_every_moment(prepare, work, check, tmp_path)


def test_unpacking(tmp_path):
    def prepare(folder):
        put_faces(folder)
        packed_faceset.delete_originals(packed_faceset.pack_faceset(folder))

    def check(folder, finished):
        found = loose_contents(folder) + pack_contents(folder)
        assert set(found) >= set(FACES.values())
        assert (folder / "faceset.pak").exists() != finished

    assert at_every_moment(prepare, packed_faceset.unpack_faceset, check, tmp_path) > 10


def test_resizing_and_merging(tmp_path):
    old = {name: aligned_face.metadata_from_jpeg(data, name) for name, data in FACES.items()}

    def prepare(folder):
        (folder / "aligned").mkdir()
        put_faces(folder / "aligned")

    def work(folder):
        output = prepare_output_folder(folder / "aligned_resized")
        written, failed = resize_faceset(folder / "aligned", output, 48, FaceType.HALF)
        assert failed == 0
        offer_merge(output, folder / "aligned", written, True)

    def check(folder, finished):
        for name in FACES:
            path = folder / "aligned" / name
            shape, metadata = aligned_face.read_header(path)
            is_new = shape == (48, 48, 3) and metadata.face_type == "half_face"
            assert is_new or (path.read_bytes() == FACES[name] and metadata == old[name])
            assert is_new or not finished
        assert not (finished and (folder / "aligned_resized").exists())

    assert at_every_moment(prepare, work, check, tmp_path) > 15


def test_restoring_metadata(tmp_path):
    def prepare(folder):
        put_faces(folder)
        save_faceset_metadata(folder)
        for name in FACES:
            (folder / name).write_bytes(FACES[name][:20] + FACES[name][FACES[name].index(b"\xff\xdb") :])

    def check(folder, finished):
        restored = [aligned_face.read_metadata(folder / name) is not None for name in FACES]
        assert all(restored) or (folder / "meta.dat").exists()
        assert (folder / "meta.dat").exists() != finished

    at_every_moment(prepare, restore_faceset_metadata, check, tmp_path)


def test_recovering_names(tmp_path):
    def prepare(folder):
        names = sorted(FACES)
        for name, data in zip(names[1:] + names[:1], FACES.values()):
            (folder / name).write_bytes(data)

    def check(folder, finished):
        assert sorted(path.read_bytes() for path in folder.glob("*.jpg")) == sorted(FACES.values())
        if not finished:
            recover_original_names(folder)
        assert {path.name: path.read_bytes() for path in folder.glob("*.jpg")} == FACES

    at_every_moment(prepare, recover_original_names, check, tmp_path)


def test_saving_a_model(tmp_path):
    weights = {"old": {"a/weight:0": np.zeros(3, np.float32)}, "new": {"a/weight:0": np.ones(3, np.float32)}}

    def save(folder, iteration, kind):
        data = weights_to_bytes(weights[kind])
        files = {
            "m_SAEHD_data.dat": model_data_to_bytes(ModelData(iteration, {"resolution": 64})),
            "m_SAEHD_encoder.npy": lambda: data,
            "m_SAEHD_decoder.npy": lambda: data,
            "m_SAEHD_summary.txt": b"text",
        }
        transaction.commit(folder, "m_SAEHD", files)

    def check(folder, finished):
        transaction.recover(folder, "m_SAEHD")
        iteration = read_model_data(folder / "m_SAEHD_data.dat").iteration
        read = [read_weights(folder / f"m_SAEHD_{name}.npy")["a/weight:0"][0] for name in ("encoder", "decoder")]
        assert (iteration, read) in ((5, [0, 0]), (6, [1, 1])), "weights and state of one save"
        assert iteration == 6 or not finished

    def prepare(folder):
        save(folder, 5, "old")

    assert at_every_moment(prepare, lambda folder: save(folder, 6, "new"), check, tmp_path) > 12


def test_a_failed_save_leaves_no_temporary_files(tmp_path):
    put_faces(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def broken():
        raise OSError(28, "No space left on device")

    with pytest.raises(Exception, match="b.npy: cannot be written .No space left"):
        transaction.commit(tmp_path, "m_SAEHD", {"a.npy": b"1", "b.npy": broken})
    with pytest.raises(Exception, match="cannot be written"):
        write_weights(tmp_path / "no folder" / "x.npy", {"a:0": np.zeros(1)})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    shutil.rmtree(tmp_path)
