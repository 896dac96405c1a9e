"""State, weights and sessions of models: unusual but valid forms are read, anything else names file and entry."""

import pickle
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from core.errors import FormatError
from core.networks.weight_files import read_weights, weights_to_bytes, write_weights
from core.pickles import safe_pickle
from merger.interactive.session_import import read_session, session_path
from models.saved.model_files import (
    ModelData,
    model_data_to_bytes,
    read_default_options,
    read_model_data,
    summary_text,
    write_default_options,
    write_model_data,
)

keys = st.text("abcdefgh_/:0123456789", min_size=1, max_size=30)
float_arrays = st_numpy.arrays(
    st.sampled_from([np.float32, np.float16]),
    st_numpy.array_shapes(max_dims=4, max_side=4),
    elements=st.floats(-9, 9, width=16),
)


@given(st.dictionaries(keys, float_arrays, max_size=6), st.none() | st.integers(0, 2**40))
@settings(max_examples=60, deadline=None)
def test_weights_round_trip(tmp_path_factory, weights, iterations):
    path = tmp_path_factory.getbasetemp() / "x_SAEHD_encoder.npy"
    stored = dict(weights) if iterations is None else {"iters:0": iterations, **weights}
    write_weights(path, stored)
    again = read_weights(path)
    assert list(again) == list(stored)
    for key, value in stored.items():
        np.testing.assert_array_equal(again[key], value)
        assert type(again[key]) is int if isinstance(value, int) else again[key].dtype == value.dtype
    plain = pickle.loads(path.read_bytes())
    assert list(plain) == list(stored)


@pytest.mark.parametrize("iterations", [3, 3.0, np.int64(3), np.int32(3), np.array(3), np.array(3, np.int32)])
def test_every_form_of_the_iteration_count(iterations, tmp_path):
    path = tmp_path / "x_opt.npy"
    path.write_bytes(pickle.dumps({"iters:0": iterations}, 4))
    assert read_weights(path) == {"iters:0": 3} and type(read_weights(path)["iters:0"]) is int


def test_stream_of_pickles(tmp_path):
    path = tmp_path / "x_SAEHD_encoder.npy"
    tensors = {f"conv{n}/weight:0": np.full((3, 3, n + 1, 2), n, np.float32) for n in range(5)}
    stream = pickle.dumps(len(tensors), 4) + b"".join(pickle.dumps({key: value}, 4) for key, value in tensors.items())
    path.write_bytes(stream)
    again = read_weights(path)
    assert list(again) == list(tensors) and all(np.array_equal(again[key], tensors[key]) for key in tensors)
    for damaged, problem in (
        (
            stream[: -len(pickle.dumps({"conv4/weight:0": tensors["conv4/weight:0"]}, 4))],
            "announces 5 tensors and holds 4",
        ),
        (stream[:-10], "damaged|cut off"),
        (pickle.dumps(1, 4) + pickle.dumps([1], 4), "not a weight file"),
        (pickle.dumps(10**12, 4), "announces"),
    ):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match=f"x_SAEHD_encoder.npy: .*({problem})"):
            read_weights(path)


def test_arrays_are_written_in_c_order_and_native_numbers(tmp_path):
    odd = np.asfortranarray(np.arange(12, dtype=">f4").reshape(3, 4))
    write_weights(tmp_path / "w.npy", {"a:0": odd, "b:0": odd[::2, ::2], "n:0": np.array(5), "m:0": np.float32(0.5)})
    again = pickle.loads((tmp_path / "w.npy").read_bytes())
    np.testing.assert_array_equal(again["a:0"], odd)
    np.testing.assert_array_equal(again["b:0"], odd[::2, ::2])
    assert again["a:0"].flags.c_contiguous and again["a:0"].dtype.str == "<f4"
    assert (again["n:0"], again["m:0"]) == (5, 0.5) and type(again["n:0"]) is int


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no such file"), (b"", "is empty, so it holds no weights"), (b"\x93NUMPY\x01\x00", "damaged|refused"),
        (pickle.dumps([1, 2], 4), "not a weight file"), (pickle.dumps({"a:0": "text"}, 4), "tensor 'a:0' is of type str"),
        (pickle.dumps({"a:0": None}, 4), "tensor 'a:0' is of type NoneType"), (pickle.dumps({5: np.zeros(2)}, 4), "not named by a text"),
    ],
)  # fmt: skip
def test_unusable_weight_files(content, problem, tmp_path):
    path = tmp_path / "x_SAEHD_inter.npy"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError, match=f"x_SAEHD_inter.npy: .*({problem})"):
        read_weights(path)


