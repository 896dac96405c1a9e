"""Face data of pictures is read the same by templates as operation by operation, also when it is damaged."""

import pickle
import pickletools
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pickle_damage import HOSTILE_NAME, damage

from core.errors import FormatError
from core.pickles import safe_pickle
from core.pickles.templates import Templates

WRITERS = {
    "own": safe_pickle.dumps,
    "protocol 4": lambda value: pickle.dumps(value, 4),
    "protocol 3": lambda value: pickle.dumps(value, 3),
}


def face(seed=0, name="00001.png", mask=None, column=False, **more):
    """Face data with new objects throughout, as DeepFaceLab has them."""
    rng = np.random.default_rng(seed)
    values = {
        "face_type": "whole_face",
        "landmarks": (rng.random((68, 2)) * 1024).tolist(),
        "source_filename": name,
        "source_rect": rng.integers(0, 2000, 4),
        "source_landmarks": (rng.random((68, 2)) * 1920).tolist(),
        "image_to_face_mat": rng.random((2, 3)),
    }
    if mask is not None:
        values["xseg_mask"] = rng.integers(0, 256, (mask, 1) if column else mask, np.uint8)
    return {**values, **more}


def by_machine(data):
    """Read without templates."""
    return safe_pickle.loads(memoryview(data), "face", compact=True)


def learned(*pickles):
    templates = Templates()
    for data in pickles:
        if templates.read(data) is None:
            templates.learn(data, by_machine(data), by_machine)
    return templates


def shown(value):
    with np.printoptions(threshold=10**9):
        return repr(safe_pickle.expanded(value))


def outcome(read, data):
    """What reading gives: the text of the value (which shows every number, also nan), or that it is refused."""
    try:
        return shown(read(data))
    except FormatError:
        return "refused"


faces = st.builds(
    face,
    seed=st.integers(0, 99),
    name=st.none() | st.text(max_size=90),
    mask=st.none() | st.sampled_from([1, 16, 255, 256, 5000]),
    column=st.booleans(),
)


@given(st.lists(faces, min_size=1, max_size=4), faces, st.sampled_from(list(WRITERS)))
@settings(max_examples=40, deadline=None)
def test_both_ways_agree(before, after, writer):
    templates = learned(*map(WRITERS[writer], before))
    for value in (*before, after):
        data = WRITERS[writer](value)
        found = templates.read(data)
        assert found is None or (shown(found) == shown(by_machine(data)) and list(found) == list(value))


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("first, second", [(None, None), (300, 5000), (16, 255)])
@pytest.mark.parametrize("column", [False, True])
def test_every_usual_face_but_the_first_takes_the_short_way(writer, first, second, column):
    known = learned(WRITERS[writer](face(0, mask=first, column=column)))
    data = WRITERS[writer](face(1, "a longer name, кадр.jpg", second, column))
    found = known.read(data)
    assert shown(found) == shown(by_machine(data))
    assert found["landmarks"][0].array().flags.writeable and not found["source_rect"].flags.writeable


@pytest.mark.parametrize("writer", WRITERS)
def test_damaged_faces_give_the_same_both_ways(writer):
    """A template reads what the machine reads in the same way, or nothing; above all nothing that it refuses."""
    original = WRITERS[writer](face(0, mask=300))
    templates = learned(original)
    fits = 0
    for seed in range(600):
        rng = random.Random(seed)
        data = damage(original, rng.randrange(len(original)), rng)
        found = templates.read(data)
        if found is not None:
            assert outcome(by_machine, data) == shown(found), seed
            fits += 1
    assert 0 < fits < 600


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("cut", [0, 1, 40, 1500, -1])
def test_cut_off(writer, cut):
    data = WRITERS[writer](face(0, mask=300))
    assert learned(data).read(data[:cut]) is None


def test_what_is_no_usual_face_is_not_learned():
    shared = (np.random.default_rng(0).random((68, 2)) * 1024).tolist()
    unusual = [
        face(seg_ie_polys={"polys": []}),
        {**face(), "landmarks": shared[:7]},
        {**face(), "landmarks": [*shared, None]},
        {"source_filename": "landmarks", "landmarks": 5},
        {**face(), "source_rect": np.arange(1)},
        [face()],
        {"options": {}},
    ]
    for value in unusual:
        for write in WRITERS.values():
            data = write(value)
            assert learned(data).read(data) is None


def test_keys_as_names_are_read_rightly():
    """A name that reads like a key cannot move content to another key."""
    for name in ("source_rect", "landmarks", "face_type", "image_to_face_mat"):
        for write in WRITERS.values():
            known = learned(write(face(0, name)), write(face(1, "b" + name)))
            for other in (name, "other"):
                data = write(face(2, other))
                found = known.read(data)
                assert found is None or shown(found) == shown(by_machine(data))


def test_numbers_used_for_two_keys_are_not_learned():
    block = b"(" + b"".join(b"](G" + bytes([63, 240, *[number] * 6]) + b"G" + bytes(8) + b"e" for number in range(68))
    texts = [b"\x8c" + bytes((len(key),)) + key for key in (b"landmarks", b"source_landmarks")]
    lists = b"]" + block + b"e"
    data = b"\x80\x04}(" + texts[0] + lists + b"q\x00" + texts[1] + b"h\x00" + b"u."
    value = by_machine(data)
    assert value["landmarks"] is value["source_landmarks"]
    assert learned(data).read(data) is None


def test_learning_ends():
    templates = Templates()
    data = [safe_pickle.dumps(face(0, **{f"key{number}": 1})) for number in range(250)]
    for item in data:
        templates.learn(item, by_machine(item), by_machine)
    assert len(templates._known) == 16 and templates._attempts == 200
    assert shown(templates.read(data[199])) == shown(by_machine(data[199]))
    assert templates.read(data[0]) is None and templates.read(data[249]) is None


def test_a_template_is_kept_only_if_the_machine_reads_other_content_the_same():
    data = safe_pickle.dumps(face(0))

    def refuses(other):
        if other != data:
            raise FormatError("face", "is refused")
        return by_machine(other)

    def swaps(other):
        value = by_machine(other)
        if other != data:
            value["landmarks"], value["source_landmarks"] = value["source_landmarks"], value["landmarks"]
        return value

    for read, known in ((refuses, False), (swaps, False), (by_machine, True)):
        templates = Templates()
        templates.learn(data, by_machine(data), read)
        assert (templates.read(data) is not None) == known


@pytest.mark.parametrize("writer", WRITERS)
def test_a_name_before_any_operation_is_refused_after_learning(writer):
    data = WRITERS[writer](face(0, mask=300))
    assert shown(safe_pickle.loads(data, "face", compact=True)) == shown(safe_pickle.loads(data, "face", compact=True))
    usual = {"BINFLOAT", "EMPTY_LIST", "MEMOIZE", "MARK", "APPENDS", "BINPUT", "LONG_BINPUT"}
    places = [at for operation, _, at in pickletools.genops(data) if at > 1 and operation.name not in usual]
    assert len(places) > 30
    for place in places:
        with pytest.raises(safe_pickle.UnsafePickle, match="os.system"):
            safe_pickle.loads(data[:place] + HOSTILE_NAME + data[place:], "face", compact=True)
