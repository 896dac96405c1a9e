"""What the writer writes, the reader, Python itself and old numpy read; and only names of the white list are in it."""

import io
import pickle
import pickletools
import re
from enum import IntEnum
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from pickle_forms import plain

from core.errors import FormatError
from core.pickles import safe_pickle

ROOT = Path(__file__).parents[2]
NUMPY_1_NAMES = {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}

dtypes = st.sampled_from(["<f4", "<f8", "<f2", "u1", "<u2", "<i4", "<i8", "?", ">f8", ">i2"])
arrays = st_numpy.arrays(dtypes, st_numpy.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**100), 2**100)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300)
)
pairs = st.lists(st.lists(st.floats(allow_nan=False), min_size=2, max_size=2), min_size=6, max_size=80)
values = st.recursive(
    scalars | arrays | pairs,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.tuples(inner, inner)
        | st.tuples(inner, inner, inner, inner)
        | st.dictionaries(st.text(max_size=20) | st.integers(0, 9), inner, max_size=6)
    ),
    max_leaves=12,
)


def same(first, second):
    if isinstance(first, np.ndarray):
        second = np.asarray(second)
        equal = np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
        return first.shape == second.shape and first.dtype.newbyteorder("=") == second.dtype and equal
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def globals_in(data):
    """Names that a pickle of protocol 4 asks for, found with Python's own tools."""
    found, texts, memo, last = set(), [], {}, None
    for operation, argument, _ in pickletools.genops(data):
        assert operation.proto <= 4 and operation.name not in ("GLOBAL", "INST", "PERSID", "BINPERSID", "EXT1")
        if operation.name in ("SHORT_BINUNICODE", "BINUNICODE"):
            last = argument
            texts.append(argument)
        elif operation.name == "MEMOIZE":
            memo[len(memo)] = last
        elif operation.name in ("BINGET", "LONG_BINGET"):
            texts.append(memo[argument])
        elif operation.name == "STACK_GLOBAL":
            found.add(" ".join(texts[-2:]))
            last = None
    return found


@given(values)
@settings(max_examples=150, deadline=None)
def test_round_trip(value):
    data = safe_pickle.dumps(value)
    assert data[:2] == b"\x80\x04" and globals_in(data) <= NUMPY_1_NAMES
    assert same(value, safe_pickle.loads(data, "test"))
    assert same(value, pickle.loads(data))
    assert same(value, plain(safe_pickle.loads(memoryview(data), "test", arrays=True)))


@given(values, st.sampled_from([2, 3, 4, 5]))
@settings(max_examples=150, deadline=None)
def test_pickles_of_python_itself(value, protocol):
    data = pickle.dumps(value, protocol)
    assert same(value, safe_pickle.loads(data, "test"))
    if protocol < 4:
        assert same(value, safe_pickle.loads(data.replace(b"numpy._core", b"numpy.core"), "test"))
    assert same(value, plain(safe_pickle.loads(data, "test", arrays=True)))


def test_numpy_1_names_are_read():
    array = np.arange(6.0).reshape(2, 3)
    for protocol in (2, 3):
        data = pickle.dumps(array, protocol)
        assert b"numpy._core" in data or b"numpy.core" in data
        old = data.replace(b"numpy._core", b"numpy.core")
        assert same(array, safe_pickle.loads(old, "test"))


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_array_orders(order, protocol):
    array = np.asarray(np.arange(24, dtype=np.int32).reshape(2, 3, 4), order=order)
    for item in (array, array.transpose(1, 0, 2), np.asfortranarray(array), array[:, ::2]):
        assert same(np.array(item), np.array(safe_pickle.loads(pickle.dumps(item, protocol), "test")))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_scalars(protocol):
    values = [np.int64(3), np.int32(-1), np.float64(0.5), np.float32(0.25), np.uint8(7), np.bool_(True)]
    read = safe_pickle.loads(pickle.dumps(values, protocol), "test")
    assert [type(value) for value in read] == [type(value) for value in values] and read == values


def test_plain_numbers_are_written():
    class Kind(IntEnum):
        FACE = 1

    data = safe_pickle.dumps([np.int64(3), np.float32(0.5), np.bool_(True), Kind.FACE])
    read = pickle.loads(data)
    assert read == [3, 0.5, True, 1] and [type(value) for value in read] == [int, float, bool, int]
    assert globals_in(data) == set()


def test_pairs_used_twice_are_read_in_both_forms():
    points = [[float(n), n / 2] for n in range(68)]
    value = {"landmarks": points, "source_landmarks": list(points), "again": points}
    for protocol in (3, 4):
        data = pickle.dumps(value, protocol)
        assert safe_pickle.loads(data, "test") == value
        assert plain(safe_pickle.loads(data, "test", arrays=True)) == value


@pytest.mark.parametrize("count", [7, 8, 999, 1000, 1001, 2500])
@pytest.mark.parametrize("protocol", [3, 4])
def test_long_lists_of_pairs(count, protocol):
    pairs = [[n * 0.5, -float(n)] for n in range(count)]
    assert safe_pickle.loads(pickle.dumps({"loss": pairs}, protocol), "test") == {"loss": pairs}
    assert pickle.loads(safe_pickle.dumps(pairs)) == pairs == safe_pickle.loads(safe_pickle.dumps(pairs), "test")
    np.testing.assert_array_equal(safe_pickle.loads(pickle.dumps(pairs, protocol), "test", arrays=True), pairs)


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 2000])
def test_list_written_piece_by_piece(count):
    stream = io.BytesIO()
    items = [{"name": f"{n}.jpg", "value": np.arange(3)} for n in range(count)]
    assert safe_pickle.dump_list(iter(items), stream) == count
    assert same(items, pickle.loads(stream.getvalue()))
    assert same(items, safe_pickle.loads(stream.getvalue(), "test"))


@pytest.mark.parametrize("count", [0, 1, 300])
def test_dictionary_written_piece_by_piece(count):
    items = {f"{n}.jpg": (n, {"value": np.arange(3), "name": "same"}) for n in range(count)}
    pieces = list(safe_pickle.dump_dict(items.items()))
    assert len(pieces) == count + 2 and b"".join(pieces) == safe_pickle.dumps(items)
    assert same(items, pickle.loads(b"".join(pieces)))


@pytest.mark.parametrize("value", [object(), {1, 2}, np.array(["text"]), np.array([object()]), 1j])
def test_what_cannot_be_written_is_an_error(value):
    with pytest.raises(TypeError):
        safe_pickle.dumps({"key": value})


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_a_value_or_a_format_error(data):
    try:
        safe_pickle.loads(data, "test")
    except FormatError as error:
        assert str(error).startswith("test: ") and "\n" not in str(error)


def test_nothing_else_unpickles():
    pattern = re.compile(
        r"pickle\.(loads?|Unpickler)\b|\bUnpickler\b|import (_|c)?pickle\b|from (_|c)?pickle import|allow_pickle\s*=\s*True"
        r"|\b(marshal|shelve|dill|cloudpickle|joblib)\.(loads?|open)\b|read_pickle"
    )
    rooms = ("core", "facelib", "samplelib", "models", "merger", "xseglib", "mainscripts", "scripts")
    files = [ROOT / "main.py", ROOT / "setup.py"] + [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    assert len(files) > 40
    offenders = []
    for file in files:
        if not file.exists():
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if pattern.search(line.replace("safe_pickle.load", "")):
                offenders.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()}")
    assert offenders == []
