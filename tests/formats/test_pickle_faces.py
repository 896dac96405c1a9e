"""Faces in the index of a pack are read the same in a few steps as operation by operation, also damaged ones."""

import pickle
import pickletools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pickle_damage import HOSTILE_NAME, damage

from core.errors import FormatError
from core.pickles import faces as pickle_faces
from core.pickles import safe_pickle

WRITERS = {"own": safe_pickle.dumps, "python": lambda value: pickle.dumps(value, 4)}


def face(number=0, mask=100, points=68, polygons=0, person=None, name=None):
    """The entry of one face, with new objects throughout, as DeepFaceLab has them."""
    rng = np.random.default_rng(number)
    return {
        "sample_type": 1,
        "filename": name or f"{number:05d}_0.jpg",
        "face_type": 4,
        "shape": (1024 - number % 3, 1024, 3),
        "landmarks": (rng.random((points, 2)) * 1024).tolist(),
        "seg_ie_polys": {"polys": [{"type": 1, "pts": rng.random((5, 2)).astype(np.float32)} for _ in range(polygons)]},
        "xseg_mask": None,
        "xseg_mask_compressed": None if mask is None else rng.integers(0, 256, mask, np.uint8),
        "eyebrows_expand_mod": 1.0,
        "source_filename": f"{number:05d}.png",
        "person_name": person,
    }


def outcome(data, compact):
    """What reading gives: the text of the value (which shows every number, also nan), or that it is refused."""
    try:
        value = safe_pickle.loads(memoryview(data), "pack", safe_pickle.PACK_CLASSES, compact=compact)
    except FormatError as error:
        assert str(error).startswith("pack: ") and "\n" not in str(error)
        return "refused"
    with np.printoptions(threshold=10**9):
        return repr(safe_pickle.expanded(value))


faces = st.builds(
    face,
    number=st.integers(0, 70_000),
    mask=st.none() | st.sampled_from([1, 255, 256, 70_000]),
    points=st.sampled_from([68, 68, 68, 5, 67, 69]),
    polygons=st.sampled_from([0, 0, 0, 2]),
    person=st.none() | st.text(max_size=9),
    name=st.none() | st.text(max_size=300),
)


@given(st.lists(faces, max_size=5), st.sampled_from(list(WRITERS)))
@settings(max_examples=30, deadline=None)
def test_both_ways_agree(entries, writer):
    data = WRITERS[writer](entries)
    assert outcome(data, True) == outcome(data, False) != "refused"


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("mask", [None, 100, 3000])
def test_every_usual_face_but_the_first_ones_takes_the_short_way(writer, mask, monkeypatch):
    whole = []
    original = pickle_faces._source
    monkeypatch.setattr(pickle_faces, "_source", lambda *given: whole.append(original(*given)) or whole[-1])
    data = WRITERS[writer]([face(number, mask) for number in range(20)])
    safe_pickle.loads(memoryview(data), "pack", safe_pickle.PACK_CLASSES, compact=True)
    assert whole.count(True) >= 18


@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_faces_give_the_same_both_ways(writer):
    """Bytes of later faces are changed, removed and inserted, except inside of the landmarks."""
    original = WRITERS[writer]([face(number, mask, 68) for number, mask in enumerate((9, None, 9, 9, None))])
    names = [original.index(b"%05d_0.jpg" % number) for number in (2, 3, 4)]
    pairs = {at for name in names for at in range(name + 30, name + 1490)}
    places = sorted(set(range(names[0] - 30, len(original))) - pairs)
    outcomes = set()
    for seed in range(200):
        rng = random.Random(seed)
        data = damage(original, rng.choice(places), rng)
        first, second = outcome(data, True), outcome(data, False)
        assert first == second, seed
        outcomes.add(first == "refused")
    assert outcomes == {True, False}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_name_before_any_operation_of_a_face_is_refused(writer):
    data = WRITERS[writer]([face(number, mask) for number, mask in enumerate((9, None, 9))])
    third = data.index(b"00002_0.jpg")
    usual = {"BINFLOAT", "EMPTY_LIST", "MEMOIZE", "MARK", "APPENDS"}
    places = [at for operation, _, at in pickletools.genops(data) if at > third - 9]
    inside = [at for operation, _, at in pickletools.genops(data) if at > third + 80 and operation.name in usual]
    places = sorted(set(places) - set(inside[:-30]))
    assert len(places) > 30
    for place in places:
        with pytest.raises(safe_pickle.UnsafePickle, match="os.system"):
            hostile = memoryview(data[:place] + HOSTILE_NAME + data[place:])
            safe_pickle.loads(hostile, "pack", safe_pickle.PACK_CLASSES, compact=True)


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
    data = pickle.dumps([face(number, 9) for number in range(faces)], 4)
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
    for compact in (True, False):
        data = with_end(operations)
        if message is None:
            value = safe_pickle.loads(memoryview(data), "pack", safe_pickle.PACK_CLASSES, compact=compact)
            assert value[3] is value[5] and value[3]["a"] == []
            continue
        with pytest.raises(FormatError, match=message):
            safe_pickle.loads(memoryview(data), "pack", safe_pickle.PACK_CLASSES, compact=compact)


@pytest.mark.parametrize(
    "more", [b"(\x8c\x01a" + b"]" * 30 + b"a" * 29 + b"u", b"\x8c\x01a" + b"]" * 30 + b"a" * 29 + b"s"]
)
def test_a_face_that_is_changed_at_once_is_checked_again(more):
    data = pickle.dumps([face(number, 9) for number in range(5)], 4)
    for compact in (True, False):
        with pytest.raises(FormatError, match="nested too deeply"):
            changed = memoryview(data[:-2] + more + b"e.")
            safe_pickle.loads(changed, "pack", safe_pickle.PACK_CLASSES, compact=compact)


def test_faces_used_again_and_again_unfold_no_further_than_one_by_one():
    """Each list holds the last one twice: small in the file, but 2 to the power of 20 faces."""
    data = with_end(b"](%b%be\x94")
    first = sum(operation.name == "MEMOIZE" for operation, _, _ in pickletools.genops(data)) - 1
    fetch = [b"j" + (first + number).to_bytes(4, "little") for number in range(20)]
    bomb = data[:-2] + b"".join(b"](" + one + one + b"e\x94" for one in fetch) + b"e."
    for compact in (True, False):
        with pytest.raises(FormatError, match="unfolds to far more"):
            safe_pickle.loads(memoryview(bomb), "pack", safe_pickle.PACK_CLASSES, compact=compact)
