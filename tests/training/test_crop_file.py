"""Cut out faces on disk: they are what cutting out gives, follow their pictures, and never stand in the way of training."""

import os
import shutil
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import make_faceset, write_face

from core.errors import UserError
from facelib.face_type import FaceType
from main import build_parser
from mainscripts.train import request_of
from models.registry import effective_options
from models.training.training_data import DataSettings, SwapData
from models.training.training_session import TrainingSession
from samplelib.faceset import load_faceset
from samplelib.packs.packed_faceset import pack_faceset
from samplelib.training import crop_file
from samplelib.training.crop_file import CropFile, CropFiles, folder_of_crops
from samplelib.training.face_store import CacheBudget, swap_face_store, swap_layout

LAYOUT = swap_layout(FaceType.FULL, 64)
WHOLE_DAY = 24 * 3600 * 10**9
OPTIONS = {
    "archi": "df-ud", "ae_dims": 32, "e_dims": 16, "d_dims": 16, "d_mask_dims": 16, "resolution": 64, "batch_size": 2,
    "ct_mode": "rct", "eyes_mouth_prio": True,
}  # fmt: skip


@pytest.fixture
def faces(tmp_path):
    return load_faceset(make_faceset(tmp_path / "aligned", 5))


def crops_of(tmp_path, faces=5, layout=LAYOUT, read_at=None):
    return CropFile(tmp_path / "aligned_samples", layout, faces, read_at or time.time_ns() + WHOLE_DAY)


def store_of(samples, crops=None):
    return swap_face_store(samples, FaceType.FULL, 64, CacheBudget(0), crops=crops)


def assert_equal(face, other):
    for one, another in zip(LAYOUT.take_apart(face), LAYOUT.take_apart(other)):
        np.testing.assert_array_equal(one, another)


def unreadable(monkeypatch):
    monkeypatch.setattr("samplelib.faces.sample.decode_image", lambda *arguments: pytest.fail("a picture was decoded"))


def test_the_second_run_decodes_nothing_and_gets_the_same(tmp_path, faces, monkeypatch):
    expected = [store_of(faces).get(index) for index in range(5)]
    crops = crops_of(tmp_path)
    for index in range(5):
        assert_equal(store_of(faces, crops).get(index), expected[index])
    crops.close()
    again = crops_of(tmp_path)
    unreadable(monkeypatch)
    assert len(again) == 5
    for index in range(5):
        assert_equal(store_of(faces, again).get(index), expected[index])
    again.close()


def test_a_face_without_parts_comes_back_without(tmp_path, faces):
    layout = swap_layout(FaceType.HEAD, 32, with_eyes_mouth=False)
    crops = crops_of(tmp_path, layout=layout)
    for _ in range(2):
        face = swap_face_store(faces, FaceType.HEAD, 32, CacheBudget(0), False, crops=crops).get(0)
        assert face.eyes_mouth is None and face.picture.shape == (32, 32, 3) and face.mask.shape == (32, 32)
    crops.close()


@pytest.mark.parametrize("change", ["picture", "time", "name"])
def test_a_changed_picture_is_cut_out_again(tmp_path, faces, change):
    crops = crops_of(tmp_path)
    store_of(faces, crops).get(0)
    path = faces[0].path
    if change == "picture":
        write_face(path, 0, hue=90)
    elif change == "time":
        os.utime(path, ns=(1, 1))
    else:
        path = path.rename(path.with_name("another.jpg"))
    sample = next(sample for sample in load_faceset(path.parent) if sample.path == path)
    assert crops.get(sample) is None
    assert_equal(store_of([sample], crops).get(0), store_of([sample]).get(0))
    assert crops.get(sample) is not None
    crops.close()


def test_a_picture_newer_than_the_faceset_in_memory_is_not_kept(tmp_path, faces):
    """Its mask may be of before the change."""
    crops = crops_of(tmp_path, read_at=os.stat(faces[1].path).st_mtime_ns)
    os.utime(faces[0].path, ns=(1, 1))
    for index in (0, 1):
        store_of(faces, crops).get(index)
    assert crops.get(faces[0]) is not None and crops.get(faces[1]) is None
    crops.close()


