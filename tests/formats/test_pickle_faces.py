"""Face data of packs and pictures is read the same with rows at once as operation by operation, also when damaged."""

import pickle
import pickletools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pickle_forms import HOSTILE_NAME, WRITERS, damage, outcome, packed_face, picture_face, plain, shown

from core.errors import FormatError
from core.pickles import machine as pickle_machine
from core.pickles import rows, safe_pickle

packed_faces = st.builds(
    packed_face,
    number=st.integers(0, 70_000),
    mask=st.none() | st.sampled_from([1, 255, 256, 70_000]),
    points=st.sampled_from([68, 68, 68, 5, 67, 69]),
    polygons=st.sampled_from([0, 0, 0, 2]),
    person=st.none() | st.text(max_size=9),
    name=st.none() | st.text(max_size=300),
)
picture_faces = st.builds(
    picture_face,
    seed=st.integers(0, 99),
    name=st.none() | st.text(max_size=90),
    mask=st.none() | st.sampled_from([1, 16, 255, 256, 5000]),
    column=st.booleans(),
)


def without_runs(monkeypatch):
    """The machine reads every operation by itself."""
    monkeypatch.setattr(pickle_machine, "run_at", lambda data, start: None)


def every_way(data, monkeypatch):
    """Outcomes of reading lists of rows as lists, as arrays, and operation by operation."""
    both = [outcome(data, arrays) for arrays in (False, True)]
    with monkeypatch.context() as patch:
        without_runs(patch)
        return [*both, outcome(data, False)]


@given(st.lists(packed_faces, max_size=5) | picture_faces, st.sampled_from(list(WRITERS)))
@settings(max_examples=80, deadline=None)
def test_every_way_agrees_with_python(value, writer):
    data = WRITERS[writer](value)
    with pytest.MonkeyPatch.context() as patch:
        assert set(every_way(data, patch)) == {shown(pickle.loads(data))}


@pytest.mark.parametrize("writer", WRITERS)
def test_landmarks_come_as_arrays_where_asked(writer):
    for value in (picture_face(), packed_face()):
        read = safe_pickle.loads(WRITERS[writer](value), "face", arrays=True)
        assert type(read["landmarks"]) is safe_pickle.RowArray and read["landmarks"].shape == (68, 2)
        assert read["landmarks"].flags.writeable and read["landmarks"].tolist() == value["landmarks"]
        assert plain(safe_pickle.loads(safe_pickle.dumps(read), "again"))["landmarks"] == value["landmarks"]


@pytest.mark.parametrize("face", [picture_face(mask=300), [packed_face(n, m) for n, m in enumerate((9, None, 9, 9))]])
@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_faces_give_the_same_every_way(writer, face, monkeypatch):
    """Bytes are changed, removed and inserted everywhere."""
    original = WRITERS[writer](face)
    outcomes = set()
    for seed in range(400):
        rng = random.Random(seed)
        found = every_way(damage(original, rng.randrange(len(original)), rng), monkeypatch)
        assert len(set(found)) == 1, seed
        outcomes.add(found[0] == "refused")
    assert outcomes == {True, False}


@pytest.mark.parametrize("face", [picture_face(mask=300), [packed_face(n, m) for n, m in enumerate((9, None, 9))]])
@pytest.mark.parametrize("writer", WRITERS)
def test_a_name_before_any_operation_is_refused(writer, face):
    data = WRITERS[writer](face)
    places = [at for _, _, at in pickletools.genops(data) if at > 1]
    assert len(places) > 600
    for place in places:
        with pytest.raises(safe_pickle.UnsafePickle, match="os.system"):
            hostile = memoryview(data[:place] + HOSTILE_NAME + data[place:])
            safe_pickle.loads(hostile, "pack", safe_pickle.PACK_CLASSES, arrays=True)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("cut", [0, 1, 40, 1500, 3100, -1])
def test_cut_off(writer, cut):
    assert outcome(WRITERS[writer](picture_face(mask=300))[:cut], True) == "refused"


def test_names_that_read_like_keys_move_nothing():
    for name in ("source_rect", "landmarks", "face_type", "image_to_face_mat"):
        for write in WRITERS.values():
            value = picture_face(2, name)
            assert outcome(write(value), True) == outcome(write(value), False)
            assert safe_pickle.loads(write(value), "face")["source_filename"] == name


def test_rows_under_two_keys():
    block = b"(" + b"".join(b"](G" + bytes([63, 240, *[number] * 6]) + b"G" + bytes(8) + b"e" for number in range(68))
    texts = [b"\x8c" + bytes((len(key),)) + key for key in (b"landmarks", b"source_landmarks")]
    data = b"\x80\x04}(" + texts[0] + b"]" + block + b"e" + b"q\x00" + texts[1] + b"h\x00" + b"u."
    for arrays in (True, False):
        value = safe_pickle.loads(data, "face", arrays=arrays)
        assert value["landmarks"] is value["source_landmarks"] and len(value["landmarks"]) == 68


@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("writer", [*WRITERS.values(), lambda value: pickle.dumps(value, 2)])
def test_a_long_history_is_read_in_runs(writer, width, monkeypatch):
    """Also one of a single loss, of which each iteration takes only 12 bytes."""
    losses = np.random.default_rng(0).random((220_000, width)).tolist()
    data, found = writer({"loss_history": losses}), []
    monkeypatch.setattr(pickle_machine, "run_at", lambda *given: found.append(rows.run_at(*given)) or found[-1])
    assert safe_pickle.loads(data, "history") == {"loss_history": losses}
    assert sum(len(run.rows) for run in found if run) > 219_900