def test_truncated_weight_file_at_every_place(tmp_path):
    data = weights_to_bytes({"a/weight:0": np.arange(20, dtype=np.float32), "a/bias:0": np.zeros(3, np.float32)})
    path = tmp_path / "x.npy"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(FormatError, match="x.npy"):
            read_weights(path)


options = st.dictionaries(
    st.text("abcdefgh_", min_size=1, max_size=12),
    st.booleans() | st.integers(-999, 9999) | st.floats(0, 9) | st.text(max_size=9),
    max_size=9,
)


@given(
    options, st.integers(1, 30), st.sampled_from([1, 2]), st.dictionaries(st.just("author_name"), st.text(max_size=9))
)
@settings(max_examples=60, deadline=None)
def test_model_data_round_trip(tmp_path_factory, options, iteration, width, extra):
    path = tmp_path_factory.getbasetemp() / "m_SAEHD_data.dat"
    losses = [[n / 7 + column for column in range(width)] for n in range(iteration)]
    samples = [[np.zeros((1, 4, 4, 3), np.float32)], []]
    data = ModelData(iteration, options, losses, samples, extra)
    write_model_data(path, data)
    again = read_model_data(path)
    assert (again.iteration, again.options, again.loss_history, again.extra) == (iteration, options, losses, extra)
    assert np.array_equal(again.sample_for_preview[0][0], samples[0][0]) and again.sample_for_preview[1] == []
    plain = pickle.loads(path.read_bytes())
    assert list(plain)[:5] == ["iter", "options", "loss_history", "sample_for_preview", "choosed_gpu_indexes"]


def test_unusual_model_data(tmp_path):
    path = tmp_path / "m_SAEHD_data.dat"

    def read(value, protocol=4):
        path.write_bytes(pickle.dumps(value, protocol))
        return read_model_data(path)

    assert read({"iter": 0}) == ModelData()
    assert read({"iter": 0, "options": 5, "loss_history": "x"}) == ModelData()
    short = read(
        {"iter": np.int64(2), "options": {"resolution": np.int32(64), "power": np.float64(0.5), "on": True}}, 3
    )
    assert short.options == {"resolution": 64, "power": 0.5, "on": True} and short.loss_history == []
    assert [type(value) for value in short.options.values()] == [int, float, bool]
    cut = read({"iter": 2, "options": {}, "loss_history": [[1, 2], (np.float32(3), 4.0), [5, 6]]})
    assert cut.loss_history == [[1.0, 2.0], [3.0, 4.0]]
    for samples in (None, "x", [1], [["x"]]):
        assert read({"iter": 1, "options": {}, "sample_for_preview": samples}).sample_for_preview is None


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ([], "not the state of a model"), ({}, "no number of iterations"), ({"iter": -1}, "no number of iterations"),
        ({"iter": "5"}, "no number of iterations"), ({"iter": True}, "no number of iterations"), ({"iter": 5}, "no options"),
        ({"iter": 5, "options": []}, "no options"), ({"iter": 5, "options": {"a": float("nan")}}, "'a' is not a finite"),
        ({"iter": 5, "options": {1: 2}}, "not named by a text"), ({"iter": 5, "options": {}, "loss_history": [1]}, "loss history"),
        ({"iter": 5, "options": {}, "loss_history": [["a"]]}, "loss history"),
    ],
)  # fmt: skip
def test_unusable_model_data(value, problem, tmp_path):
    path = tmp_path / "m_SAEHD_data.dat"
    path.write_bytes(pickle.dumps(value, 4))
    with pytest.raises(FormatError, match=f"m_SAEHD_data.dat: .*{problem}"):
        read_model_data(path)
    with pytest.raises(FormatError, match="no such file"):
        read_model_data(tmp_path / "other_data.dat")


def test_long_training_is_read_and_written_quickly():
    losses = np.random.default_rng(0).random((100_000, 2)).tolist()
    start = time.process_time()
    data = model_data_to_bytes(ModelData(100_000, {"batch_size": 4}, losses))
    again = safe_pickle.loads(data, "data")["loss_history"]
    assert again == losses and time.process_time() - start < 10
    assert safe_pickle.loads(pickle.dumps(losses, 4), "data") == losses