def test_faces_of_a_pack(tmp_path):
    folder = make_faceset(tmp_path / "aligned", 4)
    pack_faceset(folder)
    samples = load_faceset(folder)
    crops = crops_of(tmp_path)
    first = [store_of(samples, crops).get(index) for index in range(4)]
    for index in range(4):
        assert_equal(crops.get(samples[index]), first[index])
    assert (first[0].picture != first[1].picture).any()
    os.utime(samples[0].path, ns=(1, 1))
    assert all(crops.get(sample) is None for sample in samples)
    crops.close()


@pytest.mark.parametrize(
    "damage", ["crops cut", "crops changed", "index cut", "index changed", "index of another kind", "no crops"]
)
def test_damage_costs_crops_and_never_gives_a_wrong_one(tmp_path, faces, damage):
    expected = [store_of(faces).get(index) for index in range(5)]
    crops = crops_of(tmp_path)
    for index in range(5):
        store_of(faces, crops).get(index)
    crops.close()
    data, index_file = (tmp_path / "aligned_samples" / f"{LAYOUT.name}{suffix}" for suffix in (".crops", ".index"))
    size = index_file.stat().st_size
    if damage == "crops cut":
        os.truncate(data, LAYOUT.face_bytes * 2 + 100)
    elif damage == "crops changed":
        with open(data, "r+b") as stream:
            stream.seek(LAYOUT.face_bytes + 7)
            stream.write(b"\xff\x00\xff\x00")
    elif damage == "index cut":
        os.truncate(index_file, size - 30)
    elif damage == "index changed":
        with open(index_file, "r+b") as stream:
            stream.seek(size - 60)
            stream.write(b"\xff\xff\xff\xff\xff\xff\xff\xff")
    elif damage == "index of another kind":
        index_file.write_bytes(b"something else")
    else:
        data.unlink()
    left = {"crops cut": 5, "crops changed": 5, "index cut": 3, "index changed": 2}
    for _ in range(2):
        again = crops_of(tmp_path)
        assert len(again) == left.get(damage, 0)
        for index in range(5):
            assert_equal(store_of(faces, again).get(index), expected[index])
        again.close()
        left = dict.fromkeys([*left, damage], 5)


def test_an_index_that_makes_up_far_places_begins_anew(tmp_path, faces):
    crops = crops_of(tmp_path)
    crops._next_slot = 4_000_000
    store_of(faces, crops).get(0)
    crops.close()
    again = crops_of(tmp_path)
    assert len(again) == 0
    store_of(faces, again).get(0)
    again.close()
    assert (tmp_path / "aligned_samples" / f"{LAYOUT.name}.crops").stat().st_size == LAYOUT.face_bytes


def test_crops_of_pictures_that_are_gone_do_not_pile_up(tmp_path, faces):
    for round_number in range(4):
        crops = crops_of(tmp_path)
        for index, sample in enumerate(faces):
            os.utime(sample.path, ns=(round_number, round_number))
            store_of(faces, crops).get(index)
        crops.close()
    assert (tmp_path / "aligned_samples" / f"{LAYOUT.name}.crops").stat().st_size <= 15 * LAYOUT.face_bytes


def test_many_threads_at_once(tmp_path):
    samples = load_faceset(make_faceset(tmp_path / "aligned", 24))
    expected = [store_of(samples).get(index) for index in range(24)]
    crops, failures = crops_of(tmp_path, 24), []

    def work(seed):
        try:
            store = store_of(samples, crops)
            for index in np.random.default_rng(seed).permutation(np.repeat(np.arange(24), 4)):
                assert_equal(store.get(int(index)), expected[index])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(crops) == 24
    crops.close()
    again = crops_of(tmp_path, 24)
    assert len(again) == 24
    again.close()


def test_a_full_disk_is_said_once_and_the_faces_are_there(tmp_path, faces, monkeypatch, capsys):
    monkeypatch.setattr(crop_file.shutil, "disk_usage", lambda folder: SimpleNamespace(free=2**30))
    crops = crops_of(tmp_path)
    for index in range(5):
        assert store_of(faces, crops).get(index) is not None
    said = capsys.readouterr()
    assert (said.out + said.err).count("no more faces are kept there: less than 4 GB are free") == 1
    assert len(crops) == 0
    crops.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")
def test_a_write_that_fails_costs_the_crop_alone(tmp_path, faces, capsys):
    crops = crops_of(tmp_path)
    store_of(faces, crops).get(0)
    crops.close()
    data = tmp_path / "aligned_samples" / f"{LAYOUT.name}.crops"
    crops = crops_of(tmp_path)
    data.unlink()
    data.symlink_to("/dev/full")
    for index in range(1, 4):
        assert store_of(faces, crops).get(index) is not None
    said = capsys.readouterr()
    assert (said.out + said.err).count("no more faces are kept there: No space left on device") == 1
    crops.close()


