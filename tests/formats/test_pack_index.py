"""The index beside a pack saves time and changes nothing: what it says is what the pack says, or it is not used."""

import errno
import os
import random
import shutil
import struct
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from fault_injection import at_every_moment
from hypothesis import given, settings
from hypothesis import strategies as st
from pickle_forms import packed_face
from test_mutations import mutate

from core.console import interact
from core.errors import FormatError
from core.files.imageio import encode_image
from core.pickles import safe_pickle
from mainscripts.jobs.job import watched_files
from samplelib.faces.aligned_face import FaceMetadata, with_metadata
from samplelib.faceset import load_faceset
from samplelib.packs import index as pack_index
from samplelib.packs import packed_faceset, reading

KIT = Path(__file__).parents[1] / "golden" / "formats"
PACKS = sorted(path for path in KIT.rglob("faceset.pak") if "traversal" not in str(path))
HEAD = pack_index._HEAD
PICTURE = with_metadata(
    encode_image(np.zeros((16, 16, 3), np.uint8), ".jpg"), FaceMetadata("head", np.ones((68, 2))), "picture"
)


def write_pack(path, configs):
    """A pack of faces, all with the same picture."""
    stored = safe_pickle.dumps(configs)
    table = np.arange(len(configs) + 1, dtype="<u8") * len(PICTURE)
    path.write_bytes(struct.pack("<QQ", 1, len(stored)) + stored + table.tobytes() + PICTURE * len(configs))
    return path


@pytest.fixture
def pack(tmp_path):
    faces = [packed_face(number, mask, 68, number % 3, "somebody" if number else None) for number, mask in enumerate(
        (None, 9, 3000, 1, None, 200)
    )]  # fmt: skip
    return write_pack(tmp_path / "faceset.pak", faces)


def said(samples):
    """Everything that is said of samples without looking at the pictures, errors included."""
    found = []
    for sample in samples:
        try:
            metadata = sample.training_metadata
        except FormatError as error:
            metadata = str(error)
        found.append((sample.name, sample.person_name, sample.shape, metadata, sample.read_bytes()))
    return found


def index_of(pack):
    return pack.with_name(pack.name + ".idx")


@pytest.fixture
def machine_runs(monkeypatch):
    """Names of the packs that were unpickled."""
    runs, loads = [], safe_pickle.loads
    monkeypatch.setattr(
        safe_pickle, "loads", lambda data, name, *given, **more: runs.append(name) or loads(data, name, *given, **more)
    )
    return runs


@pytest.mark.parametrize("source", PACKS, ids=lambda path: path.parent.name)
def test_a_pack_is_unpickled_once(source, tmp_path, machine_runs):
    pack = Path(shutil.copy(source, tmp_path))
    first = said(reading.open_pack(pack))
    assert machine_runs.count(pack) == 1
    assert said(reading.open_pack(pack)) == first and machine_runs.count(pack) == 1


texts = st.text(max_size=20) | st.sampled_from(["\ud800", "\udc80\ud800", "名前.jpg", ""])
polygon = st.tuples(st.sampled_from([0, 1]), st.integers(0, 4)).map(
    lambda given: {"type": given[0], "pts": np.arange(2 * given[1], dtype=np.float32).reshape(-1, 2)}
)
masks = st.none() | st.sampled_from([np.zeros((4, 4, 1), np.float32), np.zeros(0, np.float32)])
stored_faces = st.builds(
    lambda face, changes: {**face, **changes},
    st.builds(packed_face, st.integers(0, 99), st.none() | st.sampled_from([1, 300]), name=texts, person=st.none() | texts),
    st.fixed_dictionaries(
        {},
        optional={
            "face_type": st.sampled_from([0, 20, "Head", "full_face", 77, "nobody", None]),
            "shape": st.sampled_from([(1, 2, 3), [4, 5, 6], (2**31 - 1, 0, -5), (2**31, 1, 1), (2**90, 1, 1)]),
            "landmarks": st.sampled_from(
                [None, [[1.5, 2.5]] * 68, [[1, 2]] * 68, [["1", "2"]] * 68, np.ones((68, 2), np.float32), np.ones((67, 2)),
                 np.full((68, 2), np.nan), [[1e300, 0.0]] * 68]
            ),
            "seg_ie_polys": st.none() | st.lists(polygon, max_size=3).map(lambda polygons: {"polys": polygons})
            | st.lists(polygon, max_size=2).map(lambda polygons: [(item["type"], item["pts"].tolist()) for item in polygons])
            | st.sampled_from([5, {"polys": [(7, [])]}, {"polys": [(1, [[np.inf, 0.0]])]}]),
            "xseg_mask": masks,
            "xseg_mask_compressed": st.sampled_from([None, b"", b"png", np.arange(5, dtype=np.uint8).reshape(5, 1), "no mask"]),
            "eyebrows_expand_mod": st.sampled_from([None, 2, 0.5, np.nan, "1.5", True, [1.0]]),
            "source_filename": texts | st.sampled_from([None, 5]),
            "more": st.just(1),
        },
    ),
)  # fmt: skip


