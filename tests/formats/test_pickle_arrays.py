"""Arrays of one row or column, as masks are, in every form in which they are stored, also damaged."""

import pickle

import numpy as np
import pytest

from core.pickles import safe_pickle

LENGTHS = [1, 2, 200, 255, 256, 5000, 65535, 65536, 70000]


def same(first, second):
    return len(first) == len(second) and all(
        np.array_equal(a, b) and a.dtype == b.dtype and a.shape == b.shape for a, b in zip(first, second)
    )


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "<f4", ">i8"])
@pytest.mark.parametrize("writer", [safe_pickle.dumps, lambda value: pickle.dumps(value, 4)])
def test_vectors(writer, dtype, column):
    rng = np.random.default_rng(0)
    arrays = [(rng.random((length, 1) if column else length) * 99).astype(dtype) for length in LENGTHS]
    arrays += [np.zeros((3, 2)), np.zeros(0, np.uint8), arrays[0][:1]]
    data = writer(arrays).replace(b"numpy._core", b"numpy._core")
    for form in (data, memoryview(data)):
        assert same(safe_pickle.loads(form, "test", arrays=True), [a.astype(a.dtype.newbyteorder("=")) for a in arrays])


def test_vectors_used_twice():
    first, second = np.arange(300, dtype=np.uint8) % 250, np.arange(5, dtype=np.uint8)
    value = {"a": first, "b": second, "again": [second, first, second], "c": second}
    for data in (pickle.dumps(value, 4), safe_pickle.dumps(value)):
        read = safe_pickle.loads(data, "test", arrays=True)
        assert same([read["a"], read["b"], *read["again"], read["c"]], [first, second, second, first, second, second])


def test_values_remembered_inside_an_array_are_found_again():
    """Nothing that DeepFaceLab writes does this, but it is a valid pickle."""
    arrays = [np.arange(4, dtype=np.uint8), np.arange(300, dtype=np.uint8)]
    data = bytearray(pickle.dumps([*arrays, "end"], 4))
    assert data[-12:] == b"\x8c\x03end\x94e."[-12:] or data.endswith(b"end\x94e.")
    memo = data.count(b"\x94")
    for index in range(memo - 8, memo - 1):
        changed = bytes(data[:-2]) + b"h" + bytes((index,)) + b"0" * 0 + b"e."
        changed = changed.replace(changed[3:11], (len(changed) - 11).to_bytes(8, "little"), 1)
        try:
            slow = safe_pickle.loads(changed, "test")
        except safe_pickle.FormatError:
            with pytest.raises(safe_pickle.FormatError):
                safe_pickle.loads(changed, "test", arrays=True)
            continue
        quick = safe_pickle.loads(changed, "test", arrays=True)
        assert str(slow) == str(quick)


@pytest.mark.parametrize("damage", [b"J\xff\xff\xff\xff", b"M\xff\xff"])
def test_wrong_lengths_are_refused(damage):
    arrays = [np.arange(300, dtype=np.uint8), np.arange(400, dtype=np.uint8)]
    data = safe_pickle.dumps(arrays)
    place = data.rindex(b"M\x90\x01") if b"M\x90\x01" in data else data.rindex(b"J\x90\x01\x00\x00")
    stored = 3 if data[place : place + 1] == b"M" else 5
    for arrays in (False, True):
        with pytest.raises(safe_pickle.FormatError, match="test: "):
            safe_pickle.loads(data[:place] + damage + data[place + stored :], "test", arrays=arrays)


@pytest.mark.parametrize("writer", [safe_pickle.dumps, lambda value: pickle.dumps(value, 4)])
def test_vectors_of_changing_kinds(writer):
    """No array may be taken for another type, shape or length."""
    rng = np.random.default_rng(0)
    kinds = [("u1", 300), ("u1", 301), ("i1", 300), ("u1", (300, 1)), ("u1", (301, 1)), ("<u2", 150), (">u2", 150)]
    kinds += [("u1", 20), ("u1", 21), ("u1", 0), ("u1", 22), ("f8", 40), ("f8", 41)]
    picked = [kinds[number] for number in rng.integers(0, len(kinds), 300)]
    arrays = [rng.integers(0, 100, shape).astype(dtype) for dtype, shape in picked]
    expected = [array.astype(array.dtype.newbyteorder("=")) for array in arrays]
    data = writer(arrays)
    for form in (data, memoryview(data)):
        assert same(safe_pickle.loads(form, "test", arrays=True), expected)


def test_damaged_vectors_give_the_same_both_ways():
    original = safe_pickle.dumps([np.arange(30 + number, dtype=np.uint8) for number in range(6)])
    start = original.index(bytes(range(32)))
    outcomes = set()
    for seed in range(300):
        rng = np.random.default_rng(seed)
        data, at = bytearray(original), int(rng.integers(start, len(original)))
        data[at : at + int(rng.integers(0, 2))] = bytes(
            (rng.choice(list(b"\x94hjKMBC\x85\x89tb\x00\x1e\x1f\x20\xff")),)
        )
        read = []
        for arrays in (False, True):
            try:
                read.append(repr(safe_pickle.loads(bytes(data), "test", arrays=arrays)))
            except safe_pickle.FormatError:
                read.append("refused")
        assert read[0] == read[1], seed
        outcomes.add(read[0] == "refused")
    assert outcomes == {True, False}