def test_a_second_training_works_from_the_pictures(tmp_path, faces, capsys):
    first = crops_of(tmp_path)
    with pytest.raises(UserError, match=f"process {os.getpid()} .* has been using this file since"):
        crops_of(tmp_path)
    files = CropFiles("")
    assert files.open(tmp_path / "aligned", LAYOUT, 5, 0) is None
    assert "Training goes on without it" in "".join(capsys.readouterr())
    first.close()
    assert files.open(tmp_path / "aligned", LAYOUT, 5, 0) is not None
    files.close()


def test_a_place_where_nothing_can_be_written(tmp_path, capsys):
    (tmp_path / "file").write_bytes(b"")
    files = CropFiles(tmp_path / "file")
    assert files.open(tmp_path / "aligned", LAYOUT, 5, 0) is None
    assert "Not a directory" in "".join(capsys.readouterr())


def test_the_hint_comes_once_and_only_where_faces_do_not_fit(tmp_path, capsys):
    files = CropFiles(None)
    files.open(tmp_path / "aligned", LAYOUT, 100, 100 * LAYOUT.face_bytes)
    assert "--sample-store" not in "".join(capsys.readouterr())
    for _ in range(2):
        files.open(tmp_path / "aligned", LAYOUT, 101, 100 * LAYOUT.face_bytes)
    assert "".join(capsys.readouterr()).count("--sample-store keeps them ready on the disk") == 1


def test_two_facesets_of_one_name_do_not_meet(tmp_path):
    places = {folder_of_crops(tmp_path / name / "aligned", tmp_path) for name in ("data_src", "data_dst", "a/data_src")}
    assert len(places) == 3
    assert folder_of_crops(tmp_path / "data_src/aligned") == tmp_path / "data_src/aligned_samples"


def test_batches_are_the_same_with_and_without(tmp_path, monkeypatch):
    folders = [make_faceset(tmp_path / side / "aligned", 6, hue) for side, hue in (("data_src", 10), ("data_dst", 90))]
    options = effective_options("SAEHD", OPTIONS)

    def batches(**arguments):
        data = SwapData(options, DataSettings(*folders, workers=2, cache_bytes=0, **arguments))
        made = [data.next() for _ in range(12)]
        data.close()
        return made

    expected = batches()
    for run in range(2):
        if run:
            unreadable(monkeypatch)
        for batch, other in zip(expected, batches(sample_store="")):
            assert batch.keys() == other.keys()
            for name in batch:
                np.testing.assert_array_equal(batch[name], other[name])
    kept = sorted(file.name for file in (tmp_path / "data_dst/aligned_samples").iterdir())
    assert kept == ["full_face_64_eyes.crops", "full_face_64_eyes.index", "plain_64.crops", "plain_64.index"]


def test_the_folder_may_be_deleted_while_nothing_runs(tmp_path, faces):
    crops = crops_of(tmp_path)
    store_of(faces, crops).get(0)
    crops.close()
    shutil.rmtree(tmp_path / "aligned_samples")
    again = crops_of(tmp_path)
    assert len(again) == 0
    again.close()


def test_memory_comes_first(tmp_path, faces, monkeypatch):
    crops = crops_of(tmp_path)
    store = swap_face_store(faces, FaceType.FULL, 64, CacheBudget(LAYOUT.face_bytes), crops=crops)
    first, second = store.get(0), store.get(1)
    monkeypatch.setattr(crops, "get", lambda sample: None if sample is faces[0] else second)
    unreadable(monkeypatch)
    assert store.get(0) is first and store.get(1) is second
    crops.close()


@pytest.mark.parametrize(
    "words, place", [([], None), (["--sample-store"], ""), (["--sample-store", "disk"], Path("disk").absolute())]
)
def test_what_the_flag_says_reaches_the_samples(tmp_path, words, place):
    flags = build_parser().parse_args(
        ["train", "--model", "Quick96", "--model-dir", str(tmp_path), "--training-data-src-dir", str(tmp_path)]
        + ["--training-data-dst-dir", str(tmp_path), *words]
    )
    session = TrainingSession(request_of(flags))
    assert session._data_settings().sample_store == place