def test_default_options_that_are_missing_or_broken(tmp_path, capsys):
    path = tmp_path / "SAEHD_default_options.dat"
    assert read_default_options(path) == {}
    for content in (b"", b"broken", pickle.dumps([1], 4)):
        path.write_bytes(content)
        assert read_default_options(path) == {}
    assert capsys.readouterr().err.count(str(path)) == 3
    write_default_options(path, {"resolution": np.int64(128), "face_type": "wf"})
    assert read_default_options(path) == {"resolution": 128, "face_type": "wf"}


def test_summary_with_graphics_cards():
    text = summary_text("a_SAEHD", 12345, {"a_very_long_option_name_indeed": "x"}, [(0, "NVIDIA H100 80GB HBM3", 78.5)])
    lines = text.split("\n")
    assert len({len(line) for line in lines}) == 1 and not text.endswith("\n")
    assert all(line.startswith("==") and line.endswith("==") for line in lines)
    assert "            Device index: 0" in text and "VRAM: 78.50GB" in text and lines[-1] == "=" * len(lines[0])


def session_bytes(protocol_3=False, **changes):
    """A session as DeepFaceLab writes it; before protocol 4 the class of a frame is named in two steps."""

    def text(value):
        data = value.encode()
        return b"X" + struct.pack("<I", len(data)) + data

    def plain(value):
        return safe_pickle.dumps(value)[2:-1]

    def made(module, name, attributes):
        state = b"".join(text(key) + value for key, value in attributes.items())
        return f"c{module}\n{name}\n".encode() + b")\x81}(" + state + b"ub"

    path = b"cpathlib\nWindowsPath\n(" + text("C:\\") + text("w") + text("кадр 1.png") + b"tR"
    info = made("merger.FrameInfo", "FrameInfo", {"filepath": path, "landmarks_list": b"]", "motion_deg": b"K\x02"})
    attributes = {"frame_info": info, "cfg": b"N", "is_done": b"\x88", "idx": b"K\x00"}
    frame = made("merger.InteractiveMergerSubprocessor", "InteractiveMergerSubprocessor.Frame", attributes)
    if protocol_3:
        nested = b"cmerger.InteractiveMergerSubprocessor\nInteractiveMergerSubprocessor.Frame\n"
        outer = (
            b"cbuiltins\ngetattr\ncmerger.InteractiveMergerSubprocessor\nInteractiveMergerSubprocessor\n"
            + text("Frame")
            + b"\x86R"
        )
        frame = frame.replace(nested, outer)
    parts = {
        "frames": b"](" + frame + b"e",
        "frames_idxs": b"]",
        "frames_done_idxs": plain([0]),
        "model_iter": plain(7),
    }
    parts = {key: value for key, value in {**parts, **changes}.items() if value is not None}
    return (
        (b"\x80\x03" if protocol_3 else b"\x80\x04")
        + b"}("
        + b"".join(text(key) + value for key, value in parts.items())
        + b"u."
    )


@pytest.mark.parametrize("protocol_3", [True, False])
def test_session_made_on_windows(protocol_3, tmp_path):
    path = session_path(tmp_path, "m_SAEHD")
    path.write_bytes(session_bytes(protocol_3))
    session = read_session(path)
    (frame,) = session.frames
    assert (frame.name, frame.is_done, frame.settings, frame.landmarks) == ("кадр 1.png", True, None, [])
    assert (frame.motion_degrees, frame.motion_power) == (2, 0)
    assert (session.to_do, session.done, session.model_iteration) == ([], [0], 7)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"frames": None}, "holds no frames"), ({"frames_idxs": None}, "frames_idxs does not fit"),
        ({"frames_done_idxs": safe_pickle.dumps([1])[2:-1]}, "frames_done_idxs does not fit its 1 frames"),
        ({"model_iter": b"N"}, "model_iter is not a number"), ({"frames": b"]K\x01a"}, "frame 0 is incomplete"),
        ({"frames": b"]cmerger.FrameInfo\nFrameInfo\n)\x81a"}, "frame 0 is incomplete"),
    ],
)  # fmt: skip
def test_unusable_sessions(changes, problem, tmp_path):
    path = session_path(tmp_path, "m_SAEHD")
    path.write_bytes(session_bytes(**changes))
    with pytest.raises(FormatError, match=f"m_SAEHD_merger_session.dat: {problem}"):
        read_session(path)