@given(st.lists(stored_faces, max_size=4))
@settings(max_examples=150, deadline=None)
def test_the_index_says_what_the_pack_says(configs):
    with tempfile.TemporaryDirectory() as folder:
        pack = write_pack(Path(folder) / "faceset.pak", configs)
        first = said(reading.open_pack(pack))
        assert said(reading.open_pack(pack)) == first
        entries = reading.read_pack(pack)
        assert [(entry.filename, entry.person_name, entry.shape) for entry in entries] == [face[:3] for face in first]
        for entry, face in zip(entries, first):
            try:
                assert entry.index_metadata() == face[3]
            except FormatError as error:
                assert str(error) == face[3]


@pytest.mark.parametrize("change", [{"landmarks": [[1.0, 2.0]] * 67}, {"shape": (2**40, 1, 3)}, {"face_type": 77}])
def test_an_unusual_pack_has_no_index(change, tmp_path):
    pack = write_pack(tmp_path / "faceset.pak", [packed_face(), {**packed_face(1), **change}])
    assert said(reading.open_pack(pack)) == said(reading.open_pack(pack))
    assert not index_of(pack).exists()


def test_other_content_of_the_same_size_and_time_is_seen(pack, machine_runs):
    """As a backup may put it back."""
    times = pack.stat()
    reading.open_pack(pack)
    pack.write_bytes(pack.read_bytes().replace(b"00001_0.jpg", b"10001_0.jpg"))
    os.utime(pack, ns=(times.st_atime_ns, times.st_mtime_ns))
    for _ in range(2):
        assert reading.open_pack(pack)[1].name == "10001_0.jpg"
    assert machine_runs.count(pack) == 2


def test_a_copied_folder_keeps_its_index(pack, machine_runs):
    reading.open_pack(pack)
    folder = shutil.copytree(pack.parent, pack.parent.parent / "copy", copy_function=shutil.copyfile)
    assert len(load_faceset(folder)) == 6 and folder / "faceset.pak" not in machine_runs


def test_a_version_that_is_not_known_is_replaced(pack):
    first = said(reading.open_pack(pack))
    old = index_of(pack).read_bytes()
    index_of(pack).write_bytes(old.replace(b"index 1\n", b"index 0\n", 1))
    assert said(reading.open_pack(pack)) == first and index_of(pack).read_bytes() == old


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "denied")]
)
def test_no_space_and_no_permission_are_said_once(error, pack, monkeypatch, capsys):
    def refuse(old, new):
        raise error

    monkeypatch.setattr(os, "replace", refuse)
    first = said(reading.open_pack(pack))
    assert said(reading.open_pack(pack)) == first and len(first) == 6
    printed = capsys.readouterr()
    assert (printed.out + printed.err).splitlines() == [
        f"{index_of(pack)}: cannot be written ({error.strerror}), so the packed faceset is read anew each time."
    ]
    assert [path.name for path in pack.parent.iterdir()] == ["faceset.pak"]


@pytest.mark.skipif(os.name == "nt" or os.getuid() == 0, reason="needs a folder that cannot be written")
def test_a_write_protected_folder(pack, capsys):
    os.chmod(pack.parent, 0o500)
    try:
        assert len(reading.open_pack(pack)) == 6
    finally:
        os.chmod(pack.parent, 0o700)
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="has no such files")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink(path, path)])
def test_what_is_no_file_is_left_alone(make, pack):
    make(index_of(pack))
    assert len(reading.open_pack(pack)) == 6


@pytest.mark.skipif(os.name == "nt", reason="rights are kept otherwise there")
def test_the_index_is_as_private_as_the_pack(pack):
    os.chmod(pack, 0o640)
    reading.open_pack(pack)
    assert index_of(pack).stat().st_mode & 0o777 == 0o640