def test_a_run_longer_than_any_writer_makes():
    value = np.random.default_rng(0).random((5003, 2)).tolist()
    data = b"\x80\x04](" + b"".join(safe_pickle.dumps(row)[2:-1] for row in value) + b"e."
    data = data.replace(b"](G", b"]\x94(G")
    for arrays in (True, False):
        assert safe_pickle.loads(data, "rows", arrays=arrays) == value
        assert safe_pickle.loads(data[:-2] + b"h\x07e.", "rows", arrays=arrays) == [*value, value[7]]


def test_rows_of_three_are_read_one_by_one():
    value = np.random.default_rng(0).random((50, 3)).tolist()
    for write in WRITERS.values():
        assert safe_pickle.loads(write(value), "rows", arrays=True) == value


def test_rows_used_again():
    """Nothing that DeepFaceLab writes does this, but it is a valid pickle."""
    rows_of_two = picture_face()["landmarks"]
    for value in ({"a": rows_of_two, "b": rows_of_two[3], "c": rows_of_two}, [rows_of_two, rows_of_two[::-1]]):
        for protocol in (2, 3, 4, 5):
            data = pickle.dumps(value, protocol)
            assert plain(safe_pickle.loads(data, "face", arrays=True)) == value == safe_pickle.loads(data, "face")


@pytest.mark.parametrize("put", [b"q\x05", b"q\x21", b"q\x43", b"r\x05\x00\x00\x00"])
@pytest.mark.parametrize("row", [b"]\x94(", b"]q\x05(", b"]q\x44("])
def test_numbers_that_are_given_twice(put, row, monkeypatch):
    """A value is remembered under a number that a row takes later, or no row takes; whoever asks gets the last."""
    rows_of_two = b"".join(
        row + b"G" + bytes([63, 240, *[number] * 6]) + b"G" + bytes(8) + b"e" for number in range(68)
    )
    for number in (5, 0x21, 0x43, 0x44, 0x50):
        data = b"\x80\x04](\x8c\x01x" + put + b"](" + rows_of_two + b"e" + b"h" + bytes((number,)) + b"e."
        found = every_way(data, monkeypatch)
        assert len(set(found)) == 1, number


def remembered(data, word):
    """Under which number the dictionary that holds ``word`` is remembered."""
    place, last, count = data.index(word), None, 0
    for operation, _, at in pickletools.genops(data):
        if at > place:
            return last
        if operation.name == "EMPTY_DICT":
            last = count
        count += operation.name == "MEMOIZE"


def with_end(operations, faces=5):
    """A pack of faces and, as its last element, what the operations leave; ``%b`` fetches the fourth face."""
    data = pickle.dumps([packed_face(number, 9) for number in range(faces)], 4)
    number = remembered(data, b"00003_0.jpg")
    fetch = bytes((104, number)) if number < 256 else b"j" + number.to_bytes(4, "little")
    return data[:-2] + operations.replace(b"%b", fetch) + b"e."


@pytest.mark.parametrize(
    "operations, message",
    [
        (b"%b\x8c\x01a%bs", "contains itself"),
        (b"%b(\x8c\x01a%bu", "contains itself"),
        (b"%b\x8c\x01a](%bes", "contains itself"),
        (b"%b\x8c\x01a" + b"]" * 30 + b"a" * 29 + b"s", "nested too deeply"),
        (b"%b" + b"\x85" * 30, "nested too deeply"),
        (b"%b\x8c\x01a]s", None),
    ],
)
def test_a_face_that_is_used_again_is_checked_again(operations, message):
    for arrays in (True, False):
        data = with_end(operations)
        if message is None:
            value = safe_pickle.loads(memoryview(data), "pack", safe_pickle.PACK_CLASSES, arrays=arrays)
            assert value[3] is value[5] and value[3]["a"] == []
            continue
        with pytest.raises(FormatError, match=message):
            safe_pickle.loads(memoryview(data), "pack", safe_pickle.PACK_CLASSES, arrays=arrays)


@pytest.mark.parametrize(
    "more", [b"(\x8c\x01a" + b"]" * 30 + b"a" * 29 + b"u", b"\x8c\x01a" + b"]" * 30 + b"a" * 29 + b"s"]
)
def test_a_face_that_is_changed_at_once_is_checked_again(more):
    data = pickle.dumps([packed_face(number, 9) for number in range(5)], 4)
    for arrays in (True, False):
        with pytest.raises(FormatError, match="nested too deeply"):
            changed = memoryview(data[:-2] + more + b"e.")
            safe_pickle.loads(changed, "pack", safe_pickle.PACK_CLASSES, arrays=arrays)


def test_faces_used_again_and_again_unfold_no_further_than_one_by_one():
    """Each list holds the last one twice: small in the file, but 2 to the power of 20 faces."""
    data = with_end(b"](%b%be\x94")
    first = sum(operation.name == "MEMOIZE" for operation, _, _ in pickletools.genops(data)) - 1
    fetch = [b"j" + (first + number).to_bytes(4, "little") for number in range(20)]
    bomb = data[:-2] + b"".join(b"](" + one + one + b"e\x94" for one in fetch) + b"e."
    for arrays in (True, False):
        with pytest.raises(FormatError, match="unfolds to far more"):
            safe_pickle.loads(memoryview(bomb), "pack", safe_pickle.PACK_CLASSES, arrays=arrays)