def test_killed_at_any_moment(tmp_path, pack):
    whole = said(reading.open_pack(pack))
    data = index_of(pack).read_bytes()

    def check(folder, finished):
        index = index_of(folder / "faceset.pak")
        assert index.exists() >= finished and (not index.exists() or index.read_bytes() == data)
        assert said(reading.open_pack(folder / "faceset.pak")) == whole

    def prepare(folder):
        shutil.copy(pack, folder / "faceset.pak")

    moments = at_every_moment(prepare, lambda folder: reading.open_pack(folder / "faceset.pak"), check, tmp_path)
    assert moments > 5


# --- an index that is damaged, or made to harm


def sealed(body, **changes):
    """An index with its checksum made right again, and other fields of the head if given."""
    head = list(HEAD.unpack(body[: HEAD.size]))
    for name, value in changes.items():
        head[("format", "state", "total", *pack_index._COUNTED).index(name)] = value
    head[2] = zlib.crc32(body[HEAD.size :])
    return HEAD.pack(*head) + body[HEAD.size :]


def with_block(body, name, change):
    """An index with one block changed in place by a function."""
    counts = dict(zip(pack_index._COUNTED, HEAD.unpack(body[: HEAD.size])[3:]))
    counts["landmarks"] = counts["faces"]
    data, at = bytearray(body), HEAD.size
    for block, dtype in pack_index._BLOCKS.items():
        if block == name:
            change(np.frombuffer(data, dtype, counts[block], at))
        at += counts[block] * dtype.itemsize
    assert at == len(data)
    return sealed(bytes(data))


def setting(field, number, value):
    def change(block):
        (block[field] if field else block)[number] = value

    return change


WRONG = {
    "huge counts": lambda body: sealed(body, faces=1 << 63, masks=(1 << 64) - 1),
    "no faces": lambda body: sealed(body, faces=0),
    "count that wraps": lambda body: sealed(body, texts=(1 << 64) - 5),
    "more bytes": lambda body: sealed(body + b"x"),
    "fewer bytes": lambda body: sealed(body[:-1]),
    "only a head": lambda body: body[: HEAD.size],
    "empty": lambda body: b"",
    "long name": lambda body: with_block(body, "faces", setting("filename", 2, 2**31 - 1)),
    "no name": lambda body: with_block(body, "faces", setting("filename", 0, -1)),
    "negative name": lambda body: with_block(body, "faces", setting("filename", 2, -(2**31))),
    "long mask": lambda body: with_block(body, "faces", setting("mask", 1, 10**6)),
    "masks that wrap": lambda body: with_block(body, "faces", setting("mask", slice(None), 2**31 - 1)),
    "negative mask": lambda body: with_block(body, "faces", setting("mask", 1, -7)),
    "many polygons": lambda body: with_block(body, "faces", setting("polygons", 1, 10**6)),
    "face type": lambda body: with_block(body, "faces", setting("face_type", 1, 8)),
    "polygon kind": lambda body: with_block(body, "polygons", setting("include", 0, 2)),
    "polygon size": lambda body: with_block(body, "polygons", setting("points", 0, 2**31 - 1)),
    "point": lambda body: with_block(body, "points", setting(None, 0, np.nan)),
    "text": lambda body: with_block(body, "texts", setting(None, 0, 0xFF)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_index_is_replaced(wrong, pack, machine_runs):
    first = said(reading.open_pack(pack))
    body = index_of(pack).read_bytes()
    index_of(pack).write_bytes(WRONG[wrong](body))
    assert said(reading.open_pack(pack)) == first
    assert index_of(pack).read_bytes() == body and machine_runs.count(pack) == 2


def with_index_of(pack, count):
    """Gives a pack the index of another pack, sealed as if it were its own."""
    state = HEAD.unpack(index_of(pack).read_bytes()[: HEAD.size])[1]
    with tempfile.TemporaryDirectory() as folder:
        other = write_pack(Path(folder) / "faceset.pak", [packed_face(number) for number in range(count)])
        reading.open_pack(other)
        index_of(pack).write_bytes(sealed(index_of(other).read_bytes(), state=state))


def test_an_index_of_more_faces_is_replaced(pack):
    """It says that it was made of this pack, but the table in the pack does not fit it."""
    first = said(reading.open_pack(pack))
    with_index_of(pack, 9)
    assert said(reading.open_pack(pack)) == first
    assert [sample.name for sample in reading.open_pack(pack)][-1] == "00005_0.jpg"


def test_an_index_of_fewer_faces_does_not_fit_the_pack_and_is_replaced(pack):
    before = said(reading.open_pack(pack))
    with_index_of(pack, 1)
    assert said(reading.open_pack(pack)) == before and len(before) == 6


def test_an_index_larger_than_its_pack_can_need_is_not_read(pack):
    reading.open_pack(pack)
    body = index_of(pack).read_bytes()
    with open(index_of(pack), "r+b") as stream:  # with holes, so it takes no space
        stream.write(sealed(body, masks=1 << 40))
        stream.truncate(len(body) + (1 << 40))
    tracemalloc.start()
    assert len(reading.open_pack(pack)) == 6
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()
    assert index_of(pack).read_bytes() == body


def damaged_indexes(count, pack, repair):
    first = said(reading.open_pack(pack))
    body = index_of(pack).read_bytes()
    outcomes = {"replaced": 0, "used": 0}
    for seed in range(count):
        damaged = mutate(body, random.Random(seed))
        if repair and len(damaged) >= HEAD.size:
            damaged = sealed(damaged)
        index_of(pack).write_bytes(damaged)
        found = said(reading.open_pack(pack))
        left = index_of(pack).read_bytes()
        assert left in (body, damaged), seed
        if left == body:
            assert found == first, seed
        for old, new in zip(first, found, strict=True):
            assert type(new[0]) is str and new[4] == old[4], seed
            if type(new[3]) is str:
                assert new[3].startswith(str(pack)) and "\n" not in new[3], seed
            elif left != body:
                new[3].polygon_mask(16, 16)
        outcomes["replaced" if left == body else "used"] += 1
    return outcomes


def test_damage_is_noticed(pack):
    outcomes = damaged_indexes(300, pack, False)
    assert outcomes["used"] <= 1, "nothing but what changes no byte"


def test_damage_with_a_right_checksum_harms_no_more_than_a_pack(pack):
    outcomes = damaged_indexes(300, pack, True)
    assert min(outcomes.values()) > 30


@pytest.mark.slow
def test_many_damaged_indexes(pack):
    assert damaged_indexes(5000, pack, False)["used"] < 50
    assert min(damaged_indexes(5000, pack, True).values()) > 500


# --- what else works with packs


def renamed_by_index(pack):
    """Gives a pack a sound index that names one picture otherwise."""
    reading.open_pack(pack)
    body = index_of(pack).read_bytes()
    at = body.index(b"00001_0.jpg")
    index_of(pack).write_bytes(sealed(body[:at] + b"other_0.jpg" + body[at + 11 :]))
    assert reading.open_pack(pack)[0].name == "other_0.jpg"


def test_unpacking_looks_only_at_the_pack(tmp_path):
    shutil.copy(KIT / "release_env" / "faceset.pak", tmp_path)
    renamed_by_index(tmp_path / "faceset.pak")
    assert packed_faceset.unpack_faceset(tmp_path) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00001_0.jpg", "00005_0.jpg"]


def test_checking_a_pack_looks_only_at_the_pack(tmp_path):
    shutil.copy(KIT / "aligned" / "00001_0.jpg", tmp_path)
    packed = packed_faceset.pack_faceset(tmp_path)
    renamed_by_index(packed.path)
    packed_faceset.delete_originals(packed)
    assert load_faceset(tmp_path)[0].name == "other_0.jpg"


def test_packing_again_removes_the_index(tmp_path, pack):
    reading.open_pack(pack)
    shutil.copy(KIT / "aligned" / "00001_0.jpg", tmp_path)
    packed_faceset.pack_faceset(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00001_0.jpg", "faceset.pak"]
    assert "00001_0.jpg" in [sample.name for sample in load_faceset(tmp_path)]


def test_jobs_do_not_see_the_index(pack):
    before = watched_files(str(pack.parent))
    reading.open_pack(pack)
    assert index_of(pack).exists() and watched_files(str(pack.parent)) == before == [str(pack)]
    assert watched_files(str(pack.parent / "faceset*")) == before


def test_nobody_is_asked_or_told_when_all_is_well(pack, capsys):
    interact.configure()
    reading.open_pack(pack)
    assert capsys.readouterr() == ("", "")
